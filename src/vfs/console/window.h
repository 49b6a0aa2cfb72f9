// How large the terminal in front of a container is, as a node its program can read and wait at.
//
// /dev/winsize: each line is "<columns> <rows>\n", "0 0" while nobody has told. The first read after open answers at once;
// later ones wait until the size is another than the one read last, so a program waits for keys and for its window in one
// poll. The node is not listed: what a container finds in /dev is the contract's.
//
// Owner    a Window: its run and whoever tells the size; Files keep it alive.
// Threads  Window: any. A File: one at a time.
// Contract beyond it: containers.md has no word for a terminal's size (docs/containers.md describes this)
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "vfs/device/device_tree.h"
#include "vfs/wait.h"

namespace fusebox::vfs {

struct WindowSize {
  std::uint16_t columns = 0;  // as the host counts them, 0 = not known
  std::uint16_t rows = 0;
  bool operator==(const WindowSize&) const = default;
};

class Window {
 public:
  explicit Window(WindowSize size = {}) noexcept : size_(size) {}
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  WindowSize size() const noexcept;
  void set(WindowSize size) noexcept;  // wakes who waits when it is another
  WakeList& changed() noexcept { return changed_; }

 private:
  mutable std::mutex mutex_;
  WindowSize size_;  // guarded by mutex_
  WakeList changed_;
};

Device window_device(std::shared_ptr<Window> window);

}  // namespace fusebox::vfs
