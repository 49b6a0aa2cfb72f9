#include "wasi/format.h"

#include <algorithm>
#include <cstdio>

#include "wasi/limits.h"

namespace fusebox::wasi {
namespace {

// One conversion: what stands between '%' and its letter.
struct Conversion {
  std::string flags;  // each at most once
  std::uint32_t width = 0;
  std::optional<std::uint32_t> precision;
  bool is_64 = false;
  int shorter = 0;  // 1 for h, 2 for hh
  char letter = 0;
};

class Formatter {
 public:
  Formatter(const Memory& memory, std::string_view format, std::uint32_t arguments)
      : memory_(memory), rest_(format), at_(arguments) {}

  std::optional<std::string> run() {
    while (!rest_.empty() && !failed_ && out_.size() < kPrintBytesMax) {
      const std::string_view plain = rest_.substr(0, rest_.find('%'));
      out_ += plain;
      rest_.remove_prefix(plain.size());
      if (!rest_.empty()) convert();
    }
    if (failed_) return std::nullopt;
    if (out_.size() > kPrintBytesMax) out_.resize(kPrintBytesMax);
    return std::move(out_);
  }

 private:
  void convert() {
    const std::string_view whole = rest_;
    rest_.remove_prefix(1);
    Conversion to;
    flags(to);
    to.width = number(&to).value_or(0);
    if (eat('.')) to.precision = number(nullptr).value_or(0);
    length(to);
    if (rest_.empty() || !put(to, rest_.front())) {
      out_ += whole;
      rest_ = {};
    }
  }

  bool eat(char wanted) noexcept {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void flags(Conversion& to) {
    constexpr std::string_view kFlags = "-+ #0";
    while (!rest_.empty() && kFlags.find(rest_.front()) != kFlags.npos) {
      if (to.flags.find(rest_.front()) == std::string::npos) to.flags += rest_.front();
      rest_.remove_prefix(1);
    }
  }

  // A width (with the conversion it belongs to: a negative argument is a flag) or a precision.
  std::optional<std::uint32_t> number(Conversion* width_of) {
    if (eat('*')) {
      const auto given = static_cast<std::int32_t>(argument<std::uint32_t>());
      if (given >= 0) return std::min(static_cast<std::uint32_t>(given), kPrintWidthMax);
      if (width_of == nullptr) return std::nullopt;
      if (width_of->flags.find('-') == std::string::npos) width_of->flags += '-';
      return std::min(0 - static_cast<std::uint32_t>(given), kPrintWidthMax);
    }
    std::uint32_t value = 0;
    bool any = false;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; rest_.remove_prefix(1), any = true) {
      value = std::min(value * 10 + static_cast<std::uint32_t>(rest_.front() - '0'), kPrintWidthMax);
    }
    return any ? std::optional(value) : std::nullopt;
  }

  void length(Conversion& to) noexcept {
    if (eat('h')) {
      to.shorter = eat('h') ? 2 : 1;
    } else if (eat('l')) {
      to.is_64 = eat('l');
    } else if (eat('j')) {
      to.is_64 = true;
    } else if (!eat('z')) {
      eat('t');
    }
  }

  template <class T>
  T argument() {
    const std::uint64_t at = (std::uint64_t{at_} + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    if (at > UINT32_MAX || !memory_.has(static_cast<std::uint32_t>(at), sizeof(T))) {
      failed_ = true;
      return T{};
    }
    at_ = static_cast<std::uint32_t>(at + sizeof(T));
    return memory_.load<T>(static_cast<std::uint32_t>(at));
  }

  // False for a letter that is not known.
  bool put(Conversion& to, char letter) {
    rest_.remove_prefix(1);
    to.letter = letter;
    switch (letter) {
      case '%':
        out_ += '%';
        return true;
      case 'd':
      case 'i':
        print(to, "ll", signed_argument(to));
        return true;
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        print(to, "ll", unsigned_argument(to));
        return true;
      case 'p':
        to.letter = 'x';
        out_ += "0x";
        print(to, "ll", static_cast<unsigned long long>(argument<std::uint32_t>()));
        return true;
      case 'c':
        print(to, "", static_cast<int>(static_cast<unsigned char>(argument<std::uint32_t>())));
        return true;
      case 's':
        text(to);
        return true;
      case 'n':
        argument<std::uint32_t>();
        return true;
      default:
        if (std::string_view("fFeEgGaA").find(letter) == std::string_view::npos) return false;
        print(to, "", argument<double>());
        return true;
    }
  }

  long long signed_argument(const Conversion& to) {
    if (to.is_64) return static_cast<long long>(argument<std::uint64_t>());
    const auto value = static_cast<std::int32_t>(argument<std::uint32_t>());
    if (to.shorter == 2) return static_cast<signed char>(value);
    return to.shorter == 1 ? static_cast<short>(value) : value;
  }
  unsigned long long unsigned_argument(const Conversion& to) {
    if (to.is_64) return argument<std::uint64_t>();
    const auto value = argument<std::uint32_t>();
    if (to.shorter == 2) return static_cast<unsigned char>(value);
    return to.shorter == 1 ? static_cast<unsigned short>(value) : value;
  }

  template <class T>
  void print(const Conversion& to, const char* length, T value) {
    if (failed_) return;
    std::string spec = "%" + to.flags + std::to_string(to.width);
    if (to.width == 0) spec = "%" + to.flags;
    if (to.precision) spec += "." + std::to_string(*to.precision);
    spec += length;
    spec += to.letter;
    // A double has up to 309 digits before its point.
    char text[2 * kPrintWidthMax + 512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const int size = std::snprintf(text, sizeof text, spec.c_str(), value);
#pragma GCC diagnostic pop
    if (size > 0) out_.append(text, std::min(static_cast<std::size_t>(size), sizeof text - 1));
  }

  void text(const Conversion& to) {
    const auto at = argument<std::uint32_t>();
    if (failed_) return;
    std::string_view value;
    if (to.precision && memory_.has(at, *to.precision)) {
      value = memory_.text(at, *to.precision);  // need not end with a NUL
      value = value.substr(0, value.find('\0'));
    } else if (const auto found = text_at(memory_, at)) {
      value = *found;
    } else {
      failed_ = true;
      return;
    }
    value = value.substr(0, kPrintBytesMax);
    const std::size_t pad = to.width > value.size() ? to.width - value.size() : 0;
    const bool left = to.flags.find('-') != std::string::npos;
    if (!left) out_.append(pad, ' ');
    out_ += value;
    if (left) out_.append(pad, ' ');
  }

  const Memory& memory_;
  std::string_view rest_;
  std::uint32_t at_;
  std::string out_;
  bool failed_ = false;
};

}  // namespace

std::optional<std::string_view> text_at(const Memory& memory, std::uint32_t at) noexcept {
  if (!memory.has(at, 1)) return std::nullopt;
  const std::string_view all = memory.text(at, static_cast<std::uint32_t>(memory.size() - at));
  const std::size_t end = all.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  return all.substr(0, end);
}

std::optional<std::string> format_text(const Memory& memory, std::uint32_t format, std::uint32_t arguments) {
  const auto text = text_at(memory, format);
  if (!text) return std::nullopt;
  return Formatter(memory, *text, arguments).run();
}

}  // namespace fusebox::wasi
