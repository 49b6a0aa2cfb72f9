#include "engine/wasm/instruction.h"

#include "engine/limits.h"

namespace fusebox::engine::wasm {
namespace {

constexpr std::uint32_t kPrefixGc = 0xfb;
constexpr std::uint32_t kPrefixMisc = 0xfc;
constexpr std::uint32_t kPrefixSimd = 0xfd;
constexpr std::uint32_t kPrefixAtomic = 0xfe;

void unsupported(Reader& in, std::string_view proposal, std::uint64_t at) {
  in.fail(base::Errc::unsupported, "uses the " + std::string(proposal) + " proposal, which is not accepted,", at);
}

void unknown_opcode(Reader& in, std::uint32_t code, std::uint64_t at) {
  in.fail(base::Errc::invalid, "unknown opcode " + std::to_string(code), at);
}

void read_memory_argument(Reader& in) {
  const std::uint64_t at = in.offset();
  const std::uint32_t flags = in.u32();
  if (flags >= 0x80) in.fail(base::Errc::invalid, "alignment too large", at);
  if ((flags & 0x40) != 0) unsupported(in, "multi-memory", at);
  in.u32();
}

void read_memory_index(Reader& in) {
  const std::uint64_t at = in.offset();
  if (in.u32() != 0) unsupported(in, "multi-memory", at);
}

void read_block(Reader& in, Instruction& out) {
  const std::uint64_t at = in.offset();
  out.shape = Shape::block;
  out.type = in.s33();
  if (out.type >= 0 || out.type == kEmptyBlock) return;
  switch (static_cast<std::uint8_t>(out.type & 0x7f)) {
    case 0x7f:
    case 0x7e:
    case 0x7d:
    case 0x7c:
    case 0x7b:
    case 0x70:
    case 0x6f:
      return;
    default:
      unsupported(in, "garbage collection or typed function references", at);
  }
}

void read_branch_table(Reader& in, Instruction& out) {
  out.shape = Shape::branch_table;
  const std::uint32_t labels = in.count(kFunctionBytesMax, "labels");
  for (std::uint32_t i = 0; i <= labels && in.ok(); ++i) in.u32();
}

void read_select_types(Reader& in) {
  const std::uint32_t types = in.count(kResultsMax, "types of select");
  for (std::uint32_t i = 0; i < types && in.ok(); ++i) read_value_type(in);
}

void read_call_indirect(Reader& in, Instruction& out) {
  out.shape = Shape::call;
  out.index = in.u32();
  in.u32();
}

void read_control(Reader& in, std::uint8_t code, Instruction& out) {
  switch (code) {
    case 0x00:
      out.shape = Shape::leaves;
      out.may_trap = true;
      return;
    case 0x01:
      return;
    case 0x02:
    case 0x03:
    case 0x04:
      return read_block(in, out);
    case 0x05:
      out.shape = Shape::else_;
      return;
    case 0x0b:
      out.shape = Shape::end;
      return;
    case 0x0c:
    case 0x0d:
      out.shape = Shape::branch;
      out.index = in.u32();
      return;
    case 0x0e:
      return read_branch_table(in, out);
    case 0x0f:
      out.shape = Shape::leaves;
      return;
    case 0x10:
      out.shape = Shape::call;
      out.index = in.u32();
      return;
    case 0x11:
      return read_call_indirect(in, out);
    case 0x12:
    case 0x13:
      return unsupported(in, "tail calls", out.offset);
    case 0x14:
    case 0x15:
      return unsupported(in, "typed function references", out.offset);
    case 0x06:
    case 0x07:
    case 0x08:
    case 0x09:
    case 0x0a:
    case 0x18:
    case 0x19:
    case 0x1f:
      return unsupported(in, "exception handling", out.offset);
    case 0x1a:
    case 0x1b:
      return;
    case 0x1c:
      return read_select_types(in);
    default:
      return unknown_opcode(in, code, out.offset);
  }
}

void read_reference(Reader& in, std::uint8_t code, Instruction& out) {
  switch (code) {
    case 0xd0:
      read_reference_type(in);
      return;
    case 0xd1:
      return;
    case 0xd2:
      out.shape = Shape::function_index;
      out.index = in.u32();
      return;
    case 0xd3:
      return unsupported(in, "garbage collection", out.offset);
    case 0xd4:
    case 0xd5:
    case 0xd6:
      return unsupported(in, "typed function references", out.offset);
    default:
      return unknown_opcode(in, code, out.offset);
  }
}

void read_misc(Reader& in, Instruction& out) {
  const std::uint32_t code = in.u32();
  if (!in.ok()) return;
  out.op = static_cast<Op>(0xfc00 | (code & 0xff));
  out.may_trap = true;
  if (code <= 7) {
    out.may_trap = false;
    return;
  }
  out.shape = Shape::bulk;
  switch (code) {
    case 8:
      out.index = in.u32();
      return read_memory_index(in);
    case 9:
    case 13:
      out.shape = Shape::plain;
      out.may_trap = false;
      out.index = in.u32();
      return;
    case 10:
      read_memory_index(in);
      return read_memory_index(in);
    case 11:
      return read_memory_index(in);
    case 12:
    case 14:
      in.u32();
      in.u32();
      return;
    case 15:
    case 17:
      in.u32();
      return;
    case 16:
      out.shape = Shape::plain;
      out.may_trap = false;
      in.u32();
      return;
    case 18:
      return unsupported(in, "memory control", out.offset);
    case 19:
    case 20:
    case 21:
    case 22:
      return unsupported(in, "wide arithmetic", out.offset);
    default:
      return unknown_opcode(in, 0xfc00 + code, out.offset);
  }
}

void read_simd(Reader& in, Instruction& out) {
  const std::uint32_t code = in.u32();
  if (!in.ok()) return;
  out.op = static_cast<Op>(0xfd00 | (code & 0xff));
  if (code >= 0x100) {
    if (code <= 0x12f) return unsupported(in, "relaxed SIMD", out.offset);
    return unknown_opcode(in, 0xfd00 + code, out.offset);
  }
  if (code <= 0x0b || code == 0x5c || code == 0x5d) {
    out.may_trap = true;
    return read_memory_argument(in);
  }
  if (code >= 0x54 && code <= 0x5b) {
    out.may_trap = true;
    read_memory_argument(in);
    in.u8();
    return;
  }
  if (code == 0x0c || code == 0x0d) {
    in.bytes(16);
    return;
  }
  if (code >= 0x15 && code <= 0x22) in.u8();
}

bool numeric_may_trap(std::uint8_t code) noexcept {
  const bool divides = (code >= 0x6d && code <= 0x70) || (code >= 0x7f && code <= 0x82);
  const bool truncates = (code >= 0xa8 && code <= 0xab) || (code >= 0xae && code <= 0xb1);
  return divides || truncates;
}

void read_immediates(Reader& in, std::uint8_t code, Instruction& out) {
  if (code <= 0x1f) return read_control(in, code, out);
  if (code <= 0x24) {
    out.index = in.u32();
    return;
  }
  if (code == 0x25 || code == 0x26) {
    out.may_trap = true;
    in.u32();
    return;
  }
  if (code >= 0x28 && code <= 0x3e) {
    out.may_trap = true;
    return read_memory_argument(in);
  }
  if (code == 0x3f) return read_memory_index(in);
  if (code == 0x40) {
    out.shape = Shape::bulk;
    return read_memory_index(in);
  }
  if (code == 0x41) {
    out.index = static_cast<std::uint32_t>(in.s32());
    return;
  }
  if (code == 0x42) {
    in.s64();
    return;
  }
  if (code == 0x43 || code == 0x44) {
    in.bytes(code == 0x43 ? 4 : 8);
    return;
  }
  if (code >= 0x45 && code <= 0xc4) {
    out.may_trap = numeric_may_trap(code);
    return;
  }
  if (code >= 0xd0 && code <= 0xd6) return read_reference(in, code, out);
  if (code == kPrefixGc) return unsupported(in, "garbage collection", out.offset);
  if (code == kPrefixMisc) return read_misc(in, out);
  if (code == kPrefixSimd) return read_simd(in, out);
  if (code == kPrefixAtomic) return unsupported(in, "threads", out.offset);
  if (code >= 0xe0 && code <= 0xe6) return unsupported(in, "stack switching", out.offset);
  unknown_opcode(in, code, out.offset);
}

}  // namespace

Instruction read_instruction(Reader& in) {
  Instruction out;
  out.offset = static_cast<std::uint32_t>(in.offset());
  const std::uint8_t code = in.u8();
  if (!in.ok()) return out;
  out.op = static_cast<Op>(code);
  read_immediates(in, code, out);
  out.size_bytes = static_cast<std::uint32_t>(in.offset()) - out.offset;
  return out;
}

std::uint8_t read_reference_type(Reader& in) {
  const std::uint64_t at = in.offset();
  const std::uint8_t type = in.u8();
  if (type == 0x70 || type == 0x6f || !in.ok()) return type;
  if (type == 0x63 || type == 0x64) {
    unsupported(in, "typed function references", at);
  } else if (type == 0x69 || type == 0x74) {
    unsupported(in, "exception handling", at);
  } else if (type >= 0x68 && type <= 0x73) {
    unsupported(in, "garbage collection", at);
  } else if (type < 0x60) {
    unsupported(in, "typed function references", at);
  } else {
    in.fail(base::Errc::invalid, "not a reference type", at);
  }
  return type;
}

std::uint8_t read_value_type(Reader& in) {
  const std::uint8_t type = in.peek();
  if (type >= 0x7b && type <= 0x7f) return in.u8();
  if (type == 0x77 || type == 0x78) {
    unsupported(in, "garbage collection", in.offset());
    return type;
  }
  if (type > 0x74) {
    in.fail(base::Errc::invalid, "not a value type", in.offset());
    return type;
  }
  return read_reference_type(in);
}

}  // namespace fusebox::engine::wasm
