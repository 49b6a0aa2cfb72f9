#include "engine/meter/body.h"

#include <string>

#include "engine/limits.h"

namespace fusebox::engine::metering {
namespace {

using wasm::Instruction;
using wasm::Op;
using wasm::Reader;
using wasm::Shape;

struct Label {
  std::uint32_t arity = 0;       // values a branch to it carries
  std::uint32_t loop = kNoLoop;  // innermost loop whose body this label stands in; for a loop, itself
  bool is_loop = false;
};

class Analysis {
 public:
  Analysis(Reader& in, const wasm::Module& module, Body& out) : in_(in), module_(module), out_(out) {}

  void run(const FuncType& type) {
    labels_.push_back({static_cast<std::uint32_t>(type.results.size()), kNoLoop, false});
    while (in_.ok() && !in_.at_end()) {
      const Instruction instruction = read_instruction(in_);
      if (!in_.ok()) return;
      if (labels_.empty()) return in_.fail(base::Errc::invalid, "code after the end of a function", instruction.offset);
      add(instruction);
    }
    if (in_.ok() && !labels_.empty()) in_.fail(base::Errc::invalid, "function body has no end", in_.offset());
  }

 private:
  void add(const Instruction& instruction) {
    const auto index = static_cast<std::uint32_t>(out_.code.size());
    const std::uint32_t region = labels_.back().loop;
    if (instruction.shape != Shape::end && instruction.shape != Shape::else_) ++cost_of(region);
    std::uint32_t loop = kNoLoop;
    switch (instruction.shape) {
      case Shape::block:
        loop = open(instruction, index, region);
        break;
      case Shape::end:
        close(index);
        break;
      case Shape::branch:
        branch(instruction.index, instruction.op == Op::br_if, instruction.offset);
        break;
      case Shape::branch_table:
        branch_table(instruction);
        break;
      case Shape::call:
        mark_calls(region);
        out_.calls = true;
        break;
      case Shape::bulk:
        mark_calls(region);
        out_.grows_or_charges = true;
        break;
      case Shape::plain:
      case Shape::else_:
      case Shape::leaves:
      case Shape::function_index:
        break;
    }
    out_.code.push_back(instruction);
    out_.loop_at.push_back(loop);
  }

  std::uint64_t& cost_of(std::uint32_t region) { return region == kNoLoop ? out_.cost : out_.loops[region].cost; }

  void mark_calls(std::uint32_t region) {
    for (std::uint32_t at = region; at != kNoLoop && !out_.loops[at].calls; at = out_.loops[at].parent) {
      out_.loops[at].calls = true;
    }
  }

  const FuncType* block_type(const Instruction& instruction) {
    if (instruction.type < 0) return nullptr;
    if (static_cast<std::uint64_t>(instruction.type) < module_.info.types.size()) {
      return &module_.info.types[static_cast<std::size_t>(instruction.type)];
    }
    in_.fail(base::Errc::invalid, "unknown type " + std::to_string(instruction.type), instruction.offset);
    return nullptr;
  }

  std::uint32_t open(const Instruction& instruction, std::uint32_t index, std::uint32_t region) {
    const FuncType* type = block_type(instruction);
    const std::size_t results =
        type != nullptr ? type->results.size() : (instruction.type == wasm::kEmptyBlock ? 0 : 1);
    const std::size_t params = type != nullptr ? type->params.size() : 0;
    if (instruction.op != Op::loop) {
      labels_.push_back({static_cast<std::uint32_t>(results), region, false});
      return kNoLoop;
    }
    const auto id = static_cast<std::uint32_t>(out_.loops.size());
    Loop loop;
    loop.first = index;
    loop.parent = region;
    loop.has_params = params != 0;
    if (region != kNoLoop) out_.loops[region].innermost = false;
    out_.loops.push_back(loop);
    labels_.push_back({static_cast<std::uint32_t>(params), id, true});
    return id;
  }

  void close(std::uint32_t index) {
    if (labels_.back().is_loop) out_.loops[labels_.back().loop].last = index;
    labels_.pop_back();
  }

  void branch(std::uint32_t depth, bool conditional, std::uint32_t offset) {
    if (depth >= labels_.size()) return in_.fail(base::Errc::invalid, "unknown label " + std::to_string(depth), offset);
    const Label& target = labels_[labels_.size() - 1 - depth];
    if (target.is_loop) out_.loops[target.loop].repeats = true;
    if (conditional && target.arity != 0) leaves_with_values(target);
  }

  void branch_table(const Instruction& instruction) {
    const std::byte* begin = in_.position() - instruction.size_bytes;
    Reader labels(base::ByteView(begin, instruction.size_bytes).subspan(1), instruction.offset + 1);
    const std::uint32_t count = labels.u32();
    for (std::uint32_t i = 0; i <= count && in_.ok(); ++i) {
      const std::uint32_t depth = labels.u32();
      branch(depth, false, instruction.offset);
      if (in_.ok()) leaves_with_values(labels_[labels_.size() - 1 - depth]);
    }
  }

  // Marks the loops between here and `target` whose exit this is.
  void leaves_with_values(const Label& target) {
    for (std::uint32_t at = labels_.back().loop; at != kNoLoop && at != target.loop; at = out_.loops[at].parent) {
      out_.loops[at].exit_needs_values = true;
    }
  }

  Reader& in_;
  const wasm::Module& module_;
  Body& out_;
  std::vector<Label> labels_;
};

void read_locals(Reader& in, const FuncType& type, Body& out) {
  std::uint64_t locals = type.params.size();
  const std::uint64_t at = in.offset();
  out.locals_groups = in.count(kLocalsMax, "groups of locals");
  out.locals_begin = static_cast<std::uint32_t>(in.offset());
  for (std::uint32_t i = 0; i < out.locals_groups && in.ok(); ++i) {
    locals += in.u32();
    wasm::read_value_type(in);
  }
  out.locals_end = static_cast<std::uint32_t>(in.offset());
  out.locals = static_cast<std::uint32_t>(locals);
  if (locals > kLocalsMax) {
    in.fail(base::Errc::exhausted,
            "function with " + std::to_string(locals) + " locals, the most allowed is " + std::to_string(kLocalsMax),
            at);
  }
}

}  // namespace

void read_body(Reader& in, const wasm::Module& module, const FuncType& type, Body& out) {
  out.cost = 0;
  out.calls = false;
  out.grows_or_charges = false;
  out.code.clear();
  out.loops.clear();
  out.loop_at.clear();
  read_locals(in, type, out);
  Analysis(in, module, out).run(type);
}

}  // namespace fusebox::engine::metering
