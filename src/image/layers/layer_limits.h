// Bounds of laying layers on each other, beside those of image/limits.h.
#pragma once

#include <cstddef>

namespace fusebox::image {

// Directories that have no entry and are only part of other entries' paths. Tools write entries for nearly all; without
// a bound 262,144 entries could imply 33 million. At about 150 bytes a node (and the table twice while it grows) the
// largest tree stays below the 64 MiB of contract 14.5.
inline constexpr std::size_t kImpliedDirectoriesMax = 65'536;

// Sentences about entries that were left out; the rest is one sentence with their number.
inline constexpr std::size_t kDroppedSentencesMax = 100;

}  // namespace fusebox::image
