#include "engine/meter/helpers.h"

#include <algorithm>

namespace fusebox::engine::metering {
namespace {

using wasm::Op;

constexpr std::uint32_t kTo = 0;  // the operands, as on the stack: where to, where from or what, how much
constexpr std::uint32_t kFrom = 1;
constexpr std::uint32_t kSize = 2;
constexpr std::uint32_t kTemporary = 3;  // i64
constexpr auto kPiece = static_cast<std::int32_t>(kBulkPieceBytes);

class HelperWriter {
 public:
  HelperWriter(Emitter& out, const wasm::Module& module, const Helper& helper)
      : out_(out), module_(module), helper_(helper) {}

  void body(bool ticks) {
    if (ticks) {
      out_.charge_length(kSize, kBytesPerTickLog2, kTemporary);
    } else {
      out_.poll();
    }
    local_over_piece();
    out_.block(Op::if_);
    in_bounds();
    out_.block(Op::if_);
    pieces();
    out_.op(Op::end);
    out_.op(Op::end);
    // The rest; all of it when it is small, or out of bounds and so traps here.
    operate([this](std::uint32_t local) { out_.op(Op::local_get, local); }, kSize);
    out_.op(Op::end);
  }

 private:
  void local_over_piece() {
    out_.op(Op::local_get, kSize);
    out_.i32_const(kPiece);
    out_.op(Op::i32_gt_u);
  }

  void end_of(std::uint32_t start) {
    out_.op(Op::local_get, start);
    out_.op(Op::i64_extend_i32_u);
    out_.op(Op::local_get, kSize);
    out_.op(Op::i64_extend_i32_u);
    out_.op(Op::i64_add);
  }

  void at_most_memory() {
    out_.op(Op::memory_size, 0);
    out_.op(Op::i64_extend_i32_u);
    out_.i64_const(16);
    out_.op(Op::i64_shl);
    out_.op(Op::i64_le_u);
  }

  void in_bounds() {
    end_of(kTo);
    at_most_memory();
    if (helper_.kind == HelperKind::fill) return;
    end_of(kFrom);
    if (helper_.kind == HelperKind::copy) {
      at_most_memory();
    } else {
      out_.i64_const(module_.data_sizes[helper_.segment]);
      out_.op(Op::i64_le_u);
    }
    out_.op(Op::i32_and);
  }

  template <class Operand>
  void operate(Operand operand, std::uint32_t size_local) {
    operand(kTo);
    operand(kFrom);
    if (size_local == kSize) {
      out_.op(Op::local_get, kSize);
    } else {
      out_.i32_const(kPiece);
    }
    switch (helper_.kind) {
      case HelperKind::fill:
        out_.op(Op::memory_fill, 0);
        break;
      case HelperKind::copy:
        out_.op(Op::memory_copy, 0);
        out_.out().u32(0);
        break;
      case HelperKind::init:
        out_.op(Op::memory_init, helper_.segment);
        out_.out().u32(0);
        break;
    }
  }

  void step(std::uint32_t local, Op by) {
    out_.op(Op::local_get, local);
    out_.i32_const(kPiece);
    out_.op(by);
    out_.op(Op::local_set, local);
  }

  void pieces() {
    if (helper_.kind != HelperKind::copy) return forward();
    // Upwards when the target lies below the source, else downwards: no piece overwrites a source that is still to be
    // read.
    out_.op(Op::local_get, kTo);
    out_.op(Op::local_get, kFrom);
    out_.op(Op::i32_le_u);
    out_.block(Op::if_);
    forward();
    out_.op(Op::else_);
    backward();
    out_.op(Op::end);
  }

  void forward() {
    out_.block(Op::loop);
    out_.poll();
    operate([this](std::uint32_t local) { out_.op(Op::local_get, local); }, kTemporary);
    step(kTo, Op::i32_add);
    if (helper_.kind != HelperKind::fill) step(kFrom, Op::i32_add);
    step(kSize, Op::i32_sub);
    again();
  }

  void backward() {
    out_.block(Op::loop);
    out_.poll();
    step(kSize, Op::i32_sub);
    operate(
        [this](std::uint32_t local) {
          out_.op(Op::local_get, local);
          out_.op(Op::local_get, kSize);
          out_.op(Op::i32_add);
        },
        kTemporary);
    again();
  }

  void again() {
    local_over_piece();
    out_.op(Op::br_if, 0);
    out_.op(Op::end);
  }

  Emitter& out_;
  const wasm::Module& module_;
  const Helper& helper_;
};

bool has_misc_opcode(base::ByteView code, std::uint8_t opcode) noexcept {
  for (std::size_t i = 0; i + 1 < code.size(); ++i) {
    // The low seven bits: a number may be written with more bytes than it needs.
    if (code[i] == std::byte{0xfc} && (static_cast<std::uint8_t>(code[i + 1]) & 0x7f) == opcode) return true;
  }
  return false;
}

}  // namespace

std::vector<Helper> plan_helpers(base::ByteView code, const wasm::Module& module) {
  std::vector<Helper> helpers;
  if (module.info.memories.empty()) return helpers;
  if (has_misc_opcode(code, 0x0b)) helpers.push_back({HelperKind::fill, 0});
  if (has_misc_opcode(code, 0x0a)) helpers.push_back({HelperKind::copy, 0});
  // The bytes may stand for something else; memory.init is only valid, and there only meant, behind a data count section.
  const bool counted = std::ranges::any_of(
      module.sections, [](const wasm::Section& section) { return section.id == wasm::SectionId::data_count; });
  if (!counted || !has_misc_opcode(code, 0x08)) return helpers;
  for (std::uint32_t i = 0; i < module.data_sizes.size(); ++i) {
    if (module.data_sizes[i] > kBulkPieceBytes) helpers.push_back({HelperKind::init, i});
  }
  return helpers;
}

void write_helper(Emitter& out, const Plan& plan, const wasm::Module& module, const Helper& helper) {
  out.insert_at(0);
  const std::uint64_t opened = out.out().open_size();
  out.out().u32(1);  // one group of locals: kTemporary
  out.out().u32(1);
  out.out().u8(static_cast<std::uint8_t>(ValType::i64));
  HelperWriter(out, module, helper).body(plan.ticks());
  out.out().close_size(opened);
}

}  // namespace fusebox::engine::metering
