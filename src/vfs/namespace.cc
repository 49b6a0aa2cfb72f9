#include "vfs/namespace.h"

#include <type_traits>

#include "vfs/mount_table.h"
#include "vfs/point_file.h"

namespace fusebox::vfs {

namespace {

using Table = Namespace::Table;

// Asks `operation` at the route of the path, and again wherever symbolic links lead.
template <class Operation>
auto routed(const Table& table, Call& call, Normal& normal, Operation operation) {
  for (int redirects = 0;; ++redirects) {
    auto answer = operation(table.route(normal.path));
    if (answer || answer.error() != Errno::redirect) return answer;
    if (redirects == kRedirectsMax) return decltype(answer)(fail(Errno::loop));
    auto next = normalise("/", call.redirect, table.path_bytes_max);
    if (!next) return decltype(answer)(fail(next.error()));
    normal.path = std::move(next->path);
    normal.must_be_directory |= next->must_be_directory;
  }
}

bool is_mount_root(const Route& route) noexcept {
  return route.point != nullptr && route.point->is_root();
}
// A mount point or an ancestor of one: it stays where it is.
bool is_fixed(const Route& route) noexcept {
  return route.point != nullptr && !route.point->is_root();
}
bool is_ancestor_only(const Route& route) noexcept {
  return route.point != nullptr && route.point->mount == nullptr;
}

// The ancestor may exist in the mount it lies in. Something else than a directory is shadowed there.
Io<Stat> stat_ancestor(Call& call, const Route& route) {
  auto stat = route.mount->mount->stat(call, route.rest, false);
  if (!stat && stat.error() == Errno::would_block) return stat;
  if (!stat || stat->type != FileType::directory) return synthetic_stat(*route.point);
  return stat;
}

Io<Stat> stat_route(Call& call, const Route& route, bool follow) {
  auto stat = is_ancestor_only(route) ? stat_ancestor(call, route) : route.mount->mount->stat(call, route.rest, follow);
  if (stat && is_fixed(route)) stat->inode = route.point->inode;
  return stat;
}

Io<std::unique_ptr<File>> open_ancestor(const std::shared_ptr<const Table>& table, Call& call, const Route& route,
                                        const OpenRequest& request) {
  if (request.create && request.exclusive) return fail(Errno::exist);
  if (request.wants_change()) return fail(Errno::rofs);
  OpenRequest as_directory = request;
  as_directory.directory = true;
  as_directory.follow = false;
  auto file = route.mount->mount->open(call, route.rest, as_directory);
  if (file) return wrap_point(table, *route.point, std::move(*file));
  if (file.error() == Errno::would_block) return file;
  return make_synthetic_directory(table, *route.point, request.flags);
}

Io<std::unique_ptr<File>> open_route(const std::shared_ptr<const Table>& table, Call& call, const Route& route,
                                     const OpenRequest& request) {
  if (is_ancestor_only(route)) return open_ancestor(table, call, route, request);
  auto file = route.mount->mount->open(call, route.rest, request);
  if (!file || route.point == nullptr) return file;
  return wrap_point(table, *route.point, std::move(*file));
}

// What a path with a slash at its end answers where only something else than a directory will do.
Errno not_a_file(Call& call, const Route& route) {
  const auto stat = stat_route(call, route, false);
  if (!stat) return stat.error();
  return stat->type == FileType::directory ? Errno::isdir : Errno::notdir;
}

// The same where something new is to be made.
Errno not_a_new_file(Call& call, const Route& route) {
  const auto stat = stat_route(call, route, false);
  if (!stat) return stat.error();
  return stat->type == FileType::directory ? Errno::exist : Errno::notdir;
}

bool is_text(std::string_view target) noexcept {
  return target.find('\0') == target.npos;
}

}  // namespace

Namespace::Namespace(std::shared_ptr<const Table> table) noexcept : table_(std::move(table)) {
  for (const MountAt& at : table_->mounts) {
    if (at.host_folder) preopens_.push_back(&at);
  }
}

base::Result<std::shared_ptr<const Namespace>> Namespace::build(Options options) {
  FB_TRY(auto table, build_table(std::move(options)));
  return std::make_shared<const Namespace>(std::move(table));
}

Io<Normal> Namespace::resolve(At at, std::string_view path) const {
  auto normal = normalise(at.directory, path, table_->path_bytes_max);
  if (!normal) return normal;
  const bool confined = !at.confined_to.empty() && !path.starts_with('/');
  if (confined && !lies_in(normal->path, at.confined_to)) return fail(Errno::notcapable);
  return normal;
}

Io<Namespace::Opened> Namespace::open(Call& call, At at, std::string_view path, const OpenRequest& request) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  const MountAt* mount = nullptr;
  auto file = routed(*table_, call, *normal, [&](const Route& route) {
    mount = route.mount;
    if (!normal->must_be_directory) return open_route(table_, call, route, request);
    OpenRequest as_directory = request;
    as_directory.directory = true;
    as_directory.follow = true;
    return open_route(table_, call, route, as_directory);
  });
  if (!file) return fail(file.error());
  Opened opened{.file = std::move(*file), .path = {}, .confined_to = {}};
  if (opened.file->type() != FileType::directory) return opened;
  opened.path = std::move(normal->path);
  if (mount->host_folder) opened.confined_to = mount->path;
  return opened;
}

Io<Stat> Namespace::stat(Call& call, At at, std::string_view path, bool follow) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  auto stat = routed(*table_, call, *normal,
                     [&](const Route& route) { return stat_route(call, route, follow || normal->must_be_directory); });
  if (stat && normal->must_be_directory && stat->type != FileType::directory) return fail(Errno::notdir);
  return stat;
}

