#include "container/wanted/wanted_mount.h"

#include <algorithm>
#include <array>

#include "container/core/core.h"
#include "container/core/node_files.h"
#include "container/proc/wapp_texts.h"
#include "container/wanted/event_file.h"
#include "container/wanted/registry_nodes.h"
#include "container/wanted/wanted_verbs.h"
#include "vfs/text/text_node.h"

namespace fusebox::container {
namespace {

using vfs::Errno;
using vfs::FileType;
using vfs::Io;
using vfs::Stat;

constexpr std::string_view kConfigText = R"({"config_file":"/proc/wapps","debug":false})";
constexpr std::array<std::string_view, 3> kLeaves = {"ctl", "state", "config"};
// Not listed; for supervisors older than 0.8.
constexpr std::array<std::string_view, 6> kOldLeaves = {"log", "image", "version", "id", "exit_code", "memory"};

enum class Kind : std::uint8_t {
  root,
  config,
  reg,
  image,
  ctl,
  wapps,
  wapp,
  wapp_ctl,
  wapp_config,
  wapp_text,  // state and the old leaves
  events,
};

struct Node {
  Kind kind = Kind::root;
  std::string name;  // of wapps; the reference of an image
  std::string leaf;
};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& list, std::string_view one) noexcept {
  return std::ranges::find(list, one) != list.end();
}

std::uint64_t code_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::root:
    case Kind::events:
      return vfs::device_code("Virt");
    case Kind::config:
    case Kind::wapp_config:
      return vfs::device_code("Wcfg");
    case Kind::reg:
    case Kind::image:
      return vfs::device_code("Wreg");
    case Kind::ctl:
    case Kind::wapp_ctl:
      return vfs::device_code("Wctl");
    case Kind::wapps:
    case Kind::wapp:
    case Kind::wapp_text:
      break;
  }
  return vfs::device_code("Wapp");
}

FileType type_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::root:
    case Kind::reg:
    case Kind::wapps:
    case Kind::wapp:
      return FileType::directory;
    case Kind::image:
      return FileType::regular;
    default:
      return FileType::character;
  }
}

class WantedMount final : public vfs::Mount, public std::enable_shared_from_this<WantedMount> {
 public:
  WantedMount(Containers::Core& core, WantedHolder holder, std::string path)
      : core_(core), holder_(std::move(holder)), path_(std::move(path)) {}

  Io<Stat> stat(vfs::Call&, std::string_view path, bool) override {
    const auto node = find(path);
    if (!node) return vfs::fail(node.error());
    return stat_of(*node, path);
  }

  Io<std::unique_ptr<vfs::File>> open(vfs::Call&, std::string_view path, const vfs::OpenRequest& request) override {
    const auto node = find(path);
    if (!node) return vfs::fail(node.error());
    // An install has no content yet, and its image perhaps no name.
    const bool installs = node->kind == Kind::image && request.write;
    const auto found = installs ? Io<Stat>(identity_of(*node, path)) : stat_of(*node, path);
    if (!found) return vfs::fail(found.error());
    const Stat& stat = *found;
    if (type_of(node->kind) == FileType::directory) {
      if (request.write) return vfs::fail(node->kind == Kind::reg ? Errno::rofs : Errno::isdir);
      return make_snapshot_directory(stat, [self = shared_from_this(), node = *node, path = std::string(path)] {
        return self->entries_of(node, path);
      });
    }
    if (request.directory) return vfs::fail(Errno::notdir);
    return open_leaf(*node, stat, request);
  }

  Io<void> unlink(vfs::Call&, std::string_view path) override {
    const auto node = find(path);
    if (!node) return vfs::fail(node.error());
    if (node->kind != Kind::image)
      return vfs::fail(type_of(node->kind) == FileType::directory ? Errno::isdir : Errno::rofs);
    const auto entry = find_image(node->name);
    if (!entry) return vfs::fail(entry.error());
    if (holder_.options.observe || holder_.options.no_registry) return vfs::fail(Errno::perm);
    if (const auto removed = core_.options().library->remove(*entry); !removed)
      return vfs::fail(removed.error().code == base::Errc::not_found ? Errno::noent : Errno::io);
    core_.registry_changed(reference_text(*entry), "removed");
    return {};
  }

 private:
  bool shows(std::string_view name) const { return sees(holder_.options, name); }

  Io<Node> find(std::string_view path) const {
    if (path.empty()) return Node{Kind::root, {}, {}};
    const std::size_t slash = path.find('/');
    const std::string_view first = path.substr(0, slash);
    const std::string_view rest = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (first == "reg") {
      if (rest.empty()) return Node{Kind::reg, {}, {}};
      if (rest.find('/') != std::string_view::npos) return vfs::fail(Errno::noent);
      return Node{Kind::image, std::string(rest), {}};
    }
    if (first == "wapps") return rest.empty() ? Io<Node>(Node{Kind::wapps, {}, {}}) : find_wapp(rest);
    if (!rest.empty()) return vfs::fail(Errno::noent);
    if (first == "config") return Node{Kind::config, {}, {}};
    if (first == "ctl") return Node{Kind::ctl, {}, {}};
    if (first == "events") return Node{Kind::events, {}, {}};
    return vfs::fail(Errno::noent);
  }

