#include "engine/wasm/module.h"

#include <algorithm>
#include <array>

#include "engine/limits.h"
#include "engine/wasm/const_expr.h"
#include "engine/wasm/instruction.h"
#include "engine/wasm/reader.h"

namespace fusebox::engine::wasm {
namespace {

using base::Errc;

void unsupported(Reader& in, std::string_view proposal, std::uint64_t at) {
  in.fail(Errc::unsupported, "uses the " + std::string(proposal) + " proposal, which is not accepted,", at);
}

template <class T>
void reserve_some(std::vector<T>& list, std::uint32_t count) {
  list.reserve(list.size() + std::min(count, kReserveMax));
}

std::vector<ValType> read_value_types(Reader& in, std::uint32_t max, std::string_view what) {
  std::vector<ValType> types;
  const std::uint32_t count = in.count(max, what);
  reserve_some(types, count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) types.push_back(static_cast<ValType>(read_value_type(in)));
  return types;
}

void read_types(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kTypesMax, "types");
  reserve_some(out.info.types, count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t at = in.offset();
    const std::uint8_t form = in.u8();
    if (!in.ok()) return;
    if (form != 0x60) {
      if (form >= 0x4c && form <= 0x5f) return unsupported(in, "garbage collection", at);
      return in.fail(Errc::invalid, "not a function type", at);
    }
    FuncType type;
    type.params = read_value_types(in, kParamsMax, "parameters");
    type.results = read_value_types(in, kResultsMax, "results");
    out.info.types.push_back(std::move(type));
  }
}

struct Limits {
  std::uint64_t min = 0;
  std::optional<std::uint64_t> max;
  bool shared = false;
  bool is64 = false;
  bool byte_pages = false;
};

Limits read_limits(Reader& in) {
  const std::uint64_t at = in.offset();
  const std::uint8_t flags = in.u8();
  Limits limits;
  if (flags > 0x0f) {
    in.fail(Errc::invalid, "unknown limits flags", at);
    return limits;
  }
  limits.shared = (flags & 2) != 0;
  limits.is64 = (flags & 4) != 0;
  const auto bound = [&] { return limits.is64 ? in.u64() : std::uint64_t{in.u32()}; };
  limits.min = bound();
  if ((flags & 1) != 0) limits.max = bound();
  if ((flags & 8) != 0) {
    const std::uint64_t size_at = in.offset();
    const std::uint32_t log2 = in.u32();
    if (log2 != 0 && log2 != 16) in.fail(Errc::invalid, "page sizes are 1 and 65536 bytes", size_at);
    limits.byte_pages = log2 == 0;
  }
  return limits;
}

MemoryType read_memory(Reader& in) {
  const Limits limits = read_limits(in);
  return {limits.min, limits.max, limits.is64, limits.shared, limits.byte_pages};
}

TableType read_table(Reader& in) {
  const auto element = static_cast<ValType>(read_reference_type(in));
  const std::uint64_t at = in.offset();
  const Limits limits = read_limits(in);
  if (limits.is64) unsupported(in, "memory64", at);
  if (limits.shared) unsupported(in, "threads", at);
  if (limits.byte_pages) unsupported(in, "custom page sizes", at);
  return {element, limits.min, limits.max};
}

GlobalType read_global(Reader& in) {
  GlobalType type;
  type.type = static_cast<ValType>(read_value_type(in));
  const std::uint64_t at = in.offset();
  const std::uint8_t mutability = in.u8();
  if (mutability > 1) in.fail(Errc::invalid, "mutability is neither 0 nor 1", at);
  type.is_mutable = mutability == 1;
  return type;
}

const FuncType* type_at(Reader& in, const Module& out, std::uint32_t index, std::uint64_t at) {
  if (!in.ok()) return nullptr;
  if (index < out.info.types.size()) return &out.info.types[index];
  in.fail(Errc::invalid, "unknown type " + std::to_string(index), at);
  return nullptr;
}

void read_tag(Reader& in, Module& out, FuncType& type) {
  in.u8();
  const std::uint64_t at = in.offset();
  if (const FuncType* found = type_at(in, out, in.u32(), at)) type = *found;
}

void read_imports(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kImportsMax, "imports");
  reserve_some(out.info.imports, count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    Import import;
    import.module = in.name();
    import.field = in.name();
    const std::uint64_t at = in.offset();
    const std::uint8_t kind = in.u8();
    if (kind > 4) return in.fail(Errc::invalid, "unknown kind of import", at);
    import.kind = static_cast<ExternKind>(kind);
    switch (import.kind) {
      case ExternKind::function: {
        const std::uint32_t type = in.u32();
        if (const FuncType* found = type_at(in, out, type, at)) import.function = *found;
        out.function_types.push_back(type);
        break;
      }
      case ExternKind::table:
        import.table = read_table(in);
        out.info.tables.push_back(import.table);
        break;
      case ExternKind::memory:
        import.memory = read_memory(in);
        out.info.memories.push_back(import.memory);
        break;
      case ExternKind::global:
        import.global = read_global(in);
        break;
      case ExternKind::tag:
        read_tag(in, out, import.function);
        break;
    }
    if (in.ok()) out.info.imports.push_back(std::move(import));
  }
  out.functions_imported = static_cast<std::uint32_t>(out.function_types.size());
}

