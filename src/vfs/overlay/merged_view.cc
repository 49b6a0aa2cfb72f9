#include "vfs/overlay/merged_view.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "vfs/overlay/layer_names.h"
#include "vfs/redirect.h"

namespace fusebox::vfs {

namespace {

constexpr std::size_t kCopyBytes = 64 * 1024;

// Nothing when the name does not exist.
Io<std::optional<Stat>> look(Mount& mount, Call& call, std::string_view path) {
  const auto stat = mount.stat(call, path, false);
  if (stat) return *stat;
  const Errno why = stat.error();
  // A whiteout of the longest names would not fit: there is none.
  if (why == Errno::noent || why == Errno::notdir || why == Errno::nametoolong) return std::optional<Stat>();
  return fail(stat.error());
}

SetTime at(std::uint64_t ns) noexcept {
  return {.how = SetTime::How::at, .ns = ns};
}

class Collector final : public DirSink {
 public:
  bool add(const Entry& entry) override {
    names.emplace_back(entry.name, MergedView::Entry{.type = entry.type, .inode = entry.inode});
    return true;
  }
  std::vector<std::pair<std::string, MergedView::Entry>> names;
};

Io<Collector> list_one(Mount& mount, Call& call, std::string_view path) {
  auto directory = mount.open(call, path, {.directory = true, .follow = false});
  if (!directory) return fail(directory.error());
  Collector collector;
  if (auto listed = (*directory)->list(call, 0, collector); !listed) return fail(listed.error());
  return collector;
}

Io<void> write_whole(File& to, Call& call, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = to.write(call, std::array{bytes});
    if (!written) return fail(written.error());
    bytes = bytes.subspan(*written);
  }
  return {};
}

Io<void> copy_file(File& from, File& to, Call& call) {
  std::vector<std::byte> buffer(kCopyBytes);
  while (true) {
    const auto size = from.read(call, std::array{std::span<std::byte>(buffer)});
    if (!size) return fail(size.error());
    if (*size == 0) return {};
    if (auto written = write_whole(to, call, std::span(buffer).first(*size)); !written) return written;
  }
}

}  // namespace

Io<MergedView::Found> MergedView::find(Call& call, std::string_view path) const {
  Found here;
  auto upper_root = look(*upper_, call, "");
  auto lower_root = look(*lower_, call, "");
  if (!upper_root || !lower_root) return fail(Errno::io);
  here.upper = *upper_root;
  here.lower = *lower_root;
  for (std::size_t end = 0; end < path.size();) {
    const std::size_t begin = end == 0 ? 0 : end + 1;
    if (begin > 0 && here.type() == FileType::symlink) {
      const auto target = target_of(call, path.substr(0, end), here);
      if (!target) return fail(target.error());
      return fail(redirect_through(call, path.substr(0, end), *target, path.substr(begin)));
    }
    if (!here.is_directory()) return fail(Errno::notdir);
    end = std::min(path.find('/', begin), path.size());
    const std::string_view whole = path.substr(0, end);
    const bool in_upper = here.upper.has_value();
    bool in_lower = here.shows_lower();
    here = {};
    if (is_own_name(path.substr(begin, end - begin))) {
      if (end < path.size()) return fail(Errno::noent);
      return here;
    }
    if (in_upper) {
      auto upper = look(*upper_, call, whole);
      if (!upper) return fail(upper.error());
      here.upper = *upper;
      if (in_lower) {
        const auto whiteout = look(*upper_, call, whiteout_of(whole));
        if (!whiteout) return fail(whiteout.error());
        in_lower = !whiteout->has_value();
      }
    }
    if (in_lower) {
      auto lower = look(*lower_, call, whole);
      if (!lower) return fail(lower.error());
      here.lower = *lower;
    }
    if (!here.exists() && end < path.size()) return fail(Errno::noent);
  }
  return here;
}

Io<std::string> MergedView::target_of(Call& call, std::string_view path, const Found& found) const {
  return (found.upper ? upper_ : lower_)->read_link(call, path);
}

