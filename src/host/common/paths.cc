#include "host/common/paths.h"

#include <string>

#include "base/text.h"

namespace fusebox::host {

base::Result<void> check_path(std::string_view path) {
  const auto wrong = [&](std::string_view why) {
    return base::fail(base::Errc::invalid, "path " + base::in_quotes(path) + " " + std::string(why));
  };
  if (!path.starts_with('/')) return wrong("is not absolute");
  if (path.size() > kFilePathBytesMax) return wrong("is longer than 4096 bytes");
  if (path.find('\0') != std::string_view::npos) return wrong("holds a zero byte");
  for (std::string_view rest = path.substr(1); !rest.empty() || path.size() > 1;) {
    const std::size_t end = rest.find('/');
    const std::string_view name = rest.substr(0, end);
    if (name.empty() || name == "." || name == "..")
      return wrong("is not clean: it has an empty, \".\" or \"..\" part");
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return {};
}

bool is_secret_path(std::string_view path) noexcept {
  return path == "/fuse" || path.starts_with("/fuse/");
}

}  // namespace fusebox::host
