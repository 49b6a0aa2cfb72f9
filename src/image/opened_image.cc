#include "image/opened_image.h"

#include <utility>

#include "base/mapped_file.h"
#include "image/archive.h"
#include "image/oci/package.h"
#include "image/oci/tar_writer.h"

namespace fusebox::image {
namespace {

// The uncompressed layers of a source and what its documents say, if it has any.
struct Contents {
  std::vector<LayerBytes> layers;
  Config config;
};

base::Result<Contents> contents_of(const LayerBytes& source, const OpenOptions& options) {
  const Form form = sniff(source.bytes);
  if (form == Form::module || form == Form::component) {
    FB_CHECK(check_module("the file", source.bytes));
    return Contents{{keep_bytes(oci::tar_of_module(source.bytes))}, {}};
  }
  FB_TRY(LayerBytes tar, unpack(source, options.limits.image_bytes_max));
  if (sniff(tar.bytes) != Form::tar) {
    return bad_image("neither a tar archive, a gzip or zstd stream of one, nor a WebAssembly module");
  }
  const oci::ArchiveForm archive = oci::archive_form(tar.bytes);
  if (archive == oci::ArchiveForm::plain) return Contents{{std::move(tar)}, {}};
  FB_TRY(const auto files, oci::files_of_tar(std::move(tar), options.limits));
  FB_TRY(const oci::Package package, archive == oci::ArchiveForm::layout ? oci::load_layout(*files, options)
                                                                         : oci::load_docker_archive(*files, options));
  FB_TRY(auto layers, oci::unpack_layers(package, options));
  Contents out{std::move(layers), package.settings.config};
  if (package.artifact) out.config.entrypoint.clear();
  return out;
}

}  // namespace

OpenedImage::OpenedImage(std::shared_ptr<const Tree> tree, Config config, EntryFile entry, const Identity& identity,
                         std::uint32_t layer_count) noexcept
    : tree_(std::move(tree)),
      config_(std::move(config)),
      entry_(std::move(entry)),
      identity_(identity),
      layer_count_(layer_count) {}

base::Result<std::shared_ptr<const Image>> OpenedImage::open(std::span<const LayerBytes> layers, Config config,
                                                             const Identity& identity, const OpenOptions& options) {
  FB_TRY(auto tree, Tree::build(layers, options.limits, options.strictness, options.warnings));
  for (const LayerBytes& layer : layers)
    if (base::MappedFile::lost(layer.bytes)) return bad_image("a file of the image became shorter while it was read");
  FB_TRY(EntryFile entry, find_module(*tree, config));
  return std::make_shared<const OpenedImage>(std::move(tree), std::move(config), std::move(entry), identity,
                                             static_cast<std::uint32_t>(layers.size()));
}

base::Sha256 OpenedImage::digest_of(base::ByteView content) const {
  constexpr std::size_t kDigestsMax = 64;  // modules of one image that are run
  const std::pair where(content.data(), content.size());
  {
    const std::lock_guard lock(digests_mutex_);
    if (const auto known = digests_.find(where); known != digests_.end()) return known->second;
  }
  const base::Sha256 digest = base::sha256(content);
  const std::lock_guard lock(digests_mutex_);
  if (digests_.size() < kDigestsMax) digests_.emplace(where, digest);
  return digest;
}

std::vector<std::string> OpenedImage::default_args() const {
  if (config_.entrypoint.empty()) return {};
  return {config_.entrypoint.begin() + 1, config_.entrypoint.end()};
}

base::Result<std::shared_ptr<const Image>> open_stored(const LayerBytes& source, const base::Sha256& digest,
                                                       const OpenOptions& options) {
  FB_TRY(Contents contents, contents_of(source, options));
  return OpenedImage::open(contents.layers, std::move(contents.config), {digest, source.bytes.size()}, options);
}

base::Result<std::shared_ptr<const Image>> open_image(LayerBytes source, const OpenOptions& options) {
  return open_stored(source, base::sha256(source.bytes), options);
}

base::Result<std::shared_ptr<const Image>> open_image_file(const std::filesystem::path& path,
                                                           const OpenOptions& options) {
  FB_TRY(const PrivateFile file, read_private(path, options.limits.image_bytes_max));
  return open_stored(file.content, file.digest, options);
}

base::Result<std::shared_ptr<const Image>> open_layout_dir(const std::filesystem::path& path,
                                                           const OpenOptions& options) {
  FB_TRY(const auto files, oci::files_of_folder(path));
  FB_TRY(const oci::Package package, oci::load_layout(*files, options));
  FB_TRY(const auto layers, oci::unpack_layers(package, options));
  return oci::open_package(package, layers, options);
}

}  // namespace fusebox::image
