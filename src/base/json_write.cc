#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/json.h"
#include "base/json_text.h"

namespace fusebox::base::json {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

bool needs_escape(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHexDigits[static_cast<unsigned char>(c) >> 4];
      out += kHexDigits[static_cast<unsigned char>(c) & 15];
  }
}

template <class Integer>
void append_integer(std::string& out, Integer value) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

void append_canonical(Writer& out, const Node& node) {
  switch (node.kind()) {
    case Kind::null:
      out.null();
      return;
    case Kind::boolean:
      out.boolean(node.boolean());
      return;
    case Kind::integer:
      if (node.negative()) {
        out.integer(*node.as_i64());
      } else {
        out.unsigned_integer(node.magnitude());
      }
      return;
    case Kind::number:
      out.number(node.number());
      return;
    case Kind::string:
      out.string(node.string());
      return;
    case Kind::array:
      out.begin_array();
      for (const Node& element : node.elements()) append_canonical(out, element);
      out.end_array();
      return;
    case Kind::object: {
      std::vector<std::size_t> order(node.keys().size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      // char_traits compares as unsigned bytes: the order of UTF-8 bytes, which is that of code points.
      std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
        const int sign = node.keys()[a].compare(node.keys()[b]);
        return sign != 0 ? sign < 0 : a < b;
      });
      out.begin_object();
      for (const std::size_t i : order) append_canonical(out.key(node.keys()[i]), node.elements()[i]);
      out.end_object();
      return;
    }
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view value) {
  out += '"';
  while (!value.empty()) {
    const auto special = std::ranges::find_if(value, needs_escape);
    const auto plain = static_cast<std::size_t>(special - value.begin());
    out.append(value.substr(0, plain));
    if (plain == value.size()) break;
    append_escaped(out, *special);
    value.remove_prefix(plain + 1);
  }
  out += '"';
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
  } else if (value == 0 && std::signbit(value)) {
    out += "-0.0";  // "-0" would read back as the integer 0
  } else {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    out.append(text, end);
  }
}

void Writer::separate() {
  if (need_comma_) out_ += ',';
  need_comma_ = true;
}

Writer& Writer::begin_object() {
  separate();
  out_ += '{';
  need_comma_ = false;
  return *this;
}

Writer& Writer::end_object() {
  out_ += '}';
  need_comma_ = true;
  return *this;
}

Writer& Writer::begin_array() {
  separate();
  out_ += '[';
  need_comma_ = false;
  return *this;
}

Writer& Writer::end_array() {
  out_ += ']';
  need_comma_ = true;
  return *this;
}

Writer& Writer::key(std::string_view key) {
  separate();
  append_quoted(out_, key);
  out_ += ':';
  need_comma_ = false;
  return *this;
}

Writer& Writer::string(std::string_view value) {
  separate();
  append_quoted(out_, value);
  return *this;
}

Writer& Writer::integer(std::int64_t value) {
  separate();
  append_integer(out_, value);
  return *this;
}

Writer& Writer::unsigned_integer(std::uint64_t value) {
  separate();
  append_integer(out_, value);
  return *this;
}

Writer& Writer::number(double value) {
  separate();
  append_number(out_, value);
  return *this;
}

Writer& Writer::boolean(bool value) {
  return raw(value ? "true" : "false");
}

Writer& Writer::null() {
  return raw("null");
}

Writer& Writer::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

std::string canonical(const Node& node) {
  Writer out;
  append_canonical(out, node);
  return out.take();
}

}  // namespace fusebox::base::json
