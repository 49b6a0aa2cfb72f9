#include "host/wasm/folder_walk.h"

#include <algorithm>

#include "base/text.h"
#include "vfs/overlay/layer_names.h"

namespace fusebox::host {

using base::Result;
using vfs::FileType;

namespace {

std::unexpected<base::Error> failed(std::string_view path, vfs::Errno why) {
  return base::fail(why == vfs::Errno::nospc || why == vfs::Errno::dquot ? base::Errc::exhausted : base::Errc::io,
                    "layer: " + base::in_quotes(path) + ": " + std::string(vfs::to_string(why)));
}

struct Names final : vfs::DirSink {
  bool add(const Entry& entry) override {
    all.emplace_back(entry.name);
    return true;
  }
  std::vector<std::string> all;
};

}  // namespace

FolderWalk::FolderWalk(vfs::Mount& mount, const base::Clock& clock)
    : mount_(mount), call_{.clock = clock, .waits = waits_, .nonblocking = true, .redirect = {}} {}

Result<void> FolderWalk::enter(const std::string& folder) {
  auto opened = mount_.open(call_, folder, {.directory = true, .follow = false});
  if (!opened && opened.error() == vfs::Errno::noent && !folder.empty()) return {};  // gone meanwhile
  if (!opened) return failed(folder, opened.error());
  Names names;
  if (const auto listed = (*opened)->list(call_, 0, names); !listed) return failed(folder, listed.error());
  std::erase_if(names.all, [](const std::string& name) { return name.starts_with(vfs::kHalfCopied); });
  std::ranges::sort(names.all, std::greater());
  for (const std::string& name : names.all) ahead_.push_back(vfs::join(folder, name));
  return {};
}

Result<std::optional<FolderWalk::Entry>> FolderWalk::next() {
  if (!begun_) FB_CHECK(enter(""));
  begun_ = true;
  while (!ahead_.empty()) {
    Entry entry;
    entry.path = std::move(ahead_.back());
    ahead_.pop_back();
    const auto stat = mount_.stat(call_, entry.path, false);
    if (!stat) {
      if (stat.error() == vfs::Errno::noent) continue;  // gone meanwhile
      return failed(entry.path, stat.error());
    }
    entry.stat = *stat;
    if (stat->type == FileType::directory) FB_CHECK(enter(entry.path));
    return std::optional(std::move(entry));
  }
  return std::optional<Entry>();
}

Result<std::string> FolderWalk::link_target(const Entry& entry) {
  auto target = mount_.read_link(call_, entry.path);
  if (!target) return failed(entry.path, target.error());
  return std::move(*target);
}

Result<std::unique_ptr<vfs::File>> FolderWalk::open(const Entry& entry) {
  auto file = mount_.open(call_, entry.path, {.follow = false});
  if (!file) return failed(entry.path, file.error());
  return std::move(*file);
}

}  // namespace fusebox::host
