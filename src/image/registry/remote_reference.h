// An image in a registry: "[http[s]://]host[:port]/repository[:tag][@digest]".
//
// There is no registry that is meant when none is named. Plain http is for hosts of this machine, and for those that are
// written with http://.
//
// Threads  pure functions.
// Errors   `invalid` "BAD_NAME".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "image/oci/digest.h"

namespace fusebox::image::registry {

struct RemoteReference {
  std::string scheme;  // "https", "http"
  std::string host;    // lower case; IPv6 without brackets
  std::uint16_t port = 0;
  std::string repository;
  std::string tag;  // "latest" where neither tag nor digest is given
  std::optional<oci::Digest> digest;

  std::string authority() const;  // "host:port" as it is written; the port only where it is not the scheme's own
  std::string manifest() const;   // what stands after /manifests/: the digest, or the tag
  std::string text() const;       // without scheme
};

base::Result<RemoteReference> parse_remote(std::string_view text);
// Whether a text is meant as one, not as a path or a stored name: its first part looks like a host.
bool looks_remote(std::string_view text) noexcept;

}  // namespace fusebox::image::registry
