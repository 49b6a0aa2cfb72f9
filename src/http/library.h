// Which HTTP library requests would go through.
//
// Threads  any thread.
// Errors   `unsupported`, name NETWORK: there is none; every request will fail.
#pragma once

#include <string>

#include "base/result.h"

namespace fusebox::http {

base::Result<std::string> library_version();  // "libcurl/7.88.1 OpenSSL/3.0.17 ..."

}  // namespace fusebox::http
