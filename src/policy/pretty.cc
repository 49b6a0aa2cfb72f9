#include "policy/pretty.h"

#include <algorithm>

namespace fusebox::policy {
namespace {

// The end of the string literal that starts at `at`.
std::size_t string_end(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at)
    if (json[at] == '\\') ++at;
  return std::min(at + 1, json.size());
}

// The end of the list at `at` when it holds no list or object, else 0.
std::size_t plain_list_end(std::string_view json, std::size_t at) {
  for (++at; at < json.size();) {
    const char c = json[at];
    if (c == ']') return at + 1;
    if (c == '[' || c == '{') return 0;
    at = c == '"' ? string_end(json, at) : at + 1;
  }
  return 0;
}

void append_plain_list(std::string& out, std::string_view list) {
  for (std::size_t at = 0; at < list.size();) {
    if (list[at] == '"') {
      const std::size_t end = string_end(list, at);
      out += list.substr(at, end - at);
      at = end;
      continue;
    }
    out += list[at];
    if (list[at] == ',') out += ' ';
    ++at;
  }
}

void new_line(std::string& out, std::size_t depth) {
  out += '\n';
  out.append(2 * depth, ' ');
}

}  // namespace

std::string pretty_json(std::string_view json) {
  std::string out;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    std::size_t end = at + 1;
    if (c == '"') {
      end = string_end(json, at);
      out += json.substr(at, end - at);
    } else if (c == '[' && plain_list_end(json, at) != 0) {
      end = plain_list_end(json, at);
      append_plain_list(out, json.substr(at, end - at));
    } else if ((c == '{' || c == '[') && at + 1 < json.size() && (json[at + 1] == '}' || json[at + 1] == ']')) {
      out += json.substr(at, 2);
      end = at + 2;
    } else if (c == '{' || c == '[') {
      out += c;
      new_line(out, ++depth);
    } else if (c == '}' || c == ']') {
      new_line(out, depth == 0 ? 0 : --depth);
      out += c;
    } else {
      out += c;
      if (c == ',') new_line(out, depth);
      if (c == ':') out += ' ';
    }
    at = end;
  }
  out += '\n';
  return out;
}

}  // namespace fusebox::policy
