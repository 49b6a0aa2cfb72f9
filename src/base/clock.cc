#include "base/clock.h"

#include <ctime>

#include <cstdio>
#include <limits>

#include "base/text.h"

namespace fusebox::base {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

Nanos read_clock(clockid_t which) noexcept {
  timespec now{};
  ::clock_gettime(which, &now);
  return Nanos{now.tv_sec * kNanosPerSecond + now.tv_nsec};
}

// Takes fixed-width pieces off the front of a text; once one does not fit, ok() stays false.
class Pieces {
 public:
  explicit Pieces(std::string_view text) noexcept : rest_(text) {}

  int digits(std::size_t count) noexcept {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!at_digit()) {
        ok_ = false;
        return 0;
      }
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  // Which of `allowed` comes next.
  char one_of(std::string_view allowed) noexcept {
    if (rest_.empty() || !allowed.contains(rest_.front())) {
      ok_ = false;
      return '\0';
    }
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }
  // ".123": at least one digit; those after the ninth are dropped.
  std::int64_t fraction_ns() noexcept {
    if (!rest_.starts_with('.')) return 0;
    rest_.remove_prefix(1);
    if (!at_digit()) ok_ = false;
    std::int64_t value = 0;
    for (std::int64_t weight = kNanosPerSecond / 10; at_digit(); weight /= 10, rest_.remove_prefix(1)) {
      value += weight * (rest_.front() - '0');
    }
    return value;
  }
  bool ok() const noexcept { return ok_; }
  bool at_end() const noexcept { return rest_.empty(); }

 private:
  bool at_digit() const noexcept { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  std::string_view rest_;
  bool ok_ = true;
};

std::unexpected<Error> not_a_time(std::string_view text, std::string_view why) {
  return fail(Errc::invalid, "time " + in_quotes(text) + " " + std::string(why) +
                                 "; allowed is RFC 3339 such as 2026-11-21T15:33:00Z");
}

}  // namespace

Nanos RealClock::monotonic() const noexcept {
  return read_clock(CLOCK_MONOTONIC);
}
Nanos RealClock::wall() const noexcept {
  return read_clock(CLOCK_REALTIME);
}
Nanos RealClock::thread_cpu() const noexcept {
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void ManualClock::set_wall(Nanos wall) noexcept {
  wall_shift_ns_.store((wall - wall_start_).count() - now_ns_.load());
}
Nanos ManualClock::wall() const noexcept {
  return wall_start_ + Nanos{now_ns_.load() + wall_shift_ns_.load()};
}

std::string format_rfc3339(Nanos wall) {
  using namespace std::chrono;
  const auto rounded = floor<microseconds>(wall);  // whole days of the earliest time do not fit in nanoseconds
  const auto day = floor<days>(rounded);
  const year_month_day date{sys_days{day}};
  const hh_mm_ss time{rounded - day};
  char text[40];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                    static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return {text, static_cast<std::size_t>(size)};
}

Result<Nanos> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  Pieces pieces(text);
  const int year_number = pieces.digits(4);
  pieces.one_of("-");
  const int month_number = pieces.digits(2);
  pieces.one_of("-");
  const int day_number = pieces.digits(2);
  pieces.one_of("Tt ");
  const int hour = pieces.digits(2);
  pieces.one_of(":");
  const int minute = pieces.digits(2);
  pieces.one_of(":");
  const int second = pieces.digits(2);
  const std::int64_t fraction_ns = pieces.fraction_ns();
  const char zone = pieces.one_of("Zz+-");
  int offset_minutes = 0;
  if (zone == '+' || zone == '-') {
    const int offset_hour = pieces.digits(2);
    pieces.one_of(":");
    const int offset_minute = pieces.digits(2);
    if (offset_hour > 23 || offset_minute > 59) return not_a_time(text, "has an offset beyond 23:59");
    offset_minutes = (offset_hour * 60 + offset_minute) * (zone == '-' ? -1 : 1);
  }
  if (!pieces.ok() || !pieces.at_end()) return not_a_time(text, "is not written as a date and time with an offset");

  const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_number)},
                            std::chrono::day{static_cast<unsigned>(day_number)}};
  // Second 60 is a leap second; it counts as the first of the next minute.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60)
    return not_a_time(text, "names a day or hour that does not exist");
  const std::int64_t seconds_of_day = hour * 3600 + (minute - offset_minutes) * 60 + second;
  const std::int64_t whole_seconds = sys_days{date}.time_since_epoch().count() * std::int64_t{86400} + seconds_of_day;
  constexpr std::int64_t kSecondsMax = std::numeric_limits<std::int64_t>::max() / kNanosPerSecond - 1;
  if (whole_seconds > kSecondsMax || whole_seconds < -kSecondsMax)
    return not_a_time(text, "lies outside the years 1678 to 2261");
  return Nanos{whole_seconds * kNanosPerSecond + fraction_ns};
}

}  // namespace fusebox::base
