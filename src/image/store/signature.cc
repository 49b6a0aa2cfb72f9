#include "image/store/signature.h"

#include <algorithm>

#include "base/files.h"
#include "base/text.h"

namespace fusebox::image {
namespace {

constexpr std::size_t kSignatureBytes = 64;

std::unexpected<base::Error> bad_signature(std::string_view image, std::string_view why) {
  return base::fail(base::Errc::denied, std::string(image) + ": " + std::string(why), "BAD_SIGNATURE");
}

}  // namespace

base::Result<std::vector<base::Ed25519PublicKey>> parse_image_keys(std::span<const std::string> texts) {
  std::vector<base::Ed25519PublicKey> out;
  for (const std::string& text : texts) {
    const auto bytes = base::from_hex(text);
    base::Ed25519PublicKey key;
    if (!bytes || bytes->size() != key.bytes.size())
      return base::fail(base::Errc::invalid, "image key " + base::in_quotes(text) + " is not 64 hexadecimal digits");
    std::ranges::copy(*bytes, key.bytes.begin());
    out.push_back(key);
  }
  return out;
}

base::Result<void> check_signature(const std::filesystem::path& signature, std::string_view image,
                                   const base::Sha256& digest, std::span<const base::Ed25519PublicKey> keys) {
  if (keys.empty()) return {};
  const auto text = base::read_file(signature, kSignatureBytes);
  if (!text && text.error().code == base::Errc::not_found)
    return bad_signature(image, "has no signature, and only signed images are allowed");
  if (!text || text->size() != kSignatureBytes) return bad_signature(image, "its signature is not 64 bytes");
  base::Ed25519Signature bytes;
  std::ranges::copy(base::as_bytes(*text), bytes.bytes.begin());
  const bool known = std::ranges::any_of(keys, [&](const base::Ed25519PublicKey& key) {
    return base::ed25519_verify(key, digest.view(), bytes).has_value();
  });
  if (!known) return bad_signature(image, "its signature is not by any of the image keys");
  return {};
}

base::Result<void> write_signature(const std::filesystem::path& signature, const base::Sha256& digest,
                                   const base::Ed25519Key& key) {
  FB_TRY(const base::Ed25519Signature bytes, key.sign(digest.view()));
  return base::write_file_atomic(signature, bytes.bytes, 0644);
}

}  // namespace fusebox::image
