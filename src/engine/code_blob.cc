#include "engine/code_blob.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

namespace fusebox::engine {
namespace {

constexpr std::string_view kMagic{"FBCODE\0\1", 8};  // the last byte is the version of this form
constexpr std::size_t kReserveMax = 1024;  // a damaged count reserves no more than this before its elements are seen

class Writer {
 public:
  void u64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) out_.push_back(static_cast<std::byte>(value >> shift));
  }
  void text(std::string_view text) { bytes(base::as_bytes(text)); }
  void bytes(base::ByteView view) {
    u64(view.size());
    raw(view);
  }
  void raw(base::ByteView view) { out_.insert(out_.end(), view.begin(), view.end()); }
  void optional(const std::optional<std::uint64_t>& value) {
    u64(value.has_value());
    u64(value.value_or(0));
  }
  template <class List, class Each>
  void list(const List& items, Each each) {
    u64(items.size());
    for (const auto& item : items) each(item);
  }
  base::Bytes take() { return std::move(out_); }

 private:
  base::Bytes out_;
};

// Reads nothing once something was wrong; ok() says so at the end.
class Reader {
 public:
  explicit Reader(base::ByteView bytes) : rest_(bytes) {}
  std::uint64_t u64() {
    const base::ByteView view = raw(8);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < view.size(); ++i) value |= std::to_integer<std::uint64_t>(view[i]) << (8 * i);
    return value;
  }
  std::uint32_t u32() { return static_cast<std::uint32_t>(u64()); }
  bool flag() { return u64() != 0; }
  base::ByteView raw(std::uint64_t size) {
    if (size > rest_.size()) ok_ = false;
    if (!ok_) return {};
    const base::ByteView view = rest_.first(size);
    rest_ = rest_.subspan(size);
    return view;
  }
  base::ByteView bytes() { return raw(u64()); }
  std::string text() { return std::string(base::as_text(bytes())); }
  std::optional<std::uint64_t> optional() {
    const bool has = flag();
    const std::uint64_t value = u64();
    return has ? std::optional(value) : std::nullopt;
  }
  template <class List, class Each>
  void list(List& items, Each each) {
    const std::uint64_t count = u64();
    items.reserve(std::min<std::uint64_t>(count, kReserveMax));
    for (std::uint64_t i = 0; i < count && ok_; ++i) items.push_back(each());
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  base::ByteView rest_;
  bool ok_ = true;
};

void write_function_type(Writer& out, const FuncType& type) {
  const auto each = [&](ValType value) { out.u64(static_cast<std::uint64_t>(value)); };
  out.list(type.params, each);
  out.list(type.results, each);
}
FuncType read_function_type(Reader& in) {
  FuncType type;
  const auto each = [&] { return static_cast<ValType>(in.u64()); };
  in.list(type.params, each);
  in.list(type.results, each);
  return type;
}

void write_memory(Writer& out, const MemoryType& memory) {
  out.u64(memory.pages_min);
  out.optional(memory.pages_max);
  out.u64(memory.is64);
  out.u64(memory.shared);
}
MemoryType read_memory(Reader& in) {
  MemoryType memory;
  memory.pages_min = in.u64();
  memory.pages_max = in.optional();
  memory.is64 = in.flag();
  memory.shared = in.flag();
  return memory;
}

void write_table(Writer& out, const TableType& table) {
  out.u64(static_cast<std::uint64_t>(table.element));
  out.u64(table.elements_min);
  out.optional(table.elements_max);
}
TableType read_table(Reader& in) {
  TableType table;
  table.element = static_cast<ValType>(in.u64());
  table.elements_min = in.u64();
  table.elements_max = in.optional();
  return table;
}

void write_import(Writer& out, const Import& import) {
  out.text(import.module);
  out.text(import.field);
  out.u64(static_cast<std::uint64_t>(import.kind));
  write_function_type(out, import.function);
  write_memory(out, import.memory);
  write_table(out, import.table);
  out.u64(static_cast<std::uint64_t>(import.global.type));
  out.u64(import.global.is_mutable);
}
Import read_import(Reader& in) {
  Import import;
  import.module = in.text();
  import.field = in.text();
  import.kind = static_cast<ExternKind>(in.u64());
  import.function = read_function_type(in);
  import.memory = read_memory(in);
  import.table = read_table(in);
  import.global.type = static_cast<ValType>(in.u64());
  import.global.is_mutable = in.flag();
  return import;
}

