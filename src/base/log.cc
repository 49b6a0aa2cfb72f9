#include "base/log.h"

#include "base/bytes.h"
#include "base/json.h"

namespace fusebox::base {
namespace {

constexpr std::size_t kTextBytesMax = 16u << 10;  // of a message or a field; one line of log is no place for a document

void write_text(json::Writer& line, std::string_view text) {
  text = text.substr(0, kTextBytesMax);
  if (is_utf8(text)) {
    line.string(text);
  } else {
    line.string(to_utf8(text));
  }
}

void write_value(json::Writer& line, std::string_view text) {
  write_text(line, text);
}
void write_value(json::Writer& line, std::int64_t value) {
  line.integer(value);
}
void write_value(json::Writer& line, std::uint64_t value) {
  line.unsigned_integer(value);
}
void write_value(json::Writer& line, double value) {
  line.number(value);
}
void write_value(json::Writer& line, bool value) {
  line.boolean(value);
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

void Logger::log(LogLevel level, std::string_view component, std::string_view message,
                 std::initializer_list<LogField> fields) {
  if (level < level_min_ || !sink_) return;
  json::Writer line;
  // The clock is read under the lock, so that lines come in the order of their times.
  const std::lock_guard lock(mutex_);
  line.begin_object().key("timestamp").string(format_rfc3339(clock_.wall()));
  line.key("level").string(to_string(level));
  write_text(line.key("component"), component);
  write_text(line.key("message"), message);
  for (const LogField& field : fields) {
    line.key(field.key);
    std::visit([&](const auto& value) { write_value(line, value); }, field.value);
  }
  sink_(line.end_object().text());
}

}  // namespace fusebox::base
