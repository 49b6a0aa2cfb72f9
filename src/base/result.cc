#include "fusebox/result.h"

#include <cerrno>
#include <cstring>

namespace fusebox::base {
namespace {

Errc code_of(int saved_errno) noexcept {
  switch (saved_errno) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EEXIST:
    case ENOTEMPTY:
      return Errc::exists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Errc::exhausted;
    case ENOSYS:
    case EOPNOTSUPP:
      return Errc::unsupported;
    default:
      return Errc::io;
  }
}

}  // namespace

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::invalid:
      return "invalid";
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::denied:
      return "denied";
    case Errc::exhausted:
      return "exhausted";
    case Errc::stopped:
      return "stopped";
    case Errc::trapped:
      return "trapped";
    case Errc::stale:
      return "stale";
    case Errc::unavailable:
      return "unavailable";
    case Errc::unsupported:
      return "unsupported";
    case Errc::io:
      return "io";
    case Errc::corrupt:
      return "corrupt";
    case Errc::bug:
      return "bug";
  }
  return "bug";
}

Error errno_error(std::string_view step, int saved_errno) {
  // strerrordesc_np: the same words in every locale and on every thread; null for a number the C library does not know.
  const char* words = strerrordesc_np(saved_errno);
  std::string message(step);
  message += ": ";
  message += words != nullptr ? std::string(words) : "error " + std::to_string(saved_errno);
  return Error{code_of(saved_errno), std::move(message), {}, nullptr};
}

}  // namespace fusebox::base
