// Reads a JSON body as the reference does: only the first value, names without regard to case, null is omitted, unknown
// fields are ignored; a value of another type, or a number that does not fit, is a fault. Of two names that differ only in
// case the later one counts; the same name twice is refused.
//
// Owner    a Body owns its document; BodyObject and the nodes it gives live as long.
// Threads  one.
// Errors   the first fault is kept; take_fault() gives it as 400 `invalid JSON body: ...`.
// Contract control-plane.md 1.3
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace fusebox::fleet {

class BodyFaults {
 public:
  void add(std::string text) {
    if (first_.empty()) first_ = std::move(text);
  }
  base::Result<void> check() const;  // 400

 private:
  std::string first_;
};

// An object, or nothing: every field is then absent.
class BodyObject {
 public:
  BodyObject(const base::json::Node* node, std::string path, BodyFaults& faults);

  bool present() const noexcept { return node_ != nullptr; }
  const base::json::Node* node() const noexcept { return node_; }
  const std::string& path() const noexcept { return path_; }
  std::string path_of(std::string_view key) const;
  const base::json::Node* find(std::string_view key) const noexcept;  // null for JSON null, too

  BodyObject object(std::string_view key) const;
  std::string text(std::string_view key) const;  // "" when absent
  bool boolean(std::string_view key) const;      // false when absent
  std::int64_t i64(std::string_view key, std::int64_t fallback = 0) const;
  std::int64_t i32(std::string_view key) const;
  std::optional<std::int64_t> maybe_i64(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  std::map<std::string, std::string> text_map(std::string_view key) const;
  std::map<std::string, std::int64_t> count_map(std::string_view key) const;
  void each(std::string_view key, const std::function<void(const BodyObject&)>& take) const;
  // Every member of the object `key`: names are taken as they are.
  void members(std::string_view key, const std::function<void(const std::string&, const BodyObject&)>& take) const;
  void fault(std::string_view key, std::string_view wanted) const;

 private:
  std::int64_t number(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t fallback) const;
  const base::json::Node* array(std::string_view key) const;

  const base::json::Node* node_ = nullptr;
  std::string path_;
  BodyFaults* faults_;
};

class Body {
 public:
  enum class Absent : bool { refused, empty_object };
  // 400 `invalid JSON body: ...`
  static base::Result<Body> parse(std::string_view text, Absent absent = Absent::refused);
  BodyObject root() { return {document_ ? document_->root.get() : nullptr, "", faults_}; }
  base::Result<void> check() const { return faults_.check(); }
  BodyFaults& faults() noexcept { return faults_; }

 private:
  std::optional<base::json::Document> document_;  // none: an absent body, or null
  BodyFaults faults_;
};

// The text of the first JSON value, or all of it when it has no end.
std::string_view first_json_value(std::string_view text) noexcept;

}  // namespace fusebox::fleet
