#include "engine/meter.h"

#include <algorithm>

#include "engine/limits.h"
#include "engine/meter/again.h"
#include "engine/meter/body.h"
#include "engine/meter/emitter.h"
#include "engine/meter/function.h"
#include "engine/meter/helpers.h"
#include "engine/meter/plan.h"
#include "engine/wasm/module.h"
#include "engine/wasm/reader.h"
#include "engine/wasm/writer.h"

namespace fusebox::engine {
namespace {

using base::Errc;
using metering::Body;
using metering::Emitter;
using metering::Plan;
using wasm::Reader;
using wasm::Section;
using wasm::section_rank;
using wasm::SectionId;

constexpr std::uint8_t kFunctionForm = 0x60;
constexpr std::uint8_t kWithMaximum = 0x01;
constexpr std::uint8_t kWithPageSize = 0x08;

base::Error not_accepted(std::string_view proposal) {
  std::string message = "uses the ";
  message.append(proposal).append(" proposal, which is not accepted");
  return {Errc::unsupported, std::move(message), {}, nullptr};
}

base::Result<void> check_accepted(const ModuleInfo& info) {
  for (const MemoryType& memory : info.memories) {
    if (memory.shared) return base::fail(not_accepted("threads"));
    if (memory.is64) return base::fail(not_accepted("memory64"));
    if (memory.byte_pages) return base::fail(not_accepted("custom page sizes"));
  }
  if (info.memories.size() > 1) return base::fail(not_accepted("multi-memory"));
  for (const Import& import : info.imports) {
    if (import.kind == ExternKind::tag) return base::fail(not_accepted("exception handling"));
  }
  if (info.find_export(kMeterExport) != nullptr) {
    return base::fail(Errc::invalid,
                      "exports the name \"" + std::string(kMeterExport) + "\", which is reserved for the meter");
  }
  return {};
}

// Writes the whole module, section by section.
class Rewriter {
 public:
  Rewriter(base::ByteView wasm, const wasm::Module& module, const MeterOptions& options)
      : wasm_(wasm), module_(module), out_(wasm, writer_, map_, meter_memory(module)) {
    plan_.mode = options.mode;
    if (options.unroll) growth_left_ = wasm.size() + kSmallModuleBytes;
    plan_.meter_memory = meter_memory(module);
    plan_.again = metering::plan_again(module, options.may_ask_again);
    for (const Section& section : module.sections) {
      if (section.id == SectionId::code) plan_.helpers = metering::plan_helpers(contents(section), module);
    }
    plan_helper_type();
    plan_.helpers_begin = static_cast<std::uint32_t>(module.function_types.size()) + (plan_.again.any() ? 1 : 0);
    plan_.again.wrappers_begin = plan_.helpers_begin + static_cast<std::uint32_t>(plan_.helpers.size());
    if (plan_.again.wait_type_is_new && helper_type_is_added()) ++plan_.again.wait_type;
  }

  base::Result<Metered> run() {
    writer_.reserve(wasm_.size() + wasm_.size() / 2 + kSmallModuleBytes);
    writer_.bytes(wasm_.first(wasm::kPreambleBytes));
    for (const Section& section : module_.sections) {
      FB_CHECK(rewrite(section));
      if (writer_.offset() > kMeteredBytesMax) return too_large();
    }
    insert_missing(kAfterAll);
    return Metered{writer_.take(), std::move(map_)};
  }

 private:
  static constexpr std::uint64_t kSmallModuleBytes = 64 * 1024;
  static constexpr int kAfterAll = 100;

  static std::uint32_t meter_memory(const wasm::Module& module) {
    return static_cast<std::uint32_t>(module.info.memories.size());
  }

  static std::unexpected<base::Error> too_large() {
    return base::fail(Errc::exhausted,
                      "metered module would be larger than " + std::to_string(kMeteredBytesMax) + " bytes");
  }

  base::ByteView contents(const Section& section) const {
    return wasm_.subspan(section.begin, section.end - section.begin);
  }

  void plan_helper_type() {
    const FuncType wanted{{ValType::i32, ValType::i32, ValType::i32}, {}};
    const auto& types = module_.info.types;
    const auto found = std::ranges::find(types, wanted);
    plan_.helper_type = static_cast<std::uint32_t>(found - types.begin());
    plan_.helper_type_is_new = found == types.end();
  }

