// What `fusebox image` prints.
//
// Threads  pure functions.
#pragma once

#include <span>
#include <string>

#include "image/image.h"
#include "image/library.h"
#include "image/oci/package.h"
#include "image/store/image_store.h"

namespace fusebox::cli {

std::string entry_json(const image::Entry& entry);  // one object
std::string listing_text(std::span<const image::Entry> entries);
std::string listing_json(std::span<const image::Entry> entries);
std::string inspect_json(const image::Entry& entry, const image::oci::Package& package, const image::Image& image);
std::string check_text(const image::StoreCheck& check);
std::string check_json(const image::StoreCheck& check);

}  // namespace fusebox::cli
