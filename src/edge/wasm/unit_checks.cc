#include "edge/wasm/unit_checks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace fusebox::edge {
namespace {

constexpr std::array<std::string_view, 3> kExportNames = {"module_step", "module_init", "module_deinit"};

bool begins_with(base::ByteView bytes, std::string_view head) noexcept {
  return base::as_text(bytes).starts_with(head);
}

LoadEnd refuse(LoadEnd end, ErrorText& error, std::string_view text) {
  set_text(error, text);
  return end;
}

LoadEnd check_exports(const engine::ModuleInfo& info, ErrorText& error) {
  const engine::Export* step = info.find_export(export_name(Export::step));
  if (step == nullptr || step->kind != engine::ExternKind::function) return LoadEnd::no_step;
  for (const std::string_view name : kExportNames) {
    const engine::Export* item = info.find_export(name);
    if (item == nullptr) continue;
    const bool fits = item->kind == engine::ExternKind::function && item->function == engine::FuncType{};
    if (!fits) return refuse(LoadEnd::export_type, error, name);
  }
  return LoadEnd::ok;
}

// "" when the import can be answered.
std::string why_not_linked(const engine::Import& import, const UnitLimits& limits, const ImportBridge& bridge) {
  if (import.kind != engine::ExternKind::function) return "not a function";
  const ImportBridge::Offer* offer = bridge.find(import.module, import.field);
  const bool provided = offer != nullptr && (offer->group->always || (limits.groups & offer->group->capability) != 0);
  if (!provided) return "not provided";
  if (bridge.type_of(*offer) != import.function) return "type mismatch";
  if (limits.strict_imports && (limits.granted & offer->row->capability) == 0)
    return std::string("needs the capability ") + offer->row->capability_name;
  return {};
}

}  // namespace

std::string_view export_name(Export which) noexcept {
  return kExportNames[static_cast<std::size_t>(which)];
}

void set_text(ErrorText& error, std::string_view text) {
  std::string line = base::to_utf8(text);
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  const std::string_view cut = base::utf8_prefix(line, sizeof error.text - 1);
  std::memcpy(error.text, cut.data(), cut.size());
  error.text[cut.size()] = '\0';
}

std::string_view why_not_wasm(base::ByteView bytes) noexcept {
  using namespace std::string_view_literals;
  if (begins_with(bytes, "\0aot"sv)) return "WAMR AOT image; load the .wasm it was built from";
  if (!begins_with(bytes, "\0asm"sv)) return "magic header not detected";
  if (begins_with(bytes, "\0asm\x0d\0\1\0"sv)) return "component binary; load a core module";
  if (!begins_with(bytes, "\0asm\1\0\0\0"sv)) return "unknown binary version";
  return {};
}

LoadEnd check_module(const engine::ModuleInfo& info, std::uint32_t heap_pages, const UnitLimits& limits,
                     const ImportBridge& bridge, ErrorText& error) {
  if (const LoadEnd end = check_exports(info, error); end != LoadEnd::ok) return end;
  for (const engine::Import& import : info.imports) {
    const std::string why = why_not_linked(import, limits, bridge);
    if (!why.empty())
      return refuse(LoadEnd::not_linked, error, "import " + import.module + "." + import.field + " " + why);
  }
  for (const engine::MemoryType& memory : info.memories) {
    const std::uint64_t own_pages = memory.pages_min - heap_pages;
    if (own_pages <= limits.pages_max) continue;
    return refuse(
        LoadEnd::not_linked, error,
        "memory min " + std::to_string(own_pages) + " pages exceeds policy max " + std::to_string(limits.pages_max));
  }
  return LoadEnd::ok;
}

}  // namespace fusebox::edge
