#include "capability/audit_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

constexpr std::string_view kLineStart = "{\"seq\":";
constexpr std::size_t kRotatedDigits = 20;
constexpr int kReopenTriesMax = 100;  // each try means that another process rotated in between

std::string name(const std::filesystem::path& path) {
  return "audit log " + path.string();
}

base::Result<std::string> read_window(int fd, std::uint64_t from, std::size_t count,
                                      const std::filesystem::path& path) {
  std::string text(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::pread(fd, text.data() + done, count - done, static_cast<off_t>(from + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(base::errno_error(name(path) + ": read", errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

// What a crash can leave: the beginning of a line, or blocks the file system never filled. Anything else is not ours to
// cut.
bool is_torn_record(std::string_view text) {
  const std::size_t common = std::min(text.size(), kLineStart.size());
  const std::size_t zeros = text.find_first_not_of('\0');
  if (zeros == std::string_view::npos) return true;
  return text.substr(0, common) == kLineStart.substr(0, common) ||
         (text.find('\0') < common && text.substr(0, text.find('\0')) == kLineStart.substr(0, text.find('\0')));
}

bool is_rotated_name(const std::string& file, const std::string& base) {
  if (file.size() != base.size() + 1 + kRotatedDigits || !file.starts_with(base) || file[base.size()] != '.')
    return false;
  return std::all_of(file.end() - kRotatedDigits, file.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::filesystem::path rotated_path(const std::filesystem::path& path, std::uint64_t last_seq) {
  char digits[kRotatedDigits + 1];
  std::snprintf(digits, sizeof digits, "%020llu", static_cast<unsigned long long>(last_seq));
  return path.string() + "." + digits;
}

std::uint64_t last_seq_of(const std::filesystem::path& rotated) {
  const std::string& name = rotated.native();
  std::uint64_t seq = 0;
  std::from_chars(name.data() + (name.size() - kRotatedDigits), name.data() + name.size(), seq);
  return seq;
}

// The head of the newest rotated file, for a file that has no line yet.
base::Result<AuditTail> tail_of_series(const std::filesystem::path& path) {
  FB_TRY(const auto files, audit_series(path));
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (*file == path) continue;
    base::Fd fd = base::Fd::adopt(::open(file->c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info{};
    if (!fd || ::fstat(fd.get(), &info) != 0) return base::fail(base::errno_error(name(*file) + ": open", errno));
    const auto size = static_cast<std::uint64_t>(info.st_size);
    const std::uint64_t from = size > kAuditTailBytes ? size - kAuditTailBytes : 0;
    FB_TRY(const std::string window, read_window(fd.get(), from, static_cast<std::size_t>(size - from), *file));
    return base::within(name(*file), verify_tail(window, from == 0));
  }
  return AuditTail{};
}

}  // namespace

base::Result<AuditTail> verify_tail(std::string_view window, bool whole) {
  AuditTail tail;
  if (!window.empty() && window.back() != '\n') return base::fail(base::Errc::corrupt, "the last line is cut");
  if (!whole) window.remove_prefix(std::min(window.size(), window.find('\n') + 1));
  bool first = true;
  while (!window.empty()) {
    const std::size_t end = window.find('\n');
    auto line = parse_audit_line(window.substr(0, end));
    window.remove_prefix(end + 1);
    const std::string after = first ? "" : " after record " + std::to_string(tail.head.seq);
    if (!line) return base::fail(base::Errc::corrupt, "a line" + after + " is not a record: " + line.error().message);
    if (audit_hash(*line) != line->hash) {
      return base::fail(base::Errc::corrupt, "record " + std::to_string(line->seq) + " does not match its hash");
    }
    if (!first && (line->seq != tail.head.seq + 1 || line->prev != tail.head.hash)) {
      return base::fail(base::Errc::corrupt, "record " + std::to_string(line->seq) + " does not follow record " +
                                                 std::to_string(tail.head.seq));
    }
    FB_TRY(tail.wall, base::parse_rfc3339(line->timestamp));
    tail.head = {line->seq, line->hash};
    first = false;
  }
  return tail;
}

base::Result<std::vector<std::filesystem::path>> audit_series(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const std::string base_name = path.filename().string();
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (is_rotated_name(it->path().filename().string(), base_name))
      files.push_back(path.string() + it->path().filename().string().substr(base_name.size()));
  }
  if (error) return base::fail(base::errno_error(name(path) + ": folder", error.value()));
  std::sort(files.begin(), files.end());
  if (std::filesystem::exists(path, error)) files.push_back(path);
  return files;
}

base::Result<void> AuditFile::lock(AuditChain& chain) {
  FB_CHECK(open_and_lock());
  struct stat info{};
  if (::fstat(fd_.get(), &info) != 0) {
    const int saved = errno;
    unlock();
    return base::fail(base::errno_error(name(path_) + ": stat", saved));
  }
  if (known_ && size_ == static_cast<std::uint64_t>(info.st_size)) return {};
  size_ = static_cast<std::uint64_t>(info.st_size);
  auto loaded = load_tail(chain);
  known_ = loaded.has_value();
  if (!loaded) unlock();
  return loaded;
}

void AuditFile::unlock() noexcept {
  if (locked_) ::flock(fd_.get(), LOCK_UN);
  locked_ = false;
}

base::Result<bool> AuditFile::is_current() const {
  struct stat ours{};
  struct stat named{};
  if (::fstat(fd_.get(), &ours) != 0) return base::fail(base::errno_error(name(path_) + ": stat", errno));
  if (::stat(path_.c_str(), &named) != 0) {
    if (errno == ENOENT) return false;
    return base::fail(base::errno_error(name(path_) + ": stat", errno));
  }
  return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

base::Result<void> AuditFile::open_and_lock() {
  for (int tries = 0; tries < kReopenTriesMax; ++tries) {
    if (!fd_) {
      known_ = false;
      fd_ = base::Fd::adopt(
          ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
      if (!fd_) return base::fail(base::errno_error(name(path_) + ": open", errno));
      struct stat info{};
      if (::fstat(fd_.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        fd_ = {};
        return base::fail(base::Errc::io, name(path_) + " is not a regular file");
      }
    }
    while (::flock(fd_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return base::fail(base::errno_error(name(path_) + ": lock", errno));
    }
    locked_ = true;
    FB_TRY(const bool current, is_current());
    if (current) return {};
    unlock();
    fd_ = {};
  }
  return base::fail(base::Errc::unavailable, name(path_) + " is replaced faster than it can be opened");
}

base::Result<std::uint64_t> AuditFile::cut_torn_tail(std::string_view window, std::uint64_t file_bytes) {
  const std::size_t last = window.rfind('\n');
  const std::size_t keep = last == std::string_view::npos ? 0 : last + 1;
  const std::string_view torn = window.substr(keep);
  if (torn.empty()) return 0;
  if ((keep == 0 && window.size() != file_bytes) || !is_torn_record(torn)) {
    return base::fail(base::Errc::corrupt,
                      name(path_) + " does not end like an audit log; move the file away to start a new one");
  }
  if (::ftruncate(fd_.get(), static_cast<off_t>(file_bytes - torn.size())) != 0) {
    return base::fail(base::errno_error(name(path_) + ": cut the torn line", errno));
  }
  return torn.size();
}

base::Result<void> AuditFile::load_tail(AuditChain& chain) {
  const std::uint64_t from = size_ > kAuditTailBytes ? size_ - kAuditTailBytes : 0;
  FB_TRY(std::string window, read_window(fd_.get(), from, static_cast<std::size_t>(size_ - from), path_));
  FB_TRY(const std::uint64_t torn, cut_torn_tail(window, size_));
  window.resize(window.size() - static_cast<std::size_t>(torn));
  size_ -= torn;
  torn_bytes_ += torn;
  AuditTail tail;
  if (window.empty()) {
    FB_TRY(tail, tail_of_series(path_));
  } else {
    FB_TRY(tail, base::within(name(path_) + " cannot be continued (see `fusebox audit verify`)",
                              verify_tail(window, from == 0)));
  }
  chain.restart(tail.head, tail.wall);
  return {};
}

base::Result<void> AuditFile::append(std::string_view lines) {
  auto written = base::write_all(fd_.get(), base::as_bytes(lines));
  if (written) {
    size_ += lines.size();
    return {};
  }
  // A half-written batch would look like a crash to the next writer. If even this fails, that writer repairs it.
  known_ = false;
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) written.error().message += "; the torn line stays";
  return base::within(name(path_), std::move(written));
}

base::Result<AuditFile::Surplus> AuditFile::surplus(std::uint64_t max_files) const {
  FB_TRY(auto files, audit_series(path_));
  std::erase(files, path_);
  Surplus surplus;
  if (files.size() + 2 <= max_files) return surplus;  // with the file that is full and the one after it
  files.resize(std::min<std::size_t>(files.size(), files.size() + 2 - max_files));
  if (!files.empty()) surplus.through_seq = last_seq_of(files.back());
  surplus.files = std::move(files);
  return surplus;
}

void AuditFile::remove(const Surplus& surplus) noexcept {
  for (const std::filesystem::path& file : surplus.files) ::unlink(file.c_str());
}

base::Result<void> AuditFile::rotate(AuditChain& chain) {
  FB_CHECK(sync());
  const std::filesystem::path full = rotated_path(path_, chain.head().seq);
  // Never over an older file, should one of that name have been put there; not every file system knows how to promise
  // it.
  int renamed = ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, full.c_str(), RENAME_NOREPLACE);
  if (renamed != 0 && errno == EINVAL) renamed = ::rename(path_.c_str(), full.c_str());
  if (renamed != 0) {
    known_ = false;
    return base::fail(base::errno_error(name(path_) + ": rotate", errno));
  }
  unlock();
  fd_ = {};
  return lock(chain);
}

base::Result<void> AuditFile::sync() {
  if (fd_ && ::fdatasync(fd_.get()) != 0) return base::fail(base::errno_error(name(path_) + ": sync", errno));
  return {};
}

}  // namespace fusebox::capability
