#include <algorithm>

#include "base/json.h"
#include "base/json_text.h"
#include "base/text.h"

namespace fusebox::base::json {
namespace {

constexpr std::uint64_t kInt64MinMagnitude = std::uint64_t{1} << 63;

}  // namespace

std::string Problem::text() const {
  return file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + message;
}

void Problems::add(Problem problem) {
  ++count_;
  if (!full()) list_.push_back(std::move(problem));
}

Error Problems::to_error(std::string_view name) const {
  std::string message;
  for (const Problem& problem : list_) {
    if (!message.empty()) message += '\n';
    message += problem.text();
  }
  if (count_ > list_.size()) message += "\nand " + std::to_string(count_ - list_.size()) + " more";
  return Error{Errc::invalid, std::move(message), std::string(name), nullptr};
}

std::string_view to_string(Kind kind) noexcept {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "boolean";
    case Kind::integer:
      return "integer";
    case Kind::number:
      return "number";
    case Kind::string:
      return "string";
    case Kind::array:
      return "array";
    case Kind::object:
      return "object";
  }
  return "null";
}

const Node::Members& Node::no_members() noexcept {
  static const Members none;
  return none;
}

const std::string& Node::pointer() const noexcept {
  static const std::string whole_document;
  return pointer_ != nullptr ? *pointer_ : whole_document;
}

std::optional<std::int64_t> Node::as_i64() const noexcept {
  if (kind_ != Kind::integer || magnitude_ > kInt64MinMagnitude - (negative_ ? 0 : 1)) return std::nullopt;
  return static_cast<std::int64_t>(negative_ ? 0 - magnitude_ : magnitude_);
}

std::optional<std::uint64_t> Node::as_u64() const noexcept {
  if (kind_ != Kind::integer || negative_) return std::nullopt;
  return magnitude_;
}

const Node* Node::find(std::string_view key) const noexcept {
  const std::span<const std::string> names = keys();
  const auto found = std::ranges::find(names, key);
  return found == names.end() ? nullptr : &elements()[static_cast<std::size_t>(found - names.begin())];
}

std::string described(const Node& node) {
  switch (node.kind()) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return node.boolean() ? "true" : "false";
    case Kind::integer:
      return std::string(node.negative() ? "-" : "").append(std::to_string(node.magnitude()));
    case Kind::number:
      return node.string();
    case Kind::string:
      return in_quotes(node.string());
    case Kind::array:
      return "an array";
    case Kind::object:
      return "an object";
  }
  return "null";
}

std::string listed(std::span<const std::string_view> names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += in_quotes(names[i]);
  }
  return out;
}

}  // namespace fusebox::base::json
