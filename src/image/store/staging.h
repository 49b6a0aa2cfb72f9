// Files on their way into a store: written under a temporary name that its writer holds locked, made durable, renamed.
//
// Whoever finds a temporary file that nobody holds knows that its writer has died, and removes it.
//
// Owner    A Staged removes its file unless it was published.
// Threads  one thread per object.
// Errors   `exhausted` "TOO_LARGE" or "NO_SPACE"; `io`.
// Contract containers.md 2.2, 9.5
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/files.h"
#include "base/result.h"

namespace fusebox::image {

class Staged {
 public:
  // A new file `prefix`XXXXXX in `folder`.
  static base::Result<Staged> create(const std::filesystem::path& folder, std::string_view prefix,
                                     std::uint64_t bytes_max);
  Staged(Staged&& from) noexcept;
  Staged& operator=(Staged&&) = delete;
  ~Staged();

  base::Result<void> write(base::ByteView bytes);
  std::uint64_t written() const noexcept { return written_; }
  int fd() const noexcept { return fd_.get(); }
  // Durable under its final name, in the same file system. The folder of the final name is synced by whoever needs it.
  base::Result<void> publish(const std::filesystem::path& path, mode_t mode);

 private:
  Staged(base::Fd fd, std::string path, std::uint64_t bytes_max) noexcept
      : fd_(std::move(fd)), path_(std::move(path)), bytes_max_(bytes_max) {}
  base::Fd fd_;
  std::string path_;
  std::uint64_t bytes_max_;
  std::uint64_t written_ = 0;
};

// Removes the files in `folder` that start with `prefix` and that no living writer holds.
void remove_leftovers(const std::filesystem::path& folder, std::string_view prefix);

base::Result<void> sync_folder(const std::filesystem::path& folder);
base::Result<void> make_folder(const std::filesystem::path& folder, mode_t mode);
// The error of a failed write: a full disk has a name of its own.
base::Error write_error(std::string_view step, int saved_errno);

}  // namespace fusebox::image
