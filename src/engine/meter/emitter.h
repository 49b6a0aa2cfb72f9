// Writes code: what the guest had, and the few sequences the pass adds. Keeps the map of what came from where.
//
// Owner    borrows the module, the writer and the map.
// Threads  one at a time.
#pragma once

#include <cstdint>
#include <variant>

#include "engine/meter.h"
#include "engine/wasm/instruction.h"
#include "engine/wasm/writer.h"

namespace fusebox::engine::metering {

inline constexpr std::uint8_t kEmptyBlockByte = 0x40;

class Emitter {
 public:
  Emitter(base::ByteView wasm, wasm::Writer& out, MeterMap& map, std::uint32_t meter_memory)
      : wasm_(wasm), out_(out), map_(map), meter_memory_(meter_memory) {}

  wasm::Writer& out() noexcept { return out_; }
  std::uint32_t offset() const noexcept { return static_cast<std::uint32_t>(out_.offset()); }

  // The bytes [begin, end) of the module the user gave.
  void copy(std::uint32_t begin, std::uint32_t end);
  // What is written next is the pass's own and stands where `original` is.
  void insert_at(std::uint32_t original);
  // What is written next replaces the instruction at `original`.
  void replace(std::uint32_t original) { insert_at(original); }

  void op(wasm::Op code);
  void op(wasm::Op code, std::uint64_t index);  // with one unsigned immediate
  void i32_const(std::int32_t value);
  void i64_const(std::int64_t value);
  void block(wasm::Op code);  // block, loop or if without values

  struct Local {
    std::uint32_t index;  // of type i64
  };
  using Amount = std::variant<std::int64_t, Local>;  // of ticks; never negative

  // Puts an i32: whether fewer ticks are left, as they always are after a stop. An atomic load: a plain one is merged
  // with an earlier one and never sees a stop; and take_off()'s is not merged with it.
  void fewer_left_than(const Amount& amount);
  // Load, change and store with nothing in between: the compiler makes one instruction of it, so that a stop from this
  // thread's own signal handler comes before or after it and is never lost.
  void take_off(const Amount& amount);
  void give_back(const Amount& amount);

  // Traps when the counter is negative.
  void poll();
  // Takes `amount` off the counter; traps before that when fewer are left.
  void charge(const Amount& amount);
  // The same for the value of the i32 local `length`, shifted right (left when negative) by `shift`. `temporary` is a
  // local of type i64.
  void charge_length(std::uint32_t length, int shift, std::uint32_t temporary);
  // `if unreachable end`, recorded as a check that fails when the i32 on the stack is not zero.
  void trap_if();

 private:
  void add_origin(const MeterMap::Origin& origin);
  void counter_argument(std::uint8_t align, std::uint32_t offset);
  void look_at_counter();
  void change_counter(wasm::Op by, const Amount& amount);
  void put(const Amount& amount);

  base::ByteView wasm_;
  wasm::Writer& out_;
  MeterMap& map_;
  std::uint32_t meter_memory_;
};

}  // namespace fusebox::engine::metering
