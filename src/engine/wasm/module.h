// The module level of the binary format: sections, types, imports, exports. Function bodies are left as bytes.
//
// Owner    borrows nothing after parse(); offsets refer to the bytes that were parsed.
// Threads  pure functions; Module is a plain value.
// Errors   as inspect.h; `unsupported` names the proposal of a form that has no place here.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/inspect.h"

namespace fusebox::engine::wasm {

enum class SectionId : std::uint8_t {
  custom = 0,
  type = 1,
  import = 2,
  function = 3,
  table = 4,
  memory = 5,
  global = 6,
  exports = 7,
  start = 8,
  element = 9,
  code = 10,
  data = 11,
  data_count = 12,
  tag = 13,
};

struct Section {
  SectionId id = SectionId::custom;
  std::uint32_t header = 0;  // offset of the id byte
  std::uint32_t begin = 0;   // offset of the contents
  std::uint32_t end = 0;
};

struct Module {
  ModuleInfo info;
  std::vector<Section> sections;
  std::vector<std::uint32_t> function_types;  // type index by function index, imported ones first
  std::vector<std::uint32_t> data_sizes;      // bytes of each data segment
  std::uint32_t functions_imported = 0;
};

inline constexpr std::uint32_t kPreambleBytes = 8;

// Where `id` stands in the order sections must have; custom sections may stand anywhere.
int section_rank(SectionId id) noexcept;

base::Result<Module> parse(base::ByteView wasm);

}  // namespace fusebox::engine::wasm
