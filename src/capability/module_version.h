// MAJOR.MINOR.PATCH with an optional pre-release, ordered as semantic versioning 2.0 says. No build metadata: two
// versions that differ only there would have no order, and a tag must.
//
// Threads  plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fusebox::capability {

class ModuleVersion {
 public:
  // `invalid`: says what form is expected.
  static base::Result<ModuleVersion> parse(std::string_view text);
  std::string text() const;
  std::uint64_t major() const noexcept { return numbers_[0]; }
  bool is_pre_release() const noexcept { return !pre_.empty(); }
  std::strong_ordering operator<=>(const ModuleVersion& other) const;
  bool operator==(const ModuleVersion& other) const = default;

 private:
  std::uint64_t numbers_[3] = {0, 0, 0};
  std::vector<std::string> pre_;  // identifiers between dots
};

}  // namespace fusebox::capability
