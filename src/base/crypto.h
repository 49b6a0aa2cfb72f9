// Hashes, MACs, signatures and authenticated encryption over OpenSSL EVP. No cryptography of our own.
//
// Threads  pure functions; Sha256Stream: one thread at a time.
// Errors   `invalid` for a key of the wrong size; `denied` for a signature or tag that does not match.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "fusebox/hash.h"  // IWYU pragma: export

namespace fusebox::base {

Sha256 sha256(ByteView data);
std::array<std::byte, 64> sha512(ByteView data);       // only where a foreign format names content by it
Result<Sha256> sha256_from_hex(std::string_view hex);  // exactly 64 digits

class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  void update(ByteView data);
  Sha256 finish();  // the stream is empty afterwards

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

Sha256 hmac_sha256(ByteView key, ByteView data);

struct Ed25519PublicKey {
  std::array<std::byte, 32> bytes{};
  // First 16 hex digits of SHA-256 of the raw key (contract capability.md section 11).
  std::string id() const;
  auto operator<=>(const Ed25519PublicKey&) const = default;
};
struct Ed25519Signature {
  std::array<std::byte, 64> bytes{};
};

// Owns a private key; wiped when destroyed. Never printed.
class Ed25519Key {
 public:
  static Result<Ed25519Key> generate(Random& random);
  static Result<Ed25519Key> from_seed(ByteView seed);  // 32 bytes
  ~Ed25519Key();
  Ed25519Key(Ed25519Key&&) noexcept;
  Ed25519Key& operator=(Ed25519Key&&) noexcept;
  Ed25519PublicKey public_key() const;
  ByteView seed() const noexcept;  // for storing in a file only its user can read
  Result<Ed25519Signature> sign(ByteView message) const;

 private:
  explicit Ed25519Key(const std::array<std::byte, 32>& seed) noexcept : seed_(seed) {}
  std::array<std::byte, 32> seed_{};
};

Result<void> ed25519_verify(const Ed25519PublicKey& key, ByteView message, const Ed25519Signature& signature);

// AES-256-GCM. `key` 32 bytes, `nonce` 12 bytes and never used twice with one key. Sealed form: ciphertext, then a 16-byte tag.
Result<Bytes> aes256gcm_seal(ByteView key, ByteView nonce, ByteView plain, ByteView associated);
Result<Bytes> aes256gcm_open(ByteView key, ByteView nonce, ByteView sealed, ByteView associated);

}  // namespace fusebox::base
