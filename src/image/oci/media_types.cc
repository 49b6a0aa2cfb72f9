#include "image/oci/media_types.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fusebox::image::oci {
namespace {

using What = LayerKind::What;

constexpr std::array<std::pair<std::string_view, LayerKind>, 11> kLayerKinds = {{
    {kTarLayer, {What::tar, Compression::none}},
    {kGzipLayer, {What::tar, Compression::gzip}},
    {kZstdLayer, {What::tar, Compression::zstd}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", {What::tar, Compression::none}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", {What::tar, Compression::gzip}},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", {What::tar, Compression::zstd}},
    {kDockerTarLayer, {What::tar, Compression::none}},
    {kDockerGzipLayer, {What::tar, Compression::gzip}},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", {What::tar, Compression::gzip}},
    {kWasmLayer, {What::wasm, Compression::none}},
    {"application/vnd.wasm.content.layer.v1+wasm", {What::wasm, Compression::none}},
}};

}  // namespace

DocumentKind document_kind(std::string_view media_type) noexcept {
  if (media_type == kOciIndex || media_type == kDockerList) return DocumentKind::index;
  if (media_type == kOciManifest || media_type == kDockerManifest) return DocumentKind::manifest;
  return DocumentKind::unknown;
}

ConfigKind config_kind(std::string_view media_type) noexcept {
  if (media_type == kOciConfig || media_type == kDockerConfig) return ConfigKind::container;
  if (media_type == kWasmConfig || media_type == "application/vnd.wasm.config.v1+json") return ConfigKind::wasm;
  if (media_type == kEmptyConfig) return ConfigKind::empty;
  return ConfigKind::unknown;
}

std::string_view to_string(Compression compression) noexcept {
  switch (compression) {
    case Compression::gzip:
      return "gzip";
    case Compression::zstd:
      return "zstd";
    case Compression::none:
      break;
  }
  return "uncompressed";
}

LayerKind layer_kind(std::string_view media_type) noexcept {
  const auto* found = std::ranges::find(kLayerKinds, media_type, &decltype(kLayerKinds)::value_type::first);
  return found == kLayerKinds.end() ? LayerKind{} : found->second;
}

}  // namespace fusebox::image::oci