void read_functions(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kFunctionsMax, "functions");
  reserve_some(out.function_types, count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t at = in.offset();
    const std::uint32_t type = in.u32();
    if (type_at(in, out, type, at) != nullptr) out.function_types.push_back(type);
  }
  out.info.functions_defined = static_cast<std::uint32_t>(out.function_types.size()) - out.functions_imported;
}

void read_tables(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kTablesMax, "tables");
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    if (in.peek() == 0x40) return unsupported(in, "typed function references", in.offset());
    out.info.tables.push_back(read_table(in));
  }
}

void read_memories(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kMemoriesMax, "memories");
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) out.info.memories.push_back(read_memory(in));
}

void read_globals(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kGlobalsMax, "globals");
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    read_global(in);
    skip_const_expr(in);
  }
  out.info.globals_defined = count;
}

void read_exports(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kExportsMax, "exports");
  reserve_some(out.info.exports, count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    Export item;
    item.name = in.name();
    const std::uint64_t at = in.offset();
    const std::uint8_t kind = in.u8();
    if (kind > 4) return in.fail(Errc::invalid, "unknown kind of export", at);
    item.kind = static_cast<ExternKind>(kind);
    item.index = in.u32();
    if (!in.ok()) return;
    if (item.kind == ExternKind::function) {
      if (item.index >= out.function_types.size()) {
        return in.fail(Errc::invalid, "export of unknown function " + std::to_string(item.index), at);
      }
      item.function = out.info.types[out.function_types[item.index]];
    }
    out.info.exports.push_back(std::move(item));
  }
}

void read_element_items(Reader& in, bool expressions) {
  const std::uint32_t count = in.count(kModuleBytesMax, "elements");
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    if (expressions) {
      skip_const_expr(in);
    } else {
      in.u32();
    }
  }
}

// Flags: bit 0 passive or declared, bit 1 explicit table or declared, bit 2 expressions instead of function indices.
void read_elements(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kSegmentsMax, "element segments");
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t at = in.offset();
    const std::uint32_t flags = in.u32();
    if (flags > 7) return in.fail(Errc::invalid, "unknown element segment flags", at);
    const bool active = (flags & 1) == 0;
    if (active && (flags & 2) != 0) in.u32();
    if (active) skip_const_expr(in);
    if ((flags & 3) != 0) {
      if ((flags & 4) != 0) {
        read_reference_type(in);
      } else {
        in.u8();
      }
    }
    read_element_items(in, (flags & 4) != 0);
  }
  out.info.element_segments = count;
}

void read_data(Reader& in, Module& out) {
  const std::uint32_t count = in.count(kSegmentsMax, "data segments");
  reserve_some(out.data_sizes, count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t at = in.offset();
    const std::uint32_t flags = in.u32();
    if (flags > 2) return in.fail(Errc::invalid, "unknown data segment flags", at);
    if (flags == 2) in.u32();
    if (flags != 1) skip_const_expr(in);
    const std::uint32_t size = in.u32();
    in.bytes(size);
    out.info.data_bytes += size;
    out.data_sizes.push_back(size);
  }
  out.info.data_segments = count;
}

void read_code(Reader& in, Module& out) {
  const std::uint64_t at = in.offset();
  const std::uint32_t count = in.count(kFunctionsMax, "function bodies");
  if (in.ok() && count != out.info.functions_defined) {
    return in.fail(Errc::invalid, "function and code sections differ in length", at);
  }
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t body = in.offset();
    const std::uint32_t size = in.u32();
    if (size > kFunctionBytesMax) {
      return in.fail(Errc::exhausted,
                     "function body of " + std::to_string(size) + " bytes, the most allowed is " +
                         std::to_string(kFunctionBytesMax),
                     body);
    }
    in.bytes(size);
    out.info.largest_function_bytes = std::max<std::uint64_t>(out.info.largest_function_bytes, size);
  }
}

