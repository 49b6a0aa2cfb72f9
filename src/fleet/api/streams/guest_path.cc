#include "fleet/api/streams/guest_path.h"

#include "base/bytes.h"
#include "base/text.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {

namespace {

std::unexpected<base::Error> bad(std::string_view path, std::string_view why) {
  return refuse(400, "path: " + base::in_quotes(path) + " " + std::string(why));
}

// No empty segment, none that is "." or "..": a path that means what it says.
bool is_clean(std::string_view path) {
  if (path == "/") return true;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at + 1, end - at - 1);
    if (segment.empty() || segment == "." || segment == "..") return false;
    at = end;
  }
  return true;
}

}  // namespace

base::Result<std::string> guest_path(std::string_view text) {
  if (text.empty()) return refuse(400, "path is required");
  if (text.size() > kGuestPathMax) return bad(text, "is longer than " + std::to_string(kGuestPathMax) + " bytes");
  if (text.front() != '/') return bad(text, "must be absolute");
  if (text.find_first_of(std::string_view("\0\n\r", 3)) != std::string_view::npos || !base::is_utf8(text)) {
    return bad(text, "must not hold NUL, line ends or invalid UTF-8");
  }
  if (!is_clean(text)) return bad(text, "must be clean: no empty, . or .. segment, no slash at the end");
  if (text == "/fuse" || text.starts_with("/fuse/")) return bad(text, "is reserved");
  return std::string(text);
}

base::Result<std::uint32_t> file_mode(std::string_view octal) {
  if (octal.empty()) return 0644;
  std::uint32_t mode = 0;
  for (const char c : octal) {
    if (c < '0' || c > '7' || octal.size() > 5) return refuse(400, "mode: must be octal, at most 07777");
    mode = mode << 3 | static_cast<std::uint32_t>(c - '0');
  }
  if (mode > 07777) return refuse(400, "mode: must be octal, at most 07777");
  return mode;
}

}  // namespace fusebox::fleet
