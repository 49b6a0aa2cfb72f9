#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

namespace fusebox::base {

namespace {

constexpr int kLinksMax = 40;           // as many as the kernel follows
constexpr std::size_t kDepthMax = 256;  // handles of our own walk: how far up a link may lead
constexpr int kRetriesMax = 16;         // openat2 asks to try again when a folder moved during the walk
constexpr int kLookFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;

std::unexpected<BeneathError> failure(BeneathFailure what) {
  return std::unexpected(BeneathError{what, 0});
}

std::unexpected<BeneathError> failure_of(int saved_errno) {
  if (saved_errno == ELOOP) return failure(BeneathFailure::link);
  if (saved_errno == EXDEV) return failure(BeneathFailure::leaves);
  return std::unexpected(BeneathError{BeneathFailure::system, saved_errno});
}

// A descriptor or -errno.
int openat2_of(int directory, const char* path, int flags, bool follow_links) noexcept {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  if (!follow_links) how.resolve |= RESOLVE_NO_SYMLINKS;
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    const long fd = ::syscall(SYS_openat2, directory, path, &how, sizeof(how));
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != EAGAIN && errno != EINTR) return -errno;
  }
  return -EAGAIN;
}

// The kernel has one answer for a link of procfs and for too many links, and gives up when folders keep moving. Our own
// walk then says which it is.
bool own_walk_decides(int error) noexcept {
  return error == -ELOOP || error == -EAGAIN;
}

bool lies_in_procfs(int fd) noexcept {
  struct statfs info{};
  return ::fstatfs(fd, &info) != 0 || info.f_type == PROC_SUPER_MAGIC;
}

// The links of procfs that lead to wherever a process has been show a text that is not how they work: "/...",
// "pipe:[...]", "(unreachable)...". Its other links ("self", "mounts") are ordinary.
bool is_magic(int link, std::string_view target) noexcept {
  const bool magic_text = target.starts_with('/') || target.starts_with('(') || target.find(':') != target.npos;
  return magic_text && lies_in_procfs(link);
}

// One walk of our own: where it stands and what is still before it. Nothing is ever opened by more than one name, ".."
// goes back to a handle we hold, and the root is the first of them.
class OwnWalk {
 public:
  OwnWalk(int root, bool follow_links, std::string_view path, bool follow_last, std::uint64_t* folders_left)
      : root_(root), follow_links_(follow_links), follow_last_(follow_last), folders_left_(folders_left) {
    put_ahead(path);
  }

  Beneathed<Place> run() {
    while (!ahead_.empty()) {
      std::string name = std::move(ahead_.front());
      ahead_.pop_front();
      if (name.empty() || name == ".") continue;
      if (name == "..") {
        if (auto up = leave(); !up) return std::unexpected(up.error());
        continue;
      }
      auto place = step(std::move(name));
      if (!place || !place->name.empty()) return place;
    }
    return arrive_here();
  }

 private:
  int here() const noexcept { return chain_.empty() ? root_ : chain_.back().get(); }

  void put_ahead(std::string_view path) {
    std::vector<std::string> names;
    // A slash at the end says that a folder is meant.
    if (path.ends_with('/')) names.emplace_back(".");
    while (!path.empty()) {
      const std::size_t slash = path.rfind('/');
      names.emplace_back(path.substr(slash == path.npos ? 0 : slash + 1));
      path = path.substr(0, slash == path.npos ? 0 : slash);
    }
    for (std::string& name : names) ahead_.push_front(std::move(name));
  }

  // A place without a name: the walk goes on.
  Beneathed<Place> step(std::string name) {
    const bool last = ahead_.empty();
    Fd object = Fd::adopt(::openat(here(), name.c_str(), kLookFlags));
    if (!object && errno == ENOENT && !last) {
      if (auto made = make_folder(name); !made) return std::unexpected(made.error());
      object = Fd::adopt(::openat(here(), name.c_str(), kLookFlags));
    }
    Place place;
    place.exists = static_cast<bool>(object);
    if (!object && (errno != ENOENT || !last)) return failure_of(errno);
    if (object && ::fstat(object.get(), &place.info) != 0) return failure_of(errno);
    const bool is_link = object && S_ISLNK(place.info.st_mode);
    if (is_link && (!last || follow_last_)) return follow(object.get());
    if (!last) return enter(std::move(object), place.info);
    auto directory = take_here();
    if (!directory) return std::unexpected(directory.error());
    place.directory = std::move(*directory);
    place.name = std::move(name);
    return place;
  }

  Beneathed<Folder> take_here() {
    if (chain_.empty()) return Folder::lend(root_);
    Folder folder = Folder::own(std::move(chain_.back()));
    return folder;
  }

  Beneathed<Place> arrive_here() {
    Place place;
    place.exists = true;
    place.name = ".";
    if (::fstat(here(), &place.info) != 0) return failure_of(errno);
    auto directory = take_here();
    if (!directory) return std::unexpected(directory.error());
    place.directory = std::move(*directory);
    return place;
  }

