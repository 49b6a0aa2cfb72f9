#include "vfs/folder/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/freed.h"

namespace fusebox::vfs {

using base::Fd;

namespace {

constexpr int kUndisturbedTries = 8;  // to measure between two changes; then changes must wait for it

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

std::unexpected<base::Error> failure(std::string_view step, int saved_errno) {
  return base::fail(base::errno_error("volume: cannot measure it: " + std::string(step), saved_errno));
}

// Walks down with one handle at a time, however deep the folders are, and back up by "..", which must lead to where it
// came from.
class Measure {
 public:
  Measure(Fd root, const Ledger::Stopped& stopped) : here_(std::move(root)), stopped_(stopped) {}

  base::Result<void> run() {
    FB_CHECK(enter());
    while (!frames_.empty()) {
      if (frames_.back().folders.empty()) {
        FB_CHECK(leave());
        continue;
      }
      const std::string name = std::move(frames_.back().folders.back());
      frames_.back().folders.pop_back();
      here_ = Fd::adopt(::openat(here_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!here_) return failure("open", errno);
      FB_CHECK(enter());
    }
    return {};
  }
  std::uint64_t bytes = 0;
  std::uint64_t names = 0;

 private:
  struct Frame {
    dev_t device;
    ino_t inode;
    std::vector<std::string> folders;  // still to be entered
  };

  base::Result<void> enter() {
    struct stat info{};
    if (::fstat(here_.get(), &info) != 0) return failure("stat", errno);
    frames_.push_back({info.st_dev, info.st_ino, {}});
    Fd copy = Fd::adopt(::openat(here_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, CloseDir> dir(copy ? ::fdopendir(copy.get()) : nullptr);
    if (!dir) return failure("open", errno);
    copy.release();
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(dir.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") FB_CHECK(count(entry->d_name));
    }
    if (errno != 0) return failure("read", errno);
    return {};
  }

  base::Result<void> count(const char* name) {
    if (stopped_ && stopped_()) return base::fail(base::Errc::stopped, "volume: nobody waits for its measurement");
    struct stat info{};
    if (::fstatat(here_.get(), name, &info, AT_SYMLINK_NOFOLLOW) != 0) return failure("stat", errno);
    ++names;
    if (S_ISDIR(info.st_mode)) frames_.back().folders.emplace_back(name);
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) return {};
    if (info.st_nlink > 1 && !seen_.emplace(info.st_dev, info.st_ino).second) return {};
    bytes += static_cast<std::uint64_t>(info.st_size);
    return {};
  }

  base::Result<void> leave() {
    frames_.pop_back();
    if (frames_.empty()) return {};
    here_ = Fd::adopt(::openat(here_.get(), "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info{};
    if (!here_ || ::fstat(here_.get(), &info) != 0) return failure("go up", errno);
    if (info.st_dev != frames_.back().device || info.st_ino != frames_.back().inode)
      return base::fail(base::Errc::corrupt, "volume: cannot measure it: its folders are being moved; try again");
    return {};
  }

  Fd here_;
  const Ledger::Stopped& stopped_;
  std::vector<Frame> frames_;
  std::set<std::pair<dev_t, ino_t>> seen_;  // files with several names
};

}  // namespace

base::Result<Ledger::Counted> Ledger::count(int directory, const Stopped& stopped) {
  Fd root = Fd::adopt(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return failure("open", errno);
  Measure measure(std::move(root), stopped);
  FB_CHECK(measure.run());
  return Counted{measure.bytes, measure.names};
}

base::Result<void> Ledger::measure(int directory, const Stopped& stopped) {
  std::unique_lock lock(mutex_);
  for (int attempt = 0; attempt < kUndisturbedTries; ++attempt) {
    if (measured_) return {};
    const std::uint64_t before = changes_;
    lock.unlock();
    const auto counted = count(directory, stopped);
    lock.lock();
    if (changes_ != before) continue;  // also a walk that failed: what it looked for may have gone
    if (!counted) return base::fail(counted.error());
    take(*counted);
  }
  if (measured_) return {};
  FB_TRY(const Counted counted, count(directory, stopped));
  take(counted);
  return {};
}

void Ledger::take(const Counted& counted) {
  measured_ = true;
  bytes_ = counted.bytes;
  names_ = counted.names;
  // Files that are open and have no name any more.
  for (auto at = open_.begin(); at != open_.end(); at = open_.upper_bound(at->first)) {
    struct stat info{};
    if (::fstat(at->second, &info) == 0 && info.st_nlink == 0) bytes_ += static_cast<std::uint64_t>(info.st_size);
  }
}

std::uint64_t Ledger::room(std::optional<std::uint64_t> bytes_max) const noexcept {
  const std::uint64_t most = bytes_max.value_or(std::numeric_limits<std::uint64_t>::max());
  return bytes_ < most ? most - bytes_ : 0;
}

bool Ledger::has_room_for_name(std::optional<std::uint64_t> bytes_max) const noexcept {
  return !bytes_max || names_ < names_max(*bytes_max);
}

void Ledger::resized(std::uint64_t from, std::uint64_t to) noexcept {
  ++changes_;
  if (to >= from)
    bytes_ += to - from;
  else
    release(from - to);
}

void Ledger::name_added() noexcept {
  ++changes_;
  ++names_;
}

void Ledger::name_removed(const struct stat& before) noexcept {
  ++changes_;
  if (names_ > 0) --names_;
  const bool has_bytes = S_ISREG(before.st_mode) || S_ISLNK(before.st_mode);
  if (!has_bytes || before.st_nlink > 1 || open_.contains({before.st_dev, before.st_ino})) return;
  release(static_cast<std::uint64_t>(before.st_size));
}

void Ledger::opened(const struct stat& file, int fd) {
  open_.emplace(Id{file.st_dev, file.st_ino}, fd);
}

void Ledger::closed(const struct stat& file, int fd) noexcept {
  const Id id{file.st_dev, file.st_ino};
  const auto [first, last] = open_.equal_range(id);
  const auto one = std::find_if(first, last, [fd](const auto& open) { return open.second == fd; });
  if (one == last) return;
  open_.erase(one);
  if (file.st_nlink > 0 || open_.contains(id)) return;
  ++changes_;
  release(static_cast<std::uint64_t>(file.st_size));
}

}  // namespace fusebox::vfs
