#include "image/transfer/export.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "base/files.h"
#include "image/archive.h"
#include "image/oci/media_types.h"
#include "image/store/staging.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;
using Place = Location::Form;
using oci::Blob;
using oci::Descriptor;
using oci::Package;

void warn(const ExportOptions& options, std::string sentence) {
  if (options.warnings != nullptr) options.warnings->push_back(std::move(sentence));
}

// What the image is called in an index: its tag for tools that add a repository, its whole name for those that do not.
Descriptor index_entry(const Package& package, const Location& to, const ExportOptions& options) {
  Descriptor entry = package.manifest.descriptor;
  entry.annotations.clear();
  const std::string tag = to.reference.empty() ? options.name.version : to.reference;
  if (!tag.empty()) entry.annotations[std::string(oci::kRefName)] = tag;
  if (to.reference.empty() && !options.name.name.empty())
    entry.annotations[std::string(oci::kContainerdName)] = options.name.name + ":" + tag;
  return entry;
}

// Each blob once, in the order a reader wants them.
template <class Use>
base::Result<void> each_blob(const Package& package, Use use) {
  std::vector<oci::Digest> done;
  const auto once = [&](const Blob& blob) -> base::Result<void> {
    if (std::ranges::find(done, blob.descriptor.digest) != done.end()) return {};
    done.push_back(blob.descriptor.digest);
    return use(blob.descriptor.digest.blob_path(), blob.bytes.bytes);
  };
  FB_CHECK(once(package.manifest));
  FB_CHECK(once(package.config));
  for (const Blob& layer : package.layers) FB_CHECK(once(layer));
  return {};
}

using WriteBody = std::function<base::Result<void>(const oci::ByteSink&)>;

base::Result<void> write_whole_file(const fs::path& path, const WriteBody& body) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  FB_TRY(Staged staged, Staged::create(folder, ".fusebox-", std::numeric_limits<std::uint64_t>::max()));
  FB_CHECK(body([&staged](base::ByteView bytes) { return staged.write(bytes); }));
  FB_CHECK(staged.publish(path, 0644));
  return sync_folder(folder);
}

base::Result<void> layout_members(const Package& package, const Descriptor& entry, oci::TarWriter& tar) {
  FB_CHECK(tar.file("oci-layout", base::as_bytes(oci::kLayoutFile)));
  FB_CHECK(tar.file("index.json", base::as_bytes(oci::write_index({entry}))));
  return each_blob(package, [&](const std::string& path, base::ByteView bytes) { return tar.file(path, bytes); });
}

base::Result<void> to_layout_archive(const Package& package, const Location& to, const ExportOptions& options) {
  const Descriptor entry = index_entry(package, to, options);
  return write_whole_file(to.path, [&](const oci::ByteSink& sink) -> base::Result<void> {
    oci::TarWriter tar(sink);
    FB_CHECK(layout_members(package, entry, tar));
    return tar.finish();
  });
}

// Both forms in one: what reads manifest.json finds the blobs, what reads a layout finds that.
base::Result<void> to_docker_archive(const Package& package, const Location& to, const ExportOptions& options) {
  const Descriptor entry = index_entry(package, to, options);
  const std::string tag = to.reference.empty() ? options.name.name + ":" + options.name.version : to.reference;
  base::json::Writer manifest;
  manifest.begin_array().begin_object().key("Config").string(package.config.descriptor.digest.blob_path());
  manifest.key("RepoTags").begin_array();
  if (tag != ":") manifest.string(tag);
  manifest.end_array().key("Layers").begin_array();
  for (const Blob& layer : package.layers) manifest.string(layer.descriptor.digest.blob_path());
  manifest.end_array().end_object().end_array();
  return write_whole_file(to.path, [&](const oci::ByteSink& sink) -> base::Result<void> {
    oci::TarWriter tar(sink);
    FB_CHECK(layout_members(package, entry, tar));
    FB_CHECK(tar.file("manifest.json", base::as_bytes(manifest.text())));
    return tar.finish();
  });
}

base::Result<std::vector<Descriptor>> entries_there(const fs::path& folder) {
  std::error_code unknown;
  if (!fs::exists(folder / "index.json", unknown)) {
    if (!fs::is_empty(folder, unknown) && !unknown)
      return base::fail(base::Errc::exists, folder.string() + " is neither empty nor an image layout");
    return std::vector<Descriptor>{};
  }
  FB_TRY(const std::string text, base::read_file(folder / "index.json", kDocumentBytesMax));
  FB_TRY(oci::Index index, oci::parse_index(text, (folder / "index.json").string()));
  return std::move(index.manifests);
}

