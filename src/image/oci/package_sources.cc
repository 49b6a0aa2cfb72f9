// Packages of sources that come without a manifest: docker archives, plain archives, modules; and of any bytes.
#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "image/entry.h"
#include "image/oci/package.h"
#include "image/oci/select.h"
#include "image/oci/tar_writer.h"

namespace fusebox::image::oci {
namespace {

Blob make_blob(std::string_view media_type, LayerBytes bytes, std::optional<Digest> known = {}) {
  Blob blob;
  blob.descriptor.media_type = media_type;
  blob.descriptor.digest = known ? *known : Digest::of(bytes.bytes);
  blob.descriptor.size = bytes.bytes.size();
  blob.bytes = std::move(bytes);
  return blob;
}

Blob make_blob(std::string_view media_type, const std::string& text) {
  const base::ByteView view = base::as_bytes(text);
  return make_blob(media_type, keep_bytes(base::Bytes(view.begin(), view.end())));
}

std::string_view layer_type_of(base::ByteView bytes) noexcept {
  switch (sniff(bytes)) {
    case Form::gzip:
      return kGzipLayer;
    case Form::zstd:
      return kZstdLayer;
    default:
      return kTarLayer;
  }
}

// The manifest for a configuration and layers, read back like any other, so that both ways obey one set of rules.
base::Result<Package> assemble(Blob config, std::vector<Blob> layers, const Limits& limits) {
  Manifest manifest;
  manifest.media_type = kOciManifest;
  manifest.config = config.descriptor;
  for (const Blob& layer : layers) manifest.layers.push_back(layer.descriptor);
  const FetchBlob fetch = [&](const Descriptor&) -> base::Result<FileBytes> {
    return FileBytes{config.bytes, std::nullopt};
  };
  FB_TRY(Package package, read_documents(make_blob(kOciManifest, write_manifest(manifest)), limits, fetch));
  package.layers = std::move(layers);
  return package;
}

std::string plain_config(const Digest& diff_id) {
  base::json::Writer out;
  out.begin_object().key("architecture").string("wasm").key("os").string("wasip1");
  out.key("config").begin_object().key("Entrypoint").begin_array().string(kDefaultEntry).end_array().end_object();
  out.key("rootfs").begin_object().key("type").string("layers");
  out.key("diff_ids").begin_array().string(diff_id.text()).end_array().end_object();
  return out.end_object().take();
}

std::string wasm_config(const Digest& layer) {
  base::json::Writer out;
  out.begin_object().key("architecture").string("wasm").key("os").string("wasip1");
  out.key("layerDigests").begin_array().string(layer.text()).end_array();
  return out.end_object().take();
}

}  // namespace

base::Result<Package> load_docker_archive(Files& files, const OpenOptions& options) {
  FB_TRY(const FileBytes text, files.read("manifest.json", kDocumentBytesMax));
  FB_TRY(const auto entries, parse_archive_manifest(base::as_text(text.content.bytes)));
  FB_TRY(const ArchiveEntry* entry, choose_archive_entry(entries, options.reference));
  const auto member = [&](const std::string& path, std::uint64_t bytes_max) -> base::Result<FileBytes> {
    auto found = files.read(path, bytes_max);
    if (!found && found.error().code == base::Errc::not_found) return bad_image(found.error().message);
    return found;
  };
  FB_TRY(FileBytes config, member(entry->config, kDocumentBytesMax));
  if (entry->layers.size() > options.limits.layers_max)
    return too_large("the image has " + base::format_count(entry->layers.size()) + " layers; the limit is " +
                     base::format_count(options.limits.layers_max));
  std::vector<Blob> layers;
  std::uint64_t left = options.limits.image_bytes_max;
  for (const std::string& path : entry->layers) {
    FB_TRY(FileBytes layer, member(path, left));
    left -= layer.content.bytes.size();
    const std::string_view type = layer_type_of(layer.content.bytes);
    layers.push_back(make_blob(type, std::move(layer.content)));
  }
  FB_TRY(Package package,
         assemble(make_blob(kOciConfig, std::move(config.content)), std::move(layers), options.limits));
  if (!package.settings.has_rootfs) return bad_image("image configuration: \"rootfs\" is missing");
  package.name = options.reference.empty() && !entry->repo_tags.empty() ? entry->repo_tags.front() : options.reference;
  return package;
}

base::Result<Package> package_of_layer(PrivateFile stored, const Limits& limits) {
  const LayerBytes& bytes = stored.content;
  Blob layer = make_blob(layer_type_of(bytes.bytes), bytes, Digest::of(stored.digest));
  FB_TRY(const LayerBytes tar, unpack(bytes, limits.image_bytes_max));
  const Digest diff_id = tar.bytes.data() == bytes.bytes.data() ? layer.descriptor.digest : Digest::of(tar.bytes);
  std::vector<Blob> layers;
  layers.push_back(std::move(layer));
  return assemble(make_blob(kOciConfig, plain_config(diff_id)), std::move(layers), limits);
}

bool is_plain(const Package& package) {
  return !package.artifact && package.layers.size() == 1 && package.settings.diff_ids.size() == 1 &&
         base::as_text(package.config.bytes.bytes) == plain_config(package.settings.diff_ids.front());
}

base::Result<Package> package_of_module(PrivateFile module) {
  FB_CHECK(check_module("the file", module.content.bytes));
  const Limits limits{.image_bytes_max = module.content.bytes.size()};
  Blob layer = make_blob(kWasmLayer, std::move(module.content), Digest::of(module.digest));
  const std::string config = wasm_config(layer.descriptor.digest);
  std::vector<Blob> layers;
  layers.push_back(std::move(layer));
  return assemble(make_blob(kWasmConfig, config), std::move(layers), limits);
}

base::Result<Package> load_package(LayerBytes source, const OpenOptions& options) {
  const base::Sha256 digest = base::sha256(source.bytes);
  return load_package(PrivateFile{std::move(source), digest}, options);
}

base::Result<Package> load_package(PrivateFile source, const OpenOptions& options) {
  const Form form = sniff(source.content.bytes);
  if (form == Form::module || form == Form::component) return package_of_module(std::move(source));
  FB_TRY(const LayerBytes tar, unpack(source.content, options.limits.image_bytes_max));
  const ArchiveForm what = archive_form(tar.bytes);
  if (what == ArchiveForm::plain) return package_of_layer(std::move(source), options.limits);
  FB_TRY(const auto files, files_of_tar(tar, options.limits));
  return what == ArchiveForm::layout ? load_layout(*files, options) : load_docker_archive(*files, options);
}

}  // namespace fusebox::image::oci
