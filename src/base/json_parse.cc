#include <algorithm>
#include <iterator>
#include <limits>

#include "base/bytes.h"
#include "base/json.h"
#include "base/json_number.h"
#include "base/json_path.h"
#include "base/json_string.h"
#include "base/text.h"

namespace fusebox::base::json {
namespace {

constexpr std::size_t kPairwiseMax = 16;  // up to here comparing every pair of keys beats sorting them
constexpr std::string_view kValueWanted =
    "a value is needed here: an object, array, string, number, true, false or null";
constexpr std::size_t kWordBytesMax = 16;  // of a wrong word shown in a message

constexpr std::size_t kUsualMax = 16;  // open values and keys of a request document: room for them at once

struct Key {
  std::string_view text;
  Location at;
};

bool is_letter(char c) noexcept {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

// What stands at the start of `rest`, for a sentence.
std::string found(std::string_view rest) {
  if (rest.empty()) return "the end of the text";
  const auto letters = std::ranges::find_if_not(rest.substr(0, kWordBytesMax), is_letter) - rest.begin();
  if (letters > 0) return in_quotes(rest.substr(0, static_cast<std::size_t>(letters)));
  if (rest.starts_with("\xef\xbb\xbf")) return "a byte-order mark";
  const auto byte = static_cast<unsigned char>(rest.front());
  if (byte >= 0x20 && byte < 0x7f) return byte == '"' ? "a string" : "'" + std::string(1, rest.front()) + "'";
  const std::size_t size = utf8_valid_prefix(rest.substr(0, 4));
  if (byte >= 0x80 && size > 0) {
    std::size_t one = 1;
    while (one < size && (static_cast<unsigned char>(rest[one]) & 0xc0) == 0x80) ++one;
    return in_quotes(rest.substr(0, one));
  }
  return "byte 0x" + to_hex(as_bytes(rest.substr(0, 1)));
}

// Mistakes people bring from other languages.
std::string_view hint(std::string_view rest) noexcept {
  if (rest.empty()) return "";
  if (rest.front() == '\'') return "; strings stand in double quotes";
  if (rest.front() == '/' || rest.front() == '#') return "; JSON has no comments";
  if (rest.front() == '+' || rest.front() == '.') return "; a number starts with a digit or -";
  return "";
}

// The later ones of equal keys, in document order.
std::vector<const Key*> duplicates(std::span<const Key> keys) {
  std::vector<const Key*> found_keys;
  if (keys.size() <= kPairwiseMax) {
    for (std::size_t i = 1; i < keys.size(); ++i) {
      const auto earlier = keys.first(i);
      if (std::ranges::find(earlier, keys[i].text, &Key::text) != earlier.end()) found_keys.push_back(&keys[i]);
    }
    return found_keys;
  }
  // Sorted rather than hashed: no choice of keys makes it slow.
  std::vector<const Key*> sorted;
  sorted.reserve(keys.size());
  for (const Key& key : keys) sorted.push_back(&key);
  std::ranges::sort(sorted, [](const Key* a, const Key* b) {
    const int order = a->text.compare(b->text);
    return order != 0 ? order < 0 : a < b;
  });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i]->text == sorted[i - 1]->text) found_keys.push_back(sorted[i]);
  }
  std::ranges::sort(found_keys);
  return found_keys;
}

// Builds nothing: for is_valid().
struct Checker {
  static constexpr std::size_t kValuesMaxHere = std::numeric_limits<std::size_t>::max();
  std::size_t mark() const noexcept { return 0; }
  void literal(Kind, bool, Location, const Path&) const noexcept {}
  void number(const ScannedNumber&, Location, const Path&) const noexcept {}
  void string(std::string_view, Location, const Path&) const noexcept {}
  void array(std::size_t, Location, const Path&) const noexcept {}
  void object(std::size_t, std::span<const Key>, Location, const Path&) const noexcept {}
};

}  // namespace

// Keeps finished values on a stack until the container around them is complete, then moves them into it: every
// container is allocated once, at its exact size.
class Builder {
 public:
  static constexpr std::size_t kValuesMaxHere = kValuesMax;

  explicit Builder(bool pointers) : pointers_(pointers) { done_.reserve(kUsualMax); }

