// Images in a content-addressed store: blobs by digest, shared between images; names that point at manifests.
//
// The folder is an OCI image layout, so that other tools can read it. An image is added blobs first and name last; what a
// writer that died leaves behind is never visible and is swept up later.
//
// Threads  any; any number of processes share a store.
// Errors   those of library.h; `denied` "BAD_SIGNATURE" where image keys are set; `corrupt` "INTEGRITY" for what is not
//          what its digest says; `unavailable` from collect() while somebody adds or opens.
// Contract containers.md 18; docs/formats/image-store.md
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "image/library.h"
#include "image/oci/package.h"
#include "image/store/blob_store.h"
#include "image/store/image_cache.h"
#include "image/store/reference_index.h"

namespace fusebox::image {

inline constexpr std::uint32_t kStoreNameBytesMax = 63;  // the most contract 3.2 allows: names come from registries

struct ImageStoreOptions {
  std::filesystem::path root;
  Limits limits{.name_bytes_max = kStoreNameBytesMax};
  std::vector<base::Ed25519PublicKey> keys;  // none: signatures are not asked for
};

struct StoreFinding {
  std::string subject;  // reference or digest
  std::string message;
};
struct StoreCheck {
  std::uint64_t images = 0;
  std::uint64_t blobs = 0;
  std::vector<StoreFinding> findings;
};

class ImageStore final : public Library {
 public:
  // Makes the folder where there is none, and removes what writers that died left behind.
  static base::Result<std::unique_ptr<ImageStore>> create(ImageStoreOptions options);

  base::Result<std::vector<Entry>> list() override;
  base::Result<Entry> find(const Reference& reference) override;
  base::Result<std::shared_ptr<const Image>> open(const Entry& entry, const OpenOptions& options) override;
  base::Result<std::unique_ptr<Install>> install(const Reference& reference) override;
  base::Result<void> remove(const Entry& entry) override;  // the name; collect() frees what nothing names any more
  std::uint64_t version() const noexcept override { return version_.load(); }

  // Stores an image under a name, after everything 14.5 asks of an import has been checked.
  base::Result<Entry> add(const oci::Package& package, const Reference& reference,
                          std::vector<std::string>* warnings = nullptr);
  // The stored image as documents and blobs, every digest verified.
  base::Result<oci::Package> package(const Entry& entry);
  base::Result<void> sign(const Entry& entry, const base::Ed25519Key& key);
  base::Result<BlobStore::Swept> collect();
  base::Result<StoreCheck> verify(const std::optional<Entry>& only = {});  // re-hashes, changes nothing

  const BlobStore& blobs() const noexcept { return blobs_; }
  const Limits& limits() const noexcept { return options_.limits; }

 private:
  class Incoming;
  explicit ImageStore(ImageStoreOptions options);
  base::Result<oci::Blob> manifest_of(const Entry& entry) const;
  base::Result<std::vector<LayerBytes>> map_layers(const oci::Package& package, const OpenOptions& options) const;
  base::Result<void> write_blobs(const oci::Package& package, const std::vector<LayerBytes>& unpacked) const;
  base::Result<void> refer(const oci::Package& package, const Reference& reference);
  base::Result<std::set<oci::Digest>> referenced() const;
  void verify_entry(const Entry& entry, StoreCheck& check);
  std::filesystem::path signature_path(const base::Sha256& manifest) const;

  const ImageStoreOptions options_;
  const BlobStore blobs_;
  const ReferenceIndex index_;
  ImageCache cache_;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace fusebox::image
