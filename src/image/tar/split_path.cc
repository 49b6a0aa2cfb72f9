#include <algorithm>

#include "base/text.h"
#include "image/archive.h"

namespace fusebox::image {

std::size_t PathParts::text_bytes() const noexcept {
  std::size_t bytes = count_ == 0 ? 0 : count_ - 1;
  for (const std::string_view part : parts()) bytes += part.size();
  return bytes;
}

std::string PathParts::text() const {
  std::string text;
  for (const std::string_view part : parts()) {
    if (!text.empty()) text += '/';
    text += part;
  }
  return text;
}

base::Result<PathParts> split_path(std::string_view prefix, std::string_view name) {
  if (prefix.empty() && name.empty()) return bad_image("an empty name");
  PathParts path;
  for (std::string_view rest : {prefix, name}) {
    if (rest.find('\0') != std::string_view::npos) return bad_image("a name with a NUL byte");
    while (!rest.empty()) {
      const std::string_view part = rest.substr(0, rest.find('/'));
      rest.remove_prefix(std::min(part.size() + 1, rest.size()));
      if (part.empty() || part == ".") continue;
      if (part.size() > kComponentBytesMax)
        return bad_image("a component of more than 255 bytes: " + base::in_quotes(part));
      if (path.count_ == kDepthMax) return bad_image("a path of more than 128 components");
      path.parts_[path.count_++] = part;
      path.climbs_ = path.climbs_ || part == "..";
    }
  }
  if (path.text_bytes() > kPathBytesMax) return bad_image("a path of more than 4095 bytes");
  return path;
}

}  // namespace fusebox::image
