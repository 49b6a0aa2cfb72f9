// What stands behind fds 0-2 of a container: nothing, its log, a named pipe, or descriptors of the host.
//
// One Console per slot; any number of Files may share it: the descriptor and /dev/stdin, /dev/stdout, /dev/stderr.
// Host descriptors are never closed and never made non-blocking (others share them): they are polled first. Nothing is
// read ahead. Writing to a host pipe whose reader has gone raises SIGPIPE unless the process ignores it, as engines do.
//
// Owner    Files keep their Console alive.
// Threads  any; a File: one at a time.
// Contract containers.md 13
#pragma once

#include <array>
#include <memory>
#include <string>

#include "vfs/device/device_tree.h"
#include "vfs/file.h"
#include "vfs/log/log_store.h"
#include "vfs/pipe/pipe_pool.h"

namespace fusebox::vfs {

class Console {
 public:
  virtual ~Console() = default;
  Console() = default;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  virtual FileType type() const noexcept { return FileType::character; }
  virtual Io<std::size_t> read(Call& call, ReadBuffers to) = 0;
  virtual Io<std::size_t> write(Call& call, WriteBuffers from) = 0;
  virtual Readiness poll(Call& call, bool for_writing) = 0;
  // At teardown: a pipe's reader then sees the rest of the data and the end. Later use reads 0 and discards.
  virtual void detach() noexcept {}
};

std::shared_ptr<Console> make_null_console();
// `ring_bytes` as in LogStore::append().
std::shared_ptr<Console> make_log_console(std::shared_ptr<LogStore> store, std::string instance,
                                          std::uint32_t ring_bytes = 0);
// Slot 0 reads the pipe; 1 and 2 write to it, the oldest bytes give way. Attached until detach(). `nospc`, `nametoolong`,
// `inval` as PipePool::attach_console().
Io<std::shared_ptr<Console>> make_pipe_console(PipePool& pool, std::string_view pipe_name, int slot);
// `host_fd`: the engine's 0, 1 or 2, or what a client of `attach` brought; `keep`: what keeps it open, may be null.
std::shared_ptr<Console> make_host_console(int host_fd, std::shared_ptr<void> keep = nullptr);

// The File of a descriptor 0-2.
std::unique_ptr<File> open_console(std::shared_ptr<Console> console, int slot);
// /dev/stdin, /dev/stdout, /dev/stderr for slots 0-2.
Device console_alias(std::shared_ptr<Console> console, int slot);

}  // namespace fusebox::vfs
