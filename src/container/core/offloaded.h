// What a thread for blocking work makes for a task. It holds what it needs, not the task: an abandoned one ends by itself.
//
// Owner    its task and the thread that makes it.
// Threads  take(): the task's.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "vfs/net/socket_mount.h"
#include "vfs/wait.h"

namespace fusebox::container {

template <class T>
class Offloaded {
 public:
  static std::shared_ptr<Offloaded> begin(const vfs::Offload& offload, std::function<T()> make) {
    auto made = std::make_shared<Offloaded>();
    offload(std::make_unique<std::function<void()>>([made, make = std::move(make)] {
      T value = make();
      {
        const std::lock_guard lock(made->mutex_);
        made->value_.emplace(std::move(value));
      }
      made->changed_->changed();
    }));
    return made;
  }
  // The value, once. While there is none: what to wait for.
  std::optional<T> take(vfs::WaitSet& waits) {
    const std::lock_guard lock(mutex_);
    if (!value_) waits.changed(changed_, changed_->version());
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;  // guarded by mutex_
  std::shared_ptr<vfs::WakeList> changed_ = std::make_shared<vfs::WakeList>();
};

}  // namespace fusebox::container
