// How a run ended, in the words of contract 16.1 and 16.2.
//
// Threads  plain values, pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "container/control.h"
#include "engine/outcome.h"

namespace fusebox::container {

struct End {
  State state = State::failure;
  std::int32_t exit_code = -1;
  std::string reason = "internal";
  // What follows "wapp '<n>'" in the engine's message: " trapped: unreachable", ": app.wasm absent ...". "" = no message.
  std::string message;
};

End ended_by_exit(std::int32_t code);
End ended_by_stop();
End ended_by_signal(std::uint8_t number);
End ended_by_limit(std::string reason);
// The outcome of a guest call. `exit_code` and `raised` are the process's.
End end_of(const engine::Outcome& outcome, std::optional<std::int32_t> exit_code, std::optional<std::uint8_t> raised);
// Images that cannot be opened, modules that cannot be compiled or instantiated.
End end_of_image(const base::Error& error);
End end_of_module(const base::Error& error);
End end_of_instantiation(const base::Error& error);

// One line, bounded: reasons stand in files and event lines.
std::string one_line(std::string text);

}  // namespace fusebox::container
