// Archives as they come from outside: what kind they are, their bytes uncompressed, their members one after another.
//
// Everything here reads hostile bytes: no length is believed before it was compared with what is there.
//
// Owner    LayerBytes carry their owner; members are views into the archive they were read from.
// Threads  pure functions; TarReader: one thread at a time.
// Errors   "BAD_IMAGE": `invalid` with what and where, `exhausted` for a bound. Files: `not_found`, `io` without that name.
// Contract containers.md 3.1, 3.3, 14.1, 14.5
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "image/limits.h"
#include "image/tree.h"

namespace fusebox::image {

// The failing side of what is wrong with an archive, an image or a document of one.
std::unexpected<base::Error> bad_image(std::string message);
std::unexpected<base::Error> too_large(std::string message);

// What a file is, judged by its first bytes, never by its name.
enum class Form : std::uint8_t { tar, gzip, zstd, module, component, unknown };
Form sniff(base::ByteView bytes) noexcept;
std::string_view to_string(Form form) noexcept;  // "tar archive", "gzip stream", ...

// The bytes inside a gzip or zstd stream: every member and frame, nothing after them. Other bytes come back as they are.
base::Result<LayerBytes> unpack(LayerBytes stored, std::uint64_t bytes_max);

// Bytes that nobody can change any more, and their SHA-256.
struct PrivateFile {
  LayerBytes content;
  base::Sha256 digest{};
};
// A copy, or a mapping where the kernel promises that the file cannot change (a memfd sealed against it). What happens to
// the file afterwards has no effect. `invalid` where it is not a regular file or changed while it was read.
base::Result<PrivateFile> read_private(const std::filesystem::path& path, std::uint64_t bytes_max);
base::Result<PrivateFile> read_private_fd(int fd, std::string_view name, std::uint64_t bytes_max);

LayerBytes keep_bytes(base::Bytes bytes);
LayerBytes part_of(const LayerBytes& whole, base::ByteView bytes);  // shares the owner

// A path taken to its components: leading "./" and "/" stripped, "//" and "/./" collapsed, a trailing "/" dropped. The
// root has none. The views are those of the text it was made from.
class PathParts {
 public:
  std::span<const std::string_view> parts() const noexcept { return {parts_.data(), count_}; }
  bool climbs() const noexcept { return climbs_; }  // has a ".." component: leads nowhere
  std::string text() const;                         // "a/b"
  std::size_t text_bytes() const noexcept;

 private:
  friend base::Result<PathParts> split_path(std::string_view prefix, std::string_view name);
  std::array<std::string_view, kDepthMax> parts_;
  std::size_t count_ = 0;
  bool climbs_ = false;
};
// Of "prefix/name", or of `name` where the prefix is empty. Refused: an empty name, NUL, and the bounds of limits.h.
base::Result<PathParts> split_path(std::string_view prefix, std::string_view name);

struct TarMember {
  enum class Type : std::uint8_t { regular, directory, symlink, hard_link, device, unknown };
  Type type = Type::unknown;
  char flag = 0;            // the type as stored
  std::uint64_t at = 0;     // of its header, in bytes from the start of the archive
  std::string_view prefix;  // as stored, see split_path()
  std::string_view name;
  std::string_view link;   // symlinks and hard links, as stored; never empty for these
  base::ByteView content;  // regular files
  std::uint64_t modified_ns = 0;

  std::string path() const;  // as stored
};

// What extended headers say of a member.
struct TarOverrides {
  std::optional<std::string_view> path;
  std::optional<std::string_view> link;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> modified_ns;
};

// One member after another, with pax and GNU extensions already applied: ustar, pax, GNU, v7. Memory: constant.
class TarReader {
 public:
  explicit TarReader(base::ByteView archive) noexcept : archive_(archive) {}
  // Nothing at the end of the archive. After an error there is no next member.
  base::Result<std::optional<TarMember>> next();

 private:
  base::Result<std::optional<TarMember>> read();
  base::Result<bool> at_end();
  base::Result<bool> take_extension(char flag, std::uint64_t size);
  base::Result<TarMember> take_member(char flag, std::uint64_t header_size);
  base::Result<base::ByteView> take_data(std::uint64_t size, std::string_view what);
  std::uint64_t left() const noexcept { return archive_.size() - at_; }
  std::string place() const;  // "byte 1024: "

  base::ByteView archive_;
  std::uint64_t at_ = 0;      // of what is read next
  std::uint64_t header_ = 0;  // of the header being worked on
  TarOverrides global_;
  TarOverrides pax_;
  TarOverrides gnu_;
  bool extended_ = false;  // an extended header was read whose member has not come yet
  bool ended_ = false;
};

}  // namespace fusebox::image
