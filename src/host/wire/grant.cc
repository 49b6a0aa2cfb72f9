#include "host/wire/grant.h"

#include <charconv>
#include <cstdint>

#include "host/wire/limits.h"

namespace fusebox::host {
namespace {

// Of a grant that was verified.
base::Nanos expiry_of(std::string_view grant) {
  constexpr std::size_t kExpiryAt = 3 + 64 + 1;  // "v1.", the digest, "."
  std::int64_t seconds = 0;
  std::from_chars(grant.data() + kExpiryAt, grant.data() + grant.size(), seconds);
  // A far future would overflow nanoseconds; a century is as good.
  constexpr std::int64_t kFarSeconds = 7'000'000'000;
  return std::chrono::seconds(std::min(seconds, kFarSeconds));
}

}  // namespace

void GrantBook::forget_expired(base::Nanos wall_now) {
  std::erase_if(spent_, [&](const auto& entry) { return entry.second <= wall_now; });
}

bool GrantBook::opens(std::string_view key, std::string_view previous_key, std::string_view digest,
                      std::string_view grant, base::Nanos wall_now) {
  if (!verify_grant(key, digest, grant, wall_now) && !verify_grant(previous_key, digest, grant, wall_now)) return false;
  if (spent_.size() >= kSpentGrantsMax) forget_expired(wall_now);
  return spent_.size() < kSpentGrantsMax && !spent_.contains(grant);
}

void GrantBook::spend(std::string_view grant, base::Nanos wall_now) {
  forget_expired(wall_now);
  spent_.emplace(grant, expiry_of(grant));
}

}  // namespace fusebox::host
