// The named pipes of an engine: one pool for all containers, and a reserve that only consoles draw on.
//
// A pipe appears with its first opener and goes when it has no reader, no writer and no data. The pool's pipes are counted
// against it and against the share of the container that made them; console pipes against the reserve, whose pipes without
// a console make room for the living, oldest first: they lose their name, whoever has them open reads on to the end.
//
// Owner    PipeEnds and mounts keep the pool alive.
// Threads  everything: any. PipeEnd: one at a time.
// Errors   nospc: pool or share is full; acces: the name is outside the globs; nametoolong: beyond kPipeNameBytesMax.
// Contract containers.md 8.2, 13
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "vfs/mount.h"

namespace fusebox::vfs {

class Pipe;  // pipe.h
inline constexpr std::size_t kPipeNameBytesMax = 31;

struct PipePoolOptions {
  std::uint32_t pipes = 8;          // system.limits.pipes
  std::uint32_t pipe_bytes = 4096;  // ring of each; system.limits.pipeBytes
  std::uint32_t console_pipes = 9;  // 3 per slot
};

// What one container may do with named pipes. Pipes count against `pipes_max` of the owner that made them while they exist,
// also in its later runs.
struct PipeShare {
  std::string owner;  // the instance's name
  std::vector<std::string> read{"*"};
  std::vector<std::string> write{"*"};
  std::uint32_t pipes_max = UINT32_MAX;  // limits.pipes
};

class PipePool;

// One attached reader or writer; detaches when destroyed.
class PipeEnd {
 public:
  enum class Side : std::uint8_t { read, write };
  PipeEnd(PipeEnd&&) noexcept = default;
  PipeEnd& operator=(PipeEnd&&) = delete;
  ~PipeEnd();
  const std::shared_ptr<Pipe>& pipe() const noexcept { return pipe_; }
  Side side() const noexcept { return side_; }

 private:
  friend class PipePool;
  PipeEnd(std::shared_ptr<PipePool> pool, std::shared_ptr<Pipe> pipe, Side side, bool console) noexcept
      : pool_(std::move(pool)), pipe_(std::move(pipe)), side_(side), console_(console) {}
  std::shared_ptr<PipePool> pool_;
  std::shared_ptr<Pipe> pipe_;  // null: moved from
  Side side_;
  bool console_;
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
  struct Entry;
  explicit PipePool(const PipePoolOptions& options);
  Io<PipeEnd> attach_to(Entry& entry, PipeEnd::Side side, bool console);
  void detach(const PipeEnd& end) noexcept;
  std::uint32_t count(bool console) const noexcept;
  std::uint32_t made_by(std::string_view owner) const noexcept;
  void forget_oldest_without_console();
  Entry& add(std::string_view name, bool console, std::string owner);
  void remove(const Pipe& pipe) noexcept;

  PipePoolOptions options_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Entry>> entries_;  // guarded by mutex_; in order of creation
  std::uint64_t sequence_ = 0;                   // guarded by mutex_
};

// /dev/pipe of one container; `path` is where it stands.
std::shared_ptr<Mount> make_pipe_mount(std::shared_ptr<PipePool> pool, std::shared_ptr<PipeShare> share,
                                       std::string path = "/dev/pipe");

}  // namespace fusebox::vfs
