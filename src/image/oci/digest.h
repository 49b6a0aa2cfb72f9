// The names of content: "sha256:<64 hex>" and "sha512:<128 hex>".
//
// Threads  plain values, pure functions.
// Errors   `invalid` "BAD_IMAGE".
// Contract containers.md 18.2
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"

namespace fusebox::image::oci {

struct Digest {
  enum class Algorithm : std::uint8_t { sha256, sha512 };
  Algorithm algorithm = Algorithm::sha256;
  std::string hex;  // lower case, as long as the algorithm wants

  static base::Result<Digest> parse(std::string_view text);
  static Digest of(base::ByteView bytes);  // sha256
  static Digest of(const base::Sha256& hash);
  bool matches(base::ByteView bytes) const;
  std::string text() const;       // "sha256:..."
  std::string blob_path() const;  // "blobs/sha256/..."
  bool operator==(const Digest&) const = default;
  auto operator<=>(const Digest&) const = default;
};

// The digest of "{}", the configuration of artifacts that have none.
inline constexpr std::string_view kEmptyConfigDigest =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

}  // namespace fusebox::image::oci
