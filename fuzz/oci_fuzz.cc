// Image layouts, docker archives and their documents are outside input: reading them ends with an image or with one
// sentence, and what was read says the same after it is written.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "image/archive.h"
#include "image/image.h"
#include "image/library.h"
#include "image/oci/documents.h"
#include "image/oci/package.h"
#include "image/oci/tar_writer.h"
#include "image/registry/credentials.h"
#include "image/registry/remote_reference.h"
#include "image/registry/url.h"

namespace {

using namespace fusebox;
namespace oci = image::oci;

void demand(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

image::LayerBytes kept(std::string_view text) {
  const base::ByteView view = base::as_bytes(text);
  return image::keep_bytes(base::Bytes(view.begin(), view.end()));
}

// As a whole image, and as index.json of a layout whose other parts are sound.
void check_archive(std::string_view text) {
  image::OpenOptions options;
  options.limits.image_bytes_max = 1u << 20;
  options.limits.entries_max = 1000;
  std::vector<std::string> warnings;
  options.warnings = &warnings;
  const auto opened = image::open_image(kept(text), options);
  demand(opened || !opened.error().message.empty(), "an image or a sentence");
  if (opened) demand(!(*opened)->module().empty(), "an image has a module");
  const auto package = oci::load_package(kept(text), options);
  if (!package) return;
  for (const oci::Blob& layer : package->layers)
    demand(layer.descriptor.digest.matches(layer.bytes.bytes), "a blob is what its digest says");
  demand(package->layers.size() == package->document.layers.size(), "every layer has its blob");
}

void check_layout(std::string_view text) {
  std::string tar;
  oci::TarWriter writer([&tar](base::ByteView piece) -> base::Result<void> {
    tar += base::as_text(piece);
    return {};
  });
  (void)writer.file("oci-layout", base::as_bytes(oci::kLayoutFile));
  (void)writer.file("index.json", base::as_bytes(text));
  (void)writer.file("manifest.json", base::as_bytes(text));
  (void)writer.finish();
  const auto files = oci::files_of_tar(kept(tar), {});
  demand(files.has_value(), "what is written can be read");
  (void)oci::load_layout(**files, {});
  (void)oci::load_docker_archive(**files, {});
}

void check_documents(std::string_view text) {
  (void)oci::check_layout_file(text);
  (void)oci::parse_container_config(text, "config");
  (void)oci::parse_wasm_config(text, "config");
  (void)oci::parse_archive_manifest(text);
  if (const auto index = oci::parse_index(text, "index")) {
    const auto again = oci::parse_index(oci::write_index(index->manifests), "written");
    demand(again && again->manifests.size() == index->manifests.size(), "an index there and back");
  }
  if (const auto manifest = oci::parse_manifest(text, "", "manifest")) {
    const auto again = oci::parse_manifest(oci::write_manifest(*manifest), "", "written");
    demand(again && again->layers.size() == manifest->layers.size() &&
               again->config.digest == manifest->config.digest && again->annotations == manifest->annotations,
           "a manifest there and back");
  }
}

void check_names(std::string_view text) {
  if (const auto reference = image::parse_reference(text, 63))
    demand(reference->name.find_first_of("/:@") == std::string::npos, "a name is one path component");
  (void)image::registry::parse_challenge(text);
  (void)image::registry::parse_url(text, {"https", "registry.example", 443, "/"});
  if (const auto remote = image::registry::parse_remote(text)) {
    const auto again = image::registry::parse_remote(remote->scheme + "://" + remote->text());
    demand(again && again->text() == remote->text(), "a reference there and back");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_archive(text);
  check_layout(text);
  check_documents(text);
  check_names(text);
  return 0;
}
