#include "http/server/router.h"

#include <algorithm>

#include "base/bytes.h"
#include "http/limits.h"

namespace fusebox::http {
namespace {

// The segments of a path behind its first slash; "/" has one empty segment.
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  if (!path.starts_with('/')) return segments;
  for (std::size_t from = 1;;) {
    const std::size_t slash = path.find('/', from);
    segments.push_back(path.substr(from, slash - from));
    if (slash == std::string_view::npos || segments.size() > kPathSegmentsMax) return segments;
    from = slash + 1;
  }
}

bool is_named(std::string_view segment) noexcept {
  return segment.size() >= 2 && segment.front() == '{' && segment.back() == '}';
}

}  // namespace

struct Router::Search {
  std::vector<std::string> segments;  // decoded
  std::string_view method;
  std::vector<std::size_t> named;  // which segments were taken as parameters
  const Route* route = nullptr;
  std::vector<std::string_view> others;  // methods of the path, when the method is not among them
  std::string_view pattern;
};

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)), nodes_(1) {
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    std::size_t node = 0;
    for (const std::string_view segment : split(routes_[i].pattern)) node = child(node, segment);
    nodes_[node].routes.push_back(i);
  }
}

std::size_t Router::child(std::size_t node, std::string_view segment) {
  if (is_named(segment)) {
    if (nodes_[node].named == 0) {
      nodes_.emplace_back();
      nodes_[node].named = nodes_.size() - 1;
    }
    return nodes_[node].named;
  }
  for (const auto& [text, at] : nodes_[node].literals) {
    if (text == segment) return at;
  }
  nodes_.emplace_back();
  nodes_[node].literals.emplace_back(segment, nodes_.size() - 1);
  return nodes_.size() - 1;
}

// Literal segments win, but a dead end behind one falls back to the named segment. Whether the route was found.
bool Router::find(Search& search, std::size_t node, std::size_t depth) const {
  const Node& here = nodes_[node];
  if (depth == search.segments.size()) {
    const Route* answers_head = nullptr;
    for (const std::size_t at : here.routes) {
      const Route& route = routes_[at];
      if (route.method == search.method) search.route = &route;
      if (route.method == "GET") answers_head = &route;
      if (std::ranges::find(search.others, route.method) == search.others.end()) search.others.push_back(route.method);
      if (search.pattern.empty()) search.pattern = route.pattern;
    }
    if (search.route == nullptr && search.method == "HEAD") search.route = answers_head;
    if (search.route != nullptr) search.pattern = search.route->pattern;
    return search.route != nullptr;
  }
  const std::string& segment = search.segments[depth];
  for (const auto& [text, at] : here.literals) {
    if (text == segment && find(search, at, depth + 1)) return true;
  }
  if (here.named == 0 || segment.empty()) return false;
  search.named.push_back(depth);
  if (find(search, here.named, depth + 1)) return true;
  search.named.pop_back();
  return false;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  Search search;
  search.method = method;
  const std::vector<std::string_view> raw = split(path);
  if (raw.empty() || raw.size() > kPathSegmentsMax) return match;
  search.segments.reserve(raw.size());
  for (const std::string_view segment : raw) {
    std::optional<std::string> decoded = percent_decode(segment);
    if (!decoded || !base::is_utf8(*decoded)) return match;
    search.segments.push_back(std::move(*decoded));
  }
  if (find(search, 0, 0)) {
    match.route = search.route;
    for (const std::size_t at : search.named) match.values.push_back(std::move(search.segments[at]));
  } else if (!search.others.empty()) {
    if (std::ranges::find(search.others, "GET") != search.others.end()) search.others.push_back("HEAD");
    std::ranges::sort(search.others);
    const auto [same, end] = std::ranges::unique(search.others);
    search.others.erase(same, end);
    for (const std::string_view other : search.others) {
      if (!match.allow.empty()) match.allow += ", ";
      match.allow += other;
    }
  }
  match.pattern = search.pattern;
  return match;
}

}  // namespace fusebox::http