  Io<Node> find_wapp(std::string_view rest) const {
    const std::size_t slash = rest.find('/');
    const std::string name(rest.substr(0, slash));
    const std::string leaf(slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1));
    if (name.size() > core_.options().profile.name_bytes) return vfs::fail(Errno::nametoolong);
    if (!shows(name) || !core_.exists(name)) return vfs::fail(Errno::noent);
    if (leaf.empty()) return Node{Kind::wapp, name, {}};
    if (leaf == "ctl") return Node{Kind::wapp_ctl, name, leaf};
    if (leaf == "config") return Node{Kind::wapp_config, name, leaf};
    if (leaf == "state" || holds(kOldLeaves, leaf)) return Node{Kind::wapp_text, name, leaf};
    return vfs::fail(Errno::noent);
  }

  // Contract 7.4, the same for path and descriptor.
  Io<Stat> stat_of(const Node& node, std::string_view path) const {
    Stat stat = identity_of(node, path);
    if (node.kind == Kind::config) stat.size = kConfigText.size();
    if (node.kind == Kind::reg) {
      const auto images = core_.options().library->list();
      stat.size = images ? images->size() : 0;
    }
    if (node.kind == Kind::image) {
      const auto entry = find_image(node.name);
      if (!entry) return vfs::fail(entry.error());
      stat.size = entry->stored_bytes;
    }
    return stat;
  }

  Stat identity_of(const Node& node, std::string_view path) const {
    const std::string absolute = path.empty() ? path_ : path_ + "/" + std::string(path);
    return {.device = code_of(node.kind), .inode = vfs::inode_of(absolute), .type = type_of(node.kind)};
  }

  Io<image::Entry> find_image(const std::string& text) const {
    const auto reference = image::parse_reference(text, core_.options().profile.name_bytes);
    if (!reference) return vfs::fail(Errno::noent);
    auto entry = core_.options().library->find(*reference);
    if (!entry) return vfs::fail(entry.error().code == base::Errc::not_found ? Errno::noent : Errno::io);
    return std::move(*entry);
  }

  Io<std::unique_ptr<vfs::File>> open_leaf(const Node& node, const Stat& stat, const vfs::OpenRequest& request) {
    const std::shared_ptr<WantedMount> self = shared_from_this();
    switch (node.kind) {
      case Kind::ctl:
        return make_message_file(stat, kVerbBytesMax, request.flags,
                                 [self](std::string_view text) { return root_verb(self->core_, self->holder_, text); });
      case Kind::wapp_ctl:
        return make_message_file(stat, kVerbBytesMax, request.flags, [self, name = node.name](std::string_view text) {
          return wapp_verb(self->core_, self->holder_, name, text);
        });
      case Kind::wapp_config:
        return make_message_file(stat, core_.options().profile.config_bytes_max, request.flags,
                                 [self, name = node.name](std::string_view text) {
                                   return write_config(self->core_, self->holder_, name, text);
                                 });
      case Kind::image:
        return open_image(node, stat, request);
      default:
        break;
    }
    if (request.write) return vfs::fail(Errno::rofs);
    if (node.kind == Kind::events) {
      return make_event_file(stat, EventReader(core_.events()), request.flags,
                             [self](std::string_view name) { return self->shows(name); });
    }
    if (node.kind == Kind::config) return vfs::make_text_node(stat, [] { return Io<std::string>(kConfigText); });
    return vfs::make_text_node(stat, [self, node] { return self->text_of(node); });
  }

  Io<std::unique_ptr<vfs::File>> open_image(const Node& node, const Stat& stat, const vfs::OpenRequest& request) {
    if (request.write) {
      if (holder_.options.observe || holder_.options.no_registry) return vfs::fail(Errno::perm);
      return open_install(core_, node.name, stat);
    }
    const auto entry = find_image(node.name);
    if (!entry) return vfs::fail(entry.error());
    return vfs::make_text_node(stat, [self = shared_from_this(), name = node.name]() -> Io<std::string> {
      const auto now = self->find_image(name);
      if (!now) return vfs::fail(now.error());
      return image_descriptor(self->core_, *now);
    });
  }

  Io<std::string> text_of(const Node& node) const {
    if (node.leaf == "log") return core_.logs()->read(node.name).value_or("");
    const auto status = core_.status(node.name);
    if (!status) return vfs::fail(Errno::noent);
    return wapp_text(*status, node.leaf);
  }

  void add(std::vector<NodeEntry>& entries, const std::string& path, std::string_view name, FileType type) const {
    const std::string below = path.empty() ? std::string(name) : path + "/" + std::string(name);
    entries.push_back({std::string(name), type, vfs::inode_of(path_ + "/" + below)});
  }

  Io<std::vector<NodeEntry>> entries_of(const Node& node, const std::string& path) const {
    std::vector<NodeEntry> entries;
    if (node.kind == Kind::root) {
      add(entries, path, "config", FileType::character);
      add(entries, path, "reg", FileType::directory);
      add(entries, path, "ctl", FileType::character);
      add(entries, path, "wapps", FileType::directory);
      add(entries, path, "events", FileType::character);
    } else if (node.kind == Kind::reg) {
      const auto images = core_.options().library->list();
      if (!images) return vfs::fail(Errno::io);
      for (const image::Entry& entry : *images) add(entries, path, reference_text(entry), FileType::regular);
    } else if (node.kind == Kind::wapps) {
      for (const std::string& name : core_.names(false)) {
        if (shows(name)) add(entries, path, name, FileType::directory);
      }
    } else {
      for (const std::string_view leaf : kLeaves) add(entries, path, leaf, FileType::character);
    }
    return entries;
  }

  Containers::Core& core_;
  const WantedHolder holder_;
  const std::string path_;
};

}  // namespace

std::shared_ptr<vfs::Mount> make_wanted_mount(Containers::Core& core, WantedHolder holder, std::string path) {
  return std::make_shared<WantedMount>(core, std::move(holder), std::move(path));
}

}  // namespace fusebox::container
