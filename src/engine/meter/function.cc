#include "engine/meter/function.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace fusebox::engine::metering {
namespace {

using wasm::Instruction;
using wasm::Op;
using wasm::Shape;

// An unrolled loop's code, in instructions: its copies together stay below this.
constexpr std::uint64_t kUnrolledInstructionsMax = 160;
// More copies gained nothing (docs/adr/0002-metering.md); looking at the counter is cheaper than storing it.
constexpr std::uint32_t kUnrollTicksMax = 8;
constexpr std::uint32_t kUnrollTimeMax = 4;
constexpr std::uint64_t kCopyBytes = 48;  // of a copy besides the body: its block, a refund at its end and at an exit

// How the labels of one copy of a loop's body change. A branch at depth `d` inside the body to label `k` means: `k < d`
// inside, `k == d` the next iteration, `k > d` out of the loop.
struct Copy {
  std::uint32_t again = 0;  // added to a branch to the next iteration
  std::uint32_t out = 0;    // added to a branch out of the loop
  std::int64_t refund = 0;  // ticks to give back when the loop is left here
};

class FunctionWriter {
 public:
  FunctionWriter(Emitter& out, const Plan& plan, base::ByteView wasm, const Body& body)
      : out_(out),
        plan_(plan),
        wasm_(wasm),
        body_(body),
        ticks_local_(body.locals),
        amount_local_(body.locals + 1),
        result_local_(body.locals + 2) {}

  void write(std::uint64_t& growth_left, MeterMap& map) {
    map_ = &map;
    locals();
    entry_check();
    const auto count = static_cast<std::uint32_t>(body_.code.size());
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t loop = body_.loop_at[i];
      if (loop == kNoLoop) {
        plain(i);
        continue;
      }
      const std::uint32_t copies = copies_within(body_.loops[loop], growth_left);
      if (copies > 1) {
        unrolled(body_.loops[loop], copies);
        i = body_.loops[loop].last;
      } else {
        take(body_.code[i]);
        flush();
        header_check(body_.loops[loop]);
      }
    }
    flush();
  }

 private:
  // ---- copying: contiguous instructions are gathered and written at once.
  void take(const Instruction& instruction) {
    if (plan_.again.any() && (instruction.op == Op::call || instruction.op == Op::ref_func))
      return take_moved(instruction);
    take_as_it_is(instruction);
  }
  void take_as_it_is(const Instruction& instruction) {
    if (pending_end_ != instruction.offset) {
      flush();
      pending_begin_ = instruction.offset;
    }
    pending_end_ = instruction.offset + instruction.size_bytes;
  }
  // With another function index: in place where it fits in as many bytes.
  void take_moved(const Instruction& instruction) {
    const std::uint32_t index = plan_.again.moved(instruction.index);
    if (index == instruction.index) return take_as_it_is(instruction);
    const std::uint32_t index_bytes = instruction.size_bytes - 1;
    if (index_bytes < 5 && index >> (7 * index_bytes) != 0) {
      insert_at(instruction.offset);
      return out_.op(instruction.op, index);
    }
    take_as_it_is(instruction);
    moved_.push_back({instruction.offset + 1, index_bytes, index});
  }
  void flush() {
    const std::uint64_t at = out_.out().offset();
    out_.copy(pending_begin_, pending_end_);
    for (const Moved& each : moved_)
      out_.out().patch_u32(at + each.offset - pending_begin_, each.size_bytes, each.index);
    moved_.clear();
    pending_begin_ = pending_end_ = 0;
  }
  void insert_at(std::uint32_t original) {
    flush();
    out_.insert_at(original);
  }

  // ---- locals, entry, headers
  void locals() {
    const bool amounts = plan_.ticks() && body_.grows_or_charges;
    out_.insert_at(body_.locals_begin);
    out_.out().u32(body_.locals_groups + (amounts ? 2 : 0));
    out_.out().bytes(wasm_.subspan(body_.locals_begin, body_.locals_end - body_.locals_begin));
    if (!amounts) return;
    out_.out().u32(1);
    out_.out().u8(static_cast<std::uint8_t>(ValType::i64));
    out_.out().u32(2);
    out_.out().u8(static_cast<std::uint8_t>(ValType::i32));
  }

  void entry_check() {
    insert_at(body_.locals_end);
    if (plan_.ticks()) {
      if (body_.cost != 0) out_.charge(static_cast<std::int64_t>(body_.cost));
    } else if (body_.calls || body_.cost > kLeafInstructionsMax) {
      out_.poll();
    }
  }

  void header_check(const Loop& loop) {
    straight_ = 0;
    if (loop.cost == 0) return;
    if (plan_.ticks()) {
      insert_at(body_.code[loop.first].offset);
      out_.charge(static_cast<std::int64_t>(loop.cost));
    } else if (loop.repeats) {
      insert_at(body_.code[loop.first].offset);
      out_.poll();
    }
  }

