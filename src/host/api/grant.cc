#include "host/api/grant.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/crypto.h"
#include "host/common/names.h"

namespace fusebox::host {
namespace {

constexpr std::size_t kNonceBytes = 16;
constexpr std::size_t kNonceDigitsMin = 16;  // contract: 16..64 digits are accepted, 32 are made
constexpr std::size_t kNonceDigitsMax = 64;
constexpr std::size_t kMacDigits = 64;
constexpr std::size_t kExpiryDigitsMax = 18;  // fits an int64 without a look at its value

bool is_lower_hex(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string mac_of(std::string_view key, std::string_view digest, std::string_view expiry, std::string_view nonce) {
  std::string message = "fuse-artifact-grant/v1\n";
  message.append(digest).append("\n").append(expiry).append("\n").append(nonce);
  const auto mac = base::hmac_sha256(base::as_bytes(key), base::as_bytes(message));
  return base::to_hex(mac.bytes);
}

std::optional<std::array<std::string_view, 5>> split_fields(std::string_view grant) {
  std::array<std::string_view, 5> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t dot = grant.find('.');
    if ((dot == std::string_view::npos) != (i + 1 == fields.size())) return {};
    fields[i] = grant.substr(0, dot);
    grant.remove_prefix(dot == std::string_view::npos ? grant.size() : dot + 1);
  }
  return fields;
}

bool has_right_shape(const std::array<std::string_view, 5>& fields, std::string_view digest) {
  const auto& [version, of, expiry, nonce, mac] = fields;
  return version == "v1" && of == digest && is_digest(of) && !expiry.empty() && expiry.size() <= kExpiryDigitsMax &&
         std::ranges::all_of(expiry, [](char c) { return c >= '0' && c <= '9'; }) && nonce.size() >= kNonceDigitsMin &&
         nonce.size() <= kNonceDigitsMax && is_lower_hex(nonce) && mac.size() == kMacDigits && is_lower_hex(mac);
}

}  // namespace

std::string mint_grant(std::string_view key, std::string_view digest, base::Nanos wall_now, base::Random& random) {
  if (key.empty() || !is_digest(digest)) return {};
  std::array<std::byte, kNonceBytes> bytes{};
  random.fill(bytes);
  const std::string nonce = base::to_hex(bytes);
  const std::string expiry = std::to_string(std::chrono::floor<std::chrono::seconds>(wall_now + kGrantLife).count());
  std::string grant = "v1.";
  grant.append(digest).append(".").append(expiry).append(".").append(nonce).append(".");
  return grant + mac_of(key, digest, expiry, nonce);
}

bool verify_grant(std::string_view key, std::string_view digest, std::string_view grant, base::Nanos wall_now) {
  if (key.empty() || grant.size() > kGrantBytesMax) return false;
  const auto fields = split_fields(grant);
  if (!fields || !has_right_shape(*fields, digest)) return false;
  const auto& [version, of, expiry_text, nonce, mac] = *fields;
  std::int64_t expiry_s = 0;
  std::from_chars(expiry_text.data(), expiry_text.data() + expiry_text.size(), expiry_s);
  if (expiry_s <= std::chrono::floor<std::chrono::seconds>(wall_now).count()) return false;
  return base::equal_constant_time(base::as_bytes(mac_of(key, digest, expiry_text, nonce)), base::as_bytes(mac));
}

}  // namespace fusebox::host
