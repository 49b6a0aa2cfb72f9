// Which root covers a guest path: the pure half of file access. The other half, the walk from the root's directory
// handle, belongs to the host function.
//
// Contract capability.md 8.5 and 10.
// Threads  pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace fusebox::policy {

// Why a guest path is refused before the file system is touched.
enum class PathRefusal : std::uint8_t {
  not_utf8,            // result -2
  empty,               // -1
  too_long,            // -1: more than 4096 bytes
  component_too_long,  // -1: more than 255 bytes
  holds_nul,           // -1
  trailing_slash,      // -1
  dot_dot,             // -5: a component "..", even if it would stay inside
  outside,             // -5: absolute, and below no root
  names_root,          // -5: the root itself, which is a directory
  no_roots,            // -5: relative, and the capability has no root
};
// One sentence without the path: "the path has a component \"..\"".
std::string_view to_string(PathRefusal refusal) noexcept;
// The host function's result for it: -1, -2 or -5 (contract capability.md 6).
int result_code(PathRefusal refusal) noexcept;

struct FileTarget {
  std::size_t root = 0;  // index in rules.roots
  // Below the root, at least one, none of them ".", ".." or empty. Views into the given path.
  std::vector<std::string_view> components;
};

// The longest guest prefix at component borders wins; a relative path starts at the first root.
// `enabled` is not looked at: the gate has done that.
std::expected<FileTarget, PathRefusal> match_file(const FileRules& rules, std::string_view path);

// The components of a path; "." and repeated '/' are gone.
std::expected<std::vector<std::string_view>, PathRefusal> split_path(std::string_view path);

}  // namespace fusebox::policy