  // ---- code outside unrolled loops
  void plain(std::uint32_t i) {
    const Instruction& instruction = body_.code[i];
    straight_ += instruction.shape == Shape::call ? kLeafInstructionsMax : 1;
    if (straight_ >= kStraightInstructionsMax) {
      straight_ = 0;
      insert_at(instruction.offset);
      out_.poll();
    }
    if (instruction.shape == Shape::bulk) {
      bulk(i);
    } else {
      take(instruction);
    }
  }

  // The length operand when it is known here: the instruction before put a constant there.
  std::optional<std::uint32_t> constant_length(std::uint32_t i) const {
    if (i == 0 || body_.code[i - 1].op != Op::i32_const) return std::nullopt;
    return body_.code[i - 1].index;
  }

  void bulk(std::uint32_t i) {
    const Instruction& instruction = body_.code[i];
    switch (instruction.op) {
      case Op::memory_fill:
        return bulk_memory(i, plan_.helper(HelperKind::fill));
      case Op::memory_copy:
        return bulk_memory(i, plan_.helper(HelperKind::copy));
      case Op::memory_init:
        return bulk_memory(i, plan_.helper(HelperKind::init, instruction.index));
      case Op::memory_grow:
        return grow(instruction, -kTicksPerPageLog2);
      case Op::table_grow:
        return grow(instruction, 0);
      default:
        return charged_in_place(instruction, 0);
    }
  }

  void bulk_memory(std::uint32_t i, std::optional<std::uint32_t> helper) {
    const Instruction& instruction = body_.code[i];
    const std::optional<std::uint32_t> length = constant_length(i);
    if (length && *length <= kBulkInPlaceBytes) {
      const std::int64_t ticks = *length >> kBytesPerTickLog2;
      if (plan_.ticks() && ticks != 0) {
        insert_at(instruction.offset);
        out_.charge(ticks);
      }
      return take(instruction);
    }
    if (!helper) return charged_in_place(instruction, kBytesPerTickLog2);
    insert_at(instruction.offset);
    out_.op(Op::call, *helper);
  }

  void charged_in_place(const Instruction& instruction, int shift) {
    insert_at(instruction.offset);
    if (plan_.ticks()) {
      out_.op(Op::local_tee, amount_local_);
      out_.charge_length(amount_local_, shift, ticks_local_);
    } else {
      out_.poll();
    }
    take(instruction);
  }

  // What was refused costs nothing: only a grow that was granted is charged.
  void grow(const Instruction& instruction, int shift) {
    if (!plan_.ticks()) return take(instruction);
    insert_at(instruction.offset);
    out_.op(Op::local_tee, amount_local_);
    take(instruction);
    insert_at(instruction.offset);
    out_.op(Op::local_tee, result_local_);
    out_.i32_const(-1);
    out_.op(Op::i32_ne);
    out_.block(Op::if_);
    out_.charge_length(amount_local_, shift, ticks_local_);
    out_.op(Op::end);
    out_.op(Op::local_get, result_local_);
  }

  // ---- unrolled loops
  std::uint32_t copies_within(const Loop& loop, std::uint64_t& growth_left) const {
    const std::uint32_t copies = copies_of(loop);
    const std::uint64_t bytes = body_.code[loop.last].offset - body_.code[loop.first].offset + kCopyBytes;
    const std::uint64_t growth = bytes * (copies - 1);
    if (growth > growth_left) return 1;
    growth_left -= growth;
    return copies;
  }

