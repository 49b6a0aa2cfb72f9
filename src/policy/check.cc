#include "policy/check.h"

#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "policy/key_tables.h"
#include "policy/limits.h"
#include "policy/load.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::json::Node;
using base::json::Problem;
using base::json::Problems;

// The member of an object by its name or its alias, or the element of a list.
const Node* step(const Node& node, std::string_view segment) {
  if (node.is_array()) {
    std::size_t index = 0;
    for (const char c : segment) index = index * 10 + static_cast<std::size_t>(c - '0');
    return index < node.elements().size() ? &node.elements()[index] : nullptr;
  }
  if (const Node* found = node.find(segment)) return found;
  for (const keys::HostCapability& host : keys::kHostCapabilities)
    if (host.id == segment) return node.find(host.alias);
  return nullptr;
}

// The deepest node of the document on the way to `pointer`: what is doubtful may stand there by default only.
const Node& locate(const Node& root, std::string_view pointer) {
  const Node* at = &root;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view segment = pointer.substr(0, pointer.find('/'));
    const Node* next = step(*at, segment);
    if (next == nullptr) break;
    at = next;
    pointer.remove_prefix(segment.size());
  }
  return *at;
}

void add_doubts(CheckReport& report, const base::json::Document& document, Severity severity,
                const std::vector<Doubt>& doubts) {
  const std::size_t first = report.findings.size();
  for (const Doubt& doubt : doubts) {
    const Node& node = locate(*document.root, doubt.pointer);
    report.findings.push_back(
        {severity, document.file, node.location().line, node.location().column, node.pointer(), doubt.message});
  }
  std::stable_sort(
      report.findings.begin() + static_cast<std::ptrdiff_t>(first), report.findings.end(),
      [](const Finding& a, const Finding& b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); });
}

}  // namespace

std::string_view to_string(Severity severity) noexcept {
  return severity == Severity::error ? "error" : "warning";
}

std::string Finding::text() const {
  return concat(
      {file, ":", std::to_string(line), ":", std::to_string(column), ": ", to_string(severity), ": ", message});
}

std::string CheckReport::text() const {
  std::string out;
  for (const Finding& finding : findings) out += concat({finding.text(), "\n"});
  return out;
}

std::string CheckReport::json() const {
  base::json::Writer out;
  out.begin_object().key("ok").boolean(ok()).key("hash");
  if (policy)
    out.string(policy->hash_hex);
  else
    out.null();
  out.key("findings").begin_array();
  for (const Finding& finding : findings) {
    out.begin_object().key("severity").string(to_string(finding.severity)).key("file").string(finding.file);
    out.key("line").unsigned_integer(finding.line).key("column").unsigned_integer(finding.column);
    out.key("pointer").string(finding.pointer).key("message").string(finding.message).end_object();
  }
  out.end_array().end_object();
  return out.take();
}

CheckReport check_text(std::string_view text, std::string file, std::string base_dir) {
  CheckReport report;
  Problems problems;
  report.policy = parse(text, file, std::move(base_dir), problems);
  for (const Problem& problem : problems.list())
    report.findings.push_back(
        {Severity::error, problem.file, problem.at.line, problem.at.column, problem.pointer, problem.message});
  if (!report.policy) return report;
  const auto document =
      base::json::parse(text, {.file = std::move(file), .bytes_max = kPolicyBytesMax, .pointers = true});
  if (!document) return report;
  const std::vector<Doubt> missing = missing_folders(*report.policy);
  add_doubts(report, *document, Severity::error, missing);
  add_doubts(report, *document, Severity::warning, doubts(*report.policy));
  if (!missing.empty()) report.policy.reset();
  return report;
}

base::Result<CheckReport> check(const std::filesystem::path& file) {
  FB_TRY(const std::string text, base::read_file(file, kPolicyBytesMax));
  return check_text(text, file.string(), file.parent_path().string());
}

}  // namespace fusebox::policy
