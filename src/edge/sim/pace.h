// How a run waits: the seam between the runner and real time.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/files.h"
#include "base/result.h"

namespace fusebox::edge::sim {

class Pace {
 public:
  virtual ~Pace() = default;
  virtual void sleep_us(std::uint64_t us) = 0;
  // Somebody asked for the end of the run.
  virtual bool stopping() const = 0;
};

// Real time. stop() may be called from any thread and any number of times; it ends a sleep under way.
class RealPace final : public Pace {
 public:
  static base::Result<RealPace> create();
  RealPace(RealPace&& from) noexcept : wake_(std::move(from.wake_)), stopping_(from.stopping_.load()) {}
  void sleep_us(std::uint64_t us) override;
  bool stopping() const override { return stopping_.load(); }
  void stop() noexcept;

 private:
  explicit RealPace(base::Fd wake) : wake_(std::move(wake)) {}
  base::Fd wake_;  // readable once stop() was called
  std::atomic<bool> stopping_ = false;
};

}  // namespace fusebox::edge::sim
