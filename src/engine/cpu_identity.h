// The processor features compiled code may depend on, as text for cache keys.
//
// Threads  pure.
#pragma once

#include <string>

namespace fusebox::engine {

std::string cpu_identity();  // "x86_64:<hex words>"

}  // namespace fusebox::engine
