// OpenSSL's way to a descriptor that belongs to somebody else. Internal to src/http.
#pragma once

#include <openssl/bio.h>

namespace fusebox::http {

// A BIO over a non-blocking socket. OpenSSL's own writes with write(2), which raises SIGPIPE when the peer has gone.
// Null: no memory. The descriptor stays the caller's.
BIO* socket_bio(int fd) noexcept;

}  // namespace fusebox::http
