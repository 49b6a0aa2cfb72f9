#include "image/store/image_store.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "image/archive.h"
#include "image/oci/media_types.h"
#include "image/store/names.h"
#include "image/store/signature.h"
#include "image/store/staging.h"

namespace fusebox::image {
namespace {

using oci::Blob;
using oci::Descriptor;
using oci::Digest;
using oci::Package;

// Of an index entry: what the image takes in the store, so that a listing reads one file.
constexpr std::string_view kStoredBytes = "dev.fusebox.stored-bytes";

std::string annotation(const Descriptor& entry, std::string_view key) {
  const auto found = entry.annotations.find(std::string(key));
  return found == entry.annotations.end() ? std::string() : found->second;
}

std::string text_of(const Reference& reference) {
  return reference.name + ":" + reference.version;
}

bool is_named(const Descriptor& descriptor, const Entry& entry) {
  return annotation(descriptor, oci::kRefName) == entry.name + ":" + entry.version;
}

// Empty for what other tools may have added to the index.
std::optional<Entry> entry_of(const Descriptor& descriptor, std::uint32_t name_bytes_max) {
  const auto reference = parse_reference(annotation(descriptor, oci::kRefName), name_bytes_max);
  const auto hash = base::sha256_from_hex(descriptor.digest.hex);
  if (!reference || reference->version.empty() || !hash) return std::nullopt;
  Entry entry{reference->name, reference->version, 0, *hash};
  const std::string bytes = annotation(descriptor, kStoredBytes);
  std::from_chars(bytes.data(), bytes.data() + bytes.size(), entry.stored_bytes);
  return entry;
}

std::unexpected<base::Error> not_intact(base::Error error) {
  return base::fail(base::Errc::corrupt, "image store: " + error.message, "INTEGRITY");
}

base::Result<Reference> with_version(Reference reference, std::uint32_t name_bytes_max) {
  if (reference.version.empty()) reference.version = kLatest;
  FB_CHECK(check_name("image name", reference.name, name_bytes_max));
  FB_CHECK(check_name("image version", reference.version, name_bytes_max));
  return reference;
}

}  // namespace

// Bytes of any form on their way into the store.
class ImageStore::Incoming final : public Install {
 public:
  Incoming(ImageStore& store, Reference reference, Staged staged) noexcept
      : store_(store), reference_(std::move(reference)), staged_(std::move(staged)) {}
  base::Result<void> write(base::ByteView bytes) override { return staged_.write(bytes); }
  base::Result<void> commit() override {
    if (staged_.written() == 0) return {};
    FB_TRY(PrivateFile file, read_private_fd(staged_.fd(), "the image", store_.limits().image_bytes_max));
    OpenOptions options;
    options.limits = store_.limits();
    auto package = oci::load_package(std::move(file), options);
    if (!package) return base::fail(base::Errc::invalid, package.error().message, "BAD_IMAGE");
    auto added = store_.add(*package, reference_);
    if (added) return {};
    if (added.error().name == "NO_SPACE" || added.error().code == base::Errc::io) return base::fail(added.error());
    return base::fail(base::Errc::invalid, added.error().message, "BAD_IMAGE");
  }

