#include "fleet/secrets/vault.h"

#include <algorithm>
#include <string>

#include "base/crypto.h"
#include "base/wipe.h"

namespace fusebox::fleet {
namespace {

using base::Bytes;
using base::ByteView;
using base::Errc;
using base::Result;

constexpr std::byte kLayout{0x02};
constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kHeadBytes = 1 + kIdBytes;
constexpr std::size_t kOldKeysMax = 16;  // each costs a try on every value of a reference database
constexpr char kFieldEnd = 0x1f;

std::uint32_t read_id(ByteView bytes) noexcept {
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < kIdBytes; ++i) id = id << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return id;
}

std::string associated(const SealedPlace& place) {
  std::string text(place.table);
  text.append(1, kFieldEnd).append(place.primary_key).append(1, kFieldEnd).append(place.column);
  return text;
}

}  // namespace

Result<VaultKey> VaultKey::from_hex(std::string_view hex) {
  if (hex.size() != 2 * kBytes) {
    return base::fail(Errc::invalid,
                      "the key has " + std::to_string(hex.size()) + " characters; needed are 64 hex digits");
  }
  Result<Bytes> bytes = base::from_hex(hex);
  if (!bytes) return base::fail(Errc::invalid, "the key: " + bytes.error().message);
  VaultKey key;
  std::ranges::copy(*bytes, key.bytes_.begin());
  base::wipe(*bytes);
  return key;
}

VaultKey::~VaultKey() {
  base::wipe(bytes_);
}

Bytes VaultKey::check_value() const {
  const base::Sha256 value = base::hmac_sha256(bytes_, base::as_bytes("fusebox-key-check/v1"));
  return {value.bytes.begin(), value.bytes.end()};
}

std::uint32_t VaultKey::id() const {
  return read_id(check_value()) & 0x7fffffffu;
}

Result<std::vector<VaultKey>> parse_old_keys(std::string_view list) {
  std::vector<VaultKey> keys;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (keys.size() == kOldKeysMax) return base::fail(Errc::invalid, "more than 16 former keys, the most allowed");
    FB_TRY(VaultKey key, VaultKey::from_hex(list.substr(0, comma)));
    keys.push_back(key);
    if (comma == list.size()) return keys;
    list.remove_prefix(comma + 1);
    if (list.empty()) return base::fail(Errc::invalid, "the list of former keys ends in a comma");
  }
  return keys;
}

Result<Vault> Vault::create(VaultKey key, std::vector<VaultKey> old, base::Random& random) {
  Vault vault(random);
  old.insert(old.begin(), key);
  for (const VaultKey& next : old) {
    const std::uint32_t id = next.id();
    const auto same = std::ranges::find(vault.keys_, id, &Entry::id);
    if (same == vault.keys_.end()) {
      vault.keys_.push_back({id, next});
      vault.ids_.push_back(id);
    } else if (same->key != next) {
      return base::fail(Errc::invalid, "two different keys have the same id; make another key");
    }
  }
  return vault;
}

bool Vault::has_check_value(ByteView check_value) const {
  return std::ranges::any_of(
      keys_, [&](const Entry& entry) { return base::equal_constant_time(entry.key.check_value(), check_value); });
}

const Vault::Entry* Vault::named_key(ByteView sealed) const noexcept {
  if (sealed.size() < kHeadBytes + kNonceBytes + kTagBytes || sealed[0] != kLayout) return nullptr;
  const auto found = std::ranges::find(keys_, read_id(sealed.subspan(1, kIdBytes)), &Entry::id);
  return found == keys_.end() ? nullptr : &*found;
}

Result<Bytes> Vault::seal(ByteView plain, const SealedPlace& place) const {
  const Entry& current = keys_.front();
  Bytes out(kHeadBytes + kNonceBytes);
  out[0] = kLayout;
  for (std::size_t i = 0; i < kIdBytes; ++i) out[1 + i] = static_cast<std::byte>(current.id >> (24 - 8 * i) & 0xff);
  const std::span<std::byte> nonce = std::span(out).subspan(kHeadBytes, kNonceBytes);
  random_->fill(nonce);
  const std::string data = associated(place);
  FB_TRY(const Bytes sealed, base::aes256gcm_seal(current.key.bytes(), nonce, plain, base::as_bytes(data)));
  out.insert(out.end(), sealed.begin(), sealed.end());
  return out;
}

Result<Bytes> Vault::open(ByteView sealed, const SealedPlace& place) const {
  if (const Entry* const named = named_key(sealed)) {
    const ByteView body = sealed.subspan(kHeadBytes);
    const std::string data = associated(place);
    Result<Bytes> plain = base::aes256gcm_open(named->key.bytes(), body.first(kNonceBytes), body.subspan(kNonceBytes),
                                               base::as_bytes(data));
    if (plain) return plain;
  }
  // A nonce of the reference may begin like a head of ours, so this is tried whatever the first bytes say.
  if (sealed.size() >= kNonceBytes + kTagBytes) {
    for (const Entry& entry : keys_) {
      Result<Bytes> plain =
          base::aes256gcm_open(entry.key.bytes(), sealed.first(kNonceBytes), sealed.subspan(kNonceBytes), {});
      if (plain) return plain;
    }
  }
  return base::fail(Errc::denied, "sealed value of " + std::string(place.table) + "." + std::string(place.column) +
                                      " cannot be decrypted with the keys given");
}

bool Vault::is_outdated(ByteView sealed) const noexcept {
  const Entry* const named = named_key(sealed);
  return named == nullptr || named != &keys_.front();
}

}  // namespace fusebox::fleet
