// From documents and blobs to an image that can be run.
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "image/entry.h"
#include "image/oci/package.h"
#include "image/oci/tar_writer.h"

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

class OpenedPackage final : public Image {
 public:
  OpenedPackage(std::shared_ptr<const Tree> tree, Config config, EntryFile entry, const Package& package)
      : tree_(std::move(tree)),
        config_(std::move(config)),
        entry_(std::move(entry)),
        digest_(base::sha256(package.manifest.bytes.bytes)),
        stored_bytes_(package.stored_bytes()),
        layer_count_(static_cast<std::uint32_t>(package.document.layers.size())) {}

  const std::shared_ptr<const Tree>& tree() const noexcept override { return tree_; }
  const Config& config() const noexcept override { return config_; }
  base::ByteView module() const noexcept override { return tree_->node(entry_.node).content; }
  std::string_view module_path() const noexcept override { return entry_.path; }
  std::vector<std::string> default_args() const override {
    if (config_.entrypoint.empty()) return {};
    return {config_.entrypoint.begin() + 1, config_.entrypoint.end()};
  }
  const base::Sha256& digest() const noexcept override { return digest_; }
  std::uint64_t stored_bytes() const noexcept override { return stored_bytes_; }
  std::uint32_t layer_count() const noexcept override { return layer_count_; }

 private:
  std::shared_ptr<const Tree> tree_;
  Config config_;
  EntryFile entry_;
  base::Sha256 digest_;
  std::uint64_t stored_bytes_;
  std::uint32_t layer_count_;
};

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

base::Result<std::shared_ptr<const Image>> open_package(const Package& package, std::vector<LayerBytes> unpacked,
                                                        const OpenOptions& options) {
  FB_TRY(auto tree, Tree::build(unpacked, options.limits, options.strictness, options.warnings));
  Config config = package.settings.config;
  if (package.artifact) config.entrypoint.clear();
  FB_TRY(EntryFile entry, find_module(*tree, config));
  return std::make_shared<const OpenedPackage>(std::move(tree), std::move(config), std::move(entry), package);
}

base::Result<std::shared_ptr<const Image>> open_package(const Package& package, const OpenOptions& options) {
  FB_TRY(auto unpacked, unpack_layers(package, options));
  return open_package(package, std::move(unpacked), options);
}

}  // namespace fusebox::image::oci
