// One instruction of a function body: its opcode, its extent and the immediates the pass looks at.
//
// Knows every opcode of contract edge.md 1.2 (and extended constant expressions, which use the same ones). Anything
// else is `unsupported` with the proposal's name, or `invalid` when no proposal has it.
#pragma once

#include <cstdint>

#include "engine/wasm/reader.h"

namespace fusebox::engine::wasm {

// One-byte opcodes have their own number; prefixed ones have the prefix in the second byte.
enum class Op : std::uint16_t {
  unreachable = 0x00,
  nop = 0x01,
  block = 0x02,
  loop = 0x03,
  if_ = 0x04,
  else_ = 0x05,
  end = 0x0b,
  br = 0x0c,
  br_if = 0x0d,
  br_table = 0x0e,
  return_ = 0x0f,
  call = 0x10,
  call_indirect = 0x11,
  drop = 0x1a,
  select = 0x1b,
  local_get = 0x20,
  local_set = 0x21,
  local_tee = 0x22,
  global_get = 0x23,
  memory_size = 0x3f,
  memory_grow = 0x40,
  i32_const = 0x41,
  i64_const = 0x42,
  ref_func = 0xd2,
  i32_eqz = 0x45,
  i32_eq = 0x46,
  i32_ne = 0x47,
  i32_lt_s = 0x48,
  i32_lt_u = 0x49,
  i32_gt_u = 0x4b,
  i32_le_u = 0x4d,
  i32_ge_u = 0x4f,
  i64_lt_s = 0x53,
  i64_le_u = 0x58,
  i32_add = 0x6a,
  i32_sub = 0x6b,
  i32_and = 0x71,
  i64_add = 0x7c,
  i64_sub = 0x7d,
  i64_mul = 0x7e,
  i64_shl = 0x86,
  i64_shr_u = 0x88,
  i64_extend_i32_u = 0xad,
  i64_load = 0x29,
  i64_store = 0x37,
  memory_init = 0xfc08,
  data_drop = 0xfc09,
  memory_copy = 0xfc0a,
  memory_fill = 0xfc0b,
  table_init = 0xfc0c,
  elem_drop = 0xfc0d,
  table_copy = 0xfc0e,
  table_grow = 0xfc0f,
  table_size = 0xfc10,
  table_fill = 0xfc11,
  i32_atomic_load8_u = 0xfe12,
  i64_atomic_load = 0xfe11,
};

// What the pass must know of an instruction besides its bytes.
enum class Shape : std::uint8_t {
  plain,  // copied as it stands
  block,  // block, loop, if: opens a label; `type` is its block type
  else_,
  end,
  branch,          // br, br_if: `index` is the label
  branch_table,    // br_table
  leaves,          // return, unreachable: does not fall through
  call,            // call, call_indirect: other code runs
  function_index,  // ref.func
  bulk,            // costs in proportion to a length on the stack
};

struct Instruction {
  std::uint32_t offset = 0;
  std::uint32_t size_bytes = 0;
  Op op = Op::nop;
  Shape shape = Shape::plain;
  bool may_trap = false;    // of itself, besides running out of stack
  std::uint32_t index = 0;  // label, function, type, segment; i32.const: the value
  std::int64_t type = 0;    // block type: -64 empty, negative a value type, else a type index
};

inline constexpr std::int64_t kEmptyBlock = -64;

Instruction read_instruction(Reader& in);

// The value type byte, or a failure that names the proposal it belongs to.
std::uint8_t read_value_type(Reader& in);
std::uint8_t read_reference_type(Reader& in);

}  // namespace fusebox::engine::wasm
