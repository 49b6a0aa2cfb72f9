#include "capability/file_gateway_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>

namespace fusebox::capability {

using base::Fd;
using policy::Symlinks;

namespace {

constexpr int kLinksMax = 40;           // as many as the kernel follows
constexpr std::size_t kDepthMax = 256;  // handles of our own walk; deeper trees than this are read through openat2
constexpr int kRetriesMax = 16;         // openat2 asks to try again when a folder moved during the walk
constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
constexpr int kLookFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;

std::unexpected<WalkError> failure(WalkFailure what, int saved_errno = 0) {
  return std::unexpected(WalkError{what, saved_errno});
}

std::unexpected<WalkError> failure_of(int saved_errno) {
  switch (saved_errno) {
    case ENOENT:
    case ENOTDIR:
      return failure(WalkFailure::not_found);
    case ELOOP:
      return failure(WalkFailure::symlink);
    case EXDEV:
      return failure(WalkFailure::leaves_root);
    case ENXIO:  // a socket, or a device without its driver
    case ENODEV:
      return failure(WalkFailure::not_regular);
    default:
      return failure(WalkFailure::io, saved_errno);
  }
}

int openat2_of(int directory, const char* path, int flags, std::uint64_t resolve) noexcept {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.resolve = resolve;
  return static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof(how)));
}

std::string joined(std::span<const std::string_view> components) {
  std::string path;
  for (const std::string_view component : components) {
    if (!path.empty()) path += '/';
    path += component;
  }
  return path;
}

Walked<Fd> copy_of(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return failure_of(errno);
  return Fd::adopt(copy);
}

// The links of procfs lead to wherever their process has been; readlink() shows a text that is not how they work.
bool lies_in_procfs(int fd) noexcept {
  struct statfs info{};
  return ::fstatfs(fd, &info) != 0 || info.f_type == PROC_SUPER_MAGIC;
}

// One walk of our own: where it stands and what is still before it. Nothing is ever opened by more than one name, ".."
// goes back to a handle we hold, and the root is the first of them.
class OwnWalk {
 public:
  OwnWalk(int root, Symlinks symlinks, std::span<const std::string_view> components, std::uint64_t* folders_left)
      : root_(root), symlinks_(symlinks), folders_left_(folders_left), ahead_(components.begin(), components.end()) {}

  Walked<Place> run() {
    while (!ahead_.empty()) {
      const std::string name = std::move(ahead_.front());
      ahead_.pop_front();
      if (name.empty() || name == ".") continue;
      if (name == "..") {
        if (chain_.empty()) return failure(WalkFailure::leaves_root);
        chain_.pop_back();
        continue;
      }
      auto place = step(name);
      if (!place) return std::unexpected(place.error());
      if (place->directory) return std::move(*place);
    }
    return failure(WalkFailure::not_regular);  // a link ended in "." or ".."
  }

 private:
  int here() const noexcept { return chain_.empty() ? root_ : chain_.back().get(); }

  // A place without a directory: the walk goes on.
  Walked<Place> step(const std::string& name) {
    const bool last = ahead_.empty();
    Fd object = Fd::adopt(::openat(here(), name.c_str(), kLookFlags));
    if (!object) {
      if (errno != ENOENT) return failure_of(errno);
      if (last) return arrive(name);
      if (auto made = make_folder(name); !made) return std::unexpected(made.error());
      object = Fd::adopt(::openat(here(), name.c_str(), kLookFlags));
      if (!object) return failure_of(errno);
    }
    struct stat info{};
    if (::fstat(object.get(), &info) != 0) return failure_of(errno);
    if (S_ISLNK(info.st_mode)) return follow(object.get());
    if (last) return arrive(name);
    if (!S_ISDIR(info.st_mode)) return failure(WalkFailure::not_found);
    return enter(std::move(object));
  }

  Walked<Place> arrive(const std::string& name) const {
    auto directory = copy_of(here());
    if (!directory) return std::unexpected(directory.error());
    return Place{std::move(*directory), name};
  }

  Walked<Place> enter(Fd directory) {
    // Without links nothing leads back up, so only the last handle is needed.
    if (symlinks_ == Symlinks::deny) chain_.clear();
    if (chain_.size() >= kDepthMax) return failure(WalkFailure::too_deep);
    chain_.push_back(std::move(directory));
    return Place{};
  }

