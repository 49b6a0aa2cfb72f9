// Where `fusebox image` keeps images: the user's store, or a registry folder of an engine.
//
// Owner    owns the library it opens.
// Threads  one thread.
// Errors   those of image/library.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"
#include "image/library.h"
#include "image/oci/package.h"
#include "image/store/image_store.h"
#include "image/store/registry_folder.h"

namespace fusebox::cli {

struct ImagePlaceOptions {
  std::string store;                    // "" = in the user's data folder
  std::string registry;                 // a folder of <name>@<version>.wapp; "" = the store
  std::vector<std::string> image_keys;  // 64 hexadecimal digits each
};

class ImagePlace {
 public:
  static base::Result<std::unique_ptr<ImagePlace>> open(const ImagePlaceOptions& options,
                                                        std::function<void(std::string_view)> warn);
  image::Library& library() noexcept { return *library_; }
  image::ImageStore* store() noexcept { return store_; }        // null for a registry folder
  image::RegistryFolder* folder() noexcept { return folder_; }  // null for a store
  const image::Limits& limits() const noexcept { return limits_; }

  base::Result<image::Entry> find(const std::string& reference);
  base::Result<image::oci::Package> package(const image::Entry& entry);
  base::Result<image::Entry> add(const image::oci::Package& package, const image::Reference& name,
                                 std::vector<std::string>* warnings);
  base::Result<void> sign(const image::Entry& entry, const base::Ed25519Key& key);
  base::Result<image::StoreCheck> verify(const std::optional<image::Entry>& only);

 private:
  base::RealClock clock_;
  image::Limits limits_;
  std::unique_ptr<image::Library> library_;
  image::ImageStore* store_ = nullptr;
  image::RegistryFolder* folder_ = nullptr;
};

// The store in the user's data folder.
base::Result<std::filesystem::path> image_store_path(const std::string& given);

}  // namespace fusebox::cli
