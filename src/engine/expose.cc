#include "engine/expose.h"

#include <algorithm>

#include "engine/wasm/module.h"
#include "engine/wasm/reader.h"
#include "engine/wasm/writer.h"

namespace fusebox::engine {
namespace {

using wasm::SectionId;

class Exposer {
 public:
  Exposer(base::ByteView wasm, const ModuleInfo& info) : reader_(wasm), info_(info) {
    writer_.reserve(wasm.size() + kRoomBytes);
  }

  base::Result<Exposed> run() {
    writer_.bytes(reader_.bytes(wasm::kPreambleBytes));
    while (reader_.ok() && !reader_.at_end()) section();
    if (!reader_.ok()) return base::fail(reader_.error());
    insert_exports();
    return Exposed{writer_.take(), code_shift_};
  }

 private:
  static constexpr std::size_t kRoomBytes = 64;  // two export entries and a longer size

  void section() {
    const auto id = static_cast<SectionId>(reader_.u8());
    const std::uint32_t size = reader_.u32();
    const std::uint64_t begin = reader_.offset();
    const base::ByteView contents = reader_.bytes(size);
    if (id == SectionId::start) return;
    if (id == SectionId::exports) return exports(contents);
    if (id != SectionId::custom && wasm::section_rank(id) > wasm::section_rank(SectionId::exports)) insert_exports();
    writer_.u8(static_cast<std::uint8_t>(id));
    writer_.u32(size);
    if (id == SectionId::code)
      code_shift_ = static_cast<std::int64_t>(writer_.offset()) - static_cast<std::int64_t>(begin);
    writer_.bytes(contents);
  }

  void insert_exports() {
    if (!exports_written_) exports({});
  }

  void exports(base::ByteView contents) {
    exports_written_ = true;
    wasm::Reader entries(contents);
    const std::uint32_t count = contents.empty() ? 0 : entries.u32();
    const bool memory = must_expose_memory(info_);
    wasm::Writer body;
    body.u32(count + (memory ? 1u : 0u) + (info_.start_function ? 1u : 0u));
    body.bytes(entries.bytes(entries.left()));
    if (memory) entry(body, kMemoryExport, ExternKind::memory, 0);
    if (info_.start_function) entry(body, kStartExport, ExternKind::function, *info_.start_function);
    const base::Bytes bytes = body.take();
    writer_.u8(static_cast<std::uint8_t>(SectionId::exports));
    writer_.u32(bytes.size());
    writer_.bytes(bytes);
  }

  static void entry(wasm::Writer& out, std::string_view name, ExternKind kind, std::uint32_t index) {
    out.name(name);
    out.u8(static_cast<std::uint8_t>(kind));
    out.u32(index);
  }

  wasm::Reader reader_;
  wasm::Writer writer_;
  const ModuleInfo& info_;
  bool exports_written_ = false;
  std::int64_t code_shift_ = 0;
};

}  // namespace

bool must_expose_memory(const ModuleInfo& info) noexcept {
  const auto names_it = [](const Export& item) { return item.kind == ExternKind::memory && item.index == 0; };
  return !info.memories.empty() && std::ranges::none_of(info.exports, names_it);
}

base::Result<Exposed> expose(base::ByteView wasm, const ModuleInfo& info) {
  if (!info.start_function && !must_expose_memory(info)) return Exposed{base::Bytes(wasm.begin(), wasm.end()), 0};
  return Exposer(wasm, info).run();
}

}  // namespace fusebox::engine
