// Reads an image from a file or a folder, in every form people keep them in.
//
// Threads  pure functions but for reading files.
// Errors   those of oci/package.h, with the place before the sentence.
// Contract containers.md 18.1
#pragma once

#include "base/result.h"
#include "image/oci/package.h"
#include "image/transfer/location.h"

namespace fusebox::image {

// options.reference is replaced by the location's.
base::Result<oci::Package> import_package(const Location& from, OpenOptions options);

}  // namespace fusebox::image
