// What a Process holds, and what one call of its guest works with. Internal to src/wasi.
#pragma once

#include <utility>

#include "vfs/file.h"
#include "wasi/memory.h"
#include "wasi/process.h"

namespace fusebox::wasi {

struct Process::Impl {
  ProcessOptions options;
  vfs::Descriptors fds;
  vfs::WaitSet waits;
  vfs::Call call;
  std::optional<std::int32_t> exit_code;
  std::optional<std::uint8_t> raised;

  // Of the call in progress; kept while it is tried again.
  bool asked_again = false;    // the guest's next call is this one, once more
  bool yielded = false;        // sched_yield has given up its turn
  std::uint64_t progress = 0;  // bytes printf has put out; CPU time, plus one, when poll_oneoff was first asked

  explicit Impl(ProcessOptions given);

  void begin_call() noexcept {
    waits.clear();
    if (std::exchange(asked_again, false)) [[unlikely]]
      return;
    call.nonblocking = false;
    call.first_asked = base::Nanos{0};
    if (!call.redirect.empty()) call.redirect.clear();
    yielded = false;
    progress = 0;
  }
  base::Nanos cpu_time() const noexcept {
    return options.cpu_time != nullptr ? options.cpu_time(options.cpu_time_of) : options.clock->thread_cpu();
  }
};

// The guest during one of its calls.
struct Caller {
  engine::HostContext& host;
  Process::Impl& process;
  Memory memory;
  bool ended = false;  // the call does not return: host.end() or host.trap() has been called

  explicit Caller(engine::HostContext& context) noexcept
      : host(context), process(static_cast<Process*>(context.user())->impl()), memory(context.memory()) {
    process.begin_call();
  }

  vfs::Descriptors& fds() const noexcept { return process.fds; }
  // The surroundings for an operation on an open file.
  vfs::Call& call_on(const vfs::File& file) const noexcept {
    process.call.nonblocking = vfs::has(file.flags(), vfs::FdFlag::nonblock);
    return process.call;
  }
  // For operations on names, which wait as long as it takes.
  vfs::Call& call() const noexcept { return process.call; }
};

}  // namespace fusebox::wasi
