// The names of an upper layer that are not a guest's: whiteouts, as in image layers, and a file half copied up.
#pragma once

#include <string>
#include <string_view>

namespace fusebox::vfs {

inline constexpr std::string_view kOwnPrefix = ".wh.";
inline constexpr std::string_view kHalfCopied = ".wh..wh.copy";  // ignored by readers of layers (contract 14.3)

inline bool is_own_name(std::string_view name) noexcept {
  return name.starts_with(kOwnPrefix);
}
inline std::string_view parent_of(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}
inline std::string_view name_of(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}
inline std::string join(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty()) path += '/';
  return path.append(name);
}
inline std::string whiteout_of(std::string_view path) {
  return join(parent_of(path), std::string(kOwnPrefix).append(name_of(path)));
}

}  // namespace fusebox::vfs
