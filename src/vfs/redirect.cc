#include "vfs/redirect.h"

namespace fusebox::vfs {

Errno redirect_through(Call& call, std::string_view link, std::string_view target, std::string_view rest) {
  if (target.empty()) return Errno::noent;
  std::string path = "/";
  if (target.front() != '/') {
    if (const std::size_t slash = link.rfind('/'); slash != link.npos) path.append(link.substr(0, slash + 1));
  }
  path.append(target);
  if (!rest.empty()) path.append("/").append(rest);
  call.redirect = std::move(path);
  return Errno::redirect;
}

}  // namespace fusebox::vfs
