// Reads one object of a foreign document key by key: unknown keys are ignored, null counts as absent, and the first
// wrong kind is kept as the error.
//
// Owner    borrows the node and the problem, which must outlive it.
// Threads  one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "image/archive.h"

namespace fusebox::image::oci {

// The first thing wrong with a document.
class FirstProblem {
 public:
  explicit FirstProblem(std::string document) : document_(std::move(document)) {}
  void add(const base::json::Node& at, std::string_view message);
  base::Result<void> result() const;

 private:
  std::string document_;
  std::optional<base::Error> error_;
};

class Fields {
 public:
  Fields(const base::json::Node& node, FirstProblem& problem) noexcept;
  std::string text(std::string_view key);  // "" when absent
  std::uint64_t size(std::string_view key);
  std::vector<std::string> texts(std::string_view key);          // an array of strings
  std::vector<std::string> text_or_texts(std::string_view key);  // one string counts as an array of it
  std::map<std::string, std::string> text_map(std::string_view key);
  std::vector<std::string> keys(std::string_view key);  // of an object
  const base::json::Node* object(std::string_view key);
  const base::json::Node* array(std::string_view key);
  const base::json::Node* any(std::string_view key) const noexcept;

 private:
  const base::json::Node* of_kind(std::string_view key, base::json::Kind kind);
  const base::json::Node& node_;
  FirstProblem& problem_;
};

// A document of at most kDocumentBytesMax bytes and a number of values that keeps its tree small. `what` names it in
// messages: "index.json".
base::Result<base::json::Document> parse_document(std::string_view text, std::string_view what);

}  // namespace fusebox::image::oci
