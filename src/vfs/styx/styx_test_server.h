// A small 9P2000 server with a tree in memory, for tests, and a place to lie from.
#pragma once

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vfs/net/socket_test_support.h"
#include "vfs/styx/message.h"

namespace fusebox::vfs::testing {

class StyxServer {
 public:
  struct Node {
    bool directory = false;
    std::string data;
    std::uint32_t modified = 8;
  };
  // Sees every reply before it goes out; may change it. An empty one is not sent.
  using Tamper = std::function<void(std::uint8_t request, std::string& reply)>;

  explicit StyxServer(Tamper tamper = {}) : tamper_(std::move(tamper)), listener_(SOCK_STREAM) {
    nodes_[""] = {.directory = true, .data = {}, .modified = 8};
    thread_ = std::thread([this] { accept_all(); });
  }
  ~StyxServer() {
    ::shutdown(listener_.fd.get(), SHUT_RDWR);
    hang_up();
    thread_.join();
  }
  std::uint16_t port() const { return listener_.port; }
  void put(const std::string& path, std::string data) {
    const std::lock_guard lock(mutex_);
    nodes_[path] = {.directory = false, .data = std::move(data), .modified = 8};
  }
  void make_directory(const std::string& path) {
    const std::lock_guard lock(mutex_);
    nodes_[path] = {.directory = true, .data = {}, .modified = 8};
  }
  std::string data(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return nodes_.contains(path) ? nodes_[path].data : "(nothing)";
  }
  std::uint32_t modified(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return nodes_[path].modified;
  }
  std::vector<std::uint8_t> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::size_t fids() {
    const std::lock_guard lock(mutex_);
    return fids_.size();
  }
  // Ends the connection under way; the next one is accepted.
  void hang_up() {
    const std::lock_guard lock(mutex_);
    if (connection_ >= 0) ::shutdown(connection_, SHUT_RDWR);
  }

 private:
  void accept_all() {
    while (true) {
      const base::Fd fd = listener_.accept();
      if (!fd) return;
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      {
        const std::lock_guard lock(mutex_);
        connection_ = fd.get();
        fids_.clear();
      }
      serve(fd);
      const std::lock_guard lock(mutex_);
      connection_ = -1;
    }
  }
  void serve(const base::Fd& fd) {
    std::string buffer;
    while (true) {
      StyxFrame frame;
      const FrameState state = take_frame(buffer, kStyxMessageBytes, frame);
      if (state == FrameState::broken) return;
      if (state == FrameState::incomplete) {
        const std::string more = testing::get(fd);
        if (more.empty()) return;
        buffer += more;
        continue;
      }
      std::string reply = answer(frame);
      if (tamper_) tamper_(frame.type, reply);
      if (!reply.empty() && ::send(fd.get(), reply.data(), reply.size(), MSG_NOSIGNAL) < 0) return;
    }
  }

  static MessageWriter reply(std::uint8_t request) { return MessageWriter(static_cast<StyxType>(request + 1)); }
  static std::string error(const StyxFrame& frame, std::string_view text) {
    return MessageWriter(static_cast<StyxType>(kStyxError)).text(text).finish(frame.tag);
  }
  StyxQid qid_of(const std::string& path) {
    const std::uint8_t type = nodes_[path].directory ? 0x80 : 0;
    return {.type = type, .version = 1, .path = std::hash<std::string>()(path) | 1};
  }
  static void add(MessageWriter& to, const StyxQid& qid) { to.u8(qid.type).u32(qid.version).u64(qid.path); }
  std::string stat_bytes(const std::string& path) {
    const Node& node = nodes_[path];
    const std::size_t slash = path.rfind('/');
    const std::string name = path.empty() ? "/" : slash == std::string::npos ? path : path.substr(slash + 1);
    MessageWriter fields(StyxType::stat);
    fields.u16(0).u32(0);
    add(fields, qid_of(path));
    fields.u32(node.directory ? kStyxDirectoryMode | 0755 : 0644).u32(7).u32(node.modified).u64(node.data.size());
    fields.text(name).text("none").text("none").text("none");
    const std::string body = fields.finish(0).substr(kStyxHeaderBytes);
    return MessageWriter(StyxType::stat)
        .u16(static_cast<std::uint16_t>(body.size()))
        .raw(body)
        .finish(0)
        .substr(kStyxHeaderBytes);
  }
  std::string listing(const std::string& path, std::uint64_t offset, std::uint32_t count) {
    std::string all, piece;
    for (const auto& [name, node] : nodes_) {
      if (name.empty() || name == path) continue;
      const std::size_t slash = name.rfind('/');
      const std::string parent = slash == std::string::npos ? "" : name.substr(0, slash);
      if (parent != path) continue;
      const std::string entry = stat_bytes(name);
      if (all.size() >= offset && piece.size() + entry.size() <= count) piece += entry;
      all += entry;
      if (all.size() > offset + piece.size()) break;
    }
    return piece;
  }

