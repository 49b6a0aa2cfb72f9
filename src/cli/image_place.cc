#include "cli/image_place.h"

#include "cli/container/places.h"
#include "image/archive.h"
#include "image/store/signature.h"
#include "image/transfer/export.h"

namespace fusebox::cli {

base::Result<std::filesystem::path> image_store_path(const std::string& given) {
  if (!given.empty()) return std::filesystem::path(given);
  const std::filesystem::path data = data_root();
  if (data.empty())
    return base::fail(base::Errc::invalid, "there is no home folder for the image store; give --store DIR");
  return data / "images";
}

base::Result<std::unique_ptr<ImagePlace>> ImagePlace::open(const ImagePlaceOptions& options,
                                                           std::function<void(std::string_view)> warn) {
  auto place = std::make_unique<ImagePlace>();
  FB_TRY(auto keys, image::parse_image_keys(options.image_keys));
  if (!options.registry.empty()) {
    image::RegistryFolderOptions folder;
    folder.root = options.registry;
    folder.keys = std::move(keys);
    folder.warn = std::move(warn);
    place->limits_ = folder.limits;
    auto library = std::make_unique<image::RegistryFolder>(std::move(folder), place->clock_);
    place->folder_ = library.get();
    place->library_ = std::move(library);
    return place;
  }
  image::ImageStoreOptions store;
  FB_TRY(store.root, image_store_path(options.store));
  store.keys = std::move(keys);
  place->limits_ = store.limits;
  FB_TRY(auto library, image::ImageStore::create(std::move(store)));
  place->store_ = library.get();
  place->library_ = std::move(library);
  return place;
}

base::Result<image::Entry> ImagePlace::find(const std::string& reference) {
  FB_TRY(const image::Reference parsed, image::parse_reference(reference, limits_.name_bytes_max));
  return library_->find(parsed);
}

base::Result<image::oci::Package> ImagePlace::package(const image::Entry& entry) {
  if (store_ != nullptr) return store_->package(entry);
  FB_TRY(const auto path, folder_->path_of(entry));
  FB_TRY(image::PrivateFile file, image::read_private(path, limits_.image_bytes_max));
  image::OpenOptions options;
  options.limits = limits_;
  return base::within(path.string(), image::oci::load_package(std::move(file), options));
}

base::Result<image::Entry> ImagePlace::add(const image::oci::Package& package, const image::Reference& name,
                                           std::vector<std::string>* warnings) {
  if (store_ != nullptr) return store_->add(package, name, warnings);
  FB_CHECK(image::install_package(package, *library_, name));
  return library_->find(name);
}

base::Result<void> ImagePlace::sign(const image::Entry& entry, const base::Ed25519Key& key) {
  if (store_ != nullptr) return store_->sign(entry, key);
  FB_TRY(const auto path, folder_->path_of(entry));
  FB_TRY(const image::PrivateFile file, image::read_private(path, limits_.image_bytes_max));
  return image::write_signature(path.string() + ".sig", file.digest, key);
}

base::Result<image::StoreCheck> ImagePlace::verify(const std::optional<image::Entry>& only) {
  if (store_ != nullptr) return store_->verify(only);
  image::StoreCheck check;
  FB_TRY(auto entries, library_->list());
  if (only) entries = {*only};
  image::OpenOptions options;
  options.limits = limits_;
  options.strictness = image::Tree::Strictness::keep;
  for (const image::Entry& entry : entries) {
    check.images += 1;
    check.blobs += 1;
    const auto opened = library_->open(entry, options);
    if (!opened) check.findings.push_back({entry.name + ":" + entry.version, opened.error().message});
  }
  return check;
}

}  // namespace fusebox::cli
