#include "policy/file_match.h"

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "policy/limits.h"

namespace fusebox::policy {
namespace {

using Components = std::vector<std::string_view>;

// A root's guest prefix is normalised: "/" or "/a/b".
std::optional<std::size_t> covered_components(std::string_view guest, const Components& path) {
  std::size_t count = 0;
  while (!guest.empty() && guest != "/") {
    guest.remove_prefix(1);
    const std::string_view component = guest.substr(0, guest.find('/'));
    if (count == path.size() || path[count] != component) return std::nullopt;
    guest.remove_prefix(component.size());
    ++count;
  }
  return count;
}

}  // namespace

std::string_view to_string(PathRefusal refusal) noexcept {
  switch (refusal) {
    case PathRefusal::not_utf8:
      return "the path is not valid UTF-8";
    case PathRefusal::empty:
      return "the path is empty";
    case PathRefusal::too_long:
      return "the path is longer than 4096 bytes";
    case PathRefusal::component_too_long:
      return "a component of the path is longer than 255 bytes";
    case PathRefusal::holds_nul:
      return "the path contains a NUL";
    case PathRefusal::trailing_slash:
      return "the path ends in '/'";
    case PathRefusal::dot_dot:
      return "the path has a component \"..\"";
    case PathRefusal::outside:
      return "the path lies outside every root";
    case PathRefusal::names_root:
      return "the path names a root itself, not a file below it";
    case PathRefusal::no_roots:
      return "the path is relative and there is no root to start from";
  }
  return "";
}

int result_code(PathRefusal refusal) noexcept {
  switch (refusal) {
    case PathRefusal::not_utf8:
      return -2;
    case PathRefusal::empty:
    case PathRefusal::too_long:
    case PathRefusal::component_too_long:
    case PathRefusal::holds_nul:
    case PathRefusal::trailing_slash:
      return -1;
    case PathRefusal::dot_dot:
    case PathRefusal::outside:
    case PathRefusal::names_root:
    case PathRefusal::no_roots:
      return -5;
  }
  return -5;
}

std::expected<Components, PathRefusal> split_path(std::string_view path) {
  if (path.empty()) return std::unexpected(PathRefusal::empty);
  if (path.size() > kPathBytesMax) return std::unexpected(PathRefusal::too_long);
  if (path.find('\0') != std::string_view::npos) return std::unexpected(PathRefusal::holds_nul);
  if (!base::is_utf8(path)) return std::unexpected(PathRefusal::not_utf8);
  if (path.ends_with('/')) return std::unexpected(PathRefusal::trailing_slash);
  Components out;
  bool dot_dot = false;
  while (!path.empty()) {
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(component.size() + 1, path.size()));
    if (component.size() > kComponentBytesMax) return std::unexpected(PathRefusal::component_too_long);
    if (component == "..") dot_dot = true;
    if (!component.empty() && component != ".") out.push_back(component);
  }
  // Malformed paths are named first, as for every argument: form before policy.
  if (dot_dot) return std::unexpected(PathRefusal::dot_dot);
  return out;
}

std::expected<FileTarget, PathRefusal> match_file(const FileRules& rules, std::string_view path) {
  auto components = split_path(path);
  if (!components) return std::unexpected(components.error());
  FileTarget target;
  std::optional<std::size_t> longest;
  if (!path.starts_with('/')) {
    if (rules.roots.empty()) return std::unexpected(PathRefusal::no_roots);
    longest = 0;
  } else {
    for (std::size_t i = 0; i < rules.roots.size(); ++i) {
      const auto covered = covered_components(rules.roots[i].guest, *components);
      if (!covered || (longest && *covered <= *longest)) continue;
      longest = covered;
      target.root = i;
    }
    if (!longest) return std::unexpected(PathRefusal::outside);
  }
  if (*longest == components->size()) return std::unexpected(PathRefusal::names_root);
  components->erase(components->begin(), components->begin() + static_cast<std::ptrdiff_t>(*longest));
  target.components = std::move(*components);
  return target;
}

}  // namespace fusebox::policy
