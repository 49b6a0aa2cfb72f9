#include "fleet/secrets/tokens.h"

#include <algorithm>
#include <array>

#include "base/base64url.h"
#include "base/crypto.h"

namespace fusebox::fleet {
namespace {

constexpr std::size_t kPlainIdBytesMax = 128;

template <std::size_t Size>
std::array<std::byte, Size> random_bytes(base::Random& random) {
  std::array<std::byte, Size> bytes{};
  random.fill(bytes);
  return bytes;
}

template <std::size_t Size>
std::string random_hex(base::Random& random, std::string_view prefix) {
  return std::string(prefix) + base::to_hex(random_bytes<Size>(random));
}

}  // namespace

std::string new_vm_token(base::Random& random) {
  return random_hex<32>(random, "");
}
std::string new_request_id(base::Random& random) {
  return random_hex<16>(random, "req_");
}
std::string new_operation_id(base::Nanos wall, base::Random& random) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
  std::array<std::byte, 6> time{};
  for (std::size_t i = 0; i < time.size(); ++i) {
    time[i] = static_cast<std::byte>(milliseconds >> (8 * (time.size() - 1 - i)) & 0xff);
  }
  return random_hex<10>(random, "op_" + base::to_hex(time));
}
std::string new_fork_task_id(base::Random& random) {
  return random_hex<16>(random, "fork-");
}
std::string new_fork_seed_id(base::Random& random) {
  return random_hex<16>(random, "fork-seed-");
}
std::string new_session_value(base::Random& random) {
  return base::to_base64url(random_bytes<32>(random));
}

NewApiKey new_api_key(base::Random& random) {
  return {random_hex<8>(random, "ak_"), "fuse_sk_" + base::to_base64url(random_bytes<32>(random))};
}

base::Bytes secret_hash(std::string_view text) {
  const base::Sha256 hash = base::sha256(base::as_bytes(text));
  return {hash.bytes.begin(), hash.bytes.end()};
}

bool is_plain_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kPlainIdBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string artifact_snapshot_id(std::string_view digest, std::string_view host_id) {
  constexpr std::string_view kAlgorithm = "sha256:";
  if (digest.starts_with(kAlgorithm)) digest.remove_prefix(kAlgorithm.size());
  return "art-" + std::string(digest.substr(0, 16)) + "-" + base::sha256(base::as_bytes(host_id)).hex().substr(0, 8);
}

}  // namespace fusebox::fleet