  Walked<void> make_folder(const std::string& name) {
    if (folders_left_ == nullptr) return failure(WalkFailure::not_found);
    if (*folders_left_ == 0) return failure(WalkFailure::no_more_folders);
    if (::mkdirat(here(), name.c_str(), 0777) == 0)
      --*folders_left_;
    else if (errno != EEXIST)
      return failure_of(errno);
    return {};
  }

  Walked<Place> follow(int link) {
    if (symlinks_ == Symlinks::deny || ++links_ > kLinksMax) return failure(WalkFailure::symlink);
    if (lies_in_procfs(link)) return failure(WalkFailure::leaves_root);
    std::array<char, PATH_MAX> buffer;
    const ssize_t size = ::readlinkat(link, "", buffer.data(), buffer.size());
    if (size < 0) return failure_of(errno);
    if (static_cast<std::size_t>(size) >= buffer.size()) return failure(WalkFailure::io, ENAMETOOLONG);
    std::string_view target(buffer.data(), static_cast<std::size_t>(size));
    if (target.empty()) return failure(WalkFailure::not_found);
    if (target.front() == '/') return failure(WalkFailure::leaves_root);
    const bool wants_folder = target.back() == '/';
    std::vector<std::string> names;
    while (!target.empty()) {
      const std::string_view name = target.substr(0, target.find('/'));
      target.remove_prefix(std::min(name.size() + 1, target.size()));
      names.emplace_back(name);
    }
    if (wants_folder) names.emplace_back(".");
    ahead_.insert(ahead_.begin(), names.begin(), names.end());
    return Place{};
  }

  const int root_;
  const Symlinks symlinks_;
  std::uint64_t* const folders_left_;
  std::deque<std::string> ahead_;
  std::vector<Fd> chain_;  // the folders entered below the root
  int links_ = 0;
};

}  // namespace

bool kernel_can_walk() noexcept {
  const Fd fd =
      Fd::adopt(openat2_of(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS));
  return static_cast<bool>(fd);
}

Walked<Fd> PathWalker::kernel_open(std::span<const std::string_view> components, int flags) const {
  const std::string path = joined(components);
  std::uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  if (symlinks_ == Symlinks::deny) resolve |= RESOLVE_NO_SYMLINKS;
  for (int attempt = 0; attempt < kRetriesMax; ++attempt) {
    Fd fd = Fd::adopt(openat2_of(root_, path.c_str(), flags, resolve));
    if (fd) return fd;
    if (errno != EAGAIN && errno != EINTR) return failure_of(errno);
  }
  return failure(WalkFailure::io, EAGAIN);
}

Walked<Place> PathWalker::own_walk(std::span<const std::string_view> components, std::uint64_t* folders_left) const {
  return OwnWalk(root_, symlinks_, components, folders_left).run();
}

Walked<Fd> PathWalker::open_file(std::span<const std::string_view> components) const {
  if (kernel_walk_) return kernel_open(components, kReadFlags);
  const auto place = own_walk(components, nullptr);
  if (!place) return std::unexpected(place.error());
  Fd fd = Fd::adopt(::openat(place->directory.get(), place->name.c_str(), kReadFlags | O_NOFOLLOW));
  if (!fd) return failure_of(errno);
  return fd;
}

Walked<Place> PathWalker::find_place(std::span<const std::string_view> components, std::uint64_t* folders_left) const {
  if (!kernel_walk_) return own_walk(components, folders_left);
  const auto parents = components.first(components.size() - 1);
  auto directory = parents.empty() ? copy_of(root_) : kernel_open(parents, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (!directory) {
    // A missing folder that may be made is the one thing the kernel cannot do on the way.
    if (directory.error().what == WalkFailure::not_found && folders_left != nullptr)
      return own_walk(components, folders_left);
    return std::unexpected(directory.error());
  }
  std::string name(components.back());
  struct stat info{};
  const bool is_link =
      ::fstatat(directory->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
  if (is_link) return own_walk(components, folders_left);
  return Place{std::move(*directory), std::move(name)};
}

}  // namespace fusebox::capability