  std::uint32_t copies_of(const Loop& loop) const {
    if (!loop.innermost || loop.calls || loop.has_params || !loop.repeats || loop.cost == 0) return 1;
    if (plan_.ticks() && loop.exit_needs_values) return 1;
    const std::uint64_t size = loop.last - loop.first;
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(kUnrolledInstructionsMax / size, 1,
                                                                plan_.ticks() ? kUnrollTicksMax : kUnrollTimeMax));
  }

  // block $exit                    of the loop's type
  //   loop $again
  //     block $last
  //       charge for all copies; when too few ticks are left, charge for one iteration and branch to $last
  //       block $next  body  refund  br $exit  end       but for the last copy; a branch to the next iteration goes to
  //       $next
  //     end
  //     body                       a branch to the next iteration goes to $again
  //   end
  // end
  void unrolled(const Loop& loop, std::uint32_t copies) {
    const Instruction& header = body_.code[loop.first];
    insert_at(header.offset);
    header_with(Op::block, header);
    header_with(Op::loop, header);
    out_.block(Op::block);
    batch_check(loop, copies);
    for (std::uint32_t copy = 1; copy < copies; ++copy) {
      const std::int64_t refund = plan_.ticks() ? static_cast<std::int64_t>(loop.cost) * (copies - copy) : 0;
      insert_at(header.offset);
      out_.block(Op::block);
      const std::uint32_t begin = out_.offset();
      copy_body(loop, {0, 3, refund});
      insert_at(body_.code[loop.last].offset);
      if (refund != 0) map_->refunds.push_back({begin, out_.offset(), refund});
      if (refund != 0) out_.give_back(refund);
      out_.op(Op::br, 3);
      out_.op(Op::end);
    }
    insert_at(header.offset);
    out_.op(Op::end);
    copy_body(loop, {0, 1, 0});
    insert_at(body_.code[loop.last].offset);
    out_.op(Op::end);
    out_.op(Op::end);
    straight_ = 0;
  }

  void header_with(Op code, const Instruction& header) {
    out_.op(code);
    out_.out().bytes(wasm_.subspan(header.offset + 1, header.size_bytes - 1));
  }

  void batch_check(const Loop& loop, std::uint32_t copies) {
    if (!plan_.ticks()) return out_.poll();
    const auto cost = static_cast<std::int64_t>(loop.cost);
    out_.fewer_left_than(cost * copies);
    out_.block(Op::if_);
    out_.charge(cost);
    out_.op(Op::br, 1);
    out_.op(Op::end);
    out_.take_off(cost * copies);
  }

  void copy_body(const Loop& loop, const Copy& copy) {
    std::uint32_t depth = 0;
    for (std::uint32_t i = loop.first + 1; i < loop.last; ++i) {
      const Instruction& instruction = body_.code[i];
      switch (instruction.shape) {
        case Shape::block:
          ++depth;
          take(instruction);
          break;
        case Shape::end:
          --depth;
          take(instruction);
          break;
        case Shape::branch:
          copy_branch(instruction, depth, copy);
          break;
        case Shape::branch_table:
          copy_branch_table(instruction, depth, copy);
          break;
        case Shape::leaves:
          copy_leave(instruction, copy);
          break;
        default:
          take(instruction);
      }
    }
    flush();
  }

  static std::uint32_t moved(std::uint32_t label, std::uint32_t depth, const Copy& copy) {
    if (label < depth) return label;
    return label + (label == depth ? copy.again : copy.out);
  }

  void copy_branch(const Instruction& instruction, std::uint32_t depth, const Copy& copy) {
    const std::uint32_t label = moved(instruction.index, depth, copy);
    if (label == instruction.index) return take(instruction);
    insert_at(instruction.offset);
    if (instruction.index == depth || copy.refund == 0) return out_.op(instruction.op, label);
    if (instruction.op == Op::br) {
      out_.give_back(copy.refund);
      return out_.op(Op::br, label);
    }
    out_.block(Op::if_);
    out_.give_back(copy.refund);
    out_.op(Op::br, label + 1);
    out_.op(Op::end);
  }

  // In ticks mode a table never leaves an unrolled loop (copies_of), so there is nothing to refund.
  void copy_branch_table(const Instruction& instruction, std::uint32_t depth, const Copy& copy) {
    insert_at(instruction.offset);
    wasm::Reader labels(wasm_.subspan(instruction.offset + 1, instruction.size_bytes - 1), instruction.offset + 1);
    const std::uint32_t count = labels.u32();
    out_.op(Op::br_table, count);
    for (std::uint32_t i = 0; i <= count; ++i) out_.out().u32(moved(labels.u32(), depth, copy));
  }

  void copy_leave(const Instruction& instruction, const Copy& copy) {
    if (instruction.op == Op::return_ && copy.refund != 0) {
      insert_at(instruction.offset);
      out_.give_back(copy.refund);
    }
    take(instruction);
  }

  Emitter& out_;
  const Plan& plan_;
  base::ByteView wasm_;
  const Body& body_;
  MeterMap* map_ = nullptr;
  std::uint32_t ticks_local_;
  std::uint32_t amount_local_;
  std::uint32_t result_local_;
  std::uint32_t pending_begin_ = 0;
  std::uint32_t pending_end_ = 0;
  std::uint32_t straight_ = 0;
  struct Moved {
    std::uint32_t offset;  // of the index, in the module the user gave
    std::uint32_t size_bytes;
    std::uint32_t index;
  };
  std::vector<Moved> moved_;  // in what is gathered
};

}  // namespace

void write_function(Emitter& out, const Plan& plan, base::ByteView wasm, const Body& body, std::uint64_t& growth_left,
                    MeterMap& map) {
  const std::uint64_t opened = out.out().open_size();
  FunctionWriter(out, plan, wasm, body).write(growth_left, map);
  out.out().close_size(opened);
}

}  // namespace fusebox::engine::metering
