// gzip, as many members as there are.
//
// Threads  pure functions.
// Errors   "BAD_IMAGE"
#pragma once

#include "image/layers/bounded_output.h"

namespace fusebox::image {

base::Result<void> gunzip(base::ByteView stream, BoundedOutput& output);

}  // namespace fusebox::image
