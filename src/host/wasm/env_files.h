// The files of a namespace by absolute path, for callers outside of it: reading, replacing, listing, removing.
//
// Symbolic links lead where they lead inside the namespace and nowhere else.
//
// Owner    keeps the namespace.
// Threads  any: a namespace is.
// Errors   `not_found`, `invalid` (a folder where a file is meant, and the like), `exhausted`, `io`; the path is in the text.
// Contract control-plane.md 5.6
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "host/api/provider.h"
#include "vfs/namespace.h"

namespace fusebox::host {

inline constexpr std::uint32_t kFileMode = 0644, kFolderMode = 0755;  // WASI has no modes: what all have

class EnvFiles {
 public:
  EnvFiles(std::shared_ptr<const vfs::Namespace> names, const base::Clock& clock) noexcept
      : names_(std::move(names)), clock_(&clock) {}

  bool is_file(std::string_view path) const;
  base::Result<std::unique_ptr<FileReader>> read(std::string_view path) const;
  // Makes the folders above, writes a temporary name beside it, renames.
  base::Result<void> replace(std::string_view path, std::string_view bytes, std::string_view unique) const;
  base::Result<std::vector<FileEntry>> list(std::string_view path) const;
  base::Result<void> remove(std::string_view path, bool recursive) const;
  // Everything below a folder, links as they are.
  using Sink = std::function<base::Result<void>(base::ByteView)>;
  base::Result<void> archive(std::string_view path, const Sink& sink) const;

 private:
  struct Asking;
  base::Result<void> make_folders(std::string_view path) const;
  base::Result<void> remove_tree(const std::string& path) const;

  std::shared_ptr<const vfs::Namespace> names_;
  const base::Clock* clock_;
};

}  // namespace fusebox::host
