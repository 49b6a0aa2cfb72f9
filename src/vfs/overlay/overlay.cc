#include "vfs/overlay/overlay.h"

#include <mutex>
#include <vector>

#include "vfs/folder/host_folder.h"
#include "vfs/overlay/layer_names.h"
#include "vfs/overlay/merged_view.h"
#include "vfs/redirect.h"

namespace fusebox::vfs {

namespace {

using Found = MergedView::Found;

class Overlay final : public Mount, public std::enable_shared_from_this<Overlay> {
 public:
  Overlay(std::shared_ptr<Mount> lower, std::shared_ptr<Mount> upper) noexcept
      : view_(std::move(lower), std::move(upper)) {}

  Io<std::unique_ptr<File>> open(Call& call, std::string_view path, const OpenRequest& request) override;
  Io<Stat> stat(Call& call, std::string_view path, bool follow) override;
  Io<void> create_directory(Call& call, std::string_view path) override;
  Io<void> remove_directory(Call& call, std::string_view path) override;
  Io<void> unlink(Call& call, std::string_view path) override;
  Io<void> rename(Call& call, std::string_view from, std::string_view to) override;
  Io<void> link(Call& call, std::string_view from, std::string_view to, bool follow) override;
  Io<void> symlink(Call& call, std::string_view target, std::string_view path) override;
  Io<std::string> read_link(Call& call, std::string_view path) override;
  Io<void> set_times(Call& call, std::string_view path, bool follow, SetTime accessed, SetTime modified) override;

  Io<MergedView::Entries> list(Call& call, std::string_view path);

 private:
  // What exists, with a link at the end followed when asked.
  Io<Found> find_existing(Call& call, std::string_view path, bool follow) const;
  // A name that may be made: it is free and not the layer's own.
  Io<void> check_free(Call& call, std::string_view path) const;
  Io<std::unique_ptr<File>> open_existing(Call& call, std::string_view path, const OpenRequest& request,
                                          const Found& found);
  Io<void> check_replace(Call& call, std::string_view to, const Found& source, const Found& target) const;

  std::mutex mutex_;  // one operation at a time; Files do not take it
  MergedView view_;
};

// The listing is a snapshot, taken when it is read from its start.
class OverlayDirectory final : public File {
 public:
  OverlayDirectory(std::shared_ptr<Overlay> overlay, std::string_view path, const Stat& stat, FdFlags flags)
      : File(flags), overlay_(std::move(overlay)), path_(path), stat_(stat) {}

  FileType type() const noexcept override { return FileType::directory; }
  Io<Stat> stat() override { return stat_; }

  Io<void> list(Call& call, std::uint64_t cookie, DirSink& sink) override {
    if (cookie == 0 || !taken_) {
      auto entries = overlay_->list(call, path_);
      if (!entries) return fail(entries.error());
      entries_.assign(std::move_iterator(entries->begin()), std::move_iterator(entries->end()));
      taken_ = true;
    }
    for (std::uint64_t i = cookie; i < entries_.size(); ++i) {
      const auto& [name, entry] = entries_[i];
      if (!sink.add({.name = name, .type = entry.type, .inode = entry.inode, .next = i + 1})) break;
    }
    return {};
  }