  Beneathed<Place> enter(Fd directory, const struct stat& info) {
    if (!S_ISDIR(info.st_mode)) return failure_of(ENOTDIR);
    // Without links nothing leads back up, so only the last handle is needed.
    if (!follow_links_) chain_.clear();
    if (chain_.size() >= kDepthMax) {
      chain_.pop_front();
      forgotten_ = true;
    }
    chain_.push_back(std::move(directory));
    return Place{};
  }

  Beneathed<void> leave() {
    if (chain_.empty()) return failure(forgotten_ ? BeneathFailure::too_deep : BeneathFailure::leaves);
    chain_.pop_back();
    if (chain_.empty() && forgotten_) return failure(BeneathFailure::too_deep);
    return {};
  }

  Beneathed<void> make_folder(const std::string& name) {
    if (folders_left_ == nullptr) return failure_of(ENOENT);
    if (*folders_left_ == 0) return failure(BeneathFailure::no_more_folders);
    if (::mkdirat(here(), name.c_str(), 0777) == 0)
      --*folders_left_;
    else if (errno != EEXIST)
      return failure_of(errno);
    return {};
  }

  Beneathed<Place> follow(int link) {
    if (!follow_links_ || ++links_ > kLinksMax) return failure(BeneathFailure::link);
    std::array<char, PATH_MAX> buffer;
    const ssize_t size = ::readlinkat(link, "", buffer.data(), buffer.size());
    if (size < 0) return failure_of(errno);
    if (static_cast<std::size_t>(size) >= buffer.size()) return failure_of(ENAMETOOLONG);
    const std::string_view target(buffer.data(), static_cast<std::size_t>(size));
    if (target.empty()) return failure_of(ENOENT);
    if (target.front() == '/' || is_magic(link, target)) return failure(BeneathFailure::leaves);
    put_ahead(target);
    return Place{};
  }

  const int root_;
  const bool follow_links_;
  const bool follow_last_;
  std::uint64_t* const folders_left_;
  std::deque<std::string> ahead_;
  std::deque<Fd> chain_;  // the folders entered below the root, the last kDepthMax of them
  bool forgotten_ = false;
  int links_ = 0;
};

}  // namespace

Beneathed<Place> Beneath::own_walk(std::string_view path, bool follow_last, std::uint64_t* folders_left) const {
  return OwnWalk(root_, options_.follow_links, path, follow_last, folders_left).run();
}

Beneathed<Place> Beneath::find(std::string_view path, bool follow_last, std::uint64_t* folders_left) const {
  if (!options_.kernel_walk) return own_walk(path, follow_last, folders_left);
  const std::size_t slash = path.rfind('/');
  Place place;
  place.name = path.substr(slash == path.npos ? 0 : slash + 1);
  place.directory = Folder::lend(root_);
  if (slash != path.npos) {
    const std::string parents(path.substr(0, slash));
    const int fd = openat2_of(root_, parents.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, options_.follow_links);
    // A missing folder that may be made is the one thing the kernel cannot do on the way.
    if (own_walk_decides(fd) || (fd == -ENOENT && folders_left != nullptr))
      return own_walk(path, follow_last, folders_left);
    if (fd < 0) return failure_of(-fd);
    place.directory = Folder::own(Fd::adopt(fd));
  }
  place.exists = ::fstatat(place.directory.get(), place.name.c_str(), &place.info, AT_SYMLINK_NOFOLLOW) == 0;
  if (!place.exists && errno != ENOENT) return failure_of(errno);
  if (place.exists && S_ISLNK(place.info.st_mode) && follow_last) return own_walk(path, follow_last, folders_left);
  return place;
}

Beneathed<Fd> Beneath::open(std::string_view path, int flags) const {
  if (options_.kernel_walk) {
    const std::string whole(path);
    const int fd = openat2_of(root_, whole.c_str(), flags, options_.follow_links);
    if (fd >= 0) return Fd::adopt(fd);
    if (!own_walk_decides(fd)) return failure_of(-fd);
  }
  const auto place = own_walk(path, true, nullptr);
  if (!place) return std::unexpected(place.error());
  Fd fd = Fd::adopt(::openat(place->directory.get(), place->name.c_str(), flags | O_NOFOLLOW));
  if (!fd) return failure_of(errno);
  return fd;
}

Beneathed<Fd> open_beneath(const std::filesystem::path& top, const std::filesystem::path& path, int flags) {
  const std::filesystem::path folder_path = top.lexically_normal();
  const Fd folder = Fd::adopt(::open(folder_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return std::unexpected(BeneathError{BeneathFailure::system, errno});
  const Beneath way(folder.get(), {.kernel_walk = kernel_can_walk_beneath()});
  return way.open(path.lexically_normal().lexically_relative(folder_path).string(), flags);
}

bool kernel_can_walk_beneath() noexcept {
  const Fd fd = Fd::adopt(openat2_of(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, true));
  return static_cast<bool>(fd);
}

}  // namespace fusebox::base
