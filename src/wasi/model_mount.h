// A file system in memory with POSIX's rules, to test against: directories, files with holes, links of both kinds.
//
// Owner    Files keep the node they opened.
// Threads  one at a time.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "vfs/mount.h"
#include "vfs/text/buffers.h"

namespace fusebox::wasi::testing {

using vfs::Errno;
using vfs::FileType;
using vfs::Io;

struct Node {
  FileType type = FileType::regular;
  std::string data;  // content, or where a symbolic link leads
  std::uint64_t inode = 0;
  std::uint64_t links = 1;
  std::uint64_t accessed_ns = 0;
  std::uint64_t modified_ns = 0;
};
using Nodes = std::map<std::string, std::shared_ptr<Node>, std::less<>>;

inline vfs::Stat stat_of(const Node& node) {
  return {.device = vfs::device_code("Modl"),
          .inode = node.inode,
          .type = node.type,
          .links = node.links,
          .size = node.data.size(),
          .accessed_ns = node.accessed_ns,
          .modified_ns = node.modified_ns,
          .changed_ns = 0};
}

inline void set_node_times(Node& node, vfs::Call& call, vfs::SetTime accessed, vfs::SetTime modified) {
  const auto set = [&](std::uint64_t& at, vfs::SetTime to) {
    if (to.how == vfs::SetTime::How::at) at = to.ns;
    if (to.how == vfs::SetTime::How::now) at = static_cast<std::uint64_t>(call.clock.wall().count());
  };
  set(node.accessed_ns, accessed);
  set(node.modified_ns, modified);
}

class ModelFile final : public vfs::File {
 public:
  static constexpr std::size_t kBytesMax = 1u << 20;
  ModelFile(std::shared_ptr<Node> node, const Nodes& nodes, std::string path, vfs::FdFlags flags,
            const base::Clock& clock)
      : File(flags), node_(std::move(node)), nodes_(nodes), path_(std::move(path)), clock_(clock) {}
  FileType type() const noexcept override { return node_->type; }
  Io<vfs::Stat> stat() override { return stat_of(*node_); }
  Io<void> set_flags(vfs::FdFlags flags) override {
    flags_ = flags;
    return {};
  }
  Io<std::size_t> read(vfs::Call& call, vfs::ReadBuffers to) override {
    const auto n = read_at(call, to, cursor_);
    if (n) cursor_ += *n;
    return n;
  }
  Io<std::size_t> write(vfs::Call& call, vfs::WriteBuffers from) override {
    if (vfs::has(flags_, vfs::FdFlag::append)) cursor_ = node_->data.size();
    const auto n = write_at(call, from, cursor_);
    if (n) cursor_ += *n;
    return n;
  }
  Io<std::size_t> read_at(vfs::Call&, vfs::ReadBuffers to, std::uint64_t offset) override {
    if (offset >= node_->data.size()) return 0;
    return vfs::scatter(base::as_bytes(node_->data).subspan(offset), to);
  }
  Io<std::size_t> write_at(vfs::Call&, vfs::WriteBuffers from, std::uint64_t offset) override {
    if (vfs::has(flags_, vfs::FdFlag::append)) offset = node_->data.size();
    const std::string all = vfs::gather(from, kBytesMax);
    if (offset > kBytesMax || offset + all.size() > kBytesMax) return vfs::fail(Errno::fbig);
    if (node_->data.size() < offset + all.size()) node_->data.resize(offset + all.size());
    node_->data.replace(offset, all.size(), all);
    return all.size();
  }
  Io<std::uint64_t> seek(std::int64_t offset, vfs::Whence whence) override {
    if (type() == FileType::directory) return vfs::fail(Errno::isdir);
    const std::uint64_t from =
        whence == vfs::Whence::set ? 0 : (whence == vfs::Whence::current ? cursor_ : node_->data.size());
    std::int64_t place = 0;
    if (__builtin_add_overflow(static_cast<std::int64_t>(from), offset, &place) || place < 0)
      return vfs::fail(Errno::inval);
    cursor_ = static_cast<std::uint64_t>(place);
    return cursor_;
  }
  Io<void> allocate(std::uint64_t offset, std::uint64_t length) override {
    if (type() == FileType::directory) return vfs::fail(Errno::badf);
    if (offset > kBytesMax || length > kBytesMax || offset + length > kBytesMax) return vfs::fail(Errno::fbig);
    node_->data.resize(std::max<std::size_t>(node_->data.size(), offset + length));
    return {};
  }
  Io<void> set_size(std::uint64_t size) override {
    if (type() == FileType::directory) return vfs::fail(Errno::inval);
    if (size > kBytesMax) return vfs::fail(Errno::fbig);
    node_->data.resize(size);
    return {};
  }
  Io<void> set_times(vfs::SetTime accessed, vfs::SetTime modified) override {
    vfs::WaitSet waits;
    vfs::Call call{.clock = clock_, .waits = waits, .nonblocking = false, .first_asked = {}, .redirect = {}};
    set_node_times(*node_, call, accessed, modified);
    return {};
  }
  Io<void> list(vfs::Call&, std::uint64_t cookie, vfs::DirSink& sink) override {
    if (type() != FileType::directory) return vfs::fail(Errno::notdir);
    std::uint64_t index = 0;
    const std::string prefix = path_.empty() ? "" : path_ + "/";
    for (const auto& [path, node] : nodes_) {
      if (path.empty() || !path.starts_with(prefix) || path.find('/', prefix.size()) != path.npos) continue;
      if (index++ < cookie) continue;
      if (!sink.add({.name = std::string_view(path).substr(prefix.size()),
                     .type = node->type,
                     .inode = node->inode,
                     .next = index}))
        return {};
    }
    return {};
  }

