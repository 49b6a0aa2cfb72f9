// Reads raw bytes as a module, without any validator in front: whatever they are, the reader ends, stays inside them
// and its counts can be believed.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/inspect.h"
#include "engine/meter.h"

using namespace fusebox;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto info = engine::inspect(bytes);
  if (info) {
    if (info->code_bytes + info->data_bytes + info->custom_bytes > size) std::abort();
    for (const auto& custom : info->custom_sections) {
      if (!base::in_bounds(custom.offset, custom.size_bytes, size)) std::abort();
      if (!engine::custom_section(bytes, custom.name)) std::abort();
    }
  } else if (info.error().message.empty()) {
    std::abort();
  }
  (void)engine::custom_section(bytes, "name");
  // The pass is meant for validated bytes; it survives others too.
  for (const auto mode : {engine::MeterMode::time, engine::MeterMode::ticks}) (void)engine::meter(bytes, {mode, true});
  const auto map = engine::MeterMap::decode(bytes);
  if (map && map->encode().size() > size + 1) std::abort();
  return 0;
}