  std::size_t mark() const noexcept { return done_.size(); }
  void literal(Kind kind, bool value, Location at, const Path& path) { push(kind, at, path).boolean_ = value; }
  void number(const ScannedNumber& number, Location at, const Path& path) {
    Node& node = push(number.integer ? Kind::integer : Kind::number, at, path);
    node.negative_ = number.negative;
    node.magnitude_ = number.magnitude;
    node.number_ = number.value;
    if (!number.integer) node.string_ = number.text.substr(0, kNumberTextBytesMax);
  }
  void string(std::string_view text, Location at, const Path& path) { push(Kind::string, at, path).string_ = text; }
  void array(std::size_t mark, Location at, const Path& path) {
    auto members = take_since(mark);
    push(Kind::array, at, path).members_ = std::move(members);
  }
  void object(std::size_t mark, std::span<const Key> keys, Location at, const Path& path) {
    auto members = take_since(mark);
    if (members != nullptr) {
      members->keys.reserve(keys.size());
      members->key_locations.reserve(keys.size());
      for (const Key& key : keys) {
        members->keys.emplace_back(key.text);
        members->key_locations.push_back(key.at);
      }
    }
    push(Kind::object, at, path).members_ = std::move(members);
  }
  std::unique_ptr<Node> take_root() { return std::make_unique<Node>(std::move(done_.front())); }

 private:
  static constexpr std::size_t kNumberTextBytesMax = 64;

  Node& push(Kind kind, Location at, const Path& path) {
    Node& node = done_.emplace_back();
    node.kind_ = kind;
    node.at_ = at;
    if (pointers_) {
      if (std::string pointer = path.pointer(); !pointer.empty()) {
        node.pointer_ = std::make_unique<const std::string>(std::move(pointer));
      }
    }
    return node;
  }
  std::unique_ptr<Node::Members> take_since(std::size_t mark) {
    if (mark == done_.size()) return nullptr;
    auto members = std::make_unique<Node::Members>();
    const auto first = done_.begin() + static_cast<std::ptrdiff_t>(mark);
    members->items.assign(std::make_move_iterator(first), std::make_move_iterator(done_.end()));
    done_.erase(first, done_.end());
    return members;
  }

  bool pointers_;
  std::vector<Node> done_;
};

namespace {

// One pass over the text, recursion bounded by kDepthMax. Every function leaves at_ behind what it took, or reports a
// problem and returns false.
template <class Sink>
class Reader {
 public:
  // `problems` may be null when nobody wants the sentences.
  Reader(std::string_view text, std::string_view file, Sink& sink, Problems* problems)
      : text_(text), file_(file), sink_(sink), problems_(problems) {
    keys_.reserve(kUsualMax);
  }

  bool document(std::size_t bytes_max) {
    // Columns are 32 bits wide.
    bytes_max = std::min<std::size_t>(bytes_max, std::numeric_limits<std::uint32_t>::max() - 1);
    if (text_.size() > bytes_max) {
      return stop(0, [&] {
        return "document is " + std::to_string(text_.size()) + " bytes; allowed are at most " +
               std::to_string(bytes_max);
      });
    }
    skip_space();
    if (rest().empty()) return stop(at_, [] { return std::string("document is empty; one JSON value is needed"); });
    if (!value()) return false;
    skip_space();
    if (rest().empty()) return true;
    return stop(at_,
                [&] { return "found " + found(rest()) + " after the document; nothing but space is allowed here"; });
  }

 private:
  std::string_view rest() const noexcept { return text_.substr(at_); }
  char next() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  Location location(std::size_t at) const noexcept {
    return {line_, static_cast<std::uint32_t>(at - line_start_ + 1)};  // no token spans lines, so `at` is on this one
  }