base::Result<void> to_layout_folder(const Package& package, const Location& to, const ExportOptions& options) {
  FB_CHECK(make_folder(to.path, 0755));
  FB_TRY(auto entries, entries_there(to.path));
  FB_CHECK(make_folder(to.path / "blobs", 0755));
  FB_CHECK(make_folder(to.path / "blobs" / "sha256", 0755));
  FB_CHECK(make_folder(to.path / "blobs" / "sha512", 0755));
  FB_CHECK(each_blob(package, [&](const std::string& path, base::ByteView bytes) {
    return base::write_file_atomic(to.path / path, bytes, 0644);
  }));
  const Descriptor entry = index_entry(package, to, options);
  const auto name = entry.annotations.find(std::string(oci::kRefName));
  std::erase_if(entries, [&](const Descriptor& old) {
    const auto other = old.annotations.find(std::string(oci::kRefName));
    const bool both = name != entry.annotations.end() && other != old.annotations.end();
    return both ? other->second == name->second : old.digest == entry.digest;
  });
  entries.push_back(entry);
  FB_CHECK(base::write_file_atomic(to.path / "oci-layout", base::as_bytes(oci::kLayoutFile), 0644));
  return base::write_file_atomic(to.path / "index.json", base::as_bytes(oci::write_index(entries)), 0644);
}

base::Result<std::shared_ptr<const Image>> open_for(const Package& package, const ExportOptions& options) {
  OpenOptions open;
  open.limits = options.limits;
  FB_TRY(const auto layers, oci::unpack_layers(package, open));
  return oci::open_package(package, layers, open);
}

void warn_of_lost_settings(const Config& config, const ExportOptions& options) {
  if (config.entrypoint.size() > 1) warn(options, "default arguments are lost: this form has no place for them");
  if (!config.env.empty()) warn(options, "environment variables are lost: this form has no place for them");
}

base::Result<void> to_squashed(const Package& package, const Location& to, const ExportOptions& options) {
  FB_TRY(const auto image, open_for(package, options));
  warn_of_lost_settings(image->config(), options);
  const Squash how = to.form == Place::tar ? Squash::files : Squash::runnable;
  return write_whole_file(to.path, [&](const oci::ByteSink& sink) { return write_squashed(*image, how, sink); });
}

}  // namespace

base::Result<Package> as_artifact(const Package& package, const ExportOptions& options) {
  if (package.artifact) return package;
  FB_TRY(const auto image, open_for(package, options));
  warn_of_lost_settings(image->config(), options);
  std::size_t files = 0;
  for (Tree::NodeId id = 0; id < image->tree()->node_count(); ++id)
    files += image->tree()->node(id).type == Tree::Type::directory ? 0 : 1;
  if (files > 1) warn(options, "the image's other files are lost: an artifact holds the module alone");
  const base::ByteView module = image->module();
  return oci::package_of_module({keep_bytes(base::Bytes(module.begin(), module.end())), base::sha256(module)});
}

base::Result<Package> as_layers(const Package& package, const ExportOptions& options) {
  if (!package.artifact) return package;
  LayerBytes tar = keep_bytes(oci::tar_of_module(package.layers.front().bytes.bytes));
  const base::Sha256 digest = base::sha256(tar.bytes);
  return oci::package_of_layer({std::move(tar), digest}, options.limits);
}

base::Result<void> install_package(const Package& package, Library& library, const Reference& name) {
  FB_TRY(const auto install, library.install(name));
  if (oci::is_plain(package)) {
    FB_CHECK(install->write(package.layers.front().bytes.bytes));
    return install->commit();
  }
  oci::TarWriter tar([&install](base::ByteView bytes) { return install->write(bytes); });
  FB_CHECK(layout_members(package, index_entry(package, {}, {name, {}, nullptr}), tar));
  FB_CHECK(tar.finish());
  return install->commit();
}

base::Result<void> export_package(const Package& package, const Location& to, const ExportOptions& options) {
  switch (to.form) {
    case Place::oci:
      return to_layout_folder(package, to, options);
    case Place::oci_archive:
      return to_layout_archive(package, to, options);
    case Place::docker_archive: {
      FB_TRY(const Package layers, as_layers(package, options));
      return to_docker_archive(layers, to, options);
    }
    case Place::tar:
    case Place::wapp:
      return to_squashed(package, to, options);
    case Place::wasm: {
      FB_TRY(const Package artifact, as_artifact(package, options));
      return to_layout_archive(artifact, to, options);
    }
    case Place::by_content:
      break;
  }
  return base::fail(base::Errc::invalid, to.path.string() +
                                             ": say which form to write: oci:DIR[:REF], oci-archive:FILE, "
                                             "docker-archive:FILE, tar:FILE, wapp:FILE or wasm:FILE");
}

}  // namespace fusebox::image
