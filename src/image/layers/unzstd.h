// zstd, as many frames as there are.
//
// Threads  pure functions.
// Errors   "BAD_IMAGE"
#pragma once

#include "image/layers/bounded_output.h"

namespace fusebox::image {

base::Result<void> unzstd(base::ByteView stream, BoundedOutput& output);

}  // namespace fusebox::image
