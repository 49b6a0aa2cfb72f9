// The one seam through which everything a module sees comes in: results of HAL imports, timestamps, delivered events.
//
// A recorder writes down what passes and hands it on; a replayer answers instead of the HAL. The runtime works without
// one (Setup::inputs null), at no cost. Tick counts need no place here: they follow from module and inputs alone.
// Threads  called on the stepping thread, under the runtime's lock.
#pragma once

#include <cstdint>

#include "fuse_types.h"

namespace fusebox::edge {

struct ImportCall;  // hal/table.h

class Inputs {
 public:
  // A checked import call. To pass on: call.row.handler(call). To answer instead: set call.result, fill call.buffer.
  // Null, or the static text of a trap.
  virtual const char* import(ImportCall& call) = 0;
  // A timestamp the runtime itself takes: for the interval rule and for log entries. `read` may be null (no timer HAL).
  virtual std::uint64_t timestamp(std::uint64_t (*read)()) = 0;
  // A step, module_init or module_deinit of module `id` is about to run, with these events claimed (0 when not by event).
  virtual void call_begins(fuse_module_id_t id, std::uint32_t events, std::uint64_t timestamp_us) = 0;

 protected:
  ~Inputs() = default;
};

}  // namespace fusebox::edge