Io<MergedView::Entries> MergedView::list(Call& call, std::string_view path, const Found& found) const {
  Entries entries;
  std::set<std::string, std::less<>> hidden;
  if (found.upper) {
    auto upper = list_one(*upper_, call, path);
    if (!upper) return fail(upper.error());
    for (auto& [name, entry] : upper->names) {
      if (is_own_name(name))
        hidden.insert(name.substr(kOwnPrefix.size()));
      else
        entries.emplace(std::move(name), entry);
    }
  }
  if (found.shows_lower()) {
    auto lower = list_one(*lower_, call, path);
    if (!lower) return fail(lower.error());
    for (auto& [name, entry] : lower->names) {
      if (!is_own_name(name) && !hidden.contains(name)) entries.emplace(std::move(name), entry);
    }
  }
  return entries;
}

Io<void> MergedView::make_parents(Call& call, std::string_view path) const {
  const std::string_view parents = parent_of(path);
  const auto there = look(*upper_, call, parents);
  if (!there) return fail(there.error());
  if (*there) return {};
  for (std::size_t end = 0; end < parents.size();) {
    end = std::min(parents.find('/', end == 0 ? 0 : end + 1), parents.size());
    const std::string_view folder = parents.substr(0, end);
    const auto found = find(call, folder);
    if (!found) return fail(found.error());
    if (!found->is_directory()) return fail(found->exists() ? Errno::notdir : Errno::noent);
    if (auto made = copy_up(call, folder, *found); !made) return made;
  }
  return {};
}

Io<void> MergedView::copy_up(Call& call, std::string_view path, const Found& found, bool with_content) const {
  if (found.upper) return {};
  if (auto made = make_parents(call, path); !made) return made;
  Io<void> made;
  switch (found.type()) {
    case FileType::directory:
      made = upper_->create_directory(call, path);
      break;
    case FileType::symlink: {
      const auto target = lower_->read_link(call, path);
      if (!target) return fail(target.error());
      made = upper_->symlink(call, *target, path);
      break;
    }
    case FileType::regular: {
      // It gets its name when it is whole.
      const std::string half = join(parent_of(path), kHalfCopied);
      made = copy_content(call, with_content ? path : std::string_view(), half);
      if (made) made = upper_->rename(call, half, path);
      if (!made) (void)upper_->unlink(call, half);
      break;
    }
    default:
      return fail(Errno::acces);
  }
  if (!made) return made;
  return upper_->set_times(call, path, false, at(found.lower->accessed_ns), at(found.lower->modified_ns));
}

// No path: an empty file.
Io<void> MergedView::copy_content(Call& call, std::string_view path, const std::string& to) const {
  auto target = upper_->open(call, to, {.read = false, .write = true, .create = true, .truncate = true});
  if (!target) return fail(target.error());
  if (path.empty()) return {};
  auto source = lower_->open(call, path, {.follow = false});
  if (!source) return fail(source.error());
  return copy_file(**source, **target, call);
}

Io<void> MergedView::copy_up_all(Call& call, std::string_view path, const Found& found) const {
  std::vector<std::string> folders;
  const auto take = [&](std::string_view one, const Found& what) -> Io<void> {
    if (auto copied = copy_up(call, one, what); !copied) return copied;
    if (what.is_directory() && what.shows_lower()) folders.emplace_back(one);
    return {};
  };
  if (auto taken = take(path, found); !taken) return taken;
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    const auto here = find(call, folder);
    if (!here) return fail(here.error());
    const auto entries = list(call, folder, *here);
    if (!entries) return fail(entries.error());
    for (const auto& [name, entry] : *entries) {
      const std::string child = join(folder, name);
      const auto what = find(call, child);
      if (!what) return fail(what.error());
      if (auto taken = take(child, *what); !taken) return taken;
    }
  }
  return {};
}

Io<void> MergedView::hide_lower(Call& call, std::string_view path, const Found& found) const {
  if (!found.lower) return {};
  if (auto made = make_parents(call, path); !made) return made;
  const auto file = upper_->open(call, whiteout_of(path), {.read = false, .write = true, .create = true});
  if (!file) return fail(file.error());
  return {};
}

Io<void> MergedView::remove_upper_folder(Call& call, std::string_view path) const {
  const auto names = list_one(*upper_, call, path);
  if (!names) return fail(names.error());
  for (const auto& [name, entry] : names->names) {
    if (auto removed = upper_->unlink(call, join(path, name)); !removed) return removed;
  }
  return upper_->remove_directory(call, path);
}

}  // namespace fusebox::vfs