 private:
  std::shared_ptr<Node> node_;
  const Nodes& nodes_;
  std::string path_;
  const base::Clock& clock_;
  std::uint64_t cursor_ = 0;
};

class ModelMount final : public vfs::Mount {
 public:
  explicit ModelMount(bool read_only = false) : read_only_(read_only) { add("", FileType::directory); }

  Node& add(std::string path, FileType type, std::string data = {}) {
    auto& node = nodes_[std::move(path)];
    node = std::make_shared<Node>();
    node->type = type;
    node->data = std::move(data);
    node->inode = ++inodes_;
    return *node;
  }
  Node* find(std::string_view path) {
    const auto found = nodes_.find(path);
    return found == nodes_.end() ? nullptr : found->second.get();
  }

  Io<std::unique_ptr<vfs::File>> open(vfs::Call& call, std::string_view path,
                                      const vfs::OpenRequest& request) override {
    if (const Errno error = walk(call, path); error != Errno::success) return vfs::fail(error);
    auto found = nodes_.find(path);
    if (found == nodes_.end()) {
      if (!request.create) return vfs::fail(Errno::noent);
      if (read_only_) return vfs::fail(Errno::rofs);
      add(std::string(path), FileType::regular);
      found = nodes_.find(path);
    } else if (request.create && request.exclusive) {
      return vfs::fail(Errno::exist);
    }
    Node& node = *found->second;
    if (node.type == FileType::symlink) return vfs::fail(request.follow ? redirect(call, path, node) : Errno::loop);
    if (read_only_ && request.wants_change()) return vfs::fail(Errno::rofs);
    if (request.directory && node.type != FileType::directory) return vfs::fail(Errno::notdir);
    if (request.write && node.type == FileType::directory) return vfs::fail(Errno::isdir);
    if (request.truncate) node.data.clear();
    return std::make_unique<ModelFile>(found->second, nodes_, std::string(path), request.flags, call.clock);
  }
  Io<vfs::Stat> stat(vfs::Call& call, std::string_view path, bool follow) override {
    if (const Errno error = walk(call, path); error != Errno::success) return vfs::fail(error);
    const Node* node = find(path);
    if (node == nullptr) return vfs::fail(Errno::noent);
    if (node->type == FileType::symlink && follow) return vfs::fail(redirect(call, path, *node));
    return stat_of(*node);
  }
  Io<void> create_directory(vfs::Call& call, std::string_view path) override {
    if (const Errno error = for_new(call, path); error != Errno::success) return vfs::fail(error);
    add(std::string(path), FileType::directory);
    return {};
  }
  Io<void> remove_directory(vfs::Call& call, std::string_view path) override {
    if (const Errno error = for_change(call, path); error != Errno::success) return vfs::fail(error);
    if (find(path)->type != FileType::directory) return vfs::fail(Errno::notdir);
    if (path.empty()) return vfs::fail(Errno::busy);
    if (has_entries(path)) return vfs::fail(Errno::notempty);
    nodes_.erase(nodes_.find(path));
    return {};
  }
  Io<void> unlink(vfs::Call& call, std::string_view path) override {
    if (const Errno error = for_change(call, path); error != Errno::success) return vfs::fail(error);
    if (find(path)->type == FileType::directory) return vfs::fail(Errno::isdir);
    --find(path)->links;
    nodes_.erase(nodes_.find(path));
    return {};
  }
  Io<void> rename(vfs::Call& call, std::string_view from, std::string_view to) override {
    if (const Errno error = for_change(call, from); error != Errno::success) return vfs::fail(error);
    if (const Errno error = walk(call, to); error != Errno::success) return vfs::fail(error);
    if (from == to) return {};
    if (from.empty() || to.starts_with(std::string(from) + "/")) return vfs::fail(Errno::inval);
    const bool directory = find(from)->type == FileType::directory;
    if (const Node* target = find(to)) {
      const bool onto_directory = target->type == FileType::directory;
      if (directory && !onto_directory) return vfs::fail(Errno::notdir);
      if (!directory && onto_directory) return vfs::fail(Errno::isdir);
      if (onto_directory && has_entries(to)) return vfs::fail(Errno::notempty);
    }
    const std::string old(from), name(to);
    Nodes moved;
    for (auto it = nodes_.begin(); it != nodes_.end();) {
      const bool below = it->first == old || it->first.starts_with(old + "/");
      if (below) moved[name + it->first.substr(old.size())] = it->second;
      it = below ? nodes_.erase(it) : std::next(it);
    }
    for (auto& [path, node] : moved) nodes_[path] = node;
    return {};
  }
  Io<void> link(vfs::Call& call, std::string_view from, std::string_view to, bool) override {
    if (const Errno error = for_change(call, from); error != Errno::success) return vfs::fail(error);
    if (const Errno error = for_new(call, to); error != Errno::success) return vfs::fail(error);
    if (find(from)->type == FileType::directory) return vfs::fail(Errno::perm);
    nodes_[std::string(to)] = nodes_.find(from)->second;
    ++find(to)->links;
    return {};
  }
  Io<void> symlink(vfs::Call& call, std::string_view target, std::string_view path) override {
    if (const Errno error = for_new(call, path); error != Errno::success) return vfs::fail(error);
    add(std::string(path), FileType::symlink, std::string(target));
    return {};
  }
  Io<std::string> read_link(vfs::Call& call, std::string_view path) override {
    if (const Errno error = walk(call, path); error != Errno::success) return vfs::fail(error);
    const Node* node = find(path);
    if (node == nullptr) return vfs::fail(Errno::noent);
    if (node->type != FileType::symlink) return vfs::fail(Errno::inval);
    return node->data;
  }
  Io<void> set_times(vfs::Call& call, std::string_view path, bool, vfs::SetTime accessed,
                     vfs::SetTime modified) override {
    if (const Errno error = for_change(call, path); error != Errno::success) return vfs::fail(error);
    set_node_times(*find(path), call, accessed, modified);
    return {};
  }

