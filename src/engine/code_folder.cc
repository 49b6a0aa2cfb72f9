#include "engine/code_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "engine/code_file.h"

namespace fusebox::engine {
namespace {

constexpr std::string_view kSuffix = ".code";
constexpr std::string_view kTemporary = ".tmp-";
constexpr std::int64_t kAbandonedSeconds = 3600;  // no write takes an hour; its writer is gone
constexpr std::size_t kFilesMax = 100'000;        // looked at in one eviction; what is left over is found by the next

struct Entry {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  timespec used{};
  bool temporary = false;
};

std::string in_cache(const std::filesystem::path& dir) {
  return "compile cache " + dir.string();
}

bool older(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

base::Result<std::vector<Entry>> entries_of(const std::filesystem::path& dir) {
  std::vector<Entry> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end && entries.size() < kFilesMax;
       it.increment(error)) {
    const std::string file = it->path().filename().string();
    const bool temporary = file.starts_with(kTemporary);
    struct stat info{};
    // Anything else in the folder is not ours; what vanished meanwhile is not there any more.
    if ((!temporary && !file.ends_with(kSuffix)) || ::lstat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode))
      continue;
    entries.push_back({it->path(), static_cast<std::uint64_t>(info.st_size), info.st_mtim, temporary});
  }
  if (error) return base::fail(base::errno_error(in_cache(dir) + ": list", error.value()));
  return entries;
}

}  // namespace

std::string CodeFolder::name(const base::Sha256& module_hash, const base::Sha256& key) const {
  return module_hash.hex() + "." + key.hex() + std::string(kSuffix);
}

base::Result<std::string> CodeFolder::read(const base::Sha256& module_hash, const base::Sha256& key) const {
  const std::filesystem::path path = dir_ / name(module_hash, key);
  const base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return base::fail(base::errno_error(in_cache(dir_) + ": open", errno));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return base::fail(base::Errc::io, in_cache(dir_) + ": an entry is not a file");
  // Read into memory of our own rather than mapped: nobody can change it between the check and the use.
  auto bytes = base::read_fd(fd.get(), kCodeFileBytesMax);
  if (bytes) (void)::futimens(fd.get(), nullptr);
  return bytes;
}

// Not synced: an entry torn by a power cut does not verify and is compiled again, which is cheaper than syncing each
// time.
base::Result<void> CodeFolder::write(const base::Sha256& module_hash, const base::Sha256& key,
                                     base::ByteView bytes) const {
  std::error_code error;
  std::filesystem::create_directories(dir_, error);
  if (error) return base::fail(base::errno_error(in_cache(dir_) + ": create", error.value()));
  base::SystemRandom random;
  std::array<std::byte, 8> unique;
  random.fill(unique);
  const std::filesystem::path temporary = dir_ / (std::string(kTemporary) + base::to_hex(unique));
  const base::Fd fd = base::Fd::adopt(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return base::fail(base::errno_error(in_cache(dir_) + ": write", errno));
  auto written = base::within(in_cache(dir_), base::write_all(fd.get(), bytes));
  if (written && ::rename(temporary.c_str(), (dir_ / name(module_hash, key)).c_str()) != 0) {
    written = base::fail(base::errno_error(in_cache(dir_) + ": rename", errno));
  }
  if (!written) ::unlink(temporary.c_str());
  return written;
}

void CodeFolder::remove(const base::Sha256& module_hash, const base::Sha256& key) const {
  ::unlink((dir_ / name(module_hash, key)).c_str());
}

void CodeFolder::remove_all(const base::Sha256& module_hash) const {
  const auto entries = entries_of(dir_);
  if (!entries) return;
  const std::string prefix = module_hash.hex() + ".";
  for (const Entry& entry : *entries) {
    if (entry.path.filename().string().starts_with(prefix)) ::unlink(entry.path.c_str());
  }
}

base::Result<void> CodeFolder::evict(std::uint64_t bytes_max) const {
  FB_TRY(std::vector<Entry> entries, entries_of(dir_));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return older(a.used, b.used); });
  std::uint64_t total = 0;
  for (const Entry& entry : entries) total += entry.bytes;
  for (const Entry& entry : entries) {
    // Time is taken from the newest file, not from a clock: only differences between files count.
    const bool abandoned = entry.temporary && entries.back().used.tv_sec - entry.used.tv_sec > kAbandonedSeconds;
    if (!abandoned && (entry.temporary || total <= bytes_max)) continue;
    ::unlink(entry.path.c_str());
    total -= entry.bytes;
  }
  return {};
}

}  // namespace fusebox::engine
