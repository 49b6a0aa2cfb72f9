// Which paths of a layer are markers that hide something in the layers below.
//
// Owner    views into the path.
// Threads  pure functions.
// Errors   "BAD_IMAGE" for a marker that means nothing.
// Contract containers.md 14.3
#pragma once

#include <string_view>

#include "image/archive.h"

namespace fusebox::image {

struct Marker {
  enum class Kind : std::uint8_t {
    none,     // an ordinary path
    hides,    // `.wh.<name>`: hides <name> of the marker's directory
    opaque,   // `.wh..wh..opq`: hides all of the marker's directory
    ignored,  // other `.wh..wh.*`: bookkeeping of some writers, also when it is a folder
  } kind = Kind::none;
  std::string_view name;  // for `hides`
};

base::Result<Marker> marker_of(const PathParts& path, TarMember::Type type);

}  // namespace fusebox::image
