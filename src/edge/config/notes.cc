#include "edge/config/notes.h"

#include <algorithm>
#include <utility>

namespace fusebox::edge::config {
namespace {

using base::json::Location;
using base::json::Node;
using base::json::Problem;
using base::json::Problems;

void collect(const Problems& problems, std::string_view prefix, std::vector<std::pair<Location, std::string>>& out) {
  for (const Problem& problem : problems.list()) {
    Problem shown = problem;
    shown.message.insert(0, prefix);
    out.emplace_back(problem.at, shown.text());
  }
}

void count_rest(const Problems& problems, std::string_view what, std::vector<std::string>& out) {
  if (problems.count() > problems.list().size())
    out.push_back("and " + std::to_string(problems.count() - problems.list().size()) + " more " + std::string(what));
}

}  // namespace

std::vector<std::string> Notes::lines() const {
  std::vector<std::pair<Location, std::string>> found;
  collect(errors, "", found);
  collect(warnings, "warning: ", found);
  std::ranges::stable_sort(found, {}, [](const auto& note) { return std::pair(note.first.line, note.first.column); });
  std::vector<std::string> out;
  out.reserve(found.size() + 2);
  for (auto& note : found) out.push_back(std::move(note.second));
  count_rest(errors, "errors", out);
  count_rest(warnings, "warnings", out);
  return out;
}

std::string Notes::text() const {
  std::string out;
  for (const std::string& line : lines()) out.append(line).append("\n");
  return out;
}

void Source::error(const Node& at, std::string message) const {
  error(at.location(), at, std::move(message));
}
void Source::error(Location at, const Node& node, std::string message) const {
  notes.errors.add({document.file, at, node.pointer(), std::move(message)});
}
void Source::warning(const Node& at, std::string message) const {
  warning(at.location(), at, std::move(message));
}
void Source::warning(Location at, const Node& node, std::string message) const {
  notes.warnings.add({document.file, at, node.pointer(), std::move(message)});
}
base::json::ObjectReader Source::object(const Node& node, std::string what) const {
  return {document, node, notes.errors, std::move(what)};
}

std::string given(const Node& node) {
  switch (node.kind()) {
    case base::json::Kind::null:
      return "null";
    case base::json::Kind::boolean:
      return node.boolean() ? "true" : "false";
    case base::json::Kind::integer:
      return (node.negative() ? "-" : "") + std::to_string(node.magnitude());
    case base::json::Kind::number:
      return node.string();
    case base::json::Kind::string:
      return "a string";
    case base::json::Kind::array:
      return "a list";
    case base::json::Kind::object:
      return "an object";
  }
  return "";
}

}  // namespace fusebox::edge::config
