#include "capability/file_gateway_walk.h"

#include <errno.h>
#include <fcntl.h>

#include <string>

namespace fusebox::capability {

namespace {

constexpr int kReadFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

WalkError error_of(const base::BeneathError& error) {
  switch (error.what) {
    case base::BeneathFailure::link:
      return {WalkFailure::symlink, 0};
    case base::BeneathFailure::leaves:
      return {WalkFailure::leaves_root, 0};
    case base::BeneathFailure::too_deep:
      return {WalkFailure::too_deep, 0};
    case base::BeneathFailure::no_more_folders:
      return {WalkFailure::no_more_folders, 0};
    case base::BeneathFailure::system:
      break;
  }
  switch (error.saved_errno) {
    case ENOENT:
    case ENOTDIR:
      return {WalkFailure::not_found, 0};
    case ENXIO:  // a socket, or a device without its driver
    case ENODEV:
      return {WalkFailure::not_regular, 0};
    default:
      return {WalkFailure::io, error.saved_errno};
  }
}

std::string joined(std::span<const std::string_view> components) {
  std::string path;
  for (const std::string_view component : components) {
    if (!path.empty()) path += '/';
    path += component;
  }
  return path;
}

}  // namespace

Walked<base::Fd> PathWalker::open_file(std::span<const std::string_view> components) const {
  auto fd = walk_.open(joined(components), kReadFlags);
  if (!fd) return std::unexpected(error_of(fd.error()));
  return std::move(*fd);
}

Walked<Place> PathWalker::find_place(std::span<const std::string_view> components, std::uint64_t* folders_left) const {
  auto place = walk_.find(joined(components), true, folders_left);
  if (!place) return std::unexpected(error_of(place.error()));
  return std::move(*place);
}

}  // namespace fusebox::capability
