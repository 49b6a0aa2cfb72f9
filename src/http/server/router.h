// Which route a request means: patterns with named segments, literal segments first.
//
// Paths are split into segments before they are decoded, so an encoded slash stays inside its parameter. A named segment
// is never empty, so a trailing slash matches nothing. GET answers HEAD where HEAD has no route of its own.
//
// Threads  a Router never changes; any number of readers.
// Errors   match(): see Match. A parameter that is not valid percent-encoding or not UTF-8 matches nothing.
// Contract control-plane.md 1.2
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fusebox::http {

struct Route {
  std::string method;   // "GET"
  std::string pattern;  // "/v1/environments/{vmId}"
  std::size_t id = 0;   // the caller's
};

class Router {
 public:
  explicit Router(std::vector<Route> routes);

  struct Match {
    const Route* route = nullptr;     // null: none
    std::vector<std::string> values;  // of the named segments, decoded, in order
    std::string allow;                // no route, but the path has other methods: value for the Allow header
    std::string_view pattern;         // of the path, also with another method; "" = unknown path
  };
  Match match(std::string_view method, std::string_view path) const;
  std::span<const Route> routes() const noexcept { return routes_; }

 private:
  struct Node {
    std::vector<std::pair<std::string, std::size_t>> literals;  // segment -> node
    std::size_t named = 0;                                      // node of a named segment; 0 = none
    std::vector<std::size_t> routes;                            // that end here
  };
  struct Search;
  std::size_t child(std::size_t node, std::string_view segment);
  bool find(Search& search, std::size_t node, std::size_t depth) const;

  std::vector<Route> routes_;
  std::vector<Node> nodes_;
};

// "/a//b/./c/../d" -> "/a/b/d"; nothing when the path is clean already. The query is not part of it.
std::optional<std::string> clean_path(std::string_view path);

// Percent-decoding of one segment or value; '+' is a space only where `plus` says so. Nothing for broken escapes.
std::optional<std::string> percent_decode(std::string_view text, bool plus = false);
std::string percent_encode(std::string_view text);  // all but unreserved characters

// The query's pairs in order, decoded; pairs with broken escapes are left out, as the reference does.
class Query {
 public:
  explicit Query(std::string_view query);
  std::optional<std::string_view> get(std::string_view name) const noexcept;  // the first
  std::vector<std::string> all(std::string_view name) const;
  bool has(std::string_view name) const noexcept { return get(name).has_value(); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace fusebox::http
