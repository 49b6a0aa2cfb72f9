// Where stored images are found by name: what containers, /dev/wanted/reg and the CLI see of either store.
//
// Two stores implement it: RegistryFolder (./registry/<name>@<version>.wapp, contract 3.2) and ImageStore
// (content-addressed blobs and references).
//
// Threads  any.
// Errors   `not_found`; `invalid` "BAD_NAME" for a reference against the grammar; those of image.h.
// Contract containers.md 3.2, 9.5
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/image.h"

namespace fusebox::image {

// "<name>[:<version>]"; version "" = newest.
struct Reference {
  std::string name;
  std::string version;
};
base::Result<Reference> parse_reference(std::string_view text, std::uint32_t name_bytes_max);
// Contract 3.2: digit runs as numbers, others bytewise, longer wins on a tie. Whether a is older than b.
bool version_less(std::string_view a, std::string_view b) noexcept;

struct Entry {
  std::string name;
  std::string version;
  std::uint64_t stored_bytes = 0;
  base::Sha256 digest{};  // all zero where it would have to be computed first; open() knows it
};

// A new image on its way in. Destroyed before commit(): nothing changes.
class Install {
 public:
  virtual ~Install() = default;
  // `exhausted` "TOO_LARGE" (contract FBIG) or "NO_SPACE" (NOSPC).
  virtual base::Result<void> write(base::ByteView bytes) = 0;
  // Verifies, makes durable, makes visible. `invalid` "BAD_IMAGE".
  virtual base::Result<void> commit() = 0;
};

class Library {
 public:
  virtual ~Library() = default;
  virtual base::Result<std::vector<Entry>> list() = 0;               // sorted by name, then as stored
  virtual base::Result<Entry> find(const Reference& reference) = 0;  // newest where no version is given
  virtual base::Result<std::shared_ptr<const Image>> open(const Entry& entry, const OpenOptions& options) = 0;
  virtual base::Result<std::unique_ptr<Install>> install(const Reference& reference) = 0;
  virtual base::Result<void> remove(const Entry& entry) = 0;
  // Changes with every install and removal made through this object.
  virtual std::uint64_t version() const noexcept = 0;
};

}  // namespace fusebox::image
