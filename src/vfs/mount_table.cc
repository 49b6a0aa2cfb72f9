#include "vfs/mount_table.h"

#include <algorithm>

#include "base/text.h"

namespace fusebox::vfs {

namespace {

// Contract 7.3: fixed for the three trees of every namespace, in order for the others.
constexpr std::uint64_t kInodeDev = 65537, kInodeNet = 65538, kInodeProc = 65539, kInodeFirstOther = 65540;

std::string_view next_component(std::string_view& path) noexcept {
  const std::string_view component = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(component.size() + 1, path.size()));
  return component;
}

base::Result<void> check(const Namespace::MountAt& at) {
  const auto normal = normalise("/", at.path, kPathRawBytesMax);
  if (!at.path.starts_with('/') || at.path == "/" || !normal || normal->path != at.path)
    return base::fail(base::Errc::invalid, "mount " + base::in_quotes(at.path) +
                                               ": the path must be absolute, without \".\", \"..\" or a slash at the "
                                               "end, and not \"/\"");
  if (!at.mount) return base::fail(base::Errc::bug, "mount " + base::in_quotes(at.path) + ": nothing to mount");
  return {};
}

class TableBuilder {
 public:
  explicit TableBuilder(Namespace::Table& table) : table_(table) {}

  base::Result<void> add(const Namespace::MountAt& at) {
    FB_CHECK(check(at));
    Point* here = table_.points.front().get();
    std::string_view path = std::string_view(at.path).substr(1);
    while (!path.empty()) here = child_of(*here, next_component(path));
    if (here->mount != nullptr)
      return base::fail(base::Errc::exists, "mount " + base::in_quotes(at.path) + ": something is mounted there");
    here->mount = &at;
    here->type = at.mount->type();
    return {};
  }

 private:
  Point* child_of(Point& parent, std::string_view name) {
    for (const auto& point : table_.points) {
      if (point->name == name && std::ranges::find(parent.children, point.get()) != parent.children.end())
        return point.get();
    }
    auto& made = table_.points.emplace_back(std::make_unique<Point>());
    made->name = name;
    made->path = (parent.is_root() ? "" : parent.path) + "/" + made->name;
    made->inode = parent.is_root() ? top_inode(name) : inode_of(made->path);
    parent.children.push_back(made.get());
    parent.sorted.insert(std::ranges::upper_bound(parent.sorted, name, {}, &Point::name), made.get());
    return made.get();
  }

  std::uint64_t top_inode(std::string_view name) noexcept {
    if (name == "dev") return kInodeDev;
    if (name == "net") return kInodeNet;
    if (name == "proc") return kInodeProc;
    return next_inode_++;
  }

  Namespace::Table& table_;
  std::uint64_t next_inode_ = kInodeFirstOther;
};

}  // namespace

const Point* Point::child(std::string_view wanted) const noexcept {
  const auto found =
      std::ranges::lower_bound(sorted, wanted, {}, [](const Point* p) -> std::string_view { return p->name; });
  return found != sorted.end() && (*found)->name == wanted ? *found : nullptr;
}

Route Namespace::Table::route(std::string_view path) const noexcept {
  Route route{.mount = &mounts.front(), .rest = path.substr(1), .point = points.front().get()};
  std::string_view ahead = route.rest;
  while (!ahead.empty()) {
    route.point = route.point->child(next_component(ahead));
    if (route.point == nullptr) return route;
    if (route.point->mount == nullptr) continue;
    route.mount = route.point->mount;
    route.rest = ahead;
  }
  return route;
}

base::Result<std::unique_ptr<const Namespace::Table>> build_table(Namespace::Options options) {
  if (!options.root) return base::fail(base::Errc::bug, "namespace: no root");
  auto table = std::make_unique<Namespace::Table>();
  table->path_bytes_max = std::min(options.path_bytes_max, kPathRawBytesMax);
  table->mounts.push_back({.path = "/", .mount = std::move(options.root)});
  for (Namespace::MountAt& at : options.mounts) table->mounts.push_back(std::move(at));
  auto& root = table->points.emplace_back(std::make_unique<Point>());
  root->path = "/";
  root->mount = table->mounts.data();
  TableBuilder builder(*table);
  for (std::size_t i = 1; i < table->mounts.size(); ++i) FB_CHECK(builder.add(table->mounts[i]));
  return table;
}

bool lies_in(std::string_view path, std::string_view directory) noexcept {
  if (directory == "/") return true;
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace fusebox::vfs
