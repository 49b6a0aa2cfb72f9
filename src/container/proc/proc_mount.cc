#include "container/proc/proc_mount.h"

#include <algorithm>

#include "container/core/core.h"
#include "container/core/node_files.h"
#include "container/proc/engine_texts.h"
#include "container/proc/wapp_texts.h"
#include "vfs/text/text_node.h"

namespace fusebox::container {
namespace {

using vfs::Errno;
using vfs::FileType;
using vfs::Io;
using vfs::Stat;

Stat node(std::string_view path, FileType type) {
  return {.device = vfs::device_code("Proc"), .inode = vfs::inode_of("/proc/" + std::string(path)), .type = type};
}

// "a/b/c" -> "a", "b/c".
std::pair<std::string_view, std::string_view> split(std::string_view path) noexcept {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

class ProcMount final : public vfs::Mount, public std::enable_shared_from_this<ProcMount> {
 public:
  ProcMount(Containers::Core& core, std::string own_name, ProcView view)
      : core_(core), own_name_(std::move(own_name)), view_(view) {}

  Io<Stat> stat(vfs::Call&, std::string_view path, bool) override { return find(path); }

  Io<std::unique_ptr<vfs::File>> open(vfs::Call&, std::string_view path, const vfs::OpenRequest& request) override {
    if (request.wants_change()) return vfs::fail(Errno::rofs);
    const auto found = find(path);
    if (!found) return vfs::fail(found.error());
    if (found->type == FileType::directory) return open_directory(path, *found);
    if (request.directory) return vfs::fail(Errno::notdir);
    const auto [first, rest] = split(path);
    if (rest.empty())
      return vfs::make_text_node(
          *found, [this, self = shared_from_this(), name = std::string(first)] { return flat_text(name); });
    const auto [name, leaf] = split(rest);
    return vfs::make_text_node(
        *found, [&core = core_, instance = std::string(name), wanted = std::string(leaf)]() -> Io<std::string> {
          const auto status = core.status(instance);
          if (!status || !status->has_run) return vfs::fail(Errno::noent);
          return wapp_text(*status, wanted);
        });
  }

 private:
  bool sees(std::string_view name) const noexcept {
    return view_ == ProcView::all || (view_ == ProcView::self && name == own_name_);
  }

  // What there is at a path, and whether this container may know.
  Io<Stat> find(std::string_view path) const {
    if (path.empty()) return node(path, FileType::directory);
    const auto [first, rest] = split(path);
    if (first == "wapps") return find_wapp(path, rest);
    const bool flat = first == "memory" || first == "clock_quality" || first == "wanted";
    if (!flat || !rest.empty()) return vfs::fail(Errno::noent);
    if (first == "memory" && view_ != ProcView::all) return vfs::fail(Errno::acces);
    return node(path, FileType::regular);
  }

  Io<Stat> find_wapp(std::string_view path, std::string_view rest) const {
    if (view_ == ProcView::none) return vfs::fail(Errno::acces);
    if (rest.empty()) return node(path, FileType::directory);
    const auto [name, leaf] = split(rest);
    const auto status = sees(name) ? core_.status(name) : std::nullopt;
    if (!status || !status->has_run) return vfs::fail(Errno::noent);
    if (leaf.empty()) return node(path, FileType::directory);
    if (!is_wapp_leaf(leaf)) return vfs::fail(Errno::noent);
    return node(path, FileType::regular);
  }

  Io<std::string> flat_text(std::string_view name) const {
    if (name == "memory") return memory_text(core_.options());
    if (name == "wanted") return wanted_text(core_.options());
    return std::string(1, clock_quality(core_.options()));
  }

  static void add(std::vector<NodeEntry>& entries, std::string_view prefix, std::string_view name, FileType type) {
    const std::string path = prefix.empty() ? std::string(name) : std::string(prefix) + "/" + std::string(name);
    entries.push_back({std::string(name), type, node(path, type).inode});
  }

  std::vector<NodeEntry> entries_of(const std::string& path) const {
    std::vector<NodeEntry> entries;
    if (path.empty()) {
      if (view_ != ProcView::none) add(entries, path, "wapps", FileType::directory);
      if (view_ == ProcView::all) add(entries, path, "memory", FileType::regular);
      add(entries, path, "clock_quality", FileType::regular);
      add(entries, path, "wanted", FileType::regular);
    } else if (path == "wapps") {
      for (const std::string& name : core_.names(true)) {
        if (sees(name)) add(entries, path, name, FileType::directory);
      }
    } else {
      for (const std::string_view leaf : wapp_leaves()) add(entries, path, leaf, FileType::regular);
    }
    return entries;
  }

  std::unique_ptr<vfs::File> open_directory(std::string_view path, const Stat& its_node) {
    return make_snapshot_directory(its_node, [self = shared_from_this(), path = std::string(path)] {
      return Io<std::vector<NodeEntry>>(self->entries_of(path));
    });
  }

  Containers::Core& core_;
  const std::string own_name_;
  const ProcView view_;
};

}  // namespace

std::shared_ptr<vfs::Mount> make_proc_mount(Containers::Core& core, std::string own_name, ProcView view) {
  return std::make_shared<ProcMount>(core, std::move(own_name), view);
}

}  // namespace fusebox::container
