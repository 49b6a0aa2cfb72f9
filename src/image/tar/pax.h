// The records of a pax extended header: "<length> <key>=<value>\n", the length counting the whole record.
//
// Threads  pure functions.
// Errors   a sentence of what is wrong with the block.
// Contract containers.md 14.1, 14.5
#pragma once

#include "image/archive.h"

namespace fusebox::image::tar {

// Sets what the block gives and leaves the rest: path, linkpath, size, mtime. Other keys mean nothing here, but those of
// a sparse file are refused.
base::Result<void> apply_pax(base::ByteView block, TarOverrides& into);

}  // namespace fusebox::image::tar