 private:
  std::shared_ptr<Overlay> overlay_;
  std::string path_;
  Stat stat_;
  bool taken_ = false;
  std::vector<std::pair<std::string, MergedView::Entry>> entries_;
};

Io<Found> Overlay::find_existing(Call& call, std::string_view path, bool follow) const {
  auto found = view_.find(call, path);
  if (!found) return found;
  if (!found->exists()) return fail(Errno::noent);
  if (!follow || found->type() != FileType::symlink) return found;
  const auto target = view_.target_of(call, path, *found);
  if (!target) return fail(target.error());
  return fail(redirect_through(call, path, *target, {}));
}

Io<void> Overlay::check_free(Call& call, std::string_view path) const {
  const auto found = view_.find(call, path);
  if (!found) return fail(found.error());
  if (found->exists()) return fail(Errno::exist);
  if (is_own_name(name_of(path))) return fail(Errno::inval);
  return {};
}

Io<std::unique_ptr<File>> Overlay::open(Call& call, std::string_view path, const OpenRequest& request) {
  const std::lock_guard lock(mutex_);
  const bool new_only = request.create && request.exclusive;
  const auto found = find_existing(call, path, request.follow && !new_only);
  if (found) return new_only ? fail(Errno::exist) : open_existing(call, path, request, *found);
  if (found.error() != Errno::noent || !request.create) return fail(found.error());
  if (auto free = check_free(call, path); !free) return fail(free.error());
  if (auto made = view_.make_parents(call, path); !made) return fail(made.error());
  return view_.upper().open(call, path, request);
}

Io<std::unique_ptr<File>> Overlay::open_existing(Call& call, std::string_view path, const OpenRequest& request,
                                                 const Found& found) {
  const bool changes = request.write || request.truncate;
  switch (found.type()) {
    case FileType::symlink:
      return fail(Errno::loop);
    case FileType::directory:
      if (changes || request.create) return fail(Errno::isdir);
      return std::make_unique<OverlayDirectory>(shared_from_this(), path, found.stat(), request.flags);
    default:
      break;
  }
  if (request.directory) return fail(Errno::notdir);
  OpenRequest plain = request;
  plain.create = false;
  plain.follow = false;
  if (!found.upper && !changes) {
    plain.flags &= static_cast<FdFlags>(~static_cast<FdFlags>(FdFlag::append));
    return view_.lower().open(call, path, plain);
  }
  if (auto copied = view_.copy_up(call, path, found, !request.truncate); !copied) return fail(copied.error());
  return view_.upper().open(call, path, plain);
}

Io<Stat> Overlay::stat(Call& call, std::string_view path, bool follow) {
  const std::lock_guard lock(mutex_);
  const auto found = find_existing(call, path, follow);
  if (!found) return fail(found.error());
  return found->stat();
}

Io<MergedView::Entries> Overlay::list(Call& call, std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto found = find_existing(call, path, false);
  if (!found) return fail(found.error());
  if (!found->is_directory()) return fail(Errno::notdir);
  return view_.list(call, path, *found);
}

Io<void> Overlay::create_directory(Call& call, std::string_view path) {
  const std::lock_guard lock(mutex_);
  if (auto free = check_free(call, path); !free) return free;
  if (auto made = view_.make_parents(call, path); !made) return made;
  return view_.upper().create_directory(call, path);
}

Io<void> Overlay::symlink(Call& call, std::string_view target, std::string_view path) {
  const std::lock_guard lock(mutex_);
  if (auto free = check_free(call, path); !free) return free;
  if (auto made = view_.make_parents(call, path); !made) return made;
  return view_.upper().symlink(call, target, path);
}

Io<void> Overlay::remove_directory(Call& call, std::string_view path) {
  const std::lock_guard lock(mutex_);
  if (path.empty()) return fail(Errno::busy);
  const auto found = find_existing(call, path, false);
  if (!found) return fail(found.error());
  if (!found->is_directory()) return fail(Errno::notdir);
  const auto entries = view_.list(call, path, *found);
  if (!entries) return fail(entries.error());
  if (!entries->empty()) return fail(Errno::notempty);
  // The whiteout first: a folder with both stays visible if we are cut off in between.
  if (auto hidden = view_.hide_lower(call, path, *found); !hidden) return hidden;
  if (found->upper) return view_.remove_upper_folder(call, path);
  return {};
}

Io<void> Overlay::unlink(Call& call, std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto found = find_existing(call, path, false);
  if (!found) return fail(found.error());
  if (found->is_directory()) return fail(Errno::isdir);
  if (auto hidden = view_.hide_lower(call, path, *found); !hidden) return hidden;
  if (found->upper) return view_.upper().unlink(call, path);
  return {};
}

Io<void> Overlay::check_replace(Call& call, std::string_view to, const Found& source, const Found& target) const {
  if (is_own_name(name_of(to))) return fail(Errno::inval);
  if (!target.exists()) return {};
  if (!target.is_directory()) return source.is_directory() ? Io<void>(fail(Errno::notdir)) : Io<void>();
  if (!source.is_directory()) return fail(Errno::isdir);
  const auto entries = view_.list(call, to, target);
  if (!entries) return fail(entries.error());
  if (!entries->empty()) return fail(Errno::notempty);
  return {};
}

Io<void> Overlay::rename(Call& call, std::string_view from, std::string_view to) {
  const std::lock_guard lock(mutex_);
  if (from.empty() || to.empty()) return fail(Errno::busy);
  const auto source = find_existing(call, from, false);
  if (!source) return fail(source.error());
  const bool below = to.starts_with(from) && to.size() > from.size() && to[from.size()] == '/';
  if (source->is_directory() && below) return fail(Errno::inval);
  const auto target = view_.find(call, to);
  if (!target) return fail(target.error());
  if (from == to) return {};
  const bool one_file =
      source->upper && target->upper && !source->is_directory() && source->upper->inode == target->upper->inode;
  if (one_file) return {};
  if (auto fits = check_replace(call, to, *source, *target); !fits) return fits;

  if (auto copied = view_.copy_up_all(call, from, *source); !copied) return copied;
  if (auto made = view_.make_parents(call, to); !made) return made;
  // A folder must not be merged with what the lower mount has under its new name.
  if (source->is_directory()) {
    if (auto hidden = view_.hide_lower(call, to, *target); !hidden) return hidden;
    if (target->upper) {
      if (auto removed = view_.remove_upper_folder(call, to); !removed) return removed;
    }
  }
  if (auto hidden = view_.hide_lower(call, from, *source); !hidden) return hidden;
  return view_.upper().rename(call, from, to);
}

Io<void> Overlay::link(Call& call, std::string_view from, std::string_view to, bool follow) {
  const std::lock_guard lock(mutex_);
  const auto source = find_existing(call, from, follow);
  if (!source) return fail(source.error());
  if (auto free = check_free(call, to); !free) return free;
  if (source->is_directory()) return fail(Errno::perm);
  if (auto copied = view_.copy_up(call, from, *source); !copied) return copied;
  if (auto made = view_.make_parents(call, to); !made) return made;
  return view_.upper().link(call, from, to, false);
}

Io<std::string> Overlay::read_link(Call& call, std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto found = find_existing(call, path, false);
  if (!found) return fail(found.error());
  if (found->type() != FileType::symlink) return fail(Errno::inval);
  return view_.target_of(call, path, *found);
}

Io<void> Overlay::set_times(Call& call, std::string_view path, bool follow, SetTime accessed, SetTime modified) {
  const std::lock_guard lock(mutex_);
  const auto found = find_existing(call, path, follow);
  if (!found) return fail(found.error());
  if (auto copied = view_.copy_up(call, path, *found); !copied) return copied;
  return view_.upper().set_times(call, path, false, accessed, modified);
}

}  // namespace

std::shared_ptr<Mount> make_overlay(std::shared_ptr<Mount> lower, std::shared_ptr<Mount> upper) {
  return std::make_shared<Overlay>(std::move(lower), std::move(upper));
}

base::Result<std::shared_ptr<Mount>> open_folder_upper(const std::filesystem::path& path,
                                                       std::optional<std::uint64_t> bytes_max, bool kernel_walk) {
  HostFolderOptions options;
  options.create = true;
  options.kernel_walk = kernel_walk;
  options.links = HostFolderOptions::Links::keep;
  options.bytes_max = bytes_max;
  return open_host_folder(path, std::move(options));
}

}  // namespace fusebox::vfs
