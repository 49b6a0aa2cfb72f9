// Self-signed certificates that are trusted by their fingerprint.
//
// Owner    the result owns its texts; the caller wipes the key's when done (base/wipe.h).
// Threads  pure functions, but for the key: OpenSSL draws it from the system, which has no seam.
// Errors   `invalid` for a name, a time or a PEM text that cannot be; `bug` when OpenSSL fails.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/result.h"

namespace fusebox::base {

struct Certificate {
  std::string certificate_pem;
  std::string key_pem;  // `EC PRIVATE KEY`
  Sha256 fingerprint;   // of the DER form
};

// ECDSA P-256 for 127.0.0.1 and 0.0.0.0, serverAuth. A name above 64 bytes, the most X.509 takes, is cut.
Result<Certificate> make_self_signed(std::string_view common_name, Nanos not_before, Nanos not_after, Random& random);

// SHA-256 of the DER form of the first certificate of a PEM text.
Result<Sha256> certificate_fingerprint(std::string_view pem);

}  // namespace fusebox::base
