// Members of a JSON object from the other side of the wire, read one by one; the first thing wrong is kept.
//
// `null` equals absent; unknown members are not looked at.
//
// Owner    the node outlives the reader.
// Threads  one thread.
// Errors   check(): `invalid` with "missing field: 'x'" or "bad field: 'x': ...".
// Contract host-agent.md 1
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace fusebox::host {

class Fields {
 public:
  explicit Fields(const base::json::Node& object) noexcept : object_(object) {}

  std::string string(std::string_view key);
  std::string required_string(std::string_view key);
  // Also text that is a decimal number: some clients quote them.
  std::int64_t integer(std::string_view key, std::int64_t fallback);
  std::optional<std::int64_t> optional_integer(std::string_view key);
  bool boolean(std::string_view key, bool fallback = false);
  std::vector<std::string> strings(std::string_view key, std::size_t count_max);
  // Members of an object of texts, in their order.
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view key, std::size_t count_max);
  const base::json::Node* find(std::string_view key) const noexcept;  // null also for `null`

  void bad(std::string_view key, std::string_view what);
  void missing(std::string_view key);
  base::Result<void> check() const;

 private:
  const base::json::Node& object_;
  std::optional<base::Error> first_;
};

}  // namespace fusebox::host
