// Media types of indexes, manifests, configurations and layers, and what each means here.
//
// Threads  pure functions.
// Contract containers.md 18.2, 18.3
#pragma once

#include <cstdint>
#include <string_view>

namespace fusebox::image::oci {

inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kWasmConfig = "application/vnd.wasm.config.v0+json";
inline constexpr std::string_view kEmptyConfig = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kTarLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kGzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kZstdLayer = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kDockerTarLayer = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr std::string_view kDockerGzipLayer = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kWasmLayer = "application/wasm";

enum class DocumentKind : std::uint8_t { index, manifest, unknown };
DocumentKind document_kind(std::string_view media_type) noexcept;

enum class ConfigKind : std::uint8_t {
  container,  // of OCI or docker
  wasm,       // of a wasm artifact
  empty,      // "{}"
  unknown,
};
ConfigKind config_kind(std::string_view media_type) noexcept;

enum class Compression : std::uint8_t { none, gzip, zstd };
std::string_view to_string(Compression compression) noexcept;  // "uncompressed", "gzip", "zstd"
struct LayerKind {
  enum class What : std::uint8_t { tar, wasm, unknown } what = What::unknown;
  Compression compression = Compression::none;  // as declared
};
LayerKind layer_kind(std::string_view media_type) noexcept;

}  // namespace fusebox::image::oci
