#include "base/json_number.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace fusebox::base::json {
namespace {

constexpr std::uint64_t kInt64MinMagnitude = std::uint64_t{1} << 63;
constexpr std::int64_t kExponentMax =
    1'000'000'000;  // where counting stops; far beyond every double, far below overflow

class Digits {
 public:
  explicit Digits(std::string_view text) noexcept : text_(text) {}

  std::size_t position() const noexcept { return at_; }
  char next() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool at_digit() const noexcept { return next() >= '0' && next() <= '9'; }
  void skip() noexcept { ++at_; }
  bool skip_if(char wanted) noexcept {
    if (next() != wanted) return false;
    ++at_;
    return true;
  }
  std::size_t skip_digits() noexcept {
    const std::size_t start = at_;
    while (at_digit()) ++at_;
    return at_ - start;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// Whether a decimal text that no double can hold is too large, rather than too small. The library reports both alike.
bool is_above_double(std::string_view text) noexcept {
  Digits digits(text);
  digits.skip_if('-');
  std::int64_t scale = 0;  // power of ten just above the first digit that is not 0
  bool leading = true;
  for (bool fraction = false; digits.at_digit() || digits.next() == '.'; digits.skip()) {
    if (digits.next() == '.') {
      fraction = true;
      continue;
    }
    leading = leading && digits.next() == '0';
    if (leading && fraction) --scale;
    if (!leading && !fraction) ++scale;
  }
  if (!digits.skip_if('e') && !digits.skip_if('E')) return scale > 0;
  const bool down = digits.skip_if('-');
  if (!down) digits.skip_if('+');
  std::int64_t exponent = 0;
  for (; digits.at_digit() && exponent < kExponentMax; digits.skip()) exponent = exponent * 10 + (digits.next() - '0');
  return scale + (down ? -exponent : exponent) > 0;
}

void read_double(ScannedNumber& number) noexcept {
  const char* const end = number.text.data() + number.text.size();
  const auto [stop, code] = std::from_chars(number.text.data(), end, number.value);
  if (code != std::errc::result_out_of_range) return;
  if (is_above_double(number.text)) {
    number.error = "number is too large; allowed are finite values, up to about 1.8e308";
  } else {
    number.value = number.negative ? -0.0 : 0.0;
  }
}

// The digits as an integer, when they fit 64 bits.
void read_integer(ScannedNumber& number) noexcept {
  const std::string_view digits = number.text.substr(number.negative ? 1 : 0);
  const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number.magnitude);
  if (code != std::errc{} || (number.negative && number.magnitude > kInt64MinMagnitude)) {
    number.magnitude = 0;
    read_double(number);
    return;
  }
  number.integer = true;
  number.value = static_cast<double>(number.magnitude);
  if (number.magnitude == 0) number.negative = false;  // -0 is the integer 0
  if (number.negative) number.value = -number.value;
}

}  // namespace

ScannedNumber scan_number(std::string_view rest) noexcept {
  ScannedNumber number;
  Digits digits(rest);
  number.negative = digits.skip_if('-');
  const bool leading_zero = digits.next() == '0';
  const std::size_t whole_digits = digits.skip_digits();
  bool plain = true;
  if (whole_digits == 0) {
    number.error = "\"-\" without a number; a digit is needed after it";
  } else if (leading_zero && whole_digits > 1) {
    number.error = "number starts with 0; JSON allows no leading zeros";
  }
  if (number.error.empty() && digits.skip_if('.')) {
    plain = false;
    if (digits.skip_digits() == 0) number.error = "number ends with its decimal point; a digit is needed after it";
  }
  if (number.error.empty() && (digits.skip_if('e') || digits.skip_if('E'))) {
    plain = false;
    if (!digits.skip_if('-')) digits.skip_if('+');
    if (digits.skip_digits() == 0) number.error = "exponent has no digits; a digit is needed after the e";
  }
  number.text = rest.substr(0, digits.position());
  if (!number.error.empty()) return number;
  if (plain) {
    read_integer(number);
  } else {
    read_double(number);
  }
  return number;
}

}  // namespace fusebox::base::json