 private:
  ImageStore& store_;
  Reference reference_;
  Staged staged_;
};

ImageStore::ImageStore(ImageStoreOptions options)
    : options_(std::move(options)), blobs_(options_.root), index_(options_.root) {}

base::Result<std::unique_ptr<ImageStore>> ImageStore::create(ImageStoreOptions options) {
  std::unique_ptr<ImageStore> store(new ImageStore(std::move(options)));
  FB_CHECK(store->blobs_.make_folders());
  FB_CHECK(make_folder(store->options_.root / "signatures", 0700));
  const auto layout = store->options_.root / "oci-layout";
  std::error_code failed;
  if (!std::filesystem::exists(layout, failed))
    FB_CHECK(base::write_file_atomic(layout, base::as_bytes(oci::kLayoutFile), 0644));
  store->blobs_.remove_temporary();
  return store;
}

std::filesystem::path ImageStore::signature_path(const base::Sha256& manifest) const {
  return options_.root / "signatures" / (manifest.hex() + ".sig");
}

base::Result<std::vector<Entry>> ImageStore::list() {
  FB_TRY(const auto descriptors, index_.read());
  std::vector<Entry> out;
  for (const Descriptor& descriptor : descriptors)
    if (auto entry = entry_of(descriptor, options_.limits.name_bytes_max)) out.push_back(std::move(*entry));
  std::ranges::sort(out, [](const Entry& a, const Entry& b) {
    return a.name != b.name ? a.name < b.name : version_less(a.version, b.version);
  });
  return out;
}

base::Result<Entry> ImageStore::find(const Reference& reference) {
  FB_TRY(const auto entries, list());
  return choose(entries, reference);
}

base::Result<Blob> ImageStore::manifest_of(const Entry& entry) const {
  FB_TRY(const auto descriptors, index_.read());
  const auto found = std::ranges::find_if(descriptors, [&](const Descriptor& d) { return is_named(d, entry); });
  if (found == descriptors.end())
    return base::fail(base::Errc::not_found,
                      "no image " + base::in_quotes(entry.name + ":" + entry.version) + " is stored");
  return oci::fetch_blob(*found, kDocumentBytesMax,
                         [this](const Descriptor& descriptor) -> base::Result<oci::FileBytes> {
                           FB_TRY(LayerBytes bytes, blobs_.map(descriptor.digest));
                           return oci::FileBytes{std::move(bytes), std::nullopt};
                         });
}

base::Result<std::vector<LayerBytes>> ImageStore::map_layers(const Package& package, const OpenOptions& options) const {
  std::vector<LayerBytes> out;
  for (const Descriptor& layer : package.document.layers) {
    const bool compressed = oci::layer_kind(layer.media_type).what == oci::LayerKind::What::tar;
    if (auto unpacked = compressed ? blobs_.map_unpacked(layer.digest) : base::Result<LayerBytes>(LayerBytes{});
        compressed && unpacked) {
      out.push_back(std::move(*unpacked));
      continue;
    }
    FB_TRY(LayerBytes stored, blobs_.map(layer.digest));
    if (stored.bytes.size() != layer.size)
      return base::fail(base::Errc::corrupt, "image store: blob " + layer.digest.text() + " has another size",
                        "INTEGRITY");
    Package one;
    one.document = package.document;
    one.artifact = package.artifact;
    one.layers.push_back({layer, std::move(stored)});
    FB_TRY(auto tar, oci::unpack_layers(one, options));
    const bool as_stored = tar.front().bytes.data() == one.layers.front().bytes.bytes.data();
    // Whether it can be kept for the next time does not matter to this one.
    if (compressed && !as_stored) (void)blobs_.put_unpacked(layer.digest, tar.front().bytes);
    out.push_back(std::move(tar.front()));
  }
  return out;
}

base::Result<std::shared_ptr<const Image>> ImageStore::open(const Entry& entry, const OpenOptions& options) {
  FB_TRY(const base::Fd lock, blobs_.lock(BlobStore::Lock::shared));
  FB_TRY(Blob manifest, manifest_of(entry));
  FB_TRY(const base::Sha256 digest, base::sha256_from_hex(manifest.descriptor.digest.hex));
  FB_CHECK(check_signature(signature_path(digest), entry.name + ":" + entry.version, digest, options_.keys));
  const std::string key = digest.hex() + cache_key(options);
  if (auto image = cache_.find(key)) return image;
  FB_TRY(const Package package,
         oci::read_documents(std::move(manifest), options.limits,
                             [this](const Descriptor& descriptor) -> base::Result<oci::FileBytes> {
                               FB_TRY(LayerBytes bytes, blobs_.map(descriptor.digest));
                               return oci::FileBytes{std::move(bytes), std::nullopt};
                             }));
  FB_TRY(const auto layers, map_layers(package, options));
  FB_TRY(auto image, oci::open_package(package, layers, options));
  cache_.keep(key, image);
  return image;
}

base::Result<Package> ImageStore::package(const Entry& entry) {
  FB_TRY(const base::Fd lock, blobs_.lock(BlobStore::Lock::shared));
  FB_TRY(Blob manifest, manifest_of(entry));
  auto package = oci::fetch_package(std::move(manifest), options_.limits,
                                    [this](const Descriptor& descriptor) -> base::Result<oci::FileBytes> {
                                      FB_TRY(LayerBytes bytes, blobs_.map(descriptor.digest));
                                      return oci::FileBytes{std::move(bytes), std::nullopt};
                                    });
  if (!package && package.error().name == "BAD_IMAGE") return not_intact(package.error());
  return package;
}

base::Result<void> ImageStore::write_blobs(const Package& package, const std::vector<LayerBytes>& unpacked) const {
  for (std::size_t i = 0; i < package.layers.size(); ++i) {
    const Blob& layer = package.layers[i];
    FB_CHECK(blobs_.put(layer.descriptor.digest, layer.bytes.bytes));
    const bool as_stored = unpacked[i].bytes.data() == layer.bytes.bytes.data();
    if (!as_stored && !package.artifact) FB_CHECK(blobs_.put_unpacked(layer.descriptor.digest, unpacked[i].bytes));
  }
  FB_CHECK(blobs_.put(package.config.descriptor.digest, package.config.bytes.bytes));
  FB_CHECK(blobs_.put(Digest::of(package.manifest.bytes.bytes), package.manifest.bytes.bytes));
  return blobs_.sync();
}

base::Result<void> ImageStore::refer(const Package& package, const Reference& reference) {
  Descriptor entry = package.manifest.descriptor;
  entry.digest = Digest::of(package.manifest.bytes.bytes);
  entry.annotations.erase(std::string(oci::kContainerdName));
  entry.annotations[std::string(oci::kRefName)] = text_of(reference);
  entry.annotations[std::string(kStoredBytes)] = std::to_string(package.stored_bytes());
  FB_CHECK(index_.change([&](std::vector<Descriptor>& entries) -> base::Result<void> {
    std::erase_if(entries, [&](const Descriptor& old) { return annotation(old, oci::kRefName) == text_of(reference); });
    entries.push_back(entry);
    return {};
  }));
  version_.fetch_add(1);
  return {};
}

base::Result<Entry> ImageStore::add(const Package& package, const Reference& reference,
                                    std::vector<std::string>* warnings) {
  FB_TRY(const Reference named, with_version(reference, options_.limits.name_bytes_max));
  OpenOptions options;
  options.limits = options_.limits;
  options.strictness = Tree::Strictness::keep;
  options.warnings = warnings;
  FB_TRY(const auto unpacked, oci::unpack_layers(package, options));
  FB_CHECK(oci::open_package(package, unpacked, options));
  FB_TRY(const base::Fd lock, blobs_.lock(BlobStore::Lock::shared));
  FB_CHECK(write_blobs(package, unpacked));
  FB_CHECK(refer(package, named));
  return Entry{named.name, named.version, package.stored_bytes(), base::sha256(package.manifest.bytes.bytes)};
}

base::Result<std::unique_ptr<Install>> ImageStore::install(const Reference& reference) {
  FB_TRY(Reference named, with_version(reference, options_.limits.name_bytes_max));
  FB_TRY(Staged staged, Staged::create(options_.root / "tmp", "new-", options_.limits.image_bytes_max));
  return std::make_unique<Incoming>(*this, std::move(named), std::move(staged));
}

base::Result<void> ImageStore::remove(const Entry& entry) {
  FB_CHECK(index_.change([&](std::vector<Descriptor>& entries) -> base::Result<void> {
    if (std::erase_if(entries, [&](const Descriptor& old) { return is_named(old, entry); }) > 0) return {};
    return base::fail(base::Errc::not_found,
                      "no image " + base::in_quotes(entry.name + ":" + entry.version) + " is stored");
  }));
  version_.fetch_add(1);
  return {};
}

base::Result<void> ImageStore::sign(const Entry& entry, const base::Ed25519Key& key) {
  FB_TRY(const Blob manifest, manifest_of(entry));
  FB_TRY(const base::Sha256 digest, base::sha256_from_hex(manifest.descriptor.digest.hex));
  return write_signature(signature_path(digest), digest, key);
}

}  // namespace fusebox::image
