#include "image/transfer/import.h"

#include <filesystem>

#include "image/archive.h"

namespace fusebox::image {
namespace {

using Place = Location::Form;
using oci::Package;

base::Result<Package> from_folder(const Location& from, const OpenOptions& options) {
  FB_TRY(const auto files, oci::files_of_folder(from.path));
  return oci::load_layout(*files, options);
}

base::Result<Package> from_archive(Place form, LayerBytes stored, const OpenOptions& options) {
  FB_TRY(LayerBytes tar, unpack(std::move(stored), options.limits.image_bytes_max));
  FB_TRY(const auto files, oci::files_of_tar(std::move(tar), options.limits));
  if (form == Place::oci_archive) return oci::load_layout(*files, options);
  auto package = oci::load_docker_archive(*files, options);
  if (!package && package.error().code == base::Errc::not_found && !files->has("manifest.json", kDocumentBytesMax))
    return bad_image("no docker archive: " + package.error().message);
  return package;
}

base::Result<Package> from_file(const Location& from, const OpenOptions& options) {
  FB_TRY(PrivateFile file, read_private(from.path, options.limits.image_bytes_max));
  switch (from.form) {
    case Place::oci_archive:
    case Place::docker_archive:
      return from_archive(from.form, std::move(file.content), options);
    case Place::tar:
      return oci::package_of_layer(std::move(file), options.limits);
    case Place::wasm:
      return oci::package_of_module(std::move(file));
    default:
      return oci::load_package(std::move(file), options);
  }
}

}  // namespace

base::Result<Package> import_package(const Location& from, OpenOptions options) {
  options.reference = from.reference;
  std::error_code unknown;
  const bool folder =
      from.form == Place::oci || (from.form == Place::by_content && std::filesystem::is_directory(from.path, unknown));
  return base::within(from.path.string(), folder ? from_folder(from, options) : from_file(from, options));
}

}  // namespace fusebox::image