  void skip_space() noexcept {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        line_start_ = at_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  void report(Location at, std::string message) {
    problems_->add({std::string(file_), at, path_.pointer(), std::move(message)});
  }
  template <class Sentence>
  bool stop(std::size_t at, Sentence sentence) {
    if (problems_ != nullptr) report(location(at), sentence());
    return false;
  }
  bool stop_at_token(std::string_view wanted) {
    return stop(at_, [&] { return "found " + found(rest()) + "; " + std::string(wanted) + std::string(hint(rest())); });
  }

  bool value() {
    if (++values_ > Sink::kValuesMaxHere) {
      return stop(at_,
                  [] { return "document has more than " + std::to_string(kValuesMax) + " values, the most allowed"; });
    }
    const Location at = location(at_);
    switch (next()) {
      case '{':
        return object(at);
      case '[':
        return array(at);
      case '"': {
        std::string_view text;
        if (!string(text)) return false;
        sink_.string(text, at, path_);
        return true;
      }
      case 't':
        return literal("true", Kind::boolean, true, at);
      case 'f':
        return literal("false", Kind::boolean, false, at);
      case 'n':
        return literal("null", Kind::null, false, at);
      default:
        if (next() == '-' || (next() >= '0' && next() <= '9')) return number(at);
        return stop_at_token(kValueWanted);
    }
  }

  bool literal(std::string_view word, Kind kind, bool value, Location at) {
    if (!rest().starts_with(word) || (at_ + word.size() < text_.size() && is_letter(text_[at_ + word.size()]))) {
      return stop_at_token(kValueWanted);
    }
    at_ += word.size();
    sink_.literal(kind, value, at, path_);
    return true;
  }

  bool number(Location at) {
    const ScannedNumber scanned = scan_number(rest());
    if (!scanned.error.empty()) return stop(at_, [&] { return std::string(scanned.error); });
    at_ += scanned.text.size();
    sink_.number(scanned, at, path_);
    return true;
  }

  // `text` is good until the next string.
  bool string(std::string_view& text) {
    const ScannedString scanned = scan_string(rest(), scratch_);
    if (!scanned.error.empty()) return stop(at_ + scanned.size, [&] { return std::string(scanned.error); });
    at_ += scanned.size;
    text = scanned.text;
    scanned_in_scratch_ = scanned.in_scratch;
    return true;
  }

  // The opening bracket has been seen. False when it is one too deep.
  bool enter() {
    if (path_.full()) {
      return stop(at_, [] { return "document is nested more than " + std::to_string(kDepthMax) + " levels deep"; });
    }
    ++at_;
    skip_space();
    return true;
  }

  bool array(Location at) {
    if (!enter()) return false;
    path_.enter_array();
    const std::size_t mark = sink_.mark();
    if (next() != ']') {
      for (;;) {
        path_.next_element();
        if (!value()) return false;
        skip_space();
        if (next() == ']') break;
        if (next() != ',') return stop_at_token("\",\" or \"]\" is needed after an element");
        ++at_;
        skip_space();
        if (next() == ']') return stop_at_token("an element is needed after \",\"");
      }
    }
    ++at_;
    path_.leave();
    sink_.array(mark, at, path_);
    return true;
  }

  bool object(Location at) {
    if (!enter()) return false;
    path_.enter_object();
    const std::size_t mark = sink_.mark();
    const std::size_t keys_before = keys_.size();
    const std::size_t decoded_before = decoded_keys_.size();
    if (next() != '}') {
      for (;;) {
        if (!member()) return false;
        skip_space();
        if (next() == '}') break;
        if (next() != ',') return stop_at_token("\",\" or \"}\" is needed after a member");
        ++at_;
        skip_space();
        if (next() == '}') return stop_at_token("a key is needed after \",\"");
      }
    }
    ++at_;
    const std::span<const Key> keys = std::span<const Key>(keys_).subspan(keys_before);
    if (keys.size() > 1 && !check_duplicates(keys)) return false;
    path_.leave();
    sink_.object(mark, keys, at, path_);
    keys_.resize(keys_before);
    decoded_keys_.resize(decoded_before);
    return true;
  }

  bool member() {
    if (next() != '"') return stop_at_token("a key in double quotes is needed here");
    if (keys_.size() == kOpenKeysMax) {
      return stop(
          at_, [] { return "more than " + std::to_string(kOpenKeysMax) + " keys in open objects, the most allowed"; });
    }
    const Location key_at = location(at_);
    std::string_view key;
    if (!string(key)) return false;
    if (scanned_in_scratch_) key = *decoded_keys_.emplace_back(std::make_unique<const std::string>(key));
    keys_.push_back({key, key_at});
    path_.at_key(key);
    skip_space();
    if (next() != ':') return stop_at_token("\":\" is needed after a key");
    ++at_;
    skip_space();
    return value();
  }

  // True when the reading may go on: duplicates leave a tree that can still be read.
  bool check_duplicates(std::span<const Key> keys) {
    const std::vector<const Key*> found_keys = duplicates(keys);
    if (found_keys.empty()) return true;
    if (problems_ == nullptr) return false;
    for (const Key* key : found_keys) {
      path_.at_key(key->text);
      report(key->at, "key " + in_quotes(key->text) + " is given twice; each key may stand once in an object");
    }
    return true;
  }

  std::string_view text_;
  std::string_view file_;
  Sink& sink_;
  Problems* problems_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_start_ = 0;
  std::size_t values_ = 0;
  bool scanned_in_scratch_ = false;
  std::string scratch_;
  Path path_;
  std::vector<Key> keys_;                                         // of the open objects, innermost last
  std::vector<std::unique_ptr<const std::string>> decoded_keys_;  // those of them that had escapes
};

}  // namespace

std::optional<Document> parse(std::string_view text, const ParseOptions& options, Problems& problems) {
  Builder builder(options.pointers);
  Reader<Builder> reader(text, options.file, builder, &problems);
  if (!reader.document(options.bytes_max)) return std::nullopt;
  return Document{options.file, builder.take_root()};
}

Result<Document> parse(std::string_view text, const ParseOptions& options) {
  Problems problems;
  std::optional<Document> document = parse(text, options, problems);
  if (!problems.empty()) return fail(problems.to_error());
  return std::move(*document);
}

bool is_valid(std::string_view text) {
  Checker checker;
  Reader<Checker> reader(text, {}, checker, nullptr);
  return reader.document(std::numeric_limits<std::size_t>::max());
}

}  // namespace fusebox::base::json
