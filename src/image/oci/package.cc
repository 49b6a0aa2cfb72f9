#include "image/oci/package.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "base/units.h"
#include "image/oci/select.h"

namespace fusebox::image::oci {
namespace {

constexpr std::string_view kComponentRefused = "component modules are not supported by the container engine";

base::Result<void> check_layers(const Package& package, const Limits& limits) {
  const auto& layers = package.document.layers;
  if (layers.empty()) return bad_image("the manifest has no layers");
  if (layers.size() > limits.layers_max)
    return too_large("the image has " + base::format_count(layers.size()) + " layers; the limit is " +
                     base::format_count(limits.layers_max));
  for (const Descriptor& layer : layers) {
    const auto what = layer_kind(layer.media_type).what;
    if (what == LayerKind::What::unknown)
      return bad_image("layer media type " + base::in_quotes(layer.media_type) + " is not known");
    if (what == LayerKind::What::wasm && layers.size() != 1)
      return bad_image("a wasm artifact has exactly one layer; this one has " + base::format_count(layers.size()));
  }
  return {};
}

base::Result<void> check_sizes(const Package& package, const Limits& limits) {
  std::uint64_t left = limits.image_bytes_max;
  for (const Descriptor& layer : package.document.layers) {
    if (layer.size > left)
      return too_large("the layers are larger than " + base::format_count(limits.image_bytes_max) + " bytes");
    left -= layer.size;
  }
  return {};
}

base::Result<void> read_config(Package& package) {
  const std::string_view text = base::as_text(package.config.bytes.bytes);
  if (package.kind == ConfigKind::container && !package.artifact) {
    FB_TRY(package.settings, parse_container_config(text, "image configuration"));
  } else if (package.kind == ConfigKind::wasm) {
    FB_TRY(package.settings, parse_wasm_config(text, "wasm configuration"));
  }
  for (const auto& [key, value] : package.document.annotations) package.settings.config.labels.emplace(key, value);
  if (const auto limits = package.document.annotations.find(std::string(kLimitsLabel));
      limits != package.document.annotations.end() && package.settings.config.limits_json.empty()) {
    package.settings.config.limits_json = limits->second;
  }
  if (package.settings.component)
    return base::fail(base::Errc::unsupported, std::string(kComponentRefused), "COMPONENT");
  return {};
}

// What the configuration says of the layers before any of them is read.
base::Result<void> check_config(const Package& package) {
  const std::size_t layers = package.document.layers.size();
  if (package.settings.has_rootfs && package.settings.diff_ids.size() != layers)
    return bad_image("the configuration names " + base::format_count(package.settings.diff_ids.size()) +
                     " diff_ids for " + base::format_count(layers) + " layers");
  const auto& digests = package.settings.layer_digests;
  if (package.kind != ConfigKind::wasm || digests.empty()) return {};
  const bool same = digests.size() == layers && digests.front() == package.document.layers.front().digest;
  if (!same) return bad_image("layerDigests of the wasm configuration are not those of the manifest's layers");
  return {};
}

// How far a search through indexes has come: both bounds hold for all of it.
struct Search {
  std::string_view platform;
  const FetchBlob& fetch;
  std::size_t entries_left = kIndexEntriesMax;
};

base::Result<Blob> descend(const Descriptor& at, int depth, Search& search) {
  if (depth > kIndexDepthMax)
    return bad_image("indexes are nested more than " + std::to_string(kIndexDepthMax) + " deep");
  FB_TRY(Blob blob, fetch_blob(at, kDocumentBytesMax, search.fetch));
  switch (document_kind(at.media_type)) {
    case DocumentKind::manifest:
      return blob;
    case DocumentKind::unknown:
      return bad_image("media type " + base::in_quotes(at.media_type) + " is neither index nor manifest");
    case DocumentKind::index:
      break;
  }
  FB_TRY(const Index index, parse_index(base::as_text(blob.bytes.bytes), "index " + at.digest.text()));
  if (index.manifests.size() > search.entries_left)
    return too_large("the indexes have more than " + base::format_count(kIndexEntriesMax) + " entries");
  search.entries_left -= index.manifests.size();
  FB_TRY(const Descriptor* next, choose_platform(index.manifests, search.platform));
  Descriptor chosen = *next;
  for (const auto& [key, value] : at.annotations) chosen.annotations.emplace(key, value);
  return descend(chosen, depth + 1, search);
}

}  // namespace

std::uint64_t Package::stored_bytes() const noexcept {
  std::uint64_t sum = manifest.bytes.bytes.size() + config.bytes.bytes.size();
  for (const Descriptor& layer : document.layers) sum += layer.size;
  return sum;
}

base::Result<Blob> fetch_blob(const Descriptor& descriptor, std::uint64_t bytes_max, const FetchBlob& fetch) {
  const std::string name = descriptor.digest.text();
  if (descriptor.size > bytes_max)
    return too_large("blob " + name + " has " + base::format_count(descriptor.size) + " bytes; the limit is " +
                     base::format_count(bytes_max));
  Blob blob{descriptor, {}};
  std::optional<base::Sha256> known;
  if (descriptor.data) {
    blob.bytes = keep_bytes(*descriptor.data);
  } else {
    auto found = fetch(descriptor);
    if (!found && found.error().code == base::Errc::not_found) return bad_image("blob " + name + " is missing");
    if (!found) return base::fail(found.error());
    blob.bytes = std::move(found->content);
    known = found->digest;
  }
  if (blob.bytes.bytes.size() != descriptor.size)
    return bad_image("blob " + name + " has " + base::format_count(blob.bytes.bytes.size()) +
                     " bytes, its descriptor says " + base::format_count(descriptor.size));
  const bool same = known && descriptor.digest.algorithm == Digest::Algorithm::sha256
                        ? known->hex() == descriptor.digest.hex
                        : descriptor.digest.matches(blob.bytes.bytes);
  if (!same) return bad_image("blob " + name + " has other content than its digest says");
  blob.descriptor.data.reset();
  return blob;
}

base::Result<Blob> find_manifest(const Descriptor& start, std::string_view platform, const FetchBlob& fetch) {
  Search search{platform, fetch};
  return descend(start, 0, search);
}

base::Result<Package> read_documents(Blob manifest, const Limits& limits, const FetchBlob& fetch) {
  Package package;
  package.manifest = std::move(manifest);
  package.name = name_of(package.manifest.descriptor);
  FB_TRY(package.document,
         parse_manifest(base::as_text(package.manifest.bytes.bytes), package.manifest.descriptor.media_type,
                        "manifest " + package.manifest.descriptor.digest.text()));
  FB_CHECK(check_layers(package, limits));
  FB_CHECK(check_sizes(package, limits));
  package.artifact = layer_kind(package.document.layers.front().media_type).what == LayerKind::What::wasm;
  package.kind = config_kind(package.document.config.media_type);
  if (package.kind == ConfigKind::unknown && !package.artifact)
    return bad_image("configuration media type " + base::in_quotes(package.document.config.media_type) +
                     " is not known");
  FB_TRY(package.config, fetch_blob(package.document.config, kDocumentBytesMax, fetch));
  FB_CHECK(read_config(package));
  FB_CHECK(check_config(package));
  return package;
}

base::Result<Package> fetch_package(Blob manifest, const Limits& limits, const FetchBlob& fetch) {
  FB_TRY(Package package, read_documents(std::move(manifest), limits, fetch));
  for (const Descriptor& layer : package.document.layers) {
    FB_TRY(Blob blob, fetch_blob(layer, limits.image_bytes_max, fetch));
    package.layers.push_back(std::move(blob));
  }
  return package;
}

base::Result<Package> load_layout(Files& files, const OpenOptions& options) {
  const auto document = [&](std::string_view path) -> base::Result<FileBytes> {
    auto found = files.read(path, kDocumentBytesMax);
    if (!found && found.error().code == base::Errc::not_found)
      return bad_image("no image layout: " + found.error().message);
    return found;
  };
  FB_TRY(const FileBytes layout, document("oci-layout"));
  FB_CHECK(check_layout_file(base::as_text(layout.content.bytes)));
  FB_TRY(const FileBytes text, document("index.json"));
  FB_TRY(const Index index, parse_index(base::as_text(text.content.bytes), "index.json"));
  if (index.manifests.size() > kIndexEntriesMax)
    return too_large("index.json has more than " + base::format_count(kIndexEntriesMax) + " entries");
  FB_TRY(const auto entries, choose_reference(index.manifests, options.reference));
  std::set<std::string> names;
  for (const Descriptor& entry : entries)
    if (!name_of(entry).empty()) names.insert(name_of(entry));
  if (options.reference.empty() && names.size() > 1) {
    return base::fail(base::Errc::not_found, "several images are in the layout; name one of " +
                                                 base::in_quotes(*names.begin()) + ", " +
                                                 base::in_quotes(*names.rbegin()) + (names.size() > 2 ? ", ..." : ""));
  }
  FB_TRY(const Descriptor* start, choose_platform(entries, options.platform));
  const FetchBlob fetch = [&](const Descriptor& descriptor) {
    return files.read(descriptor.digest.blob_path(), descriptor.size);
  };
  FB_TRY(Blob manifest, find_manifest(*start, options.platform, fetch));
  return fetch_package(std::move(manifest), options.limits, fetch);
}

std::string chain_id(const std::vector<Digest>& diff_ids) {
  std::string chain;
  for (const Digest& diff_id : diff_ids)
    chain = chain.empty() ? diff_id.text() : Digest::of(base::as_bytes(chain + " " + diff_id.text())).text();
  return chain;
}

}  // namespace fusebox::image::oci
