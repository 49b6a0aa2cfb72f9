#include "cli/fleet/metrics_text.h"

#include "base/bytes.h"
#include "base/json.h"

namespace fusebox::cli::fleet {
namespace {

template <class Take>
void each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    take(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
}

std::string_view name_in(std::string_view line) {
  for (const std::string_view comment : {"# HELP ", "# TYPE "})
    if (line.starts_with(comment)) line.remove_prefix(comment.size());
  return line.substr(0, line.find_first_of(" {"));
}

// Where the labels end: a brace inside a quoted value does not count.
std::size_t labels_end(std::string_view line, std::size_t from) {
  bool quoted = false;
  for (std::size_t i = from; i < line.size(); ++i) {
    if (quoted && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == '}' && !quoted) {
      return i;
    }
  }
  return line.npos;
}

}  // namespace

std::string metrics_with_prefix(std::string_view text, std::string_view prefix) {
  std::string kept;
  each_line(text, [&](std::string_view line) {
    if (name_in(line).starts_with(prefix)) kept.append(line).append("\n");
  });
  return kept;
}

std::string metrics_json(std::string_view text) {
  base::json::Writer out;
  out.begin_array();
  each_line(text, [&](std::string_view line) {
    if (line.empty() || line[0] == '#') return;
    const std::string_view name = name_in(line);
    std::string_view labels;
    std::string_view rest = line.substr(name.size());
    if (rest.starts_with('{')) {
      const std::size_t end = labels_end(rest, 1);
      if (end == rest.npos) return;
      labels = rest.substr(1, end - 1);
      rest.remove_prefix(end + 1);
    }
    const std::size_t value = rest.find_first_not_of(' ');
    if (value == rest.npos) return;
    rest = rest.substr(value);
    out.begin_object().key("name").string(base::to_utf8(name)).key("labels").string(base::to_utf8(labels));
    out.key("value").string(base::to_utf8(rest.substr(0, rest.find(' ')))).end_object();
  });
  return out.end_array().take();
}

}  // namespace fusebox::cli::fleet
