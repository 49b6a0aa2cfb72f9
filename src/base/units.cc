#include "base/units.h"

#include <array>
#include <limits>
#include <optional>
#include <span>

#include "base/text.h"

namespace fusebox::base {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKi = 1024;
constexpr Unit kSizeUnits[] = {
    {"", 1},
    {"B", 1},
    {"byte", 1},
    {"bytes", 1},
    {"kB", 1'000},
    {"KB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
    {"KiB", kKi},
    {"MiB", kKi * kKi},
    {"GiB", kKi * kKi * kKi},
    {"TiB", kKi * kKi * kKi * kKi},
};
// Largest first: a compound duration names them in this order.
constexpr Unit kDurationUnits[] = {
    {"h", 3'600'000'000'000},
    {"min", 60'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
};
constexpr std::size_t kFractionDigitsMax =
    18;  // 10^18 is the last power of ten that leaves room for the arithmetic below

// A decimal number with an optional fraction, not yet multiplied by its unit.
struct Decimal {
  std::uint64_t whole = 0;
  std::uint64_t fraction = 0;  // of `scale`
  std::uint64_t scale = 1;
};

bool at_digit(std::string_view text) noexcept {
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

bool take_digits(std::string_view& text, std::uint64_t& value) noexcept {
  if (!at_digit(text)) return false;
  for (; at_digit(text); text.remove_prefix(1)) {
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<std::uint64_t>(text.front() - '0'), &value)) {
      return false;
    }
  }
  return true;
}

std::optional<Decimal> take_decimal(std::string_view& text) noexcept {
  Decimal out;
  if (!take_digits(text, out.whole)) return std::nullopt;
  if (!text.starts_with('.')) return out;
  text.remove_prefix(1);
  const std::size_t before = text.size();
  if (!take_digits(text, out.fraction) || before - text.size() > kFractionDigitsMax) return std::nullopt;
  for (std::size_t i = text.size(); i < before; ++i) out.scale *= 10;
  return out;
}

// Empty when the product is not whole or does not fit.
std::optional<std::uint64_t> times(const Decimal& number, std::uint64_t factor) noexcept {
  const auto fraction = static_cast<unsigned __int128>(number.fraction) * factor;
  if (fraction % number.scale != 0) return std::nullopt;
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(number.whole, factor, &product) ||
      __builtin_add_overflow(product, static_cast<std::uint64_t>(fraction / number.scale), &product)) {
    return std::nullopt;
  }
  return product;
}

std::string_view take_letters(std::string_view& text) noexcept {
  std::size_t size = 0;
  while (size < text.size() && ((text[size] | 0x20) >= 'a' && (text[size] | 0x20) <= 'z')) ++size;
  const std::string_view letters = text.substr(0, size);
  text.remove_prefix(size);
  return letters;
}

const Unit* find(std::span<const Unit> units, std::string_view name) noexcept {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

std::unexpected<Error> not_a_size(std::string_view text, std::string_view why) {
  return fail(Errc::invalid, "size " + in_quotes(text) + " " + std::string(why) +
                                 "; allowed are whole bytes up to 2^64-1 such as 65536, 64KiB, 1.5GiB or 10kB");
}

std::unexpected<Error> not_a_duration(std::string_view text, std::string_view why) {
  return fail(Errc::invalid, "duration " + in_quotes(text) + " " + std::string(why) +
                                 "; allowed are up to 292 years in h, m, s, ms, us and ns such as 5s, 250ms or 1m30s");
}

std::string with_unit(std::uint64_t count, std::string_view unit) {
  return std::to_string(count) + " " + std::string(unit);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const std::optional<Decimal> number = take_decimal(rest);
  if (!number) return not_a_size(text, "does not start with a number that fits");
  if (rest.starts_with(' ')) {
    rest.remove_prefix(1);
    if (rest.empty()) return not_a_size(text, "ends with a space");
  }
  const Unit* const unit = find(kSizeUnits, rest);
  if (unit == nullptr) return not_a_size(text, "has an unknown unit");
  const std::optional<std::uint64_t> bytes = times(*number, unit->factor);
  if (!bytes) return not_a_size(text, "is no whole number of bytes that fits");
  return *bytes;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  std::string_view rest = text;
  std::uint64_t total_ns = 0;
  std::uint64_t factor_before = std::numeric_limits<std::uint64_t>::max();
  do {
    const std::optional<Decimal> number = take_decimal(rest);
    if (!number) return not_a_duration(text, "does not start with a number that fits");
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    const std::string_view name = take_letters(rest);
    if (name.empty()) return not_a_duration(text, "has a number without a unit");
    const Unit* const unit = find(kDurationUnits, name);
    if (unit == nullptr) return not_a_duration(text, "has an unknown unit");
    if (unit->factor >= factor_before) return not_a_duration(text, "does not go from larger to smaller units");
    factor_before = unit->factor;
    const std::optional<std::uint64_t> part_ns = times(*number, unit->factor);
    if (!part_ns || __builtin_add_overflow(total_ns, *part_ns, &total_ns) ||
        total_ns > static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count())) {
      return not_a_duration(text, "is no whole number of nanoseconds that fits");
    }
  } while (!rest.empty());
  return std::chrono::nanoseconds{static_cast<std::int64_t>(total_ns)};
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kNames = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  if (bytes == 1) return "1 byte";
  std::size_t power = 0;
  while (power + 1 < kNames.size() && bytes != 0 && bytes % kKi == 0) {
    bytes /= kKi;
    ++power;
  }
  return with_unit(bytes, kNames[power]);
}

std::string format_duration(std::chrono::nanoseconds duration) {
  const bool negative = duration.count() < 0;
  const auto signed_ns = static_cast<std::uint64_t>(duration.count());
  const std::uint64_t ns = negative ? 0 - signed_ns : signed_ns;
  if (ns == 0) return "0 s";
  for (const Unit& unit : kDurationUnits) {
    if (ns % unit.factor == 0)
      return (negative ? std::string("-") : std::string()) + with_unit(ns / unit.factor, unit.name);
  }
  return with_unit(ns, "ns");
}

std::string format_count(std::uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

}  // namespace fusebox::base
