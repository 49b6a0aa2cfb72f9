#include "engine/inspect.h"

#include <algorithm>

#include "engine/wasm/module.h"
#include "engine/wasm/reader.h"

namespace fusebox::engine {
namespace {

std::string list_text(const std::vector<ValType>& types) {
  std::string text = "(";
  for (const ValType type : types) {
    if (text.size() > 1) text += ", ";
    text += to_string(type);
  }
  return text + ")";
}

}  // namespace

std::string_view to_string(ValType type) noexcept {
  switch (type) {
    case ValType::i32:
      return "i32";
    case ValType::i64:
      return "i64";
    case ValType::f32:
      return "f32";
    case ValType::f64:
      return "f64";
    case ValType::v128:
      return "v128";
    case ValType::funcref:
      return "funcref";
    case ValType::externref:
      return "externref";
  }
  return "unknown";
}

std::string_view to_string(ExternKind kind) noexcept {
  switch (kind) {
    case ExternKind::function:
      return "function";
    case ExternKind::table:
      return "table";
    case ExternKind::memory:
      return "memory";
    case ExternKind::global:
      return "global";
    case ExternKind::tag:
      return "tag";
  }
  return "unknown";
}

std::string FuncType::text() const {
  const std::string to = results.size() == 1 ? std::string(to_string(results[0])) : list_text(results);
  return list_text(params) + " -> " + to;
}

const Export* ModuleInfo::find_export(std::string_view name) const noexcept {
  const auto found = std::ranges::find(exports, name, &Export::name);
  return found == exports.end() ? nullptr : &*found;
}

base::Result<ModuleInfo> inspect(base::ByteView wasm) {
  FB_TRY(wasm::Module module, wasm::parse(wasm));
  return std::move(module.info);
}

std::optional<base::ByteView> custom_section(base::ByteView wasm, std::string_view name) {
  wasm::Reader in(wasm.size() < wasm::kPreambleBytes ? base::ByteView{} : wasm.subspan(wasm::kPreambleBytes));
  while (in.ok() && !in.at_end()) {
    const std::uint8_t id = in.u8();
    wasm::Reader contents = in.sub(in.u32());
    if (id != static_cast<std::uint8_t>(wasm::SectionId::custom) || !in.ok()) continue;
    if (contents.name() == name && contents.ok()) return contents.bytes(contents.left());
  }
  return std::nullopt;
}

}  // namespace fusebox::engine