void read_section(Reader& in, const Section& section, Module& out) {
  switch (section.id) {
    case SectionId::custom: {
      CustomSection custom;
      custom.name = in.name();
      custom.offset = in.offset();
      custom.size_bytes = in.left();
      out.info.custom_bytes += section.end - section.begin;
      if (in.ok()) out.info.custom_sections.push_back(std::move(custom));
      in.bytes(in.left());
      return;
    }
    case SectionId::type:
      return read_types(in, out);
    case SectionId::import:
      return read_imports(in, out);
    case SectionId::function:
      return read_functions(in, out);
    case SectionId::table:
      return read_tables(in, out);
    case SectionId::memory:
      return read_memories(in, out);
    case SectionId::tag:
      return unsupported(in, "exception handling", section.header);
    case SectionId::global:
      return read_globals(in, out);
    case SectionId::exports:
      return read_exports(in, out);
    case SectionId::start:
      out.info.start_function = in.u32();
      return;
    case SectionId::element:
      return read_elements(in, out);
    case SectionId::data_count:
      in.u32();
      return;
    case SectionId::code:
      out.info.code_bytes = section.end - section.begin;
      return read_code(in, out);
    case SectionId::data:
      return read_data(in, out);
  }
}

bool read_preamble(Reader& in) {
  constexpr std::array<std::uint8_t, 4> kMagic = {0x00, 0x61, 0x73, 0x6d};
  for (const std::uint8_t expected : kMagic) {
    if (in.u8() != expected || !in.ok()) {
      in.fail(Errc::invalid, "not a WebAssembly module: the first four bytes are not 00 61 73 6d,", 0);
      return false;
    }
  }
  const base::ByteView version = in.bytes(4);
  if (!in.ok()) return false;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(version[i]); };
  if (byte(2) == 1 && byte(3) == 0) {
    unsupported(in, "component model", 4);
    return false;
  }
  if (byte(0) != 1 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) {
    in.fail(Errc::invalid, "unknown version of the binary format", 4);
    return false;
  }
  return true;
}

// The next section's header, checked against the order; reads nothing of its contents.
bool read_header(Reader& in, int& rank, Section& section) {
  section.header = static_cast<std::uint32_t>(in.offset());
  const std::uint8_t id = in.u8();
  const std::uint32_t size = in.u32();
  if (!in.ok()) return false;
  if (id > static_cast<std::uint8_t>(SectionId::tag)) {
    in.fail(Errc::invalid, "unknown section " + std::to_string(id), section.header);
    return false;
  }
  if (size > in.left()) {
    in.fail(Errc::invalid, "section of " + std::to_string(size) + " bytes reaches past the end", section.header);
    return false;
  }
  section.id = static_cast<SectionId>(id);
  section.begin = static_cast<std::uint32_t>(in.offset());
  section.end = section.begin + size;
  if (section.id == SectionId::custom) return true;
  if (section_rank(section.id) <= rank) {
    in.fail(Errc::invalid, "section " + std::to_string(id) + " is repeated or out of order", section.header);
    return false;
  }
  rank = section_rank(section.id);
  return true;
}

}  // namespace

int section_rank(SectionId id) noexcept {
  constexpr std::array<int, 14> kRanks = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};
  return kRanks[static_cast<std::size_t>(id)];
}

base::Result<Module> parse(base::ByteView wasm) {
  if (wasm.size() > kModuleBytesMax) {
    return base::fail(Errc::exhausted, "module of " + std::to_string(wasm.size()) + " bytes, the most allowed is " +
                                           std::to_string(kModuleBytesMax));
  }
  Module out;
  out.info.size_bytes = wasm.size();
  Reader in(wasm);
  int rank = 0;
  bool has_code = false;
  if (!read_preamble(in)) return std::unexpected(in.error());
  while (in.ok() && !in.at_end()) {
    Section section;
    if (!read_header(in, rank, section)) break;
    if (out.sections.size() == kSectionsMax) {
      in.fail(Errc::exhausted, "more than " + std::to_string(kSectionsMax) + " sections", section.header);
      break;
    }
    Reader contents = in.sub(section.end - section.begin);
    read_section(contents, section, out);
    if (contents.ok() && !contents.at_end())
      contents.fail(Errc::invalid, "bytes left over in a section", contents.offset());
    if (!contents.ok()) return std::unexpected(contents.error());
    out.sections.push_back(section);
    has_code = has_code || section.id == SectionId::code;
  }
  if (!in.ok()) return std::unexpected(in.error());
  if (!has_code && out.info.functions_defined != 0) {
    return base::fail(Errc::invalid, at_offset("functions are declared but there is no code section", wasm.size()));
  }
  return out;
}

}  // namespace fusebox::engine::wasm
