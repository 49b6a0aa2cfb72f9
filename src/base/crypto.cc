#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <limits>

#include "base/fatal.h"
#include "base/freed.h"

namespace fusebox::base {
namespace {

using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Freed<EVP_MAC_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
using PublicOrPrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

constexpr std::size_t kAesKeyBytes = 32;
constexpr std::size_t kGcmNonceBytes = 12;
constexpr std::size_t kGcmTagBytes = 16;

// OpenSSL takes int lengths for ciphers; larger inputs go in pieces of this size.
constexpr std::size_t kCipherPieceBytes = std::size_t{1} << 30;

const unsigned char* raw(ByteView bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw_out(std::span<std::byte> bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

void require(bool ok, std::string_view what) {
  if (!ok) fatal(what);  // a hash that cannot be computed has no error value, and nothing may go on without it
}

// Looked up once: the look-up by name costs more than hashing a short record does.
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  require(algorithm != nullptr, "OpenSSL has no SHA256");
  return algorithm;
}
EVP_MAC* hmac_algorithm() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  require(algorithm != nullptr, "OpenSSL has no HMAC");
  return algorithm;
}
const EVP_CIPHER* aes_gcm_algorithm() {
  static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  require(algorithm != nullptr, "OpenSSL has no AES-256-GCM");
  return algorithm;
}

std::unexpected<Error> openssl_failure(std::string_view step) {
  ERR_clear_error();  // the queue is per thread and shared with other users of OpenSSL in this process
  return fail(Errc::bug, std::string(step) + ": OpenSSL failed");
}

PublicOrPrivateKey private_key(ByteView seed) {
  return PublicOrPrivateKey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(seed), seed.size()));
}

Result<void> check_gcm_sizes(ByteView key, ByteView nonce) {
  if (key.size() != kAesKeyBytes) {
    return fail(Errc::invalid, "AES-256-GCM key is " + std::to_string(key.size()) + " bytes; allowed are 32 bytes");
  }
  if (nonce.size() != kGcmNonceBytes) {
    return fail(Errc::invalid, "AES-256-GCM nonce is " + std::to_string(nonce.size()) + " bytes; allowed are 12 bytes");
  }
  return {};
}

// Runs `in` through the cipher; `out` is null for associated data.
bool cipher_update(EVP_CIPHER_CTX* context, unsigned char* out, ByteView in) {
  while (!in.empty()) {
    const std::size_t piece = std::min(in.size(), kCipherPieceBytes);
    int written = 0;
    if (EVP_CipherUpdate(context, out, &written, raw(in), static_cast<int>(piece)) != 1) return false;
    if (out != nullptr) out += written;
    in = in.subspan(piece);
  }
  return true;
}

enum class Direction : int { open = 0, seal = 1 };

CipherContext gcm_context(Direction direction, ByteView key, ByteView nonce) {
  CipherContext context(EVP_CIPHER_CTX_new());
  if (context == nullptr || EVP_CipherInit_ex2(context.get(), aes_gcm_algorithm(), raw(key), raw(nonce),
                                               static_cast<int>(direction), nullptr) != 1) {
    return nullptr;
  }
  return context;
}

}  // namespace

std::string Sha256::hex() const {
  return to_hex(bytes);
}

Sha256 sha256(ByteView data) {
  Sha256 out;
  require(EVP_Digest(data.data(), data.size(), raw_out(out.bytes), nullptr, sha256_algorithm(), nullptr) == 1,
          "SHA256 failed");
  return out;
}

std::array<std::byte, 64> sha512(ByteView data) {
  std::array<std::byte, 64> out;
  require(EVP_Digest(data.data(), data.size(), raw_out(out), nullptr, EVP_sha512(), nullptr) == 1, "SHA-512 failed");
  return out;
}

Result<Sha256> sha256_from_hex(std::string_view hex) {
  if (hex.size() != 64) {
    return fail(Errc::invalid,
                "SHA-256 has " + std::to_string(hex.size()) + " characters; allowed are 64 hexadecimal digits");
  }
  FB_TRY(const Bytes bytes, within("SHA-256", from_hex(hex)));
  Sha256 out;
  std::ranges::copy(bytes, out.bytes.begin());
  return out;
}

struct Sha256Stream::Impl {
  DigestContext context{EVP_MD_CTX_new()};
};

Sha256Stream::Sha256Stream() : impl_(std::make_unique<Impl>()) {
  require(impl_->context != nullptr && EVP_DigestInit_ex2(impl_->context.get(), sha256_algorithm(), nullptr) == 1,
          "SHA256 failed");
}
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;

void Sha256Stream::update(ByteView data) {
  require(EVP_DigestUpdate(impl_->context.get(), data.data(), data.size()) == 1, "SHA256 failed");
}

Sha256 Sha256Stream::finish() {
  Sha256 out;
  EVP_MD_CTX* const context = impl_->context.get();
  require(EVP_DigestFinal_ex(context, raw_out(out.bytes), nullptr) == 1 &&
              EVP_DigestInit_ex2(context, sha256_algorithm(), nullptr) == 1,
          "SHA256 failed");
  return out;
}

Sha256 hmac_sha256(ByteView key, ByteView data) {
  static constexpr unsigned char kEmptyKey = 0;  // a null key would mean "the key set before"
  Sha256 out;
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  const MacContext context(EVP_MAC_CTX_new(hmac_algorithm()));
  std::size_t size = 0;
  require(context != nullptr &&
              EVP_MAC_init(context.get(), key.empty() ? &kEmptyKey : raw(key), key.size(), parameters) == 1 &&
              EVP_MAC_update(context.get(), raw(data), data.size()) == 1 &&
              EVP_MAC_final(context.get(), raw_out(out.bytes), &size, out.bytes.size()) == 1 &&
              size == out.bytes.size(),
          "HMAC-SHA256 failed");
  return out;
}

