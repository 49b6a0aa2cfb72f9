#include "vfs/device/device_tree.h"

#include "vfs/device/device_file.h"

namespace fusebox::vfs {
namespace {

class DirectoryFile final : public DeviceFile {
 public:
  using List = std::function<Io<void>(Call&, std::uint64_t, DirSink&)>;
  DirectoryFile(const Stat& node, List list) : DeviceFile(node), list_(std::move(list)) {}
  Io<void> list(Call& call, std::uint64_t cookie, DirSink& sink) override { return list_(call, cookie, sink); }
  Io<std::size_t> read(Call&, ReadBuffers) override { return fail(Errno::isdir); }
  Io<std::size_t> write(Call&, WriteBuffers) override { return fail(Errno::isdir); }

 private:
  List list_;
};

Stat node_of(const Device& device, const std::string& path) {
  return {.device = device.code,
          .inode = device.inode != 0 ? device.inode : inode_of(path),
          .type = device.type,
          .size = device.size ? device.size() : 0};
}

Io<std::unique_ptr<File>> open_device(const Device& device, const Stat& node, Call& call, const OpenRequest& request) {
  if (request.directory) return fail(Errno::notdir);
  return device.open(call, request, node);
}

struct Split {
  std::string_view name;
  std::string_view rest;
};
Split split(std::string_view path) noexcept {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

class DeviceTree final : public Mount, public std::enable_shared_from_this<DeviceTree> {
 public:
  DeviceTree(std::string path, std::uint64_t code, std::vector<TreeEntry> entries)
      : path_(std::move(path)),
        node_{.device = code, .inode = inode_of(path_), .type = FileType::directory},
        entries_(std::move(entries)) {}

  Io<std::unique_ptr<File>> open(Call& call, std::string_view path, const OpenRequest& request) override {
    if (path.empty()) return open_self(request);
    const auto [name, rest] = split(path);
    const TreeEntry* entry = find(name);
    if (entry == nullptr) return fail(Errno::noent);
    if (entry->mount) return entry->mount->open(call, rest, request);
    if (!rest.empty()) return fail(entry->device.below);
    return open_device(entry->device, node_of(entry->device, path_of(*entry)), call, request);
  }

  Io<Stat> stat(Call& call, std::string_view path, bool follow) override {
    if (path.empty()) return node_;
    const auto [name, rest] = split(path);
    const TreeEntry* entry = find(name);
    if (entry == nullptr) return fail(Errno::noent);
    if (entry->mount) return entry->mount->stat(call, rest, follow);
    if (!rest.empty()) return fail(entry->device.below);
    return node_of(entry->device, path_of(*entry));
  }

  // What a sub-mount may change it decides itself; devices come and go with the launch configuration alone.
  Io<void> create_directory(Call& call, std::string_view path) override {
    Mount* mount = mount_below(path);
    return mount != nullptr ? mount->create_directory(call, split(path).rest) : Mount::create_directory(call, path);
  }
  Io<void> remove_directory(Call& call, std::string_view path) override {
    Mount* mount = mount_below(path);
    return mount != nullptr ? mount->remove_directory(call, split(path).rest) : Mount::remove_directory(call, path);
  }
  Io<void> unlink(Call& call, std::string_view path) override {
    Mount* mount = mount_below(path);
    return mount != nullptr ? mount->unlink(call, split(path).rest) : Mount::unlink(call, path);
  }
  Io<void> rename(Call& call, std::string_view from, std::string_view to) override {
    Mount* mount = mount_below(from);
    if (mount == nullptr || mount != mount_below(to)) return Mount::rename(call, from, to);
    return mount->rename(call, split(from).rest, split(to).rest);
  }
  Io<void> set_times(Call& call, std::string_view path, bool follow, SetTime accessed, SetTime modified) override {
    Mount* mount = mount_below(path);
    return mount != nullptr ? mount->set_times(call, split(path).rest, follow, accessed, modified)
                            : Mount::set_times(call, path, follow, accessed, modified);
  }

 private:
  const TreeEntry* find(std::string_view name) const noexcept {
    for (const TreeEntry& entry : entries_) {
      if (entry.device.name == name) return &entry;
    }
    return nullptr;
  }
  std::string path_of(const TreeEntry& entry) const { return path_ + "/" + entry.device.name; }
  // Only of paths beyond the mount point: the point itself is an entry of this tree.
  Mount* mount_below(std::string_view path) const noexcept {
    const auto [name, rest] = split(path);
    const TreeEntry* entry = rest.empty() ? nullptr : find(name);
    return entry != nullptr ? entry->mount.get() : nullptr;
  }

  Io<std::unique_ptr<File>> open_self(const OpenRequest& request) {
    if (request.write) return fail(Errno::isdir);
    return make_directory_file(node_, [tree = shared_from_this()](Call& call, std::uint64_t cookie, DirSink& sink) {
      return tree->list(call, cookie, sink);
    });
  }

  Io<void> list(Call& call, std::uint64_t cookie, DirSink& sink) {
    for (std::size_t i = cookie; i < entries_.size(); ++i) {
      const TreeEntry& entry = entries_[i];
      if (!entry.mount && !entry.device.listed) continue;
      const auto node = stat(call, entry.device.name, false);
      if (!node) return fail(node.error());
      if (!sink.add({.name = entry.device.name, .type = node->type, .inode = node->inode, .next = i + 1})) break;
    }
    return {};
  }

  std::string path_;
  Stat node_;
  std::vector<TreeEntry> entries_;
};

class DeviceMount final : public Mount {
 public:
  DeviceMount(std::string path, Device device) : path_(std::move(path)), device_(std::move(device)) {}
  FileType type() const noexcept override { return device_.type; }
  Io<std::unique_ptr<File>> open(Call& call, std::string_view path, const OpenRequest& request) override {
    if (!path.empty()) return fail(device_.below);
    return open_device(device_, node_of(device_, path_), call, request);
  }
  Io<Stat> stat(Call&, std::string_view path, bool) override {
    if (!path.empty()) return fail(device_.below);
    return node_of(device_, path_);
  }

 private:
  std::string path_;
  Device device_;
};

}  // namespace

std::shared_ptr<Mount> make_device_tree(std::string path, std::uint64_t code, std::vector<TreeEntry> entries) {
  return std::make_shared<DeviceTree>(std::move(path), code, std::move(entries));
}

std::shared_ptr<Mount> make_device_mount(std::string path, Device device) {
  return std::make_shared<DeviceMount>(std::move(path), std::move(device));
}

std::unique_ptr<File> make_directory_file(const Stat& node,
                                          std::function<Io<void>(Call&, std::uint64_t cookie, DirSink&)> list) {
  return std::make_unique<DirectoryFile>(node, std::move(list));
}

}  // namespace fusebox::vfs
