// OpenSSL's view of a connected host socket: as its own socket BIO, but a peer that has gone is an error and no signal.
//
// Threads  as the link it belongs to.
#pragma once

#include <openssl/bio.h>

namespace fusebox::vfs {

// A BIO on `fd`, which it does not own. Null without memory.
BIO* new_stream_bio(int fd);
BIO* new_datagram_bio(int fd);  // of a connected datagram socket

}  // namespace fusebox::vfs
