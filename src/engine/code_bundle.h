// What `fusebox compile` writes: a module with its side files and its native code for each kind of stopping, in one
// file.
//
// The module's own bytes go along, so that running a bundle needs nothing else and inspects the module as always.
// Native code is used only after its MAC matched (code_file.h); the bundle itself promises nothing.
// Threads  plain values and pure functions. A view() dies with the bytes it was read from.
// Errors   `invalid`, with the offset, for bytes that are no bundle.
// Format   docs/formats/bundle.md
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::engine {

inline constexpr std::size_t kBundleCodesMax = 8;  // kinds of stopping times stack sizes anybody ships together

struct CodeBundle {
  base::ByteView wasm;
  base::ByteView signature;           // JSON, empty when there is none
  base::ByteView manifest;            // JSON, empty when there is none
  std::vector<base::ByteView> codes;  // each as code_file.h seals it
};

bool has_bundle_magic(base::ByteView bytes) noexcept;
base::Bytes encode_bundle(const CodeBundle& bundle);
base::Result<CodeBundle> decode_bundle(base::ByteView bytes);

}  // namespace fusebox::engine
