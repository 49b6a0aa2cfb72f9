#include "http/http_date.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace fusebox::http {
namespace {
constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
}  // namespace

// Not strftime: its names follow the locale.
std::string_view HttpDate::at(base::Nanos wall) {
  const std::int64_t second = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
  if (second == second_) return text_;
  second_ = second;
  const std::time_t time = second;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[parts.tm_wday % 7],
                parts.tm_mday, kMonths[parts.tm_mon % 12], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
                parts.tm_sec);
  text_ = text.data();
  return text_;
}

}  // namespace fusebox::http
