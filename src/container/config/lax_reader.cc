#include "container/config/lax_reader.h"

#include <algorithm>

namespace fusebox::container {
namespace {

using base::json::Kind;
using base::json::Node;

std::size_t nesting(const Node& node) noexcept {
  if (node.kind() != Kind::object && node.kind() != Kind::array) return 0;
  std::size_t deepest = 0;
  for (const Node& item : node.elements()) deepest = std::max(deepest, nesting(item));
  return 1 + deepest;
}

std::string_view without_tail(std::string_view text) noexcept {
  constexpr std::string_view kTail(" \t\r\n\0", 5);
  const std::size_t last = text.find_last_not_of(kTail);
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

// A number or boolean as its JSON text.
std::string text_of(const Node& node) {
  switch (node.kind()) {
    case Kind::string:
    case Kind::number:
      return node.string();
    case Kind::integer:
      return (node.negative() ? "-" : "") + std::to_string(node.magnitude());
    case Kind::boolean:
      return node.boolean() ? "true" : "false";
    default:
      return {};
  }
}

}  // namespace

std::optional<base::json::Document> parse_lax(std::string_view text, std::size_t bytes_max, ConfigErrors& errors) {
  text = without_tail(text);
  if (text.size() > bytes_max) {
    errors.push_back({vfs::Errno::msgsize, "",
                      "the configuration has " + std::to_string(text.size()) + " bytes; the most allowed is " +
                          std::to_string(bytes_max)});
    return std::nullopt;
  }
  base::json::Problems problems;
  base::json::ParseOptions options;
  options.file = "configuration";
  options.pointers = false;
  std::optional<base::json::Document> document = base::json::parse(text, options, problems);
  for (const base::json::Problem& problem : problems.list()) {
    errors.push_back({vfs::Errno::inval, "",
                      "line " + std::to_string(problem.at.line) + ", column " + std::to_string(problem.at.column) +
                          ": " + problem.message});
  }
  if (!problems.empty() || !document) return std::nullopt;
  if (nesting(*document->root) > kNestingMax) {
    errors.push_back(
        {vfs::Errno::inval, "", "objects and arrays are nested more than " + std::to_string(kNestingMax) + " deep"});
    return std::nullopt;
  }
  return document;
}

LaxObject::LaxObject(const Node* node, std::string path, ConfigErrors& errors)
    : path_(std::move(path)), errors_(errors) {
  if (node == nullptr || node->kind() == Kind::null) return;
  if (node->is_object()) {
    node_ = node;
  } else {
    errors_.push_back(
        {vfs::Errno::inval, path_, "must be an object, not " + std::string(base::json::to_string(node->kind()))});
  }
}

std::string LaxObject::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Node* LaxObject::find(std::string_view key) const noexcept {
  const Node* found = node_ != nullptr ? node_->find(key) : nullptr;
  return found != nullptr && found->kind() != Kind::null ? found : nullptr;
}

void LaxObject::error(std::string_view key, vfs::Errno code, std::string message) const {
  errors_.push_back({code, path_of(key), std::move(message)});
}

LaxObject LaxObject::object(std::string_view key) const {
  return {find(key), path_of(key), errors_};
}

std::string LaxObject::scalar(const Node& node, const std::string& path, std::size_t bytes_max) const {
  if (node.is_object() || node.is_array()) {
    errors_.push_back(
        {vfs::Errno::inval, path, "must be a string, not " + std::string(base::json::to_string(node.kind()))});
    return {};
  }
  std::string text = text_of(node);
  if (text.size() > bytes_max) {
    errors_.push_back(
        {vfs::Errno::msgsize, path,
         "has " + std::to_string(text.size()) + " bytes; the most allowed is " + std::to_string(bytes_max)});
    return {};
  }
  if (text.find('\0') != std::string::npos) {
    errors_.push_back({vfs::Errno::inval, path, "holds a NUL byte"});
    return {};
  }
  return text;
}

std::string LaxObject::text(std::string_view key, std::size_t bytes_max) const {
  const Node* node = find(key);
  return node != nullptr ? scalar(*node, path_of(key), bytes_max) : std::string{};
}

std::optional<std::uint64_t> LaxObject::integer(std::string_view key, std::uint64_t min, std::uint64_t max) const {
  const Node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const std::optional<std::uint64_t> value = node->as_u64();
  if (value && *value >= min && *value <= max) return value;
  error(key, vfs::Errno::inval, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

std::optional<std::size_t> LaxObject::choice(std::string_view key,
                                             std::initializer_list<std::string_view> words) const {
  const Node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const std::string given = text_of(*node);
  const auto* found = std::ranges::find(words, given);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  std::string all;
  for (const std::string_view word : words) all += (all.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  error(key, vfs::Errno::inval, "must be one of " + all);
  return std::nullopt;
}

std::optional<std::vector<std::string>> LaxObject::texts(std::string_view key, std::size_t count_max,
                                                         std::size_t bytes_max) const {
  const Node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_array()) {
    error(key, vfs::Errno::inval, "must be an array, not " + std::string(base::json::to_string(node->kind())));
    return std::nullopt;
  }
  if (node->elements().size() > count_max) {
    error(key, vfs::Errno::msgsize,
          "has " + std::to_string(node->elements().size()) + " entries; the most allowed is " +
              std::to_string(count_max));
    return std::nullopt;
  }
  std::vector<std::string> list;
  std::size_t index = 0;
  for (const Node& item : node->elements()) {
    const std::string path = path_of(key) + "[" + std::to_string(index++) + "]";
    if (item.kind() != Kind::null) list.push_back(scalar(item, path, bytes_max));
  }
  return list;
}

void LaxObject::each(std::string_view key, std::size_t count_max,
                     const std::function<void(const LaxObject&)>& take) const {
  const Node* node = find(key);
  if (node == nullptr) return;
  if (!node->is_array()) {
    error(key, vfs::Errno::inval, "must be an array, not " + std::string(base::json::to_string(node->kind())));
    return;
  }
  std::size_t index = 0;
  std::size_t count = 0;
  for (const Node& item : node->elements()) {
    const std::string path = path_of(key) + "[" + std::to_string(index++) + "]";
    if (!item.is_object()) continue;
    if (++count > count_max) {
      error(key, vfs::Errno::msgsize, "has more than " + std::to_string(count_max) + " entries");
      return;
    }
    take(LaxObject(&item, path, errors_));
  }
}

}  // namespace fusebox::container
