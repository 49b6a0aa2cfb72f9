// The ring of one pipe and who is attached to it.
//
// Owner    its ends and, while it has a name, the pool.
// Threads  any. Copies happen under the lock: one memcpy per side and turn of the ring.
// Contract containers.md 8.2, 13
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "vfs/file.h"
#include "vfs/pipe/pipe_pool.h"

namespace fusebox::vfs {

// A blocking read gives up after this (contract 8.2): the readers of the original count on an answer.
inline constexpr base::Nanos kPipeReadWait{5'000'000'000};

class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  explicit Pipe(std::uint32_t bytes) : bytes_(bytes), ring_(std::make_unique_for_overwrite<std::byte[]>(bytes)) {}

  Io<std::size_t> read(Call& call, ReadBuffers to);
  Io<std::size_t> write(WriteBuffers from);   // what fits; `again` when nothing does
  std::size_t write_over(WriteBuffers from);  // everything; the oldest bytes give way
  Readiness poll(Call& call, bool for_writing);

  void attach(PipeEnd::Side side) noexcept;
  // Whether nothing is left that anybody could want: no reader, no writer, no data.
  bool detach(PipeEnd::Side side) noexcept;

 private:
  bool at_end() const noexcept { return had_writer_ && writers_ == 0; }
  void put(std::span<const std::byte> piece) noexcept;
  std::size_t take(std::span<std::byte> into) noexcept;
  void wait_for(Call& call, WakeList& list) { call.waits.changed({shared_from_this(), &list}, list.version()); }

  WakeList filled_;  // bytes came, or the last writer went
  WakeList freed_;   // bytes went
  std::mutex mutex_;
  // All below is guarded by mutex_.
  const std::size_t bytes_;
  std::unique_ptr<std::byte[]> ring_;
  std::size_t head_ = 0;  // the oldest byte
  std::size_t size_ = 0;
  std::uint32_t readers_ = 0;
  std::uint32_t writers_ = 0;
  bool had_writer_ = false;  // since creation
};

}  // namespace fusebox::vfs
