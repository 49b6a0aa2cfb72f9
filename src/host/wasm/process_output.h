// What a process says, kept in bounded memory, and how it ended: written by its guest, read by any number of streams.
//
// A stream sees what is kept when it comes (the newest kOutputKept bytes) and all that follows, in the order written. A
// guest that is faster than the slowest attached stream waits; without streams the oldest bytes give way. So a stream
// never loses a byte in the middle, and a guest waits for nobody who is gone.
//
// Owner    the process's consoles and its record.
// Threads  any. Waiters are resumed on the executor they gave.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/wait.h"
#include "host/api/process.h"
#include "vfs/console/console.h"

namespace fusebox::host {

inline constexpr std::size_t kOutputKept =
    256u << 10;  // of a process: what a late stream sees, and the most a slow one lags
inline constexpr std::size_t kOutputPieceMax = 16u << 10;  // of one event: a frame of the wire

class ProcessOutput : public std::enable_shared_from_this<ProcessOutput> {
 public:
  // `collect_max`: of each stream, for whoever wants all of it at the end; 0 = nothing is collected.
  explicit ProcessOutput(std::uint64_t collect_max) noexcept : collect_max_(collect_max) {}

  // Slot 1 or 2 of a guest.
  std::shared_ptr<vfs::Console> console(int slot);
  void write(ProcessEvent::Kind kind, std::string_view bytes);  // ours: never waits
  void finish(const ExitStatus& exit);
  std::optional<ExitStatus> exit() const;

  // Of one stream.
  struct Cursor {
    std::uint64_t at = 0;  // number of the next piece
    std::size_t used = 0;  // of its bytes
    bool over = false;     // the exit was given
  };
  Cursor attach();
  void detach(const Cursor& cursor) noexcept;
  // The next event, or nothing yet: then `changed` is set once, at the next change.
  std::optional<ProcessEvent> take(Cursor& cursor, base::Completion<bool>& changed);

  // Set at the end; at once when that has been.
  base::Completion<bool> ended();
  ExecResult collected();  // taken out

 private:
  class Slot;
  struct Piece {
    ProcessEvent::Kind kind;
    std::string bytes;
  };
  std::size_t put(ProcessEvent::Kind kind, std::string_view bytes, bool may_drop);
  void drop_read();
  void wake_readers(std::unique_lock<std::mutex>& lock);

  const std::uint64_t collect_max_;
  vfs::WakeList room_;  // a stream took something, or went
  mutable std::mutex mutex_;
  // All below is guarded by mutex_.
  std::deque<Piece> pieces_;
  std::uint64_t first_ = 0;  // number of pieces_[0]
  std::size_t bytes_ = 0;
  std::vector<std::uint64_t> streams_;           // the next piece of each
  std::vector<base::Completion<bool>> waiting_;  // for a change
  std::vector<base::Completion<bool>> waiting_end_;
  std::optional<ExitStatus> exit_;
  ExecResult collected_;
};

}  // namespace fusebox::host