std::string Ed25519PublicKey::id() const {
  return sha256(bytes).hex().substr(0, 16);
}

Result<Ed25519Key> Ed25519Key::generate(Random& random) {
  std::array<std::byte, 32> seed{};
  random.fill(seed);
  Result<Ed25519Key> key = from_seed(seed);
  OPENSSL_cleanse(seed.data(), seed.size());
  return key;
}

Result<Ed25519Key> Ed25519Key::from_seed(ByteView seed) {
  if (seed.size() != 32) {
    return fail(Errc::invalid,
                "Ed25519 private key is " + std::to_string(seed.size()) + " bytes; allowed are 32 bytes");
  }
  Ed25519Key key{std::array<std::byte, 32>{}};
  std::ranges::copy(seed, key.seed_.begin());
  return key;
}

Ed25519Key::~Ed25519Key() {
  OPENSSL_cleanse(seed_.data(), seed_.size());
}

Ed25519Key::Ed25519Key(Ed25519Key&& from) noexcept : seed_(from.seed_) {
  OPENSSL_cleanse(from.seed_.data(), from.seed_.size());
}

Ed25519Key& Ed25519Key::operator=(Ed25519Key&& from) noexcept {
  if (this != &from) {
    seed_ = from.seed_;
    OPENSSL_cleanse(from.seed_.data(), from.seed_.size());
  }
  return *this;
}

Ed25519PublicKey Ed25519Key::public_key() const {
  Ed25519PublicKey out;
  std::size_t size = out.bytes.size();
  const PublicOrPrivateKey key = private_key(seed_);
  require(key != nullptr && EVP_PKEY_get_raw_public_key(key.get(), raw_out(out.bytes), &size) == 1 &&
              size == out.bytes.size(),
          "Ed25519 failed");
  return out;
}

ByteView Ed25519Key::seed() const noexcept {
  return seed_;
}

Result<Ed25519Signature> Ed25519Key::sign(ByteView message) const {
  Ed25519Signature out;
  std::size_t size = out.bytes.size();
  const PublicOrPrivateKey key = private_key(seed_);
  const DigestContext context(EVP_MD_CTX_new());
  if (key == nullptr || context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key.get(), nullptr) != 1 ||
      EVP_DigestSign(context.get(), raw_out(out.bytes), &size, raw(message), message.size()) != 1 ||
      size != out.bytes.size()) {
    return openssl_failure("Ed25519 sign");
  }
  return out;
}

Result<void> ed25519_verify(const Ed25519PublicKey& key, ByteView message, const Ed25519Signature& signature) {
  const PublicOrPrivateKey public_key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(key.bytes), key.bytes.size()));
  const DigestContext context(EVP_MD_CTX_new());
  if (public_key == nullptr || context == nullptr ||
      EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, public_key.get(), nullptr) != 1) {
    return openssl_failure("Ed25519 verify");
  }
  if (EVP_DigestVerify(context.get(), raw(signature.bytes), signature.bytes.size(), raw(message), message.size()) !=
      1) {
    ERR_clear_error();
    return fail(Errc::denied, "Ed25519 signature does not match the message under key " + key.id());
  }
  return {};
}

Result<Bytes> aes256gcm_seal(ByteView key, ByteView nonce, ByteView plain, ByteView associated) {
  FB_CHECK(check_gcm_sizes(key, nonce));
  Bytes out(plain.size() + kGcmTagBytes);
  const CipherContext context = gcm_context(Direction::seal, key, nonce);
  unsigned char* const tag = raw_out(out) + plain.size();
  int written = 0;
  if (context == nullptr || !cipher_update(context.get(), nullptr, associated) ||
      !cipher_update(context.get(), raw_out(out), plain) || EVP_CipherFinal_ex(context.get(), tag, &written) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kGcmTagBytes, tag) != 1) {
    return openssl_failure("AES-256-GCM seal");
  }
  return out;
}

Result<Bytes> aes256gcm_open(ByteView key, ByteView nonce, ByteView sealed, ByteView associated) {
  FB_CHECK(check_gcm_sizes(key, nonce));
  if (sealed.size() < kGcmTagBytes) {
    return fail(Errc::denied,
                "AES-256-GCM text is " + std::to_string(sealed.size()) + " bytes; its tag alone is 16 bytes");
  }
  const ByteView cipher = sealed.first(sealed.size() - kGcmTagBytes);
  std::array<unsigned char, kGcmTagBytes> tag{};
  std::ranges::transform(sealed.last(kGcmTagBytes), tag.begin(),
                         [](std::byte b) { return std::to_integer<unsigned char>(b); });
  Bytes out(cipher.size());
  const CipherContext context = gcm_context(Direction::open, key, nonce);
  if (context == nullptr || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kGcmTagBytes, tag.data()) != 1 ||
      !cipher_update(context.get(), nullptr, associated) || !cipher_update(context.get(), raw_out(out), cipher)) {
    OPENSSL_cleanse(out.data(), out.size());
    return openssl_failure("AES-256-GCM open");
  }
  std::array<unsigned char, kGcmTagBytes> rest{};
  int written = 0;
  if (EVP_CipherFinal_ex(context.get(), rest.data(), &written) != 1) {
    OPENSSL_cleanse(out.data(), out.size());  // what did not authenticate must not be seen
    ERR_clear_error();
    return fail(Errc::denied, "AES-256-GCM tag does not match: wrong key, nonce or associated data, or changed bytes");
  }
  return out;
}

}  // namespace fusebox::base