void write_export(Writer& out, const Export& item) {
  out.text(item.name);
  out.u64(static_cast<std::uint64_t>(item.kind));
  out.u64(item.index);
  write_function_type(out, item.function);
}
Export read_export(Reader& in) {
  Export item;
  item.name = in.text();
  item.kind = static_cast<ExternKind>(in.u64());
  item.index = in.u32();
  item.function = read_function_type(in);
  return item;
}

void write_info(Writer& out, const ModuleInfo& info) {
  out.list(info.types, [&](const FuncType& type) { write_function_type(out, type); });
  out.list(info.imports, [&](const Import& import) { write_import(out, import); });
  out.list(info.exports, [&](const Export& item) { write_export(out, item); });
  out.list(info.memories, [&](const MemoryType& memory) { write_memory(out, memory); });
  out.list(info.tables, [&](const TableType& table) { write_table(out, table); });
  out.optional(info.start_function ? std::optional<std::uint64_t>(*info.start_function) : std::nullopt);
  out.list(info.custom_sections, [&](const CustomSection& section) {
    out.text(section.name);
    out.u64(section.offset);
    out.u64(section.size_bytes);
  });
  for (const std::uint64_t count :
       {info.functions_defined, info.globals_defined, info.data_segments, info.element_segments})
    out.u64(count);
  for (const std::uint64_t size :
       {info.size_bytes, info.code_bytes, info.data_bytes, info.custom_bytes, info.largest_function_bytes}) {
    out.u64(size);
  }
}
ModuleInfo read_info(Reader& in) {
  ModuleInfo info;
  in.list(info.types, [&] { return read_function_type(in); });
  in.list(info.imports, [&] { return read_import(in); });
  in.list(info.exports, [&] { return read_export(in); });
  in.list(info.memories, [&] { return read_memory(in); });
  in.list(info.tables, [&] { return read_table(in); });
  if (const auto start = in.optional()) info.start_function = static_cast<std::uint32_t>(*start);
  in.list(info.custom_sections, [&] {
    CustomSection section;
    section.name = in.text();
    section.offset = in.u64();
    section.size_bytes = in.u64();
    return section;
  });
  for (std::uint32_t* count :
       {&info.functions_defined, &info.globals_defined, &info.data_segments, &info.element_segments})
    *count = in.u32();
  for (std::uint64_t* size :
       {&info.size_bytes, &info.code_bytes, &info.data_bytes, &info.custom_bytes, &info.largest_function_bytes}) {
    *size = in.u64();
  }
  return info;
}

}  // namespace

base::Bytes encode_code(const CodeBlob& blob, std::string_view code_identity) {
  Writer out;
  out.raw(base::as_bytes(kMagic));
  out.text(code_identity);
  out.raw(blob.hash.view());
  write_info(out, blob.info);
  out.u64(blob.metered);
  out.u64(static_cast<std::uint64_t>(blob.code_shift));
  out.bytes(blob.metered ? blob.map.encode() : base::Bytes{});
  out.bytes(blob.compiled);
  return out.take();
}

base::Result<CodeBlob> decode_code(base::ByteView bytes, std::string_view code_identity) {
  Reader in(bytes);
  if (base::as_text(in.raw(kMagic.size())) != kMagic)
    return base::fail(base::Errc::corrupt, "compiled code: not in Fusebox's form");
  const std::string identity = in.text();
  if (in.ok() && identity != code_identity) {
    return base::fail(base::Errc::stale, "compiled code was made by another engine or with other settings (" +
                                             identity + "); this one is " + std::string(code_identity) +
                                             "; compile the module again");
  }
  CodeBlob blob;
  const base::ByteView hash = in.raw(blob.hash.bytes.size());
  if (in.ok()) std::memcpy(blob.hash.bytes.data(), hash.data(), hash.size());
  blob.info = read_info(in);
  blob.metered = in.flag();
  blob.code_shift = static_cast<std::int64_t>(in.u64());
  const base::ByteView map = in.bytes();
  blob.compiled = in.bytes();
  if (!in.ok() || !in.at_end()) return base::fail(base::Errc::corrupt, "compiled code: cut off or damaged");
  if (blob.metered) {
    FB_TRY(blob.map, MeterMap::decode(map));
  }
  return blob;
}

}  // namespace fusebox::engine
