// Structured logging of Fusebox's own events (what guests log goes through their face's log sink).
//
// Library code does not log what it returns as an Error; a face logs what nobody can be told otherwise.
// Threads  Logger: any thread. Sinks are called under the logger's lock, in order.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"

namespace fusebox::base {

enum class LogLevel : std::uint8_t { debug, info, warn, error };
std::string_view to_string(LogLevel level) noexcept;

struct LogField {
  std::string_view key;  // valid UTF-8, from code; none of the four above
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;
};

// One line of JSON (without the line end): {"timestamp":...,"level":...,"component":...,"message":..., fields}. Texts may be
// any bytes: they are cut at 16 KiB, and what is not UTF-8 is replaced. An empty sink drops every line.
using LogLineSink = std::function<void(std::string_view line)>;

class Logger {
 public:
  Logger(const Clock& clock, LogLevel level_min, LogLineSink sink)
      : clock_(clock), level_min_(level_min), sink_(std::move(sink)) {}
  void log(LogLevel level, std::string_view component, std::string_view message,
           std::initializer_list<LogField> fields = {});

 private:
  const Clock& clock_;
  LogLevel level_min_;
  std::mutex mutex_;
  LogLineSink sink_;
};

}  // namespace fusebox::base
