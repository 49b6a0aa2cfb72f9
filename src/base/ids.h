// Identifiers that sort by the time they were made.
//
// Threads  IdSource: any thread. Values are plain.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace fusebox::base {

// 128 bits: UUID version 7 (RFC 9562), lower-case text. Execution ids are of this form (contract capability.md section 13).
struct Uuid {
  std::array<std::byte, 16> bytes{};
  std::string text() const;
  static Result<Uuid> parse(std::string_view text);
  auto operator<=>(const Uuid&) const = default;
};

// 26 characters of Crockford base 32: 48 bits of milliseconds, 80 random bits.
struct Ulid {
  std::array<std::byte, 16> bytes{};
  std::string text() const;
  static Result<Ulid> parse(std::string_view text);
  auto operator<=>(const Ulid&) const = default;
};

// Both strictly increase within one source, also inside a millisecond and when the wall clock goes back.
class IdSource {
 public:
  IdSource(const Clock& clock, Random& random) noexcept : clock_(clock), random_(random) {}
  Uuid uuid();
  Ulid ulid();

 private:
  const Clock& clock_;
  Random& random_;
  std::mutex mutex_;
  Uuid last_uuid_;
  Ulid last_ulid_;
};

}  // namespace fusebox::base
