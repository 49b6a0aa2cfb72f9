// What keeps a store small and honest: collecting what nothing names, and re-hashing what is there.
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "image/store/image_store.h"
#include "image/store/signature.h"

namespace fusebox::image {

using oci::Descriptor;
using oci::Digest;

base::Result<std::set<Digest>> ImageStore::referenced() const {
  FB_TRY(const auto descriptors, index_.read());
  std::set<Digest> keep;
  const oci::FetchBlob fetch = [this](const Descriptor& descriptor) -> base::Result<oci::FileBytes> {
    FB_TRY(LayerBytes bytes, blobs_.map(descriptor.digest));
    return oci::FileBytes{std::move(bytes), std::nullopt};
  };
  for (const Descriptor& descriptor : descriptors) {
    keep.insert(descriptor.digest);
    // What a damaged manifest names cannot be known, and must not be thrown away.
    auto manifest = oci::fetch_blob(descriptor, kDocumentBytesMax, fetch);
    if (!manifest) {
      return base::fail(base::Errc::corrupt,
                        "image store: nothing was removed: " + manifest.error().message + "; see: fusebox image verify",
                        "INTEGRITY");
    }
    FB_TRY(const oci::Manifest document,
           oci::parse_manifest(base::as_text(manifest->bytes.bytes), descriptor.media_type,
                               "manifest " + descriptor.digest.text()));
    keep.insert(document.config.digest);
    for (const Descriptor& layer : document.layers) keep.insert(layer.digest);
  }
  return keep;
}

base::Result<BlobStore::Swept> ImageStore::collect() {
  FB_TRY(const base::Fd lock, blobs_.lock(BlobStore::Lock::exclusive, false));
  FB_TRY(const auto keep, referenced());
  cache_.drop_all();
  FB_TRY(const BlobStore::Swept swept, blobs_.sweep(keep));
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator(options_.root / "signatures", failed)) {
    const auto manifest = Digest::parse("sha256:" + file.path().stem().string());
    std::error_code ignored;  // a signature of nothing does no harm
    if (manifest && !keep.contains(*manifest)) std::filesystem::remove(file.path(), ignored);
  }
  return swept;
}

void ImageStore::verify_entry(const Entry& entry, StoreCheck& check) {
  const std::string name = entry.name + ":" + entry.version;
  check.images += 1;
  const auto package = this->package(entry);
  if (!package) {
    check.findings.push_back({name, package.error().message});
    return;
  }
  check.blobs += 2 + package->layers.size();
  OpenOptions options;
  options.limits = options_.limits;
  const auto layers = oci::unpack_layers(*package, options);
  if (!layers) {
    check.findings.push_back({name, layers.error().message});
    return;
  }
  for (std::size_t i = 0; i < layers->size(); ++i) {
    const Digest& digest = package->layers[i].descriptor.digest;
    const auto kept = blobs_.map_unpacked(digest);
    if (kept && !std::ranges::equal(kept->bytes, (*layers)[i].bytes))
      check.findings.push_back({name, "the unpacked layer of " + digest.text() + " is damaged"});
  }
  const auto signature = check_signature(signature_path(entry.digest), name, entry.digest, options_.keys);
  if (!signature) check.findings.push_back({name, signature.error().message});
}

base::Result<StoreCheck> ImageStore::verify(const std::optional<Entry>& only) {
  StoreCheck check;
  if (only) {
    verify_entry(*only, check);
    return check;
  }
  FB_TRY(const auto entries, list());
  for (const Entry& entry : entries) verify_entry(entry, check);
  return check;
}

}  // namespace fusebox::image