  std::string answer(const StyxFrame& frame) {
    const std::lock_guard lock(mutex_);
    seen_.push_back(frame.type);
    MessageReader in(frame.body);
    MessageWriter out = reply(frame.type);
    switch (static_cast<StyxType>(frame.type)) {
      case StyxType::version:
        out.u32(in.u32()).text("9P2000");
        break;
      case StyxType::attach:
        fids_[in.u32()] = "";
        in.u32();
        if (in.text() != "none") return error(frame, "who?");
        add(out, qid_of(""));
        break;
      case StyxType::walk: {
        std::string path = fids_[in.u32()];
        const std::uint32_t fid = in.u32();
        const std::uint16_t count = in.u16();
        std::vector<StyxQid> qids;
        for (std::uint16_t i = 0; i < count; ++i) {
          path += (path.empty() ? "" : "/") + std::string(in.text());
          if (!nodes_.contains(path)) break;
          qids.push_back(qid_of(path));
        }
        if (count != 0 && qids.empty()) return error(frame, "file not found");
        if (qids.size() == count) fids_[fid] = path;
        out.u16(static_cast<std::uint16_t>(qids.size()));
        for (const StyxQid& qid : qids) add(out, qid);
        break;
      }
      case StyxType::open: {
        const std::string& path = fids_[in.u32()];
        if ((in.u8() & 0x10) != 0) nodes_[path].data.clear();
        add(out, qid_of(path));
        out.u32(0);
        break;
      }
      case StyxType::create: {
        std::string& path = fids_[in.u32()];
        path += (path.empty() ? "" : "/") + std::string(in.text());
        nodes_[path] = {.directory = (in.u32() & kStyxDirectoryMode) != 0, .data = {}, .modified = 8};
        add(out, qid_of(path));
        out.u32(0);
        break;
      }
      case StyxType::read: {
        const std::string& path = fids_[in.u32()];
        const std::uint64_t offset = in.u64();
        const std::uint32_t count = in.u32();
        const Node& node = nodes_[path];
        const std::string data = node.directory              ? listing(path, offset, count)
                                 : offset < node.data.size() ? node.data.substr(static_cast<std::size_t>(offset), count)
                                                             : "";
        out.u32(static_cast<std::uint32_t>(data.size())).raw(data);
        break;
      }
      case StyxType::write: {
        std::string& data = nodes_[fids_[in.u32()]].data;
        const auto offset = static_cast<std::size_t>(in.u64());
        const std::string_view piece = in.raw(in.u32());
        if (data.size() < offset + piece.size()) data.resize(offset + piece.size());
        data.replace(offset, piece.size(), piece);
        out.u32(static_cast<std::uint32_t>(piece.size()));
        break;
      }
      case StyxType::clunk:
        if (fids_.erase(in.u32()) == 0) return error(frame, "unknown fid");
        break;
      case StyxType::remove: {
        const std::uint32_t fid = in.u32();
        const std::string path = fids_[fid];
        fids_.erase(fid);
        const bool full = std::ranges::any_of(nodes_, [&](const auto& n) { return n.first.starts_with(path + "/"); });
        if (full) return error(frame, "directory not empty");
        nodes_.erase(path);
        break;
      }
      case StyxType::stat: {
        const std::string stat = stat_bytes(fids_[in.u32()]);
        out.u16(static_cast<std::uint16_t>(stat.size())).raw(stat);
        break;
      }
      case StyxType::wstat: {
        std::string& path = fids_[in.u32()];
        in.raw(2 + 2 + 23);  // sizes; type, dev, qid, mode: to stay as they are
        if (in.u32() != UINT32_MAX) return error(frame, "wstat -- attempt to change atime");
        const std::uint32_t modified = in.u32();
        const std::uint64_t length = in.u64();
        const auto name = std::string(in.text());
        if (modified != UINT32_MAX) nodes_[path].modified = modified;
        if (length != UINT64_MAX) nodes_[path].data.resize(static_cast<std::size_t>(length));
        if (name.empty()) break;
        const std::size_t slash = path.rfind('/');
        const std::string to = (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + name;
        if (nodes_.contains(to)) return error(frame, "file already exists");
        nodes_[to] = nodes_[path];
        nodes_.erase(path);
        path = to;
        break;
      }
      default:
        return error(frame, "what?");
    }
    return out.finish(frame.tag);
  }

  Tamper tamper_;
  HostSocket listener_;
  std::mutex mutex_;
  std::map<std::string, Node> nodes_;          // guarded by mutex_
  std::map<std::uint32_t, std::string> fids_;  // guarded by mutex_
  std::vector<std::uint8_t> seen_;             // guarded by mutex_
  int connection_ = -1;                        // guarded by mutex_
  std::thread thread_;
};

}  // namespace fusebox::vfs::testing
