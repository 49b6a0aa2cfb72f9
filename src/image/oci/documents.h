// The JSON documents of image layouts and registries, read into values.
//
// Nothing here is believed: digests are checked where bytes are read, counts and sizes are bounded by the caller.
// Threads  plain values, pure functions.
// Errors   `invalid` "BAD_IMAGE", naming document and JSON pointer.
// Contract containers.md 18.2-18.4
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
#include "image/image.h"
#include "image/oci/digest.h"

namespace fusebox::image::oci {

using Annotations = std::map<std::string, std::string>;

inline constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";
inline constexpr std::string_view kContainerdName = "io.containerd.image.name";
inline constexpr std::string_view kLimitsLabel = "dev.fusebox.limits";

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
};

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  Annotations annotations;
  std::optional<Platform> platform;
  std::optional<base::Bytes> data;  // the content itself, where the document carries it
  std::string artifact_type;
};

struct Index {
  std::vector<Descriptor> manifests;  // entries of unknown type and of unknown digests are left out
};

struct Manifest {
  std::string media_type;
  std::string artifact_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  Annotations annotations;
};

// A configuration of any kind.
struct ConfigDocument {
  Config config;
  bool has_rootfs = false;
  std::vector<Digest> diff_ids;       // of rootfs
  std::vector<Digest> layer_digests;  // of a wasm configuration
  bool component = false;             // wasip2, or one with a component section
  std::string created;
  std::string author;
};

// One entry of a docker-archive's manifest.json.
struct ArchiveEntry {
  std::string config;  // paths in the archive
  std::vector<std::string> layers;
  std::vector<std::string> repo_tags;
};

base::Result<void> check_layout_file(std::string_view text);  // oci-layout
base::Result<Index> parse_index(std::string_view text, std::string_view what);
// `media_type` as the descriptor says; "" when nothing says it.
base::Result<Manifest> parse_manifest(std::string_view text, std::string_view media_type, std::string_view what);
base::Result<ConfigDocument> parse_container_config(std::string_view text, std::string_view what);
base::Result<ConfigDocument> parse_wasm_config(std::string_view text, std::string_view what);
base::Result<std::vector<ArchiveEntry>> parse_archive_manifest(std::string_view text);

void write_descriptor(base::json::Writer& out, const Descriptor& descriptor);
std::string write_index(const std::vector<Descriptor>& manifests);
std::string write_manifest(const Manifest& manifest);
inline constexpr std::string_view kLayoutFile = R"({"imageLayoutVersion":"1.0.0"})";

}  // namespace fusebox::image::oci
