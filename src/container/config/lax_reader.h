// Reads the JSON of configurations as the original does: unknown keys are ignored, null is absent, where a string is
// expected a number or a boolean is taken as its text. What is wrong is collected with its JSON path.
//
// Owner    borrows the document and the list of errors.
// Threads  one.
// Contract containers.md 4, 5.1, 5.2
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "container/config/launch_config.h"

namespace fusebox::container {

using ConfigErrors = std::vector<ConfigError>;

// Strict JSON, then any white space and NUL bytes, nested at most kNestingMax; null and an error otherwise.
inline constexpr std::size_t kNestingMax = 32;  // contract 4
std::optional<base::json::Document> parse_lax(std::string_view text, std::size_t bytes_max, ConfigErrors& errors);

// One object, or nothing: every key is then absent.
class LaxObject {
 public:
  // Null: absent. Not an object: an error, then absent.
  LaxObject(const base::json::Node* node, std::string path, ConfigErrors& errors);

  bool present() const noexcept { return node_ != nullptr; }
  const std::string& path() const noexcept { return path_; }
  std::string path_of(std::string_view key) const;
  const base::json::Node* find(std::string_view key) const noexcept;  // null for JSON null, too

  LaxObject object(std::string_view key) const;
  // "" when absent; longer than `bytes_max`: MSGSIZE.
  std::string text(std::string_view key, std::size_t bytes_max) const;
  std::optional<std::uint64_t> integer(std::string_view key, std::uint64_t min, std::uint64_t max) const;
  // Index into `words`.
  std::optional<std::size_t> choice(std::string_view key, std::initializer_list<std::string_view> words) const;
  std::optional<std::vector<std::string>> texts(std::string_view key, std::size_t count_max,
                                                std::size_t bytes_max) const;
  // Each element that is an object; others are skipped. More than `count_max` of them: MSGSIZE.
  void each(std::string_view key, std::size_t count_max, const std::function<void(const LaxObject&)>& take) const;
  void error(std::string_view key, vfs::Errno code, std::string message) const;

 private:
  std::string scalar(const base::json::Node& node, const std::string& path, std::size_t bytes_max) const;

  const base::json::Node* node_ = nullptr;
  std::string path_;
  ConfigErrors& errors_;
};

}  // namespace fusebox::container
