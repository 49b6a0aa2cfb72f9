#include "host/wire/fields.h"

#include <charconv>

#include "host/wire/status.h"

namespace fusebox::host {

using base::json::Kind;
using base::json::Node;

const Node* Fields::find(std::string_view key) const noexcept {
  const Node* node = object_.find(key);
  return node == nullptr || node->kind() == Kind::null ? nullptr : node;
}

void Fields::bad(std::string_view key, std::string_view what) {
  if (first_) return;
  first_ = base::Error{base::Errc::invalid, "bad field: '" + std::string(key) + "': " + std::string(what), {}, nullptr};
}

void Fields::missing(std::string_view key) {
  if (first_) return;
  first_ = base::Error{base::Errc::invalid, "missing field: '" + std::string(key) + "'", {}, nullptr};
}

base::Result<void> Fields::check() const {
  if (first_) return std::unexpected(*first_);
  return {};
}

std::string Fields::string(std::string_view key) {
  const Node* node = find(key);
  if (node == nullptr) return {};
  if (node->is_string()) return node->string();
  bad(key, "must be a string");
  return {};
}

std::string Fields::required_string(std::string_view key) {
  if (find(key) == nullptr) missing(key);
  return string(key);
}

std::optional<std::int64_t> Fields::optional_integer(std::string_view key) {
  const Node* node = find(key);
  if (node == nullptr) return {};
  if (const auto value = node->as_i64()) return value;
  if (node->is_string()) {
    const std::string& text = node->string();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  bad(key, "must be an integer");
  return {};
}

std::int64_t Fields::integer(std::string_view key, std::int64_t fallback) {
  return optional_integer(key).value_or(fallback);
}

bool Fields::boolean(std::string_view key, bool fallback) {
  const Node* node = find(key);
  if (node == nullptr) return fallback;
  if (node->kind() == Kind::boolean) return node->boolean();
  bad(key, "must be true or false");
  return fallback;
}

std::vector<std::string> Fields::strings(std::string_view key, std::size_t count_max) {
  std::vector<std::string> values;
  const Node* node = find(key);
  if (node == nullptr) return values;
  if (!node->is_array() || node->elements().size() > count_max) {
    bad(key, "must be a list of at most " + std::to_string(count_max) + " strings");
    return values;
  }
  for (const Node& element : node->elements()) {
    if (!element.is_string()) {
      bad(key, "must hold strings only");
      return {};
    }
    values.push_back(element.string());
  }
  return values;
}

std::vector<std::pair<std::string, std::string>> Fields::pairs(std::string_view key, std::size_t count_max) {
  std::vector<std::pair<std::string, std::string>> values;
  const Node* node = find(key);
  if (node == nullptr) return values;
  if (!node->is_object() || node->elements().size() > count_max) {
    bad(key, "must be an object of at most " + std::to_string(count_max) + " strings");
    return values;
  }
  for (std::size_t i = 0; i < node->elements().size(); ++i) {
    if (!node->elements()[i].is_string()) {
      bad(key, "must hold strings only");
      return {};
    }
    values.emplace_back(node->keys()[i], node->elements()[i].string());
  }
  return values;
}

}  // namespace fusebox::host
