#include "fleet/api/rules/body_reader.h"

#include <algorithm>

#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::json::Kind;
using base::json::Node;

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kPrefix = "invalid JSON body: ";

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

std::string_view first_json_value(std::string_view text) noexcept {
  const std::size_t start = text.find_first_not_of(kSpace);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start);
  if (text[0] != '{' && text[0] != '[') return text.substr(0, text.find_first_of(kSpace));
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return text;
}

base::Result<void> BodyFaults::check() const {
  if (first_.empty()) return {};
  return refuse(400, std::string(kPrefix) + first_);
}

base::Result<Body> Body::parse(std::string_view text, Absent absent) {
  text = first_json_value(text);
  Body body;
  if (text.empty()) {
    if (absent == Absent::empty_object) return body;
    return refuse(400, std::string(kPrefix) + "the body is empty");
  }
  if (text == "null") return body;
  base::json::ParseOptions options;
  options.file = "body";
  options.pointers = false;
  base::json::Problems problems;
  body.document_ = base::json::parse(text, options, problems);
  if (!problems.empty()) {
    const base::json::Problem& first = problems.list().front();
    return refuse(400, std::string(kPrefix) + "line " + std::to_string(first.at.line) + ", column " +
                           std::to_string(first.at.column) + ": " + first.message);
  }
  if (!body.document_) return refuse(400, std::string(kPrefix) + "it cannot be read");
  if (!body.document_->root->is_object()) {
    return refuse(400, std::string(kPrefix) + "an object is needed, not a " +
                           std::string(base::json::to_string(body.document_->root->kind())));
  }
  return body;
}

BodyObject::BodyObject(const Node* node, std::string path, BodyFaults& faults)
    : path_(std::move(path)), faults_(&faults) {
  if (node == nullptr || node->kind() == Kind::null) return;
  if (node->is_object()) {
    node_ = node;
  } else {
    faults_->add(path_ + " must be an object, not a " + std::string(base::json::to_string(node->kind())));
  }
}

std::string BodyObject::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Node* BodyObject::find(std::string_view key) const noexcept {
  if (node_ == nullptr) return nullptr;
  const auto keys = node_->keys();
  for (std::size_t i = keys.size(); i-- > 0;) {
    if (same_name(keys[i], key) && node_->elements()[i].kind() != Kind::null) return &node_->elements()[i];
  }
  return nullptr;
}

void BodyObject::fault(std::string_view key, std::string_view wanted) const {
  faults_->add(path_of(key) + " must be " + std::string(wanted));
}

BodyObject BodyObject::object(std::string_view key) const {
  return {find(key), path_of(key), *faults_};
}

std::string BodyObject::text(std::string_view key) const {
  const Node* const found = find(key);
  if (found == nullptr) return {};
  if (found->is_string()) return found->string();
  fault(key, "a string");
  return {};
}

bool BodyObject::boolean(std::string_view key) const {
  const Node* const found = find(key);
  if (found == nullptr) return false;
  if (found->kind() == Kind::boolean) return found->boolean();
  fault(key, "true or false");
  return false;
}

std::int64_t BodyObject::number(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t fallback) const {
  const Node* const found = find(key);
  if (found == nullptr) return fallback;
  if (const auto value = found->as_i64(); value && *value >= min && *value <= max) return *value;
  fault(key,
        max == std::numeric_limits<std::int32_t>::max() ? "a whole number of 32 bits" : "a whole number of 64 bits");
  return fallback;
}

std::int64_t BodyObject::i64(std::string_view key, std::int64_t fallback) const {
  using Limits = std::numeric_limits<std::int64_t>;
  return number(key, Limits::min(), Limits::max(), fallback);
}

std::int64_t BodyObject::i32(std::string_view key) const {
  using Limits = std::numeric_limits<std::int32_t>;
  return number(key, Limits::min(), Limits::max(), 0);
}

std::optional<std::int64_t> BodyObject::maybe_i64(std::string_view key) const {
  if (find(key) == nullptr) return std::nullopt;
  return i64(key);
}

const Node* BodyObject::array(std::string_view key) const {
  const Node* const found = find(key);
  if (found == nullptr || found->is_array()) return found;
  fault(key, "an array");
  return nullptr;
}

std::vector<std::string> BodyObject::texts(std::string_view key) const {
  std::vector<std::string> list;
  const Node* const found = array(key);
  if (found == nullptr) return list;
  for (const Node& item : found->elements()) {
    if (!item.is_string() && item.kind() != Kind::null) {
      fault(key, "an array of strings");
      return {};
    }
    list.push_back(item.string());  // null is the zero value
  }
  return list;
}

std::map<std::string, std::string> BodyObject::text_map(std::string_view key) const {
  std::map<std::string, std::string> map;
  const BodyObject found = object(key);
  if (!found.present()) return map;
  const auto keys = found.node_->keys();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Node& item = found.node_->elements()[i];
    if (!item.is_string() && item.kind() != Kind::null) {
      fault(key, "an object of strings");
      return {};
    }
    map[keys[i]] = item.string();
  }
  return map;
}

std::map<std::string, std::int64_t> BodyObject::count_map(std::string_view key) const {
  std::map<std::string, std::int64_t> map;
  const BodyObject found = object(key);
  if (!found.present()) return map;
  const auto keys = found.node_->keys();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto value = found.node_->elements()[i].as_i64();
    if (!value || *value > std::numeric_limits<std::int32_t>::max() ||
        *value < std::numeric_limits<std::int32_t>::min()) {
      fault(key, "an object of whole numbers of 32 bits");
      return {};
    }
    map[keys[i]] = *value;
  }
  return map;
}

void BodyObject::each(std::string_view key, const std::function<void(const BodyObject&)>& take) const {
  const Node* const found = array(key);
  if (found == nullptr) return;
  std::size_t index = 0;
  for (const Node& item : found->elements()) {
    take(BodyObject(&item, path_of(key) + "[" + std::to_string(index++) + "]", *faults_));
  }
}

void BodyObject::members(std::string_view key,
                         const std::function<void(const std::string&, const BodyObject&)>& take) const {
  const BodyObject found = object(key);
  if (!found.present()) return;
  const auto keys = found.node_->keys();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    take(keys[i], BodyObject(&found.node_->elements()[i], found.path_of(keys[i]), *faults_));
  }
}

}  // namespace fusebox::fleet
