// The files an image is made of, as a folder or as a tar holds them: image layouts and docker archives.
//
// Threads  one thread at a time.
// Errors   `not_found`; `invalid` and `exhausted` "BAD_IMAGE"; `io`.
// Contract containers.md 18.1, 18.2
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "base/crypto.h"
#include "base/result.h"
#include "image/archive.h"
#include "image/limits.h"

namespace fusebox::image::oci {

struct FileBytes {
  LayerBytes content;                  // nobody can change them any more
  std::optional<base::Sha256> digest;  // where it is known already
};

class Files {
 public:
  virtual ~Files() = default;
  virtual base::Result<FileBytes> read(std::string_view path, std::uint64_t bytes_max) = 0;
  bool has(std::string_view path, std::uint64_t bytes_max);
};

// Regular files below `root`, copied when they are read.
base::Result<std::unique_ptr<Files>> files_of_folder(const std::filesystem::path& root);
// The members of a tar, links to members followed; the last one of a name counts.
base::Result<std::unique_ptr<Files>> files_of_tar(LayerBytes archive, const Limits& limits);

// Whether a tar is one of these, judged by the names of its members.
enum class ArchiveForm : std::uint8_t { plain, layout, docker };
ArchiveForm archive_form(base::ByteView tar);

}  // namespace fusebox::image::oci
