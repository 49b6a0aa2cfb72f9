// A bundle that decodes, encodes to one that decodes to the same parts.
#include <cstdlib>

#include "engine/code_bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bundle = fusebox::engine::decode_bundle(std::as_bytes(std::span(data, size)));
  if (!bundle) return 0;
  const auto again_bytes = fusebox::engine::encode_bundle(*bundle);
  const auto again = fusebox::engine::decode_bundle(again_bytes);
  if (!again || again->codes.size() != bundle->codes.size()) std::abort();
  if (fusebox::base::as_text(again->wasm) != fusebox::base::as_text(bundle->wasm)) std::abort();
  return 0;
}
