// One run of a container: from its slot to its end, as a task of the scheduler.
//
// load (image and code, on an offload thread) -> launch (namespace, process, instance) -> the guest's turns -> drain (its
// execs end) -> teardown. The terminal state appears after all of that. A stop takes effect in every step: nothing waits
// for a step that is under way elsewhere.
//
// Owner    its record and the scheduler; owns all that the run holds.
// Threads  turn(): one worker at a time. request_stop(), window(), sample(): any.
// Contract containers.md 16.1, 16.5
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "container/containers.h"
#include "container/core/end.h"
#include "container/core/guest.h"
#include "container/core/launch.h"
#include "container/core/offloaded.h"
#include "container/scheduler/scheduler.h"
#include "image/library.h"

namespace fusebox::container {

class ExecTask;

struct RunOptions {
  std::string name;
  std::uint32_t slot = 0;
  std::uint64_t number = 0;
  LaunchConfig config;
  image::Reference shown;             // image and version of its status
  std::optional<image::Entry> entry;  // to be opened; nothing with `opened`
  std::shared_ptr<const image::Image> opened;
  std::array<int, 3> platform_fds{0, 1, 2};
  std::shared_ptr<void> keep_platform_fds;
  vfs::WindowSize window;  // at its start
};

class Run final : public Task, public std::enable_shared_from_this<Run> {
 public:
  Run(Containers::Core& core, RunOptions options);
  ~Run() override;

  Turn turn() override;
  const vfs::WaitSet& waits() const override;
  CodeRange code() const noexcept override;

  const RunOptions& options() const noexcept { return options_; }
  const std::string& name() const noexcept { return options_.name; }
  void request_stop() noexcept;
  vfs::Window& window() noexcept { return *window_; }
  bool stop_requested() const noexcept { return stop_.load(std::memory_order_acquire); }

  // What changes while it runs; zeros when it does not.
  struct Sample {
    std::uint64_t memory_bytes = 0;
    std::uint64_t memory_bytes_max = 0;
    std::uint32_t open_fds = 0;
    std::uint32_t execs = 0;
  };
  Sample sample() const;

  // What an exec needs of a running one; nothing when it is not.
  struct Inside {
    std::shared_ptr<const vfs::Namespace> names;
    std::shared_ptr<const image::Image> image;
    LaunchConfig config;
  };
  std::optional<Inside> inside() const;
  bool add_exec(std::shared_ptr<ExecTask> exec);  // false: it is ending
  void exec_ended(const ExecTask& exec);

  // The core's, under its lock.
  State state = State::starting;
  std::string reason = "-";
  std::int32_t exit_code = -1;
  base::Nanos started_wall{0};
  base::Nanos started{0};
  base::Nanos ended_at{0};
  base::Nanos cpu_at_end{0};
  base::Nanos kernel_at_end{0};  // the part of it in the kernel
  std::uint64_t end_order = 0;   // which ended when
  base::Sha256 digest{};

 private:
  struct Loading;
  enum class Step : std::uint8_t { begin, load, run, drain, over };

  Turn begin();
  Turn load();
  Turn start_guest(std::shared_ptr<const image::Image> image, std::shared_ptr<const engine::Program> program);
  Turn run();
  Turn end(End how);
  Turn drain();
  void teardown() noexcept;

  Containers::Core& core_;
  RunOptions options_;
  const std::shared_ptr<vfs::Window> window_;
  std::atomic<bool> stop_{false};
  Step step_ = Step::begin;
  std::shared_ptr<Offloaded<Loading>> loading_;
  vfs::WaitSet own_waits_;
  std::optional<End> end_;
  Launched launched_;
  CodeRange code_;

  mutable std::mutex mutex_;
  std::unique_ptr<Guest> guest_;  // guarded by mutex_ for others; its worker reads it freely
  std::shared_ptr<const image::Image> image_;
  std::vector<std::shared_ptr<ExecTask>> execs_;  // guarded by mutex_
  bool closed_to_execs_ = false;                  // the same
  std::shared_ptr<vfs::WakeList> execs_changed_ = std::make_shared<vfs::WakeList>();
};

}  // namespace fusebox::container
