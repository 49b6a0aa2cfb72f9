// JSON with places: every value knows its line and column, every error names file, place and JSON pointer.
//
// RFC 8259 with the bounds of contract capability.md section 7: duplicate keys rejected, depth at most 64, integers kept
// exactly up to 64 bits, NaN and infinities rejected, valid UTF-8 only.
//
// Owner    A Document owns its nodes; a Node reference dies with it.
// Threads  A Document never changes after parse(); any number of readers. Problems and ObjectReader: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace fusebox::base::json {

inline constexpr std::size_t kDepthMax = 64;           // contract; also what keeps our recursion bounded
inline constexpr std::size_t kProblemsMax = 100;       // nobody reads more; the count goes on
inline constexpr std::size_t kValuesMax = 1u << 20;    // of a tree; a hostile 16 MiB text would hold 8 million
inline constexpr std::size_t kOpenKeysMax = 1u << 20;  // keys of objects not yet closed, kept to find duplicates
inline constexpr std::size_t kPointerBytesMax = 256;   // long keys above many values would multiply without it

struct Location {
  std::uint32_t line = 1;  // both from 1; columns count bytes
  std::uint32_t column = 1;
};

// One thing wrong with a document.
struct Problem {
  std::string file;
  Location at;
  std::string pointer;  // RFC 6901, "" = the whole document
  std::string message;
  std::string text() const;  // "policy.json:7:18: message"
};

// All things wrong with a document, in the order found.
class Problems {
 public:
  void add(Problem problem);
  bool empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }
  bool full() const noexcept { return list_.size() == kProblemsMax; }  // further ones are only counted
  std::span<const Problem> list() const noexcept { return list_; }
  // Errc::invalid; the message holds every problem, one a line.
  Error to_error(std::string_view name = {}) const;

 private:
  std::vector<Problem> list_;
  std::size_t count_ = 0;
};

enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };
std::string_view to_string(Kind kind) noexcept;  // "null", "boolean", ... for messages

class Node {
 public:
  Kind kind() const noexcept { return kind_; }
  Location location() const noexcept { return at_; }
  // The nearest enclosing value's where the pointer would be longer than kPointerBytesMax; empty without ParseOptions::pointers.
  const std::string& pointer() const noexcept;

  bool is_object() const noexcept { return kind_ == Kind::object; }
  bool is_array() const noexcept { return kind_ == Kind::array; }
  bool is_string() const noexcept { return kind_ == Kind::string; }

  // Each needs the matching kind.
  bool boolean() const noexcept { return boolean_; }
  // An integer is kept as sign and magnitude, so that all of int64 and uint64 fit.
  bool negative() const noexcept { return negative_; }
  std::uint64_t magnitude() const noexcept { return magnitude_; }
  std::optional<std::int64_t> as_i64() const noexcept;  // empty when it does not fit or is no integer
  std::optional<std::uint64_t> as_u64() const noexcept;
  double number() const noexcept { return number_; }  // also set for integers
  // For Kind::number: the text as written, cut at 64 bytes, for messages.
  const std::string& string() const noexcept { return string_; }
  std::span<const Node> elements() const noexcept { return members().items; }
  // Members of an object: keys()[i] names elements()[i], in document order.
  std::span<const std::string> keys() const noexcept { return members().keys; }
  std::span<const Location> key_locations() const noexcept { return members().key_locations; }
  const Node* find(std::string_view key) const noexcept;  // null when absent or not an object

 private:
  friend class Builder;
  // Apart from the node, because most nodes have none: a document of a million numbers stays small.
  struct Members {
    std::vector<Node> items;
    std::vector<std::string> keys;
    std::vector<Location> key_locations;
  };
  static const Members& no_members() noexcept;
  const Members& members() const noexcept { return members_ != nullptr ? *members_ : no_members(); }

  Kind kind_ = Kind::null;
  bool boolean_ = false;
  bool negative_ = false;
  Location at_;
  std::uint64_t magnitude_ = 0;
  double number_ = 0;
  std::string string_;
  std::unique_ptr<const std::string> pointer_;
  std::unique_ptr<const Members> members_;
};

struct ParseOptions {
  std::string file = "<json>";  // only for messages
  std::size_t bytes_max = 16u << 20;
  bool pointers = true;  // false saves the pointers' memory on hot paths
};

struct Document {
  std::string file;
  std::unique_ptr<Node> root;  // never null
};

// Text problems (syntax, duplicate keys, bad UTF-8) go to `problems`; returns nothing when there is no usable tree.
// After duplicate keys there is one (find() gives the first), so that its readers can report what else is wrong: whoever
// uses a tree looks at `problems` at the end.
std::optional<Document> parse(std::string_view text, const ParseOptions& options, Problems& problems);
// The same for callers that want one Error (Errc::invalid).
Result<Document> parse(std::string_view text, const ParseOptions& options = {});
// Syntax, depth, duplicates and UTF-8 only; builds nothing. Has no bound on values: text that is valid may be too much for parse().
bool is_valid(std::string_view text);

// Reads one object key by key, collecting every problem instead of stopping at the first.
// Each reader marks its key as known; finish() then reports every key nobody asked for, with a suggestion.
class ObjectReader {
 public:
  // Reports a problem at once when `node` is not an object; then every reader returns its default.
  ObjectReader(const Document& document, const Node& node, Problems& problems, std::string what);

  bool has(std::string_view key);              // marks as known
  const Node* optional(std::string_view key);  // marks as known; null when absent
  const Node* required(std::string_view key);  // reports when absent

  // Values outside [min, max] are reported with both bounds. `unit` completes the sentence: "bytes", "ms", "".
  std::uint64_t u64(std::string_view key, std::uint64_t fallback, std::uint64_t min, std::uint64_t max,
                    std::string_view unit = {});
  bool boolean(std::string_view key, bool fallback);
  std::string string(std::string_view key, std::string fallback, std::size_t bytes_max = 65536);
  // Index into `names`; an unknown name is reported with the allowed ones and the nearest.
  std::size_t choice(std::string_view key, std::size_t fallback, std::span<const std::string_view> names);
  std::vector<std::string> strings(std::string_view key, std::vector<std::string> fallback,
                                   std::size_t count_max = 1024);

  void problem(const Node& at, std::string message);
  void problem_here(std::string message);
  void finish();
  // The same into other problems, leaving out the keys `is_free` accepts.
  void finish(Problems& into, bool (*is_free)(std::string_view key));

  const Document& document() const noexcept { return document_; }
  Problems& problems() const noexcept { return problems_; }

 private:
  const Document& document_;
  const Node& node_;
  Problems& problems_;
  std::string what_;
  std::vector<std::string> known_;
};

// The candidate nearest to `given`, or empty when none is near enough to be a slip of the fingers.
std::string nearest(std::string_view given, std::span<const std::string_view> candidates);

// Writes JSON text: compact, keys in the order written, UTF-8 kept as it is, control characters escaped.
class Writer {
 public:
  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view key);
  Writer& string(std::string_view value);  // must be valid UTF-8
  Writer& integer(std::int64_t value);
  Writer& unsigned_integer(std::uint64_t value);
  Writer& number(double value);  // null for NaN and infinities, which JSON does not have
  Writer& boolean(bool value);
  Writer& null();
  Writer& raw(std::string_view json);  // already valid JSON
  const std::string& text() const noexcept { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void separate();
  std::string out_;
  bool need_comma_ = false;
};

// Keys sorted bytewise at every level, no insignificant space: the form policy hashes are made of (contract 8.1).
std::string canonical(const Node& node);

}  // namespace fusebox::base::json
