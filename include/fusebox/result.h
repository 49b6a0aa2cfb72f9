// Errors are values: Result<T> is a T or an Error, never an exception.
//
// Threads  plain values; share them like any other value.
// Errors   `code` is what callers branch on; `name` is the stable name a face's contract gives the failure (for example
//          "CPU_LIMIT" in contract capability.md 14.1) and is empty where the code says all; `message` is for a person.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace fusebox::base {

// Adding one is an API change.
enum class Errc : std::uint8_t {
  invalid,      // no state of the world could make this input right
  not_found,    // the named thing does not exist
  exists,       // the named thing exists and may not be replaced
  denied,       // a policy or a check says no
  exhausted,    // a limit was met: size, count, memory
  stopped,      // a time or tick limit, or somebody's request, ended it
  trapped,      // the guest broke a rule of WebAssembly or of its ABI
  stale,        // something newer replaced it
  unavailable,  // trying again may help
  unsupported,  // this build or this machine cannot do it
  io,           // the operating system said no
  corrupt,      // stored bytes are not what was stored
  bug,          // only a defect of Fusebox leads here
};

// "invalid", "not_found", ...: stable, used in JSON output.
std::string_view to_string(Errc code) noexcept;

// What a face attaches to an error (usage, backtrace, execution id). The face that made it knows the derived type.
struct ErrorDetail {
  virtual ~ErrorDetail() = default;
};

struct [[nodiscard]] Error {
  Errc code = Errc::bug;
  std::string message;
  std::string name;
  std::shared_ptr<const ErrorDetail> detail;
};

template <class T>
using Result = std::expected<T, Error>;

// The failing side of any Result: `return fail(Errc::invalid, "...")`.
inline std::unexpected<Error> fail(Errc code, std::string message, std::string name = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(name), nullptr});
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

// Adds the outer step to an error: "step: message". Once per layer.
template <class T>
Result<T> within(std::string_view step, Result<T> result) {
  if (!result) result.error().message = std::string(step) + ": " + result.error().message;
  return result;
}

// Names for `code` and `code == io` errors from errno: "open: No such file or directory".
Error errno_error(std::string_view step, int saved_errno);

}  // namespace fusebox::base

#define FUSEBOX_CONCAT_(a, b) a##b
#define FUSEBOX_CONCAT(a, b) FUSEBOX_CONCAT_(a, b)

// FB_TRY(auto value, expression): binds the value, or returns the error from the enclosing function.
#define FB_TRY(declaration, ...) FB_TRY_(FUSEBOX_CONCAT(fb_try_, __COUNTER__), declaration, __VA_ARGS__)
#define FB_TRY_(temporary, declaration, ...)                                \
  auto temporary = (__VA_ARGS__);                                           \
  if (!temporary) return ::std::unexpected(::std::move(temporary).error()); \
  declaration = ::std::move(*temporary)

// FB_CHECK(expression): the same for Result<void>, or where the value is not needed.
#define FB_CHECK(...)                                                                     \
  do {                                                                                    \
    auto fb_check_result = (__VA_ARGS__);                                                 \
    if (!fb_check_result) return ::std::unexpected(::std::move(fb_check_result).error()); \
  } while (false)
