// What a process reads as its standard input: bytes first given, more while it is open, then the end.
//
// Owner    the process's console and its record.
// Threads  any. Waiters are resumed on the executor they gave.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/wait.h"
#include "vfs/console/console.h"

namespace fusebox::host {

inline constexpr std::size_t kInputKept = 256u << 10;  // not yet read; who writes more waits

class ProcessInput : public std::enable_shared_from_this<ProcessInput> {
 public:
  ProcessInput(std::string first, bool open) noexcept : bytes_(std::move(first)), open_(open) {}
  std::shared_ptr<vfs::Console> console();

  // Bytes taken. 0: none fit; then `changed` is set once when some do, or nobody reads any more.
  std::size_t write(std::string_view bytes, base::Completion<bool>& changed);
  void close() noexcept;  // the end follows what is there
  void end() noexcept;    // nobody reads any more
  bool is_open() const noexcept;

 private:
  class Slot;
  vfs::WakeList filled_;
  mutable std::mutex mutex_;
  std::string bytes_;  // guarded by mutex_, as all below
  std::size_t used_ = 0;
  bool open_;
  std::vector<base::Completion<bool>> waiting_;
};

}  // namespace fusebox::host
