// Compiled code with what Fusebox must know beside it, as bytes for caches and artifacts (docs/formats/code.md).
//
// The bytes are authenticated before they come here (code_cache.h), so a wrong one means damage or a defect, not an
// attack; the reader is bounded all the same.
// Threads  pure functions.
// Errors   `corrupt` for what encode_code() never wrote; `stale` when another engine or other settings made it.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "engine/inspect.h"
#include "engine/meter.h"

namespace fusebox::engine {

struct CodeBlob {
  ModuleInfo info;
  base::Sha256 hash;
  bool metered = false;
  MeterMap map;
  std::int64_t code_shift = 0;  // of expose()
  base::ByteView compiled;      // a view into what was decoded, or into the caller's bytes
};

base::Bytes encode_code(const CodeBlob& blob, std::string_view code_identity);
base::Result<CodeBlob> decode_code(base::ByteView bytes, std::string_view code_identity);

}  // namespace fusebox::engine
