#include <algorithm>
#include <cstring>

#include "vfs/namespace.h"

namespace fusebox::vfs {

namespace {

void drop_last(std::string& path) noexcept {
  if (path.size() > 1) path.resize(path.rfind('/'));
  if (path.empty()) path = "/";
}

}  // namespace

Io<Normal> normalise(std::string_view directory, std::string_view path, std::size_t path_bytes_max) {
  if (path.size() >= kPathRawBytesMax) return fail(Errno::nametoolong);
  // The host's calls would end the path there.
  if (!path.empty() && std::memchr(path.data(), '\0', path.size()) != nullptr) return fail(Errno::inval);
  Normal normal;
  std::string& out = normal.path;
  out.reserve(directory.size() + path.size() + 1);
  out = path.starts_with('/') ? std::string_view("/") : directory;
  normal.must_be_directory = path.empty() || path.back() == '/';
  while (!path.empty()) {
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(component.size() + 1, path.size()));
    if (component.empty()) continue;
    if (component == "." || component == "..") {
      if (path.empty()) normal.must_be_directory = true;
      if (component == "..") drop_last(out);
      continue;
    }
    if (component.size() > kComponentBytesMax) return fail(Errno::nametoolong);
    if (out.size() > 1) out += '/';
    out += component;
  }
  if (out.size() >= path_bytes_max) return fail(Errno::nametoolong);
  return normal;
}

}  // namespace fusebox::vfs
