#include "image/layers/whiteout.h"

#include <algorithm>

#include "base/text.h"

namespace fusebox::image {
namespace {

constexpr std::string_view kPrefix = ".wh.";
constexpr std::string_view kReserved = ".wh..wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

bool is_reserved(std::string_view part) noexcept {
  return part.starts_with(kReserved) && part != kOpaque;
}

}  // namespace

base::Result<Marker> marker_of(const PathParts& path, TarMember::Type type) {
  const auto parts = path.parts();
  const auto first = std::ranges::find_if(parts, [](std::string_view part) { return part.starts_with(kPrefix); });
  if (first == parts.end()) return Marker{};
  if (std::ranges::any_of(parts, is_reserved)) return Marker{Marker::Kind::ignored, {}};
  if (first + 1 != parts.end() || type != TarMember::Type::regular) {
    return bad_image("the whiteout " + base::in_quotes(path.text()) + " is not a regular file");
  }
  if (*first == kOpaque) return Marker{Marker::Kind::opaque, {}};
  const std::string_view name = first->substr(kPrefix.size());
  if (name.empty() || name == "." || name == "..") {
    return bad_image("the whiteout " + base::in_quotes(path.text()) + " names nothing to hide");
  }
  return Marker{Marker::Kind::hides, name};
}

}  // namespace fusebox::image
