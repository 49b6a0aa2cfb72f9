#include "image/oci/digest.h"

#include <algorithm>

#include "base/text.h"

namespace fusebox::image::oci {
namespace {

std::string_view name_of(Digest::Algorithm algorithm) noexcept {
  return algorithm == Digest::Algorithm::sha256 ? "sha256" : "sha512";
}

// Capitals are refused: two spellings of one digest would be two file names.
bool is_lower_hex(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

base::Result<Digest> Digest::parse(std::string_view text) {
  Digest digest;
  const std::size_t colon = text.find(':');
  const std::string_view algorithm = text.substr(0, colon);
  if (colon != std::string_view::npos) digest.hex = text.substr(colon + 1);
  if (algorithm == "sha512") digest.algorithm = Algorithm::sha512;
  const std::size_t digits = digest.algorithm == Algorithm::sha256 ? 64 : 128;
  const bool known = algorithm == "sha256" || algorithm == "sha512";
  if (!known || digest.hex.size() != digits || !std::ranges::all_of(digest.hex, is_lower_hex)) {
    return base::fail(base::Errc::invalid,
                      base::in_quotes(text) + " is no digest: sha256:<64 hex> and sha512:<128 hex> are known",
                      "BAD_IMAGE");
  }
  return digest;
}

Digest Digest::of(base::ByteView bytes) {
  return of(base::sha256(bytes));
}

Digest Digest::of(const base::Sha256& hash) {
  return {Algorithm::sha256, hash.hex()};
}

bool Digest::matches(base::ByteView bytes) const {
  if (algorithm == Algorithm::sha256) return base::sha256(bytes).hex() == hex;
  return base::to_hex(base::sha512(bytes)) == hex;
}

std::string Digest::text() const {
  return std::string(name_of(algorithm)) + ":" + hex;
}

std::string Digest::blob_path() const {
  return "blobs/" + std::string(name_of(algorithm)) + "/" + hex;
}

}  // namespace fusebox::image::oci
