// What a module contains, read without compiling it.
//
// Input    `inspect` is for bytes a memory-safe validator accepted (validate.h); it is bounded and never crashes on others.
// Threads  pure functions; ModuleInfo is a plain value.
// Errors   `invalid` with the byte offset; `exhausted` over a bound of limits.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::engine {

enum class ValType : std::uint8_t {
  i32 = 0x7f,
  i64 = 0x7e,
  f32 = 0x7d,
  f64 = 0x7c,
  v128 = 0x7b,
  funcref = 0x70,
  externref = 0x6f
};
std::string_view to_string(ValType type) noexcept;

struct FuncType {
  std::vector<ValType> params;
  std::vector<ValType> results;
  bool operator==(const FuncType&) const = default;
  std::string text() const;  // "(i32, i32) -> i32", "() -> ()"
};

enum class ExternKind : std::uint8_t { function = 0, table = 1, memory = 2, global = 3, tag = 4 };
std::string_view to_string(ExternKind kind) noexcept;

struct MemoryType {
  std::uint64_t pages_min = 0;
  std::optional<std::uint64_t> pages_max;
  bool is64 = false;
  bool shared = false;
  bool byte_pages = false;  // pages of one byte; only the pass's own memory has them
};
struct TableType {
  ValType element = ValType::funcref;
  std::uint64_t elements_min = 0;
  std::optional<std::uint64_t> elements_max;
};
struct GlobalType {
  ValType type = ValType::i32;
  bool is_mutable = false;
};

struct Import {
  std::string module;
  std::string field;
  ExternKind kind = ExternKind::function;
  FuncType function;  // set by kind, as the three below
  MemoryType memory;
  TableType table;
  GlobalType global;
};
struct Export {
  std::string name;
  ExternKind kind = ExternKind::function;
  std::uint32_t index = 0;
  FuncType function;  // for functions
};
struct CustomSection {
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
};

struct ModuleInfo {
  std::vector<FuncType> types;
  std::vector<Import> imports;
  std::vector<Export> exports;
  std::vector<MemoryType> memories;  // imported ones first, as in index space
  std::vector<TableType> tables;
  std::optional<std::uint32_t> start_function;
  std::vector<CustomSection> custom_sections;
  std::uint32_t functions_defined = 0;
  std::uint32_t globals_defined = 0;
  std::uint32_t data_segments = 0;
  std::uint32_t element_segments = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t code_bytes = 0;
  std::uint64_t data_bytes = 0;
  std::uint64_t custom_bytes = 0;
  std::uint64_t largest_function_bytes = 0;

  const Export* find_export(std::string_view name) const noexcept;
};

base::Result<ModuleInfo> inspect(base::ByteView wasm);
// The bytes of the first custom section of that name, or nothing.
std::optional<base::ByteView> custom_section(base::ByteView wasm, std::string_view name);

}  // namespace fusebox::engine