  base::Result<void> rewrite(const Section& section) {
    if (section.id != SectionId::custom) insert_missing(section_rank(section.id));
    switch (section.id) {
      case SectionId::type:
        return with_more(section, types_added(), [this] { types(); }), ok();
      case SectionId::function:
        return with_more(section, functions_added(), [this] { functions(); }), ok();
      case SectionId::memory:
        return with_more(section, 1, [this] { memory(); }), ok();
      case SectionId::exports:
        return exports(section), ok();
      case SectionId::code:
        return code(section);
      case SectionId::custom:
        if (speaks_of_code_offsets(section)) return ok();
        break;
      default:
        break;
    }
    if (plan_.again.any() && moved(section)) return ok();
    writer_.bytes(wasm_.subspan(section.header, section.end - section.header));
    return ok();
  }

  // Whether it is a section that names functions; then it has been written, with their new indices.
  bool moved(const Section& section) {
    switch (section.id) {
      case SectionId::import:
        with_more(section, 1, [this] { wait_import(); });
        return true;
      case SectionId::global:
        rewritten(section, [this](Reader& in) { metering::move_globals(in, writer_, plan_.again); });
        return true;
      case SectionId::start:
        rewritten(section, [this](Reader& in) { writer_.u32(plan_.again.moved(in.u32())); });
        return true;
      case SectionId::element:
        rewritten(section, [this](Reader& in) { metering::move_elements(in, writer_, plan_.again); });
        return true;
      case SectionId::custom: {
        constexpr std::string_view kNames = "name";
        if (Reader(contents(section), section.begin).name() != kNames) return false;
        rewritten(section, [this](Reader& in) {
          writer_.name(in.name());
          metering::move_names(in, writer_, plan_.again);
        });
        return true;
      }
      default:
        return false;
    }
  }

  template <class Write>
  void rewritten(const Section& section, Write write) {
    Reader in(contents(section), section.begin);
    writer_.u8(static_cast<std::uint8_t>(section.id));
    const std::uint64_t opened = writer_.open_size();
    write(in);
    writer_.close_size(opened);
  }

  static base::Result<void> ok() { return {}; }

  // Hints keyed by offsets inside functions are wrong after the rewriting, and an engine would believe them.
  bool speaks_of_code_offsets(const Section& section) const {
    Reader in(contents(section), section.begin);
    return in.name().starts_with("metadata.code.");
  }

  // The section's list with `count` more entries, which `append` writes.
  template <class Append>
  void with_more(const Section& section, std::uint64_t count, Append append) {
    written_rank_ = section_rank(section.id);
    if (count == 0) return writer_.bytes(wasm_.subspan(section.header, section.end - section.header));
    Reader in(contents(section), section.begin);
    const std::uint32_t present = in.u32();
    writer_.u8(static_cast<std::uint8_t>(section.id));
    const std::uint64_t opened = writer_.open_size();
    writer_.u32(present + count);
    writer_.bytes(in.bytes(in.left()));
    append();
    writer_.close_size(opened);
  }

  template <class Write>
  void insert_if_missing(SectionId id, int next_rank, std::uint64_t count, Write write) {
    const int rank = section_rank(id);
    if (written_rank_ >= rank || next_rank <= rank || count == 0) return;
    writer_.u8(static_cast<std::uint8_t>(id));
    const std::uint64_t opened = writer_.open_size();
    writer_.u32(count);
    write();
    writer_.close_size(opened);
    written_rank_ = rank;
  }

  // These sections must exist where something is added to them; they are put before the first that comes after them.
  void insert_missing(int next_rank) {
    insert_if_missing(SectionId::function, next_rank, functions_added(), [this] { functions(); });
    insert_if_missing(SectionId::memory, next_rank, 1, [this] { memory(); });
    insert_if_missing(SectionId::exports, next_rank, 1, [this] { meter_export(); });
    insert_if_missing(SectionId::code, next_rank, functions_added(), [this] { own_code(); });
  }

  // Pages of one byte: a whole page would have the kernel asked to empty it after every instance.
  void memory() {
    writer_.u8(kWithMaximum | kWithPageSize);
    writer_.u32(kMeterBytes);
    writer_.u32(kMeterBytes);
    writer_.u32(0);  // log2 of the page size
  }

  void meter_export() {
    writer_.name(kMeterExport);
    writer_.u8(static_cast<std::uint8_t>(ExternKind::memory));
    writer_.u32(plan_.meter_memory);
  }

