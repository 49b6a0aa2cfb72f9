#include <algorithm>
#include <array>
#include <numeric>

#include "base/json.h"
#include "base/json_path.h"
#include "base/json_text.h"
#include "base/text.h"

namespace fusebox::base::json {
namespace {

constexpr std::size_t kComparedBytesMax = 64;  // longer names are no slip of the fingers of each other
constexpr std::size_t kListedMax = 12;         // more names than this nobody reads in one sentence

char folded(char c) noexcept {
  if (c == '-') return '_';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// Insertions, deletions, replacements and swaps of neighbours that turn one into the other; letter case and -/_ are
// free.
std::size_t distance(std::string_view a, std::string_view b) noexcept {
  using Row = std::array<std::size_t, kComparedBytesMax + 1>;
  Row before{};
  Row last{};
  Row row{};
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

const char* allowed(std::size_t count) noexcept {
  return count == 1 ? "; allowed is " : "; allowed are ";
}

// `; did you mean "x"?`, or the allowed names when none is near and they are few.
std::string suggestion(std::string_view given, std::span<const std::string_view> names) {
  if (const std::string near = nearest(given, names); !near.empty()) return "; did you mean " + in_quotes(near) + "?";
  if (names.empty() || names.size() > kListedMax) return {};
  return std::string(allowed(names.size())) + listed(names);
}

// Beyond 64 bits, but written as a whole number.
bool is_whole(const Node& node) {
  return node.kind() == Kind::number && node.string().find_first_not_of("-0123456789") == std::string::npos;
}

std::string range(std::uint64_t min, std::uint64_t max, std::string_view unit) {
  std::string out = std::to_string(min);
  if (min != max) out += " to " + std::to_string(max);
  if (!unit.empty()) out.append(" ").append(unit);
  return out;
}

}  // namespace

std::string nearest(std::string_view given, std::span<const std::string_view> candidates) {
  if (given.empty() || given.size() > kComparedBytesMax) return {};
  const std::size_t allowed = std::min<std::size_t>(3, std::max<std::size_t>(1, given.size() / 3));
  std::string_view best;
  std::size_t best_distance = allowed + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t sizes_apart = std::max(candidate.size(), given.size()) - std::min(candidate.size(), given.size());
    if (candidate.empty() || candidate.size() > kComparedBytesMax || sizes_apart >= best_distance) continue;
    if (const std::size_t apart = distance(given, candidate); apart < best_distance) {
      best = candidate;
      best_distance = apart;
    }
  }
  return std::string(best);
}

ObjectReader::ObjectReader(const Document& document, const Node& node, Problems& problems, std::string what)
    : document_(document), node_(node), problems_(problems), what_(std::move(what)) {
  if (!node_.is_object()) problem_here(what_ + " is " + described(node_) + "; allowed is an object");
}

bool ObjectReader::has(std::string_view key) {
  return optional(key) != nullptr;
}

const Node* ObjectReader::optional(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  return node_.find(key);
}

const Node* ObjectReader::required(std::string_view key) {
  const Node* const found = optional(key);
  if (found == nullptr && node_.is_object()) problem_here("key " + in_quotes(key) + " is missing in " + what_);
  return found;
}

std::uint64_t ObjectReader::u64(std::string_view key, std::uint64_t fallback, std::uint64_t min, std::uint64_t max,
                                std::string_view unit) {
  const Node* const node = optional(key);
  if (node == nullptr) return fallback;
  if (const std::optional<std::uint64_t> value = node->as_u64(); value && *value >= min && *value <= max) return *value;
  const bool number = node->kind() == Kind::integer || is_whole(*node);
  problem(*node, std::string(key) + " is " + described(*node) +
                     (number ? allowed(min == max ? 1 : 2) : "; allowed are whole numbers, ") + range(min, max, unit));
  return fallback;
}

bool ObjectReader::boolean(std::string_view key, bool fallback) {
  const Node* const node = optional(key);
  if (node == nullptr) return fallback;
  if (node->kind() == Kind::boolean) return node->boolean();
  problem(*node, std::string(key) + " is " + described(*node) + "; allowed are true and false");
  return fallback;
}

std::string ObjectReader::string(std::string_view key, std::string fallback, std::size_t bytes_max) {
  const Node* const node = optional(key);
  if (node == nullptr) return fallback;
  if (!node->is_string()) {
    problem(*node, std::string(key) + " is " + described(*node) + "; allowed is a string");
    return fallback;
  }
  if (node->string().size() > bytes_max) {
    problem(*node, std::string(key) + " is " + std::to_string(node->string().size()) +
                       " bytes long; allowed are at most " + std::to_string(bytes_max) + " bytes");
    return fallback;
  }
  return node->string();
}

std::size_t ObjectReader::choice(std::string_view key, std::size_t fallback, std::span<const std::string_view> names) {
  const Node* const node = optional(key);
  if (node == nullptr) return fallback;
  if (node->is_string()) {
    const auto found = std::ranges::find(names, std::string_view(node->string()));
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  }
  std::string message = std::string(key) + " is " + described(*node) + allowed(names.size()) + listed(names);
  if (node->is_string()) {
    if (const std::string near = nearest(node->string(), names); !near.empty())
      message += "; did you mean " + in_quotes(near) + "?";
  }
  problem(*node, std::move(message));
  return fallback;
}

std::vector<std::string> ObjectReader::strings(std::string_view key, std::vector<std::string> fallback,
                                               std::size_t count_max) {
  const Node* const node = optional(key);
  if (node == nullptr) return fallback;
  if (!node->is_array()) {
    problem(*node, std::string(key) + " is " + described(*node) + "; allowed is a list of strings");
    return fallback;
  }
  if (node->elements().size() > count_max) {
    problem(*node, std::string(key) + " has " + std::to_string(node->elements().size()) +
                       " elements; allowed are at most " + std::to_string(count_max));
    return fallback;
  }
  std::vector<std::string> out;
  bool good = true;
  for (const Node& element : node->elements()) {
    if (element.is_string()) {
      out.push_back(element.string());
    } else {
      problem(element, "an element of " + std::string(key) + " is " + described(element) + "; allowed are strings");
      good = false;
    }
  }
  return good ? out : fallback;
}

void ObjectReader::problem(const Node& at, std::string message) {
  problems_.add({document_.file, at.location(), at.pointer(), std::move(message)});
}

void ObjectReader::problem_here(std::string message) {
  problem(node_, std::move(message));
}

void ObjectReader::finish() {
  finish(problems_, [](std::string_view) { return false; });
}

void ObjectReader::finish(Problems& into, bool (*is_free)(std::string_view key)) {
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (std::size_t i = 0; i < node_.keys().size(); ++i) {
    const std::string& key = node_.keys()[i];
    if (std::ranges::find(known, std::string_view(key)) != known.end() || is_free(key)) continue;
    // Once nobody will read the sentence, a hostile document does not get it computed a million times.
    std::string message =
        into.full() ? std::string() : "unknown key " + in_quotes(key) + " in " + what_ + suggestion(key, known);
    into.add({document_.file, node_.key_locations()[i], node_.elements()[i].pointer(), std::move(message)});
  }
}

}  // namespace fusebox::base::json