 private:
  // Whether the directories on the way are there, and directories.
  Errno walk(vfs::Call& call, std::string_view path) {
    for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      const std::string_view above = path.substr(0, slash);
      const Node* node = find(above);
      if (node == nullptr) return Errno::noent;
      if (node->type == FileType::symlink) {
        const Errno error = redirect(call, above, *node);
        call.redirect += path.substr(slash);
        return error;
      }
      if (node->type != FileType::directory) return Errno::notdir;
    }
    return Errno::success;
  }
  Errno for_change(vfs::Call& call, std::string_view path) {
    if (const Errno error = walk(call, path); error != Errno::success) return error;
    if (find(path) == nullptr) return Errno::noent;
    return read_only_ ? Errno::rofs : Errno::success;
  }
  Errno for_new(vfs::Call& call, std::string_view path) {
    if (const Errno error = walk(call, path); error != Errno::success) return error;
    if (find(path) != nullptr) return Errno::exist;
    return read_only_ ? Errno::rofs : Errno::success;
  }
  // This mount is the root of its namespace.
  static Errno redirect(vfs::Call& call, std::string_view path, const Node& link) {
    const std::size_t slash = path.rfind('/');
    const std::string above = slash == path.npos ? "" : "/" + std::string(path.substr(0, slash));
    call.redirect = link.data.starts_with('/') ? link.data : above + "/" + link.data;
    return Errno::redirect;
  }
  bool has_entries(std::string_view path) const {
    const std::string prefix = std::string(path) + "/";
    const auto next = nodes_.upper_bound(prefix);
    return next != nodes_.end() && next->first.starts_with(prefix);
  }

  Nodes nodes_;
  std::uint64_t inodes_ = 0;
  bool read_only_;
};

}  // namespace fusebox::wasi::testing
