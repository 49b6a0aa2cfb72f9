// The writable layer of an environment that may never write: a folder that is made at the first change.
//
// Until then it is an empty directory, and costs neither a folder nor a descriptor.
//
// Owner    keeps its folder open from the first change on.
// Threads  any.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>

#include "host/wasm/layers.h"
#include "vfs/mount.h"

namespace fusebox::host {

class LazyUpper final : public vfs::Mount {
 public:
  // `bytes_max`: of content. A folder that is there already is opened at the first question.
  LazyUpper(std::shared_ptr<LayerStore> store, std::uint64_t number, std::uint64_t bytes_max)
      : store_(std::move(store)), number_(number), bytes_max_(bytes_max), exists_(store_->exists(number)) {}
  ~LazyUpper() override;
  bool exists() const noexcept { return exists_.load(); }
  std::uint64_t number() const noexcept { return number_; }
  std::filesystem::path path() const { return store_->path_of(number_); }
  // Its folder goes with the last user, who may be a guest that is being stopped.
  void discard() noexcept { discard_ = true; }

  vfs::Io<std::unique_ptr<vfs::File>> open(vfs::Call& call, std::string_view path,
                                           const vfs::OpenRequest& request) override;
  vfs::Io<vfs::Stat> stat(vfs::Call& call, std::string_view path, bool follow) override;
  vfs::Io<void> create_directory(vfs::Call& call, std::string_view path) override;
  vfs::Io<void> remove_directory(vfs::Call& call, std::string_view path) override;
  vfs::Io<void> unlink(vfs::Call& call, std::string_view path) override;
  vfs::Io<void> rename(vfs::Call& call, std::string_view from, std::string_view to) override;
  vfs::Io<void> link(vfs::Call& call, std::string_view from, std::string_view to, bool follow) override;
  vfs::Io<void> symlink(vfs::Call& call, std::string_view target, std::string_view path) override;
  vfs::Io<std::string> read_link(vfs::Call& call, std::string_view path) override;
  vfs::Io<void> set_times(vfs::Call& call, std::string_view path, bool follow, vfs::SetTime accessed,
                          vfs::SetTime modified) override;

 private:
  vfs::Io<vfs::Mount*> made();                        // makes the folder
  vfs::Io<vfs::Mount*> there(std::string_view path);  // what is there for reading; noent before the first change

  const std::shared_ptr<LayerStore> store_;
  const std::uint64_t number_;
  const std::uint64_t bytes_max_;
  std::atomic<bool> exists_;
  std::atomic<bool> discard_{false};
  std::mutex mutex_;
  std::atomic<vfs::Mount*> ready_{nullptr};
  std::shared_ptr<vfs::Mount> folder_;  // guarded by mutex_; what ready_ points to
};

}  // namespace fusebox::host
