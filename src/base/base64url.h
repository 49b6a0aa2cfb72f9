// base64url without padding (RFC 4648 section 5): cursors, keys, cookies.
//
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::base {

std::string to_base64url(ByteView bytes);
Result<Bytes> from_base64url(std::string_view text);  // strict: no padding, no white space, canonical

}  // namespace fusebox::base
