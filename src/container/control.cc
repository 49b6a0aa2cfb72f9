#include "container/control.h"

namespace fusebox::container {

base::Error to_error(const ControlError& refusal) {
  base::Errc code = base::Errc::invalid;
  if (refusal.code == vfs::Errno::noent) code = base::Errc::not_found;
  if (refusal.code == vfs::Errno::busy) code = base::Errc::unavailable;
  if (refusal.code == vfs::Errno::nospc || refusal.code == vfs::Errno::nomem) code = base::Errc::exhausted;
  return {code, refusal.message, std::string(vfs::to_string(refusal.code)), nullptr};
}

std::string_view to_string(State state) noexcept {
  constexpr std::string_view kTokens[] = {"created", "not_started", "starting", "running", "exited", "failure"};
  return kTokens[static_cast<std::size_t>(state)];
}

std::string_view to_string(RestartWord word) noexcept {
  constexpr std::string_view kWords[] = {"none", "pending", "given-up"};
  return kWords[static_cast<std::size_t>(word)];
}

}  // namespace fusebox::container
