#include "container/control.h"

namespace fusebox::container {

std::string_view to_string(State state) noexcept {
  constexpr std::string_view kTokens[] = {"created", "not_started", "starting", "running", "exited", "failure"};
  return kTokens[static_cast<std::size_t>(state)];
}

std::string_view to_string(RestartWord word) noexcept {
  constexpr std::string_view kWords[] = {"none", "pending", "given-up"};
  return kWords[static_cast<std::size_t>(word)];
}

}  // namespace fusebox::container
