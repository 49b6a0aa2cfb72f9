// The files of one stub environment: bytes by path, folders only because something lies below them.
//
// Copies share contents, so a snapshot copies the map alone.
// Threads  one thread at a time.
// Errors   `invalid`: no absolute path, or not normalised; `not_found`; `exhausted`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/api/provider.h"

namespace fusebox::host {

inline constexpr std::uint64_t kStubFileBytesMax = 16u << 20;  // of one environment: tests and trials need little

class StubFiles {
 public:
  struct File {
    std::shared_ptr<const std::string> bytes;
    std::uint32_t mode = 0644;
    base::Nanos modified{0};
  };
  base::Result<void> put(const std::string& path, std::string bytes, std::uint32_t mode, base::Nanos now);
  base::Result<File> get(std::string_view path) const;
  base::Result<std::vector<FileEntry>> list(std::string_view path) const;
  base::Result<void> remove(std::string_view path, bool recursive);
  base::Result<std::string> archive(std::string_view path) const;  // tar
  void drop_secrets();                                             // everything below /fuse
  std::uint64_t bytes() const noexcept { return bytes_; }
  // What another set of files with these contents has too; nothing else.
  std::string digest() const;

 private:
  std::map<std::string, File, std::less<>> files_;
  std::uint64_t bytes_ = 0;
};

}  // namespace fusebox::host
