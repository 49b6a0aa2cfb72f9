#include "vfs/mount.h"

namespace fusebox::vfs {

Io<void> Mount::create_directory(Call&, std::string_view) {
  return fail(Errno::rofs);
}
Io<void> Mount::remove_directory(Call&, std::string_view) {
  return fail(Errno::rofs);
}
Io<void> Mount::unlink(Call&, std::string_view) {
  return fail(Errno::rofs);
}
Io<void> Mount::rename(Call&, std::string_view, std::string_view) {
  return fail(Errno::rofs);
}
Io<void> Mount::link(Call&, std::string_view, std::string_view, bool) {
  return fail(Errno::rofs);
}
Io<void> Mount::symlink(Call&, std::string_view, std::string_view) {
  return fail(Errno::rofs);
}
Io<std::string> Mount::read_link(Call& call, std::string_view path) {
  const auto found = stat(call, path, false);
  return fail(found ? Errno::inval : found.error());
}
Io<void> Mount::set_times(Call&, std::string_view, bool, SetTime, SetTime) {
  return fail(Errno::rofs);
}

}  // namespace fusebox::vfs
