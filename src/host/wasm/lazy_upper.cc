#include "host/wasm/lazy_upper.h"

#include "vfs/device/device_tree.h"
#include "vfs/overlay/overlay.h"

namespace fusebox::host {

using vfs::Call;
using vfs::Errno;
using vfs::fail;
using vfs::Io;

namespace {

vfs::Stat empty_root() noexcept {
  vfs::Stat stat;
  stat.device = vfs::device_code("TarF");
  stat.inode = 1;
  stat.type = vfs::FileType::directory;
  return stat;
}

}  // namespace

LazyUpper::~LazyUpper() {
  folder_.reset();
  if (discard_ && exists_) store_->remove(number_);
}

Io<vfs::Mount*> LazyUpper::made() {
  if (vfs::Mount* const ready = ready_.load(std::memory_order_acquire)) return ready;
  const std::lock_guard lock(mutex_);
  if (!folder_) {
    auto opened = vfs::open_folder_upper(path(), bytes_max_);
    if (!opened) return fail(opened.error().code == base::Errc::exhausted ? Errno::nospc : Errno::io);
    folder_ = std::move(*opened);
    exists_ = true;
    ready_.store(folder_.get(), std::memory_order_release);
  }
  return folder_.get();
}

Io<vfs::Mount*> LazyUpper::there(std::string_view) {
  if (!exists()) return fail(Errno::noent);
  return made();
}

Io<std::unique_ptr<vfs::File>> LazyUpper::open(Call& call, std::string_view path, const vfs::OpenRequest& request) {
  if (!exists() && !request.wants_change()) {
    if (!path.empty()) return fail(Errno::noent);
    return vfs::make_directory_file(empty_root(), [](Call&, std::uint64_t, vfs::DirSink&) { return Io<void>(); });
  }
  const auto folder = made();
  if (!folder) return fail(folder.error());
  return (*folder)->open(call, path, request);
}

Io<vfs::Stat> LazyUpper::stat(Call& call, std::string_view path, bool follow) {
  const auto folder = there(path);
  if (!folder)
    return path.empty() && folder.error() == Errno::noent ? Io<vfs::Stat>(empty_root()) : fail(folder.error());
  return (*folder)->stat(call, path, follow);
}

Io<void> LazyUpper::create_directory(Call& call, std::string_view path) {
  const auto folder = made();
  if (!folder) return fail(folder.error());
  return (*folder)->create_directory(call, path);
}
Io<void> LazyUpper::remove_directory(Call& call, std::string_view path) {
  const auto folder = there(path);
  if (!folder) return fail(folder.error());
  return (*folder)->remove_directory(call, path);
}
Io<void> LazyUpper::unlink(Call& call, std::string_view path) {
  const auto folder = there(path);
  if (!folder) return fail(folder.error());
  return (*folder)->unlink(call, path);
}
Io<void> LazyUpper::rename(Call& call, std::string_view from, std::string_view to) {
  const auto folder = there(from);
  if (!folder) return fail(folder.error());
  return (*folder)->rename(call, from, to);
}
Io<void> LazyUpper::link(Call& call, std::string_view from, std::string_view to, bool follow) {
  const auto folder = there(from);
  if (!folder) return fail(folder.error());
  return (*folder)->link(call, from, to, follow);
}
Io<void> LazyUpper::symlink(Call& call, std::string_view target, std::string_view path) {
  const auto folder = made();
  if (!folder) return fail(folder.error());
  return (*folder)->symlink(call, target, path);
}
Io<std::string> LazyUpper::read_link(Call& call, std::string_view path) {
  const auto folder = there(path);
  if (!folder) return fail(folder.error());
  return (*folder)->read_link(call, path);
}
Io<void> LazyUpper::set_times(Call& call, std::string_view path, bool follow, vfs::SetTime accessed,
                              vfs::SetTime modified) {
  const auto folder = made();
  if (!folder) return fail(folder.error());
  return (*folder)->set_times(call, path, follow, accessed, modified);
}

}  // namespace fusebox::host
