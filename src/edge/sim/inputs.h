// Where modules of a deployment get their inputs from: simulated devices and the run's clock, in place of callbacks.
//
// Threads  one thread, the one that steps.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "edge/hal/table.h"
#include "edge/inputs.h"
#include "edge/sim/devices.h"

namespace fusebox::edge::sim {

// Who wants to know what a run does while it does it.
class StepObserver {
 public:
  virtual void call_begins(fuse_module_id_t id, std::uint32_t events, std::uint64_t now_us) = 0;
  virtual void event_posted(fuse_module_id_t id, std::uint32_t event, std::uint64_t now_us) = 0;

 protected:
  ~StepObserver() = default;
};

class SimulatedInputs final : public Inputs {
 public:
  // Time counts from here.
  SimulatedInputs(Devices devices, const base::Clock& clock);

  std::uint64_t now_us() const;
  // For Setup::hal. Callbacks are never called, being without a place for the devices: they only say which groups answer.
  Hal hal() const;
  void observe(StepObserver* observer) { observer_ = observer; }

  const char* import(ImportCall& call) override;
  std::uint64_t timestamp(std::uint64_t (*read)()) override;
  void call_begins(fuse_module_id_t id, std::uint32_t events, std::uint64_t timestamp_us) override;

 private:
  std::uint64_t answer(const ImportCall& call);
  Devices devices_;
  const base::Clock& clock_;
  base::Nanos begin_;
  StepObserver* observer_ = nullptr;
};

}  // namespace fusebox::edge::sim
