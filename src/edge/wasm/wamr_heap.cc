#include "edge/wasm/wamr_heap.h"

#include <optional>

#include "engine/call_limits.h"
#include "engine/inspect.h"

namespace fusebox::edge {
namespace {

constexpr std::size_t kHeaderBytes = 8;
constexpr std::uint32_t kPagesMost = 65536;
constexpr std::byte kMemorySection{5};

// Reads what a validator would accept; anything else ends it.
class Reader {
 public:
  Reader(base::ByteView bytes, std::size_t at) : bytes_(bytes), at_(at) {}
  std::size_t at() const { return at_; }
  bool at_end() const { return at_ >= bytes_.size(); }
  std::optional<std::byte> byte() {
    if (at_end()) return std::nullopt;
    return bytes_[at_++];
  }
  std::optional<std::uint32_t> number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      const std::optional<std::byte> next = byte();
      if (!next) return std::nullopt;
      value |= std::uint64_t{std::to_integer<std::uint8_t>(*next & std::byte{0x7f})} << shift;
      if ((*next & std::byte{0x80}) != std::byte{0}) continue;
      return value <= UINT32_MAX ? std::optional(static_cast<std::uint32_t>(value)) : std::nullopt;
    }
    return std::nullopt;
  }
  bool skip(std::uint32_t count) {
    if (!base::in_bounds(at_, count, bytes_.size())) return false;
    at_ += count;
    return true;
  }

 private:
  base::ByteView bytes_;
  std::size_t at_;
};

void append_number(base::Bytes& out, std::uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(std::byte(value & 0x7f) | std::byte{0x80});
  out.push_back(std::byte(value));
}

struct Section {
  std::size_t begin;  // of its id
  std::size_t end;
};

std::optional<Section> find_memory_section(base::ByteView wasm) {
  Reader reader(wasm, kHeaderBytes);
  while (!reader.at_end()) {
    const std::size_t begin = reader.at();
    const auto id = reader.byte();
    const auto size = reader.number();
    if (!id || !size || !reader.skip(*size)) return std::nullopt;
    if (*id == kMemorySection) return Section{begin, reader.at()};
  }
  return std::nullopt;
}

base::Bytes memory_section(const engine::MemoryType& memory, std::uint32_t more_pages) {
  base::Bytes content;
  append_number(content, 1);
  append_number(content, memory.pages_max ? 1 : 0);
  append_number(content, static_cast<std::uint32_t>(memory.pages_min) + more_pages);
  if (memory.pages_max) append_number(content, static_cast<std::uint32_t>(*memory.pages_max) + more_pages);
  base::Bytes section{kMemorySection};
  append_number(section, static_cast<std::uint32_t>(content.size()));
  section.insert(section.end(), content.begin(), content.end());
  return section;
}

bool exports_function(const engine::ModuleInfo& info, std::string_view name) {
  const engine::Export* item = info.find_export(name);
  return item != nullptr && item->kind == engine::ExternKind::function;
}

// Whether the module defines the one plain memory it has, and brings no allocator of its own.
bool wants_heap(const engine::ModuleInfo& info) {
  if (info.memories.size() != 1 || info.memories[0].is64 || info.memories[0].shared) return false;
  for (const engine::Import& import : info.imports) {
    if (import.kind == engine::ExternKind::memory) return false;
  }
  return !exports_function(info, "malloc") || !exports_function(info, "free");
}

}  // namespace

base::Result<WithHeap> with_wamr_heap(base::ByteView wasm, std::uint32_t heap_bytes) {
  const auto info = engine::inspect(wasm);
  if (!info || heap_bytes == 0 || !wants_heap(*info)) return WithHeap{};
  const engine::MemoryType& memory = info->memories[0];
  if (memory.pages_min == 1 && memory.pages_max == 1) {
    return base::fail(base::Errc::unsupported,
                      "wamr_heap_compat: a memory of exactly one page cannot be widened; link the module with a larger "
                      "maximum memory");
  }
  const auto pages =
      static_cast<std::uint32_t>((std::uint64_t{heap_bytes} + engine::kWasmPageBytes - 1) / engine::kWasmPageBytes);
  if (memory.pages_max.value_or(memory.pages_min) + pages > kPagesMost)
    return base::fail(base::Errc::exhausted, "wamr_heap_compat: memory and heap exceed 4 GiB");
  const std::optional<Section> section = find_memory_section(wasm);
  if (!section) return WithHeap{};
  WithHeap out{.wasm = {}, .pages = pages};
  const base::Bytes wider = memory_section(memory, pages);
  const auto at = [&](std::size_t offset) { return wasm.begin() + static_cast<std::ptrdiff_t>(offset); };
  out.wasm.assign(wasm.begin(), at(section->begin));
  out.wasm.insert(out.wasm.end(), wider.begin(), wider.end());
  out.wasm.insert(out.wasm.end(), at(section->end), wasm.end());
  return out;
}

}  // namespace fusebox::edge
