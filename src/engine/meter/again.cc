#include "engine/meter/again.h"

#include <algorithm>

#include "engine/limits.h"

namespace fusebox::engine {

bool may_ask_again(const Import& import, std::span<const std::string> which) noexcept {
  if (import.kind != ExternKind::function || import.function.results.size() != 1 ||
      import.function.results[0] != ValType::i32)
    return false;
  return std::ranges::any_of(which, [&](std::string_view name) {
    if (!name.starts_with(import.module)) return false;
    name.remove_prefix(import.module.size());
    return name.empty() || (name.starts_with('.') && name.substr(1) == import.field);
  });
}

bool any_may_ask_again(const ModuleInfo& info, std::span<const std::string> which) noexcept {
  return std::ranges::any_of(info.imports, [&](const Import& import) { return may_ask_again(import, which); });
}

namespace metering {
namespace {

using wasm::Instruction;
using wasm::Op;
using wasm::Reader;
using wasm::Writer;

void copy_since(const std::byte* begin, const Reader& in, Writer& out) {
  out.bytes(base::ByteView(begin, static_cast<std::size_t>(in.position() - begin)));
}

void move_function(Reader& in, Writer& out, const Again& again) {
  out.u32(again.moved(in.u32()));
}

std::uint32_t copy_u32(Reader& in, Writer& out) {
  const std::uint32_t value = in.u32();
  out.u32(value);
  return value;
}

void move_const_expr(Reader& in, Writer& out, const Again& again) {
  while (in.ok()) {
    const std::byte* const begin = in.position();
    const Instruction instruction = read_instruction(in);
    if (instruction.op == Op::ref_func) {
      out.u8(static_cast<std::uint8_t>(Op::ref_func));
      out.u32(again.moved(instruction.index));
    } else {
      copy_since(begin, in, out);
    }
    if (instruction.op == Op::end) return;
  }
}

// Lists of (function index, something) of the name section; `rest` copies the something.
template <class Rest>
void move_name_map(Reader& in, Writer& out, const Again& again, Rest rest) {
  const std::uint32_t count = in.count(kFunctionsMax, "names");
  out.u32(count);
  // By their new numbers: a wrapper takes its import's name, and stands behind all others.
  Writer behind;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint32_t function = in.u32();
    const std::uint32_t moved = again.moved(function);
    Writer& to = function < again.imported && moved != function ? behind : out;
    to.u32(moved);
    rest(in, to);
  }
  out.bytes(behind.take());
}

void copy_name(Reader& in, Writer& out) {
  out.name(in.name());
}

void copy_inner_names(Reader& in, Writer& out) {
  const std::uint32_t count = in.count(kLocalsMax, "names");
  out.u32(count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    copy_u32(in, out);
    copy_name(in, out);
  }
}

}  // namespace

std::uint32_t Again::moved(std::uint32_t function) const noexcept {
  if (function >= imported) return any() ? function + 1 : function;
  const auto found = std::ranges::lower_bound(imports, function);
  if (found == imports.end() || *found != function) return function;
  return wrappers_begin + static_cast<std::uint32_t>(found - imports.begin());
}

Again plan_again(const wasm::Module& module, std::span<const std::string> which) {
  Again again;
  for (const Import& import : module.info.imports) {
    if (import.kind != ExternKind::function) continue;
    if (may_ask_again(import, which)) again.imports.push_back(again.imported);
    ++again.imported;
  }
  const auto& types = module.info.types;
  const auto found = std::ranges::find(types, FuncType{});
  again.wait_type = static_cast<std::uint32_t>(found - types.begin());
  again.wait_type_is_new = found == types.end();
  return again;
}

void write_wrapper(Emitter& out, const Again& again, const wasm::Module& module, std::uint32_t import) {
  const auto params = static_cast<std::uint32_t>(module.info.types[module.function_types[import]].params.size());
  const std::uint32_t answer = params;  // the local behind the parameters
  out.insert_at(0);
  const std::uint64_t opened = out.out().open_size();
  out.out().u32(1);
  out.out().u32(1);
  out.out().u8(static_cast<std::uint8_t>(ValType::i32));
  out.op(Op::loop);
  out.out().u8(static_cast<std::uint8_t>(ValType::i32));
  for (std::uint32_t i = 0; i < params; ++i) out.op(Op::local_get, i);
  out.op(Op::call, import);
  out.op(Op::local_tee, answer);
  out.i32_const(kCallAgain);
  out.op(Op::i32_eq);
  out.block(Op::if_);
  out.op(Op::call, again.imported);
  out.op(Op::br, 1);
  out.op(Op::end);
  out.op(Op::local_get, answer);
  out.op(Op::end);
  out.op(Op::end);
  out.out().close_size(opened);
}

void move_globals(Reader& in, Writer& out, const Again& again) {
  const std::uint32_t count = copy_u32(in, out);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::byte* const begin = in.position();
    wasm::read_value_type(in);
    in.u8();
    copy_since(begin, in, out);
    move_const_expr(in, out, again);
  }
}

void move_exports(Reader& in, Writer& out, const Again& again) {
  while (in.ok() && !in.at_end()) {
    out.name(in.name());
    const std::uint8_t kind = in.u8();
    out.u8(kind);
    const std::uint32_t index = in.u32();
    out.u32(kind == static_cast<std::uint8_t>(ExternKind::function) ? again.moved(index) : index);
  }
}

// Flags as in wasm/module.cc: bit 0 passive or declared, bit 1 explicit table or declared, bit 2 expressions.
void move_elements(Reader& in, Writer& out, const Again& again) {
  const std::uint32_t count = copy_u32(in, out);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint32_t flags = copy_u32(in, out);
    const bool active = (flags & 1) == 0;
    if (active && (flags & 2) != 0) copy_u32(in, out);
    if (active) move_const_expr(in, out, again);
    if ((flags & 3) != 0) out.u8(in.u8());
    const std::uint32_t items = copy_u32(in, out);
    for (std::uint32_t item = 0; item < items && in.ok(); ++item) {
      if ((flags & 4) != 0) {
        move_const_expr(in, out, again);
      } else {
        move_function(in, out, again);
      }
    }
  }
}

void move_names(Reader& in, Writer& out, const Again& again) {
  constexpr std::uint8_t kFunctions = 1;
  constexpr std::uint8_t kLocals = 2;
  constexpr std::uint8_t kLabels = 3;
  while (in.ok() && !in.at_end()) {
    const std::uint8_t id = in.u8();
    const std::uint32_t size = in.u32();
    Reader contents = in.sub(size);
    if (!in.ok()) return;
    Writer moved;
    if (id == kFunctions) {
      move_name_map(contents, moved, again, &copy_name);
    } else if (id == kLocals || id == kLabels) {
      move_name_map(contents, moved, again, &copy_inner_names);
    } else {
      moved.bytes(contents.bytes(contents.left()));
    }
    if (!contents.ok()) return;
    const base::Bytes bytes = moved.take();
    out.u8(id);
    out.u32(bytes.size());
    out.bytes(bytes);
  }
}

}  // namespace metering
}  // namespace fusebox::engine
