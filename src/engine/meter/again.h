// Functions that may ask to be called again: guests call a wrapper instead, and the wrapper waits in between.
//
// The wrapper stands behind all other functions; the function that waits is one import more, so every function behind the
// imports has an index one higher than before. Whatever names a function is rewritten: calls, references, exports,
// element segments, globals, the start section, the name section.
//
//   loop (result i32)                       as long as the answer is kCallAgain
//     arguments  call $import  local.tee $answer
//     i32.const kCallAgain  i32.eq
//     if  call $wait  br 1  end
//     local.get $answer
//   end
//
// Threads  plain values and pure functions. Wrappers cost no ticks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/meter/emitter.h"
#include "engine/wasm/module.h"
#include "engine/wasm/reader.h"
#include "engine/wasm/writer.h"

namespace fusebox::engine::metering {

struct Again {
  std::vector<std::uint32_t> imports;  // function indices of the imports that have a wrapper, ascending
  std::uint32_t imported = 0;          // functions the guest imports; the index of the function that waits
  std::uint32_t wrappers_begin = 0;    // function index of the first wrapper
  std::uint32_t wait_type = 0;         // type index of () -> ()
  bool wait_type_is_new = false;

  bool any() const noexcept { return !imports.empty(); }
  // The index in the rewritten module of what the guest knows as `function`.
  std::uint32_t moved(std::uint32_t function) const noexcept;
};

Again plan_again(const wasm::Module& module, std::span<const std::string> which);

// The code entry of the wrapper of `import`: size, locals, body.
void write_wrapper(Emitter& out, const Again& again, const wasm::Module& module, std::uint32_t import);

// The contents of a section, copied with its function indices moved.
void move_globals(wasm::Reader& in, wasm::Writer& out, const Again& again);
void move_exports(wasm::Reader& in, wasm::Writer& out, const Again& again);  // without their number
void move_elements(wasm::Reader& in, wasm::Writer& out, const Again& again);
// What cannot be read is left out from there on: names are only for people.
void move_names(wasm::Reader& in, wasm::Writer& out, const Again& again);

}  // namespace fusebox::engine::metering
