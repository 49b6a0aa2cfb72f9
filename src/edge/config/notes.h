// What a reader found in a configuration file: errors, and warnings about what is allowed but probably not meant.
//
// Threads  one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace fusebox::edge::config {

struct Notes {
  base::json::Problems errors;
  base::json::Problems warnings;

  bool ok() const noexcept { return errors.empty(); }
  // Every note on one line, by place: "<file>:<line>:<column>: <text>", warnings with "warning: " before their text.
  std::vector<std::string> lines() const;
  // The same as one text, each line ended.
  std::string text() const;
};

// Where a reader reports to, and what it reads from.
struct Source {
  const base::json::Document& document;
  Notes& notes;

  void error(const base::json::Node& at, std::string message) const;
  void error(base::json::Location at, const base::json::Node& node, std::string message) const;
  void warning(const base::json::Node& at, std::string message) const;
  void warning(base::json::Location at, const base::json::Node& node, std::string message) const;
  base::json::ObjectReader object(const base::json::Node& node, std::string what) const;
};

// "null", "a boolean", "the number 1.5", "a string", ... of a value that has the wrong type.
std::string given(const base::json::Node& node);

}  // namespace fusebox::edge::config
