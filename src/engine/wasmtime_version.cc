#include <wasmtime.h>

#include "engine/version.h"

namespace fusebox::engine {

std::string_view engine_version() noexcept {
  return "Wasmtime " WASMTIME_VERSION;
}

}  // namespace fusebox::engine
