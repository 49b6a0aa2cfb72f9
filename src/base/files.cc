#include "base/files.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/text.h"

namespace fusebox::base {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadPieceBytes = 64u << 10;   // what is read at once; resize() clears that much first
constexpr std::size_t kReserveBytesMax = 64u << 20;  // a size the kernel names reserves no more before bytes arrive

std::string step_of(std::string_view verb, const fs::path& path) {
  return std::string(verb) + " " + path.string();
}

std::unexpected<Error> errno_failure(std::string_view step) {
  return fail(errno_error(step, errno));
}

// Repeats a call that a signal interrupted.
template <class Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

Fd open_at(const fs::path& path, int flags) {
  return Fd::adopt(retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC); }));
}

Result<std::string> read_to_end(int fd, std::size_t bytes_max, std::string_view step) {
  std::string text;
  struct stat about{};
  // One byte more than the file has, so that its end shows without a second piece.
  if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
    text.reserve(std::min({static_cast<std::size_t>(about.st_size), bytes_max, kReserveBytesMax}) + 1);
  }
  for (;;) {
    const std::size_t have = text.size();
    const std::size_t spare = text.capacity() > have ? text.capacity() - have : kReadPieceBytes;
    const std::size_t room = std::max<std::size_t>(1, std::min({spare, kReadPieceBytes, bytes_max - have}));
    text.resize(have + room);
    const ssize_t got = retried([&] { return ::read(fd, text.data() + have, room); });
    if (got < 0) return errno_failure(step);
    text.resize(have + static_cast<std::size_t>(got));
    if (got == 0) return text;
    if (text.size() > bytes_max) {
      return fail(Errc::exhausted, std::string(step) + ": there are more than " + std::to_string(bytes_max) +
                                       " bytes, the most allowed here");
    }
  }
}

Result<void> write_all_of(int fd, ByteView bytes, std::string_view step) {
  while (!bytes.empty()) {
    const ssize_t put = retried([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (put < 0) return errno_failure(step);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

// Removes the file unless told that it got its final name.
class Temporary {
 public:
  explicit Temporary(std::string path) noexcept : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  const char* path() const noexcept { return path_.c_str(); }
  void keep() noexcept { path_.clear(); }

 private:
  std::string path_;
};

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

fs::path home_dir() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') return home;
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return entry.pw_dir;
  return {};
}

// The XDG base directory rules: a relative value counts as none.
fs::path user_dir(const char* variable, std::string_view below_home) {
  if (const char* value = std::getenv(variable); value != nullptr && *value == '/') return fs::path(value) / "fusebox";
  const fs::path home = home_dir();
  return home.empty() ? fs::path() : home / below_home / "fusebox";
}

}  // namespace

Fd& Fd::operator=(Fd&& from) noexcept {
  Fd old(std::exchange(raw_, std::exchange(from.raw_, -1)));
  return *this;
}

Fd::~Fd() {
  if (raw_ >= 0) ::close(raw_);  // never retried: Linux frees the number even when a signal interrupts
}

Result<std::string> read_fd(int fd, std::size_t bytes_max) {
  return read_to_end(fd, bytes_max, "read");
}

Result<std::string> read_file(const fs::path& path, std::size_t bytes_max) {
  const std::string step = step_of("read", path);
  const Fd fd = open_at(path, O_RDONLY);
  if (!fd) return errno_failure(step);
  return read_to_end(fd.get(), bytes_max, step);
}

Result<void> write_all(int fd, ByteView bytes) {
  return write_all_of(fd, bytes, "write");
}

Result<void> write_file_atomic(const fs::path& path, ByteView bytes, mode_t mode) {
  const std::string step = step_of("write", path);
  const fs::path folder = folder_of(path);
  std::string name = (folder / ".fusebox-XXXXXX").string();
  Fd fd = Fd::adopt(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return errno_failure(step);
  Temporary temporary(std::move(name));

  FB_CHECK(write_all_of(fd.get(), bytes, step));
  if (::fchmod(fd.get(), mode) != 0) return errno_failure(step);
  if (retried([&] { return ::fsync(fd.get()); }) != 0) return errno_failure(step);
  if (::rename(temporary.path(), path.c_str()) != 0) return errno_failure(step);
  temporary.keep();

  const Fd folder_fd = open_at(folder, O_RDONLY | O_DIRECTORY);
  if (!folder_fd || retried([&] { return ::fsync(folder_fd.get()); }) != 0)
    return errno_failure(step_of("sync", folder));
  return {};
}

Result<TempDir> TempDir::create(std::string_view prefix) {
  if (prefix.contains('/'))
    return fail(Errc::invalid, "temporary folder prefix " + in_quotes(prefix) + " contains a /");
  std::error_code failed;
  const fs::path base = fs::temp_directory_path(failed);
  if (failed) return fail(errno_error("temporary folder", failed.value()));
  std::string name = (base / (std::string(prefix) + "-XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return errno_failure(step_of("create temporary folder in", base));
  return TempDir(fs::path(std::move(name)));
}

TempDir& TempDir::operator=(TempDir&& from) noexcept {
  TempDir old(std::exchange(path_, std::exchange(from.path_, {})));
  return *this;
}

TempDir::~TempDir() {
  std::error_code ignored;  // nobody is left to tell
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

fs::path user_cache_dir() {
  return user_dir("XDG_CACHE_HOME", ".cache");
}
fs::path user_data_dir() {
  return user_dir("XDG_DATA_HOME", ".local/share");
}

}  // namespace fusebox::base