Io<void> Namespace::create_directory(Call& call, At at, std::string_view path) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  return routed(*table_, call, *normal, [&](const Route& route) -> Io<void> {
    if (is_fixed(route)) return fail(Errno::exist);
    return route.mount->mount->create_directory(call, route.rest);
  });
}

Io<void> Namespace::remove_directory(Call& call, At at, std::string_view path) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  return routed(*table_, call, *normal, [&](const Route& route) -> Io<void> {
    if (is_fixed(route)) return fail(route.point->type == FileType::directory ? Errno::busy : Errno::notdir);
    return route.mount->mount->remove_directory(call, route.rest);
  });
}

Io<void> Namespace::unlink(Call& call, At at, std::string_view path) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  return routed(*table_, call, *normal, [&](const Route& route) -> Io<void> {
    if (is_fixed(route) && route.point->type == FileType::directory) return fail(Errno::isdir);
    if (normal->must_be_directory && !is_mount_root(route)) return fail(not_a_file(call, route));
    return route.mount->mount->unlink(call, route.rest);
  });
}

// Where the path leads once the links on its way (and the last, when asked) are followed. The operations that have two
// paths need this: their mounts could not say which of the two goes on elsewhere. What else is wrong with the path is
// left to them. Host folders follow their own links.
Io<std::string> Namespace::settle(Call& call, At at, std::string_view path, bool follow_last) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  std::string last;
  if (!follow_last) {
    const std::size_t slash = normal->path.rfind('/');
    last = normal->path.substr(slash);
    normal->path.resize(std::max<std::size_t>(slash, 1));
    if (last == "/") return std::string("/");
  }
  const auto found = routed(*table_, call, *normal, [&](const Route& route) -> Io<Stat> {
    if (route.mount->host_folder) return Stat{};
    return stat_route(call, route, true);
  });
  if (!found && (found.error() == Errno::loop || found.error() == Errno::would_block)) return fail(found.error());
  if (normal->path == "/" && !last.empty()) return last;
  return normal->path + last;
}

Io<void> Namespace::rename(Call& call, At from_at, std::string_view from, At to_at, std::string_view to) const {
  const auto source = settle(call, from_at, from, false);
  if (!source) return fail(source.error());
  const auto target = settle(call, to_at, to, false);
  if (!target) return fail(target.error());
  const Route from_route = table_->route(*source);
  const Route to_route = table_->route(*target);
  if (is_fixed(from_route) || is_fixed(to_route)) return fail(Errno::busy);
  if (from_route.mount != to_route.mount) return fail(Errno::xdev);
  Mount& mount = *from_route.mount->mount;
  if (resolve(from_at, from)->must_be_directory || resolve(to_at, to)->must_be_directory) {
    const auto stat = mount.stat(call, from_route.rest, false);
    if (!stat) return fail(stat.error());
    if (stat->type != FileType::directory) return fail(Errno::notdir);
  }
  auto renamed = mount.rename(call, from_route.rest, to_route.rest);
  // Somebody put a link there meanwhile.
  if (!renamed && renamed.error() == Errno::redirect) return fail(Errno::loop);
  return renamed;
}

Io<void> Namespace::link(Call& call, At from_at, std::string_view from, bool follow, At to_at,
                         std::string_view to) const {
  const auto source = settle(call, from_at, from, follow);
  if (!source) return fail(source.error());
  const auto target = settle(call, to_at, to, false);
  if (!target) return fail(target.error());
  const Route from_route = table_->route(*source);
  const Route to_route = table_->route(*target);
  if (is_fixed(to_route)) return fail(Errno::exist);
  if (from_route.mount != to_route.mount) return fail(Errno::xdev);
  if (is_fixed(from_route)) return fail(Errno::perm);
  if (resolve(from_at, from)->must_be_directory) {
    const Errno why = not_a_file(call, from_route);
    return fail(why == Errno::isdir ? Errno::perm : why);
  }
  if (resolve(to_at, to)->must_be_directory) return fail(not_a_new_file(call, to_route));
  auto linked = from_route.mount->mount->link(call, from_route.rest, to_route.rest, follow);
  if (!linked && linked.error() == Errno::redirect) return fail(Errno::loop);
  return linked;
}

Io<void> Namespace::symlink(Call& call, std::string_view target, At at, std::string_view path) const {
  if (target.empty()) return fail(Errno::noent);
  if (target.size() >= kPathRawBytesMax) return fail(Errno::nametoolong);
  if (!is_text(target)) return fail(Errno::inval);
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  return routed(*table_, call, *normal, [&](const Route& route) -> Io<void> {
    if (is_fixed(route)) return fail(Errno::exist);
    if (normal->must_be_directory && !is_mount_root(route)) return fail(not_a_new_file(call, route));
    return route.mount->mount->symlink(call, target, route.rest);
  });
}

Io<std::string> Namespace::read_link(Call& call, At at, std::string_view path) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  return routed(*table_, call, *normal, [&](const Route& route) -> Io<std::string> {
    if (is_fixed(route)) return fail(Errno::inval);
    if (!normal->must_be_directory) return route.mount->mount->read_link(call, route.rest);
    const auto stat = stat_route(call, route, true);
    if (!stat) return fail(stat.error());
    return fail(stat->type == FileType::directory ? Errno::inval : Errno::notdir);
  });
}

Io<void> Namespace::set_times(Call& call, At at, std::string_view path, bool follow, SetTime accessed,
                              SetTime modified) const {
  auto normal = resolve(at, path);
  if (!normal) return fail(normal.error());
  return routed(*table_, call, *normal, [&](const Route& route) -> Io<void> {
    if (is_ancestor_only(route)) return fail(Errno::rofs);
    return route.mount->mount->set_times(call, route.rest, follow || normal->must_be_directory, accessed, modified);
  });
}

}  // namespace fusebox::vfs
