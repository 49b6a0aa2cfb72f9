#include "engine/wasmtime_handle.h"

namespace fusebox::engine {
namespace {

constexpr std::string_view kCausedBy = "Caused by:";

// Drops line ends, indentation and the numbering Wasmtime gives several causes.
std::string on_one_line(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.size() > 3 && line[0] >= '0' && line[0] <= '9' && line[1] == ':' && line[2] == ' ') line.remove_prefix(3);
    if (line.empty() || line == kCausedBy) continue;
    if (!out.empty()) out += ": ";
    out += line;
  }
  return out;
}

}  // namespace

std::string message_of(const wasmtime_error_t& error) {
  WasmBytes text;
  wasmtime_error_message(&error, text.out());
  return on_one_line(text.text());
}

base::Result<void> check(base::Errc code, std::string_view step, wasmtime_error_t* error, std::string_view name) {
  if (error == nullptr) return {};
  const ErrorPtr owner(error);
  return base::fail(code, std::string(step) + ": " + message_of(*error), std::string(name));
}

}  // namespace fusebox::engine
