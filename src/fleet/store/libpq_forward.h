// Whether PostgreSQL's client library is on this machine; loads it at the first call.
//
// Threads  any.
// Errors   `unsupported`: not installed, or too old.
#pragma once

#include <string>

#include "base/result.h"

namespace fusebox::fleet {

base::Result<void> load_libpq();

}  // namespace fusebox::fleet
