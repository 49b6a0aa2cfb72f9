// Content by its digest, in a folder that is also an OCI image layout: blobs/sha256/<hex>.
//
// A blob appears whole or not at all: it is written under another name, synced, and renamed. Blobs never change, so their
// mappings are shared between processes; one that its user makes shorter all the same reads as zeros, which
// base::MappedFile::lost() tells from content. Beside each compressed layer lies what it holds, in unpacked/.
//
// Owner    the caller holds a lock while it adds blobs that nothing refers to yet.
// Threads  any; any number of processes.
// Errors   `not_found`; `corrupt` for a blob of another size; `exhausted` "NO_SPACE"; `io`; `unavailable` for a lock that
//          somebody else holds.
// Format   docs/formats/image-store.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "image/oci/digest.h"
#include "image/tree.h"

namespace fusebox::image {

class BlobStore {
 public:
  explicit BlobStore(std::filesystem::path root) noexcept : root_(std::move(root)) {}
  base::Result<void> make_folders() const;
  const std::filesystem::path& root() const noexcept { return root_; }

  enum class Lock : std::uint8_t { shared, exclusive };
  // Shared by whoever adds or opens, exclusive for whoever removes. Held while the Fd lives.
  base::Result<base::Fd> lock(Lock kind, bool wait = true) const;

  // `bytes` are what the digest says. Content already there is kept if it is the same, replaced if it is damaged.
  base::Result<void> put(const oci::Digest& digest, base::ByteView bytes) const;
  base::Result<void> put_unpacked(const oci::Digest& of, base::ByteView bytes) const;
  base::Result<LayerBytes> map(const oci::Digest& digest) const;
  base::Result<LayerBytes> map_unpacked(const oci::Digest& of) const;
  bool has(const oci::Digest& digest, std::uint64_t bytes) const;
  // Names become durable.
  base::Result<void> sync() const;
  // What writers that died left behind.
  void remove_temporary() const;

  struct Swept {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
  };
  // Removes every blob, unpacked layer and unfinished download that is not in `keep`. Needs the exclusive lock.
  base::Result<Swept> sweep(const std::set<oci::Digest>& keep) const;

  std::filesystem::path blob_path(const oci::Digest& digest) const;
  std::filesystem::path unpacked_path(const oci::Digest& of) const;
  std::filesystem::path partial_path(const oci::Digest& digest) const;

 private:
  base::Result<void> put_file(const std::filesystem::path& path, base::ByteView bytes) const;
  std::filesystem::path root_;
};

// A read-only mapping of a whole file that never changes.
base::Result<LayerBytes> map_file(const std::filesystem::path& path);

}  // namespace fusebox::image
