// A mount whose content can be exchanged while namespaces hold it: the root of an environment before and after a
// snapshot.
//
// Files opened before an exchange stay what they were.
//
// Owner    keeps what it shows now.
// Threads  any.
#pragma once

#include <memory>
#include <mutex>

#include "vfs/mount.h"

namespace fusebox::host {

class SwitchMount final : public vfs::Mount {
 public:
  explicit SwitchMount(std::shared_ptr<vfs::Mount> first) noexcept : now_(std::move(first)) {}
  void show(std::shared_ptr<vfs::Mount> next) noexcept {
    const std::lock_guard lock(mutex_);
    now_.swap(next);
  }

  vfs::Io<std::unique_ptr<vfs::File>> open(vfs::Call& call, std::string_view path,
                                           const vfs::OpenRequest& request) override {
    return now()->open(call, path, request);
  }
  vfs::Io<vfs::Stat> stat(vfs::Call& call, std::string_view path, bool follow) override {
    return now()->stat(call, path, follow);
  }
  vfs::Io<void> create_directory(vfs::Call& call, std::string_view path) override {
    return now()->create_directory(call, path);
  }
  vfs::Io<void> remove_directory(vfs::Call& call, std::string_view path) override {
    return now()->remove_directory(call, path);
  }
  vfs::Io<void> unlink(vfs::Call& call, std::string_view path) override { return now()->unlink(call, path); }
  vfs::Io<void> rename(vfs::Call& call, std::string_view from, std::string_view to) override {
    return now()->rename(call, from, to);
  }
  vfs::Io<void> link(vfs::Call& call, std::string_view from, std::string_view to, bool follow) override {
    return now()->link(call, from, to, follow);
  }
  vfs::Io<void> symlink(vfs::Call& call, std::string_view target, std::string_view path) override {
    return now()->symlink(call, target, path);
  }
  vfs::Io<std::string> read_link(vfs::Call& call, std::string_view path) override {
    return now()->read_link(call, path);
  }
  vfs::Io<void> set_times(vfs::Call& call, std::string_view path, bool follow, vfs::SetTime accessed,
                          vfs::SetTime modified) override {
    return now()->set_times(call, path, follow, accessed, modified);
  }

 private:
  std::shared_ptr<vfs::Mount> now() const noexcept {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  mutable std::mutex mutex_;
  std::shared_ptr<vfs::Mount> now_;  // guarded by mutex_
};

}  // namespace fusebox::host
