#include "engine/meter/emitter.h"

namespace fusebox::engine::metering {

using wasm::Op;

void Emitter::copy(std::uint32_t begin, std::uint32_t end) {
  if (begin == end) return;
  const std::uint32_t at = offset();
  const bool continues = !map_.origins.empty() && !map_.origins.back().inserted &&
                         at - map_.origins.back().rewritten == begin - map_.origins.back().original;
  if (!continues) add_origin({at, begin, false});
  out_.bytes(wasm_.subspan(begin, end - begin));
}

void Emitter::insert_at(std::uint32_t original) {
  if (!map_.origins.empty() && map_.origins.back().inserted && map_.origins.back().original == original) return;
  add_origin({offset(), original, true});
}

// Where nothing was written since the last one, the new one takes its place: offsets in the map ascend.
void Emitter::add_origin(const MeterMap::Origin& origin) {
  if (!map_.origins.empty() && map_.origins.back().rewritten == origin.rewritten) {
    map_.origins.back() = origin;
  } else {
    map_.origins.push_back(origin);
  }
}

void Emitter::op(Op code) {
  const auto value = static_cast<std::uint16_t>(code);
  if (value < 0x100) {
    out_.u8(static_cast<std::uint8_t>(value));
    return;
  }
  out_.u8(static_cast<std::uint8_t>(value >> 8));
  out_.u32(value & 0xff);
}

void Emitter::op(Op code, std::uint64_t index) {
  op(code);
  out_.u32(index);
}

void Emitter::i32_const(std::int32_t value) {
  op(Op::i32_const);
  out_.s64(value);
}

void Emitter::i64_const(std::int64_t value) {
  op(Op::i64_const);
  out_.s64(value);
}

void Emitter::block(Op code) {
  op(code);
  out_.u8(kEmptyBlockByte);
}

void Emitter::counter_argument(std::uint8_t align, std::uint32_t offset) {
  if (meter_memory_ == 0) {
    out_.u8(align);
  } else {
    out_.u8(align | 0x40);
    out_.u32(meter_memory_);
  }
  out_.u32(offset);
}

void Emitter::look_at_counter() {
  i32_const(0);
  op(Op::i64_atomic_load);
  counter_argument(3, 0);
}

void Emitter::change_counter(Op by, const Amount& amount) {
  i32_const(0);
  i32_const(0);
  op(Op::i64_load);
  counter_argument(3, 0);
  put(amount);
  op(by);
  op(Op::i64_store);
  counter_argument(3, 0);
}

void Emitter::put(const Amount& amount) {
  if (const auto* local = std::get_if<Local>(&amount)) return op(Op::local_get, local->index);
  i64_const(std::get<std::int64_t>(amount));
}

void Emitter::trap_if() {
  map_.checks.push_back({offset()});
  block(Op::if_);
  op(Op::unreachable);
  op(Op::end);
}

void Emitter::fewer_left_than(const Amount& amount) {
  look_at_counter();
  put(amount);
  op(Op::i64_lt_s);
}

void Emitter::poll() {
  fewer_left_than(0);
  trap_if();
}

void Emitter::charge(const Amount& amount) {
  fewer_left_than(amount);
  trap_if();
  take_off(amount);
}

void Emitter::charge_length(std::uint32_t length, int shift, std::uint32_t temporary) {
  op(Op::local_get, length);
  op(Op::i64_extend_i32_u);
  if (shift != 0) {
    i64_const(shift > 0 ? shift : -shift);
    op(shift > 0 ? Op::i64_shr_u : Op::i64_shl);
  }
  op(Op::local_set, temporary);
  charge(Local{temporary});
}

void Emitter::take_off(const Amount& amount) {
  change_counter(Op::i64_sub, amount);
}

void Emitter::give_back(const Amount& amount) {
  // Without this look the load is merged with what take_off() stored, and the sum erases a stop that came since.
  look_at_counter();
  op(Op::drop);
  change_counter(Op::i64_add, amount);
}

}  // namespace fusebox::engine::metering
