// The named pipes of an engine: one pool for all containers, and a reserve that only consoles draw on.
//
// A pipe appears with its first opener and goes when it has no reader, no writer and no data. The pool's pipes are counted
// against it and against the share of the container that made them; console pipes against the reserve, whose unread pipes
// of the dead make room for the living, oldest first.
//
// Owner    Pipes and mounts keep the pool alive.
// Threads  everything: any. PipeEnd: one at a time.
// Errors   nospc: pool or share is full; acces: the name is outside the globs; nametoolong: beyond kPipeNameBytesMax.
// Contract containers.md 8.2, 13
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/mount.h"

namespace fusebox::vfs {

class Pipe;
inline constexpr std::size_t kPipeNameBytesMax = 31;

struct PipePoolOptions {
  std::uint32_t pipes = 8;          // system.limits.pipes
  std::uint32_t pipe_bytes = 4096;  // ring of each; system.limits.pipeBytes
  std::uint32_t console_pipes = 9;  // 3 per slot
};

// What one container may do with named pipes. Pipes it made count against `pipes_max` while they exist, also after it.
struct PipeShare {
  std::vector<std::string> read{"*"};
  std::vector<std::string> write{"*"};
  std::uint32_t pipes_max = UINT32_MAX;  // limits.pipes
  std::atomic<std::uint32_t> pipes{0};
};

// One attached reader or writer; detaches when destroyed.
class PipeEnd {
 public:
  enum class Side : std::uint8_t { read, write };
  PipeEnd(PipeEnd&&) noexcept = default;
  PipeEnd& operator=(PipeEnd&& from) noexcept;
  ~PipeEnd();
  Pipe& pipe() const noexcept { return *pipe_; }
  Side side() const noexcept { return side_; }

 private:
  friend class PipePool;
  PipeEnd(std::shared_ptr<Pipe> pipe, Side side) noexcept : pipe_(std::move(pipe)), side_(side) {}
  std::shared_ptr<Pipe> pipe_;
  Side side_;
};

class PipePool : public std::enable_shared_from_this<PipePool> {
 public:
  static std::shared_ptr<PipePool> create(const PipePoolOptions& options);
  ~PipePool();
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;

  // Makes the pipe when there is none of that name.
  Io<PipeEnd> attach(std::string_view name, PipeEnd::Side side, const std::shared_ptr<PipeShare>& share);
  Io<PipeEnd> attach_console(std::string_view name, PipeEnd::Side side);
  bool exists(std::string_view name) const;

  struct Listed {
    std::string name;
    std::uint64_t sequence = 0;  // ascending with creation: stable cookies
  };
  std::vector<Listed> list(std::uint64_t after) const;

 private:
  friend class PipeEnd;
  struct Impl;
  explicit PipePool(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// /dev/pipe of one container; `path` is where it stands.
std::shared_ptr<Mount> make_pipe_mount(std::shared_ptr<PipePool> pool, std::shared_ptr<PipeShare> share,
                                       std::string path = "/dev/pipe");

}  // namespace fusebox::vfs