  void exports(const Section& section) {
    if (!plan_.again.any()) return with_more(section, 1, [this] { meter_export(); });
    rewritten(section, [this](Reader& in) {
      writer_.u32(in.u32() + 1);
      metering::move_exports(in, writer_, plan_.again);
      meter_export();
    });
    written_rank_ = section_rank(SectionId::exports);
  }

  bool helper_type_is_added() const noexcept { return !plan_.helpers.empty() && plan_.helper_type_is_new; }
  bool wait_type_is_added() const noexcept { return plan_.again.any() && plan_.again.wait_type_is_new; }
  std::uint64_t types_added() const noexcept {
    return (helper_type_is_added() ? 1u : 0u) + (wait_type_is_added() ? 1u : 0u);
  }

  void types() {
    if (helper_type_is_added()) {
      writer_.u8(kFunctionForm);
      writer_.u32(3);
      for (int i = 0; i < 3; ++i) writer_.u8(static_cast<std::uint8_t>(ValType::i32));
      writer_.u32(0);
    }
    if (wait_type_is_added()) {
      writer_.u8(kFunctionForm);
      writer_.u32(0);
      writer_.u32(0);
    }
  }

  void wait_import() {
    writer_.name(kWaitModule);
    writer_.name(kWaitField);
    writer_.u8(static_cast<std::uint8_t>(ExternKind::function));
    writer_.u32(plan_.again.wait_type);
  }

  std::uint64_t functions_added() const noexcept { return plan_.helpers.size() + plan_.again.imports.size(); }

  void functions() {
    for (std::size_t i = 0; i < plan_.helpers.size(); ++i) writer_.u32(plan_.helper_type);
    for (const std::uint32_t import : plan_.again.imports) writer_.u32(module_.function_types[import]);
  }

  void own_code() {
    for (const metering::Helper& helper : plan_.helpers) metering::write_helper(out_, plan_, module_, helper);
    for (const std::uint32_t import : plan_.again.imports) metering::write_wrapper(out_, plan_.again, module_, import);
  }

  base::Result<void> code(const Section& section) {
    Reader in(contents(section), section.begin);
    const std::uint32_t count = in.u32();
    writer_.u8(static_cast<std::uint8_t>(SectionId::code));
    const std::uint64_t opened = writer_.open_size();
    writer_.u32(count + functions_added());
    for (std::uint32_t i = 0; i < count; ++i) {
      FB_CHECK(function(in, module_.functions_imported + i));
      if (writer_.offset() > kMeteredBytesMax) return too_large();
    }
    own_code();
    writer_.close_size(opened);
    written_rank_ = section_rank(SectionId::code);
    return {};
  }

  base::Result<void> function(Reader& in, std::uint32_t index) {
    const std::uint32_t size = in.u32();
    Reader bytes = in.sub(size);
    metering::read_body(bytes, module_, module_.info.types[module_.function_types[index]], body_);
    if (!bytes.ok()) return std::unexpected(bytes.error());
    std::uint64_t no_growth = 0;
    if (write(growth_left_) || write(no_growth)) return {};
    return base::fail(Errc::exhausted, "function " + std::to_string(index) + " of " + std::to_string(size) +
                                           " bytes would be larger than " + std::to_string(kFunctionBytesMax) +
                                           " bytes when metered");
  }

  // False when the function came out larger than an engine takes; then nothing of it is left.
  bool write(std::uint64_t& growth_left) {
    const std::uint64_t begin = writer_.offset();
    const std::size_t checks = map_.checks.size();
    const std::size_t refunds = map_.refunds.size();
    const std::size_t origins = map_.origins.size();
    metering::write_function(out_, plan_, wasm_, body_, growth_left, map_);
    if (writer_.offset() - begin <= kFunctionBytesMax) return true;
    writer_.truncate(begin);
    map_.checks.resize(checks);
    map_.refunds.resize(refunds);
    map_.origins.resize(origins);
    return false;
  }

  base::ByteView wasm_;
  const wasm::Module& module_;
  wasm::Writer writer_;
  MeterMap map_;
  Plan plan_;
  Emitter out_;
  Body body_;
  int written_rank_ = 0;
  std::uint64_t growth_left_ =
      0;  // bytes that copies of loops may still add: a module of nothing but loops does not explode
};

}  // namespace

base::Result<Metered> meter(base::ByteView wasm, const MeterOptions& options) {
  FB_TRY(const wasm::Module module, wasm::parse(wasm));
  FB_CHECK(check_accepted(module.info));
  return Rewriter(wasm, module, options).run();
}

}  // namespace fusebox::engine
