// Which engine this build has inside.
//
// Threads  pure function.
#pragma once

#include <string_view>

namespace fusebox::engine {

std::string_view engine_version() noexcept;  // "Wasmtime 48.0.8"

}  // namespace fusebox::engine
