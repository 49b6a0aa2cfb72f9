// A further process in a running container's namespace: a module of its image, its own descriptors, its own end.
//
// Owner    the core's table of execs and the scheduler; its run waits for it before it ends.
// Threads  turn(): one worker at a time. request_stop(), status(): any.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "base/files.h"
#include "container/containers.h"
#include "container/core/guest.h"
#include "container/core/loaded.h"
#include "container/core/run.h"

namespace fusebox::container {

class ExecTask final : public Task, public std::enable_shared_from_this<ExecTask> {
 public:
  ExecTask(Containers::Core& core, std::uint64_t id, std::shared_ptr<Run> run, Run::Inside inside, ExecOptions options,
           std::array<base::Fd, 3> fds);
  ~ExecTask() override;

  Turn turn() override;
  const vfs::WaitSet& waits() const override;
  CodeRange code() const noexcept override { return code_; }
  void ended() noexcept override;

  void request_stop() noexcept;
  ExecStatus status() const;
  const std::string& container() const noexcept { return run_name_; }

 private:
  enum class Step : std::uint8_t { begin, load, run, over };
  Turn begin();
  Turn load();
  Turn start_guest(std::shared_ptr<const engine::Program> program);
  Turn end(End how);
  std::expected<base::ByteView, End> module() const;

  Containers::Core& core_;
  const std::uint64_t id_;
  std::shared_ptr<Run> run_;  // until it has ended
  const std::string run_name_;
  Run::Inside inside_;
  ExecOptions options_;
  std::array<base::Fd, 3> fds_;
  std::atomic<bool> stop_{false};
  Step step_ = Step::begin;
  std::shared_ptr<Offloaded<Loaded>> loading_;
  vfs::WaitSet own_waits_;
  CodeRange code_;
  End end_;
  mutable std::mutex mutex_;
  std::unique_ptr<Guest> guest_;  // guarded by mutex_ for others
  ExecStatus status_;             // guarded by mutex_
};

}  // namespace fusebox::container
