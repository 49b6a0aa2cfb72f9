// Files, with an owner for every descriptor and no half-written file ever visible.
//
// Threads  Fd: one thread at a time. Functions: any thread.
// Errors   `not_found`, `exists`, `exhausted` (larger than allowed, or no space), `io` otherwise; messages name step and path.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::base {

class Fd {
 public:
  Fd() noexcept = default;
  static Fd adopt(int raw) noexcept { return Fd(raw); }  // takes ownership; -1 means empty
  Fd(Fd&& from) noexcept : raw_(std::exchange(from.raw_, -1)) {}
  Fd& operator=(Fd&& from) noexcept;
  ~Fd();
  int get() const noexcept { return raw_; }  // lends it; do not close
  explicit operator bool() const noexcept { return raw_ >= 0; }
  int release() noexcept { return std::exchange(raw_, -1); }

 private:
  explicit Fd(int raw) noexcept : raw_(raw) {}
  int raw_ = -1;
};

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);
// Reads to the end, or fails with `exhausted` after bytes_max + 1 bytes.
Result<std::string> read_fd(int fd, std::size_t bytes_max);
Result<void> write_all(int fd, ByteView bytes);
// Temporary file in the same folder, fsync, rename, fsync of the folder. Never a torn file, also after a power cut.
Result<void> write_file_atomic(const std::filesystem::path& path, ByteView bytes, mode_t mode = 0600);

// A new empty folder, removed with all it holds when the owner goes.
class TempDir {
 public:
  static Result<TempDir> create(std::string_view prefix = "fusebox");
  TempDir(TempDir&& from) noexcept : path_(std::exchange(from.path_, {})) {}
  TempDir& operator=(TempDir&& from) noexcept;
  ~TempDir();
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  explicit TempDir(std::filesystem::path path) noexcept : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// $XDG_CACHE_HOME/fusebox, else ~/.cache/fusebox; likewise data ($XDG_DATA_HOME, ~/.local/share). Empty without a home folder.
std::filesystem::path user_cache_dir();
std::filesystem::path user_data_dir();

}  // namespace fusebox::base
