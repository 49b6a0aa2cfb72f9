// One image as documents and blobs: what moves between files, registries and stores without changing a digest.
//
// Everything in a Package is verified: each blob has the digest and size its descriptor says, each document parses, the
// layers are of kinds that can be read. That the layers make an image is found out by open_package().
//
// Owner    blobs keep their bytes.
// Threads  plain values, pure functions.
// Errors   `invalid`, `exhausted` "BAD_IMAGE"; `not_found` for a reference or platform that is not there; "COMPONENT".
// Contract containers.md 18.1-18.3
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/archive.h"
#include "image/image.h"
#include "image/oci/documents.h"
#include "image/oci/files.h"
#include "image/oci/media_types.h"

namespace fusebox::image::oci {

struct Blob {
  Descriptor descriptor;
  LayerBytes bytes;
};

struct Package {
  Blob manifest;      // its descriptor's annotations are those of the index entry
  Manifest document;  // what the manifest says
  Blob config;
  ConfigKind kind = ConfigKind::container;
  ConfigDocument settings;   // what the configuration says, and diff_ids where it has them
  std::vector<Blob> layers;  // base first, as stored
  bool artifact = false;     // the one layer is a module
  std::string name;          // as the source calls it, "" = not at all

  std::uint64_t stored_bytes() const noexcept;
  std::string image_id() const { return config.descriptor.digest.text(); }
};

// Content by digest, not yet verified.
using FetchBlob = std::function<base::Result<FileBytes>(const Descriptor&)>;

// Verifies size and digest; takes the descriptor's own data where it has them.
base::Result<Blob> fetch_blob(const Descriptor& descriptor, std::uint64_t bytes_max, const FetchBlob& fetch);

// Follows indexes to one manifest.
base::Result<Blob> find_manifest(const Descriptor& start, std::string_view platform, const FetchBlob& fetch);
// Manifest known: its documents, not its layers. Refuses what the layers' types and count alone rule out.
base::Result<Package> read_documents(Blob manifest, const Limits& limits, const FetchBlob& fetch);
base::Result<Package> fetch_package(Blob manifest, const Limits& limits, const FetchBlob& fetch);

base::Result<Package> load_layout(Files& files, const OpenOptions& options);
base::Result<Package> load_docker_archive(Files& files, const OpenOptions& options);
// A PrivateFile's digest is that of its content.
// An archive of files, or a module, that comes without documents: they are made for it. The layer keeps its bytes.
base::Result<Package> package_of_layer(PrivateFile stored, const Limits& limits);
base::Result<Package> package_of_module(PrivateFile module);
// Whether the documents are those made for an archive: the layer alone says as much.
bool is_plain(const Package& package);

// Whatever form the bytes have (contract 3.1).
base::Result<Package> load_package(PrivateFile source, const OpenOptions& options);
base::Result<Package> load_package(LayerBytes source, const OpenOptions& options);

// The layers without compression. Checks diff_ids, and warns where a media type names another compression.
base::Result<std::vector<LayerBytes>> unpack_layers(const Package& package, const OpenOptions& options);
// `unpacked`: the layers uncompressed, in the package's order. The image is what the manifest's digest says.
base::Result<std::shared_ptr<const Image>> open_package(const Package& package, std::span<const LayerBytes> unpacked,
                                                        const OpenOptions& options);

// The identity of the layers' stack (OCI image-spec, "ChainID"); "" without layers.
std::string chain_id(const std::vector<Digest>& diff_ids);

}  // namespace fusebox::image::oci
