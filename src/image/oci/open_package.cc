// From documents and blobs to an image that can be run.
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "image/entry.h"
#include "image/oci/package.h"
#include "image/oci/tar_writer.h"
#include "image/opened_image.h"

namespace fusebox::image::oci {
namespace {

Compression compression_of(base::ByteView bytes) noexcept {
  const Form form = sniff(bytes);
  if (form == Form::gzip) return Compression::gzip;
  return form == Form::zstd ? Compression::zstd : Compression::none;
}

void warn(const OpenOptions& options, std::string sentence) {
  if (options.warnings != nullptr) options.warnings->push_back(std::move(sentence));
}

void compare_compression(const Blob& layer, const OpenOptions& options) {
  const Compression declared = layer_kind(layer.descriptor.media_type).compression;
  const Compression actual = compression_of(layer.bytes.bytes);
  if (declared == actual) return;
  warn(options, "layer " + layer.descriptor.digest.text() + " is declared " + std::string(to_string(declared)) +
                    " but is " + std::string(to_string(actual)) + "; its content decides");
}

base::Result<void> check_diff_id(const Package& package, std::size_t index, const LayerBytes& tar) {
  if (!package.settings.has_rootfs) return {};
  const Digest& wanted = package.settings.diff_ids[index];
  const Blob& layer = package.layers[index];
  const bool as_stored = tar.bytes.data() == layer.bytes.bytes.data();
  if (as_stored && wanted.algorithm == layer.descriptor.digest.algorithm) {
    if (wanted == layer.descriptor.digest) return {};
  } else if (wanted.matches(tar.bytes)) {
    return {};
  }
  return bad_image("layer " + layer.descriptor.digest.text() + " does not have the diff_id " + wanted.text() +
                   " that the configuration names");
}

}  // namespace

base::Result<std::vector<LayerBytes>> unpack_layers(const Package& package, const OpenOptions& options) {
  std::vector<LayerBytes> out;
  std::uint64_t left = options.limits.image_bytes_max;
  for (std::size_t i = 0; i < package.layers.size(); ++i) {
    const Blob& layer = package.layers[i];
    if (package.artifact) {
      FB_CHECK(check_module("the artifact's layer", layer.bytes.bytes));
      out.push_back(keep_bytes(tar_of_module(layer.bytes.bytes)));
      continue;
    }
    compare_compression(layer, options);
    FB_TRY(LayerBytes tar, base::within("layer " + layer.descriptor.digest.text(), unpack(layer.bytes, left)));
    FB_CHECK(check_diff_id(package, i, tar));
    left -= tar.bytes.size();
    out.push_back(std::move(tar));
  }
  return out;
}

base::Result<std::shared_ptr<const Image>> open_package(const Package& package, std::span<const LayerBytes> unpacked,
                                                        const OpenOptions& options) {
  OpenedImage::Identity identity;
  identity.digest = base::sha256(package.manifest.bytes.bytes);
  identity.stored_bytes = package.stored_bytes();
  Config config = package.settings.config;
  if (package.artifact) config.entrypoint.clear();
  return OpenedImage::open(unpacked, std::move(config), identity, options);
}

}  // namespace fusebox::image::oci
