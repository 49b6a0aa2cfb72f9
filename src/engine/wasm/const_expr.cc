#include "engine/wasm/const_expr.h"

#include "engine/wasm/instruction.h"

namespace fusebox::engine::wasm {

void skip_const_expr(Reader& in) {
  while (in.ok()) {
    const Instruction instruction = read_instruction(in);
    if (instruction.op == Op::end) return;
    if (instruction.shape != Shape::plain && instruction.shape != Shape::function_index) {
      in.fail(base::Errc::invalid, "instruction that is not constant in a constant expression", instruction.offset);
    }
  }
}

}  // namespace fusebox::engine::wasm
