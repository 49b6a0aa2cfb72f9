// Secrets at rest: sealed under the fleet's key before a store sees them.
//
// Written: 0x02, key id (4 bytes, big-endian), nonce (12), ciphertext, tag (16); AES-256-GCM bound to the table, row and
// column it stands in. Read too: nonce, ciphertext, tag of a reference database, bound to nothing.
//
// Owner    a Vault owns its keys and wipes them. The random source outlives it.
// Threads  any thread, as far as the random source is.
// Errors   `invalid` for keys that cannot be; `denied` for bytes no key of the ring opens at this place.
// Contract control-plane.md 17.1, 17.2
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

namespace fusebox::fleet {

class VaultKey {
 public:
  static constexpr std::size_t kBytes = 32;
  // 64 hexadecimal digits, either case. The message never shows them.
  static base::Result<VaultKey> from_hex(std::string_view hex);
  // `token.key` of a data folder; made, readable by its owner alone, when there is none.
  static base::Result<VaultKey> load_or_create(const std::filesystem::path& data_dir, base::Random& random);

  ~VaultKey();
  VaultKey(const VaultKey&) = default;
  VaultKey& operator=(const VaultKey&) = default;
  base::ByteView bytes() const noexcept { return bytes_; }
  // HMAC-SHA256(key, "fusebox-key-check/v1"): tells keys apart without showing them.
  base::Bytes check_value() const;
  // The first 31 bits of the check value, so that every replica names a key alike and a signed column holds it.
  std::uint32_t id() const;
  bool operator==(const VaultKey&) const = default;

 private:
  VaultKey() = default;
  std::array<std::byte, kBytes> bytes_{};
};

// A comma list of former keys in hex; empty parts are refused, an empty text is an empty list.
base::Result<std::vector<VaultKey>> parse_old_keys(std::string_view list);

// Where a sealed value stands.
struct SealedPlace {
  std::string_view table, primary_key, column;
};

class Vault {
 public:
  // `invalid`: two different keys with one id.
  static base::Result<Vault> create(VaultKey key, std::vector<VaultKey> old, base::Random& random);

  std::uint32_t key_id() const noexcept { return keys_.front().id; }
  std::span<const std::uint32_t> key_ids() const noexcept { return ids_; }  // the current one first
  bool has_check_value(base::ByteView check_value) const;
  base::Bytes check_value() const { return keys_.front().key.check_value(); }

  base::Result<base::Bytes> seal(base::ByteView plain, const SealedPlace& place) const;
  base::Result<base::Bytes> open(base::ByteView sealed, const SealedPlace& place) const;  // wipe it after use
  // Written under a former key or by the reference: to be sealed again.
  bool is_outdated(base::ByteView sealed) const noexcept;

 private:
  struct Entry {
    std::uint32_t id;
    VaultKey key;
  };
  explicit Vault(base::Random& random) noexcept : random_(&random) {}
  const Entry* named_key(base::ByteView sealed) const noexcept;

  std::vector<Entry> keys_;  // the current one first
  std::vector<std::uint32_t> ids_;
  base::Random* random_;
};

}  // namespace fusebox::fleet
