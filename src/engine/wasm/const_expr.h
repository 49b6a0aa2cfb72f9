// Skips the constant expressions of globals, segments and offsets.
#pragma once

#include "engine/wasm/reader.h"

namespace fusebox::engine::wasm {

// Reads up to and including the closing `end`; `unsupported` names the proposal of an instruction that is not known.
void skip_const_expr(Reader& in);

}  // namespace fusebox::engine::wasm
