#include "image/oci/fields.h"

#include <algorithm>

#include "base/units.h"
#include "image/limits.h"

namespace fusebox::image::oci {

using base::json::Kind;
using base::json::Node;

void FirstProblem::add(const Node& at, std::string_view message) {
  if (error_) return;
  const std::string where = at.pointer().empty() ? "" : " " + at.pointer();
  error_ = base::Error{base::Errc::invalid, document_ + where + ": " + std::string(message), "BAD_IMAGE", nullptr};
}

base::Result<void> FirstProblem::result() const {
  if (error_) return base::fail(*error_);
  return {};
}

Fields::Fields(const Node& node, FirstProblem& problem) noexcept : node_(node), problem_(problem) {
  if (!node.is_object()) problem_.add(node, "an object is needed here");
}

const Node* Fields::any(std::string_view key) const noexcept {
  const Node* found = node_.find(key);
  return found == nullptr || found->kind() == Kind::null ? nullptr : found;
}

const Node* Fields::of_kind(std::string_view key, Kind kind) {
  const Node* found = any(key);
  if (found == nullptr || found->kind() == kind) return found;
  problem_.add(*found, "expected " + std::string(base::json::to_string(kind)) + ", found " +
                           std::string(base::json::to_string(found->kind())));
  return nullptr;
}

std::string Fields::text(std::string_view key) {
  const Node* found = of_kind(key, Kind::string);
  return found == nullptr ? std::string() : found->string();
}

std::uint64_t Fields::size(std::string_view key) {
  const Node* found = of_kind(key, Kind::integer);
  if (found == nullptr) return 0;
  const auto value = found->as_u64();
  if (!value) problem_.add(*found, "a size of 0 or more is needed here");
  return value.value_or(0);
}

std::vector<std::string> Fields::texts(std::string_view key) {
  std::vector<std::string> out;
  const Node* found = of_kind(key, Kind::array);
  if (found == nullptr) return out;
  for (const Node& element : found->elements()) {
    if (!element.is_string()) problem_.add(element, "expected string");
    out.push_back(element.is_string() ? element.string() : std::string());
  }
  return out;
}

std::vector<std::string> Fields::text_or_texts(std::string_view key) {
  const Node* found = any(key);
  if (found != nullptr && found->is_string()) return {found->string()};
  return texts(key);
}

std::map<std::string, std::string> Fields::text_map(std::string_view key) {
  std::map<std::string, std::string> out;
  const Node* found = of_kind(key, Kind::object);
  if (found == nullptr) return out;
  for (std::size_t i = 0; i < found->elements().size(); ++i) {
    const Node& value = found->elements()[i];
    if (!value.is_string()) problem_.add(value, "expected string");
    out.emplace(found->keys()[i], value.is_string() ? value.string() : std::string());
  }
  return out;
}

std::vector<std::string> Fields::keys(std::string_view key) {
  const Node* found = of_kind(key, Kind::object);
  if (found == nullptr) return {};
  return {found->keys().begin(), found->keys().end()};
}

const Node* Fields::object(std::string_view key) {
  return of_kind(key, Kind::object);
}

const Node* Fields::array(std::string_view key) {
  return of_kind(key, Kind::array);
}

base::Result<base::json::Document> parse_document(std::string_view text, std::string_view what) {
  if (text.size() > kDocumentBytesMax) {
    return bad_image(std::string(what) + " has " + base::format_count(text.size()) + " bytes; the limit is " +
                     base::format_count(kDocumentBytesMax));
  }
  // Every value but the first follows one of these; those inside strings make the estimate too high, never too low.
  const auto values = std::ranges::count_if(text, [](char c) { return c == ',' || c == '[' || c == '{'; });
  if (static_cast<std::size_t>(values) > kDocumentValuesMax)
    return bad_image(std::string(what) + " has more than " + base::format_count(kDocumentValuesMax) + " values");
  base::json::ParseOptions options;
  options.file = what;
  options.bytes_max = kDocumentBytesMax;
  auto document = base::json::parse(text, options);
  if (!document) return bad_image(document.error().message);
  return document;
}

}  // namespace fusebox::image::oci
