// A process of a space at work: from its module's name to its end, as a task of the scheduler.
//
// Owner    the scheduler and its space's table.
// Threads  turn(): one worker at a time. request_stop(), memory_bytes(): any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "container/core/guest.h"
#include "container/core/loaded.h"
#include "container/scheduler/scheduler.h"
#include "container/space.h"
#include "vfs/device/device_tree.h"

namespace fusebox::container {

// What the processes of a space share, for as long as one of them lives.
struct SpaceShared {
  SpaceOptions options;
  std::shared_ptr<vfs::Mount> net;  // null without sockets
  std::mutex mutex;
  std::vector<std::shared_ptr<class SpaceTask>> running;  // guarded by mutex
};

class SpaceTask final : public Task, public SpaceProcess {
 public:
  SpaceTask(Containers::Core& core, std::shared_ptr<SpaceShared> space, SpaceExec exec);
  ~SpaceTask() override;

  Turn turn() override;
  const vfs::WaitSet& waits() const override;
  CodeRange code() const noexcept override { return code_; }
  void ended() noexcept override;

  void request_stop() noexcept override;
  std::uint64_t memory_bytes() const noexcept override;
  base::Nanos cpu_time() const noexcept override;

 private:
  struct Module;
  enum class Step : std::uint8_t { begin, load, run, over };
  Turn begin();
  Turn load();
  Turn start_guest(std::shared_ptr<const engine::Program> program);
  Turn end(End how);
  std::expected<std::shared_ptr<const vfs::Namespace>, End> build_names() const;
  std::expected<Module, End> find_module() const;

  Containers::Core& core_;
  std::shared_ptr<SpaceShared> space_;  // until it has ended
  SpaceExec exec_;
  std::atomic<bool> stop_{false};
  Step step_ = Step::begin;
  std::shared_ptr<const vfs::Namespace> names_;
  std::shared_ptr<Offloaded<Loaded>> loading_;
  vfs::WaitSet own_waits_;
  CodeRange code_;
  End end_;
  mutable std::mutex mutex_;
  std::unique_ptr<Guest> guest_;  // guarded by mutex_ for others
};

}  // namespace fusebox::container
