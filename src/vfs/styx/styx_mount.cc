#include "vfs/styx/styx_mount.h"

#include <algorithm>

#include "base/text.h"
#include "vfs/device/device_file.h"
#include "vfs/net/limits.h"
#include "vfs/styx/client.h"
#include "vfs/styx/operations.h"
#include "vfs/styx/styx_file.h"

namespace fusebox::vfs {
namespace {

constexpr std::size_t kUnixPathBytesMax = 107;  // of sockaddr_un, with its NUL
constexpr std::uint32_t kFilePermissions = 0644, kDirectoryPermissions = 0755;

// Tells operations of one Call apart.
std::uint64_t key_of(char operation, std::string_view path) {
  return inode_of(std::string(1, operation) + std::string(path));
}

struct Parent {
  std::string_view directory;
  std::string_view name;
};
Parent parent_of(std::string_view path) noexcept {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// Makes `path` and leaves `fid` at it, open.
Io<StyxOpened> create(Exchange& exchange, std::uint32_t fid, std::string_view path, std::uint32_t permissions,
                      std::uint8_t mode) {
  const auto [directory, name] = parent_of(path);
  const auto at = walk(exchange, fid, directory);
  if (!at) return fail(at.error());
  if (!at->directory()) return fail(Errno::notdir);
  const auto body = exchange.ask(MessageWriter(StyxType::create).u32(fid).text(name).u32(permissions).u8(mode));
  if (!body) return fail(body.error());
  const auto opened = read_opened(*body);
  if (!opened) return exchange.lied();
  return *opened;
}

// Removes what `fid` is at; the fid is gone in any case.
Io<void> remove_fid(Exchange& exchange, std::uint32_t fid) {
  const auto done = exchange.ask(MessageWriter(StyxType::remove).u32(fid));
  if (!done && done.error() == Errno::would_block) return fail(done.error());
  exchange.gone(fid);  // also when the server refused
  if (!done) return fail(done.error());
  return {};
}

class StyxMount final : public Mount {
 public:
  StyxMount(std::string path, std::shared_ptr<StyxClient> client)
      : path_(std::move(path)), client_(std::move(client)) {}

  Io<std::unique_ptr<File>> open(Call& call, std::string_view path, const OpenRequest& request) override {
    return client_->run(call, key_of('o', path), [&](Exchange& exchange) -> Io<std::unique_ptr<File>> {
      return open_now(exchange, path, request);
    });
  }

  // The mount point answers without its server: its parent can be listed when that is down.
  Io<Stat> stat(Call& call, std::string_view path, bool) override {
    if (path.empty()) {
      return Stat{.device = device_code("Styx"), .inode = inode_of(path_), .type = FileType::directory};
    }
    return client_->run(call, key_of('s', path), [&](Exchange& exchange) -> Io<Stat> {
      const auto fid = exchange.new_fid();
      if (!fid) return fail(fid.error());
      const auto at = walk(exchange, *fid, path);
      if (!at) return fail(at.error());
      return stat_of(exchange, *fid);
    });
  }

  Io<void> create_directory(Call& call, std::string_view path) override {
    return client_->run(call, key_of('c', path), [&](Exchange& exchange) -> Io<void> {
      const auto there = exchange.new_fid(), fid = exchange.new_fid();
      if (!there || !fid) return fail(there ? fid.error() : there.error());
      const auto found = walk(exchange, *there, path);
      if (found) return fail(Errno::exist);
      if (found.error() != Errno::noent) return fail(found.error());
      const auto made = create(exchange, *fid, path, kStyxDirectoryMode | kDirectoryPermissions, 0);
      if (!made) return fail(made.error());
      return {};
    });
  }
  Io<void> remove_directory(Call& call, std::string_view path) override { return remove(call, path, true); }
  Io<void> unlink(Call& call, std::string_view path) override { return remove(call, path, false); }

  // The protocol renames within one directory.
  Io<void> rename(Call& call, std::string_view from, std::string_view to) override {
    const Parent old_name = parent_of(from), new_name = parent_of(to);
    if (from.empty() || to.empty()) return fail(Errno::busy);
    if (old_name.directory != new_name.directory) return fail(Errno::xdev);
    return client_->run(call, key_of('r', from) ^ key_of('R', to), [&](Exchange& exchange) -> Io<void> {
      const auto fid = exchange.new_fid(), taken = exchange.new_fid();
      if (!fid || !taken) return fail(fid ? taken.error() : fid.error());
      const auto at = walk(exchange, *fid, from);
      if (!at) return fail(at.error());
      if (from == to) return {};
      const auto there = walk(exchange, *taken, to);
      if (!there && there.error() != Errno::noent) return fail(there.error());
      if (there) {
        if (at->directory() != there->directory()) return fail(there->directory() ? Errno::isdir : Errno::notdir);
        if (const auto gone = remove_fid(exchange, *taken); !gone) return gone;
      }
      return change(exchange, *fid, {.name = new_name.name});
    });
  }
  Io<void> set_times(Call& call, std::string_view path, bool, SetTime accessed, SetTime modified) override {
    const auto seconds = modified_seconds(call, accessed, modified);
    if (!seconds) return fail(seconds.error());
    return client_->run(call, key_of('m', path), [&](Exchange& exchange) -> Io<void> {
      const auto fid = exchange.new_fid();
      if (!fid) return fail(fid.error());
      const auto at = walk(exchange, *fid, path);
      if (!at) return fail(at.error());
      if (!*seconds) return {};
      return change(exchange, *fid, {.modified_s = *seconds});
    });
  }

 private:
  Io<void> remove(Call& call, std::string_view path, bool directory) {
    if (path.empty()) return fail(Errno::busy);
    return client_->run(call, key_of(directory ? 'd' : 'u', path), [&](Exchange& exchange) -> Io<void> {
      const auto fid = exchange.new_fid();
      if (!fid) return fail(fid.error());
      const auto at = walk(exchange, *fid, path);
      if (!at) return fail(at.error());
      if (at->directory() != directory) return fail(directory ? Errno::notdir : Errno::isdir);
      return remove_fid(exchange, *fid);
    });
  }

  Io<std::unique_ptr<File>> open_now(Exchange& exchange, std::string_view path, const OpenRequest& request) {
    const auto first = exchange.new_fid();
    if (!first) return fail(first.error());
    std::uint32_t fid = *first;
    const std::uint8_t mode = open_mode(request);
    const auto at = walk(exchange, fid, path);
    Io<StyxOpened> opened;
    if (at) {
      if (request.create && request.exclusive) return fail(Errno::exist);
      if (request.directory && !at->directory()) return fail(Errno::notdir);
      if (at->directory() && request.wants_change()) return fail(Errno::isdir);
      opened = open_fid(exchange, fid, mode);
    } else {
      if (at.error() != Errno::noent || !request.create || path.empty()) return fail(at.error());
      const auto second = exchange.new_fid();
      if (!second) return fail(second.error());
      fid = *second;
      opened = create(exchange, fid, path, kFilePermissions, static_cast<std::uint8_t>(mode & ~kStyxTruncate));
    }
    if (!opened) return fail(opened.error());
    const auto node = stat_of(exchange, fid);
    if (!node) return fail(node.error());
    const auto generation = exchange.generation();
    if (!generation) return fail(generation.error());
    exchange.keep(fid);
    return make_styx_file(client_, {.path = std::string(path),
                                    .node = path.empty() ? *stat(exchange.call(), path, true) : *node,
                                    .fid = fid,
                                    .generation = *generation,
                                    .unit = opened->unit,
                                    .mode = static_cast<std::uint8_t>(mode & ~kStyxTruncate),
                                    .append = has(request.flags, FdFlag::append)});
  }

  std::string path_;
  std::shared_ptr<StyxClient> client_;
};

}  // namespace

base::Result<StyxAddress> parse_styx_address(std::string_view options) {
  constexpr std::string_view kUnix = "unix://";
  if (options.starts_with(kUnix)) {
    const std::string_view path = options.substr(kUnix.size());
    if (path.empty() || path.size() > kUnixPathBytesMax || path.find('\0') != std::string_view::npos) {
      return base::fail(base::Errc::invalid,
                        "9p address " + base::in_quotes(options) + ": the path of a unix socket has 1..107 bytes");
    }
    return StyxAddress{.kind = StyxAddress::Kind::unix_socket, .host = std::string(path), .port = 0};
  }
  FB_TRY(SocketAddress address, parse_socket_address(options));
  if (address.kind != SocketKind::tcp && address.kind != SocketKind::udp) {
    return base::fail(base::Errc::invalid,
                      "9p address " + base::in_quotes(options) + ": known schemes are tcp, udp and unix");
  }
  return StyxAddress{.kind = address.kind == SocketKind::tcp ? StyxAddress::Kind::tcp : StyxAddress::Kind::udp,
                     .host = std::move(address.host),
                     .port = address.port};
}

std::shared_ptr<Mount> make_styx_mount(StyxOptions options) {
  DialTarget target{.address = {}, .unix_path = {}, .time = kStyxAttemptTime};
  if (options.address.kind == StyxAddress::Kind::unix_socket) {
    target.unix_path = options.address.host;
    target.unix_beneath = options.beneath;
  } else {
    const bool datagrams = options.address.kind == StyxAddress::Kind::udp;
    target.address = {.kind = datagrams ? SocketKind::udp : SocketKind::tcp,
                      .host = options.address.host,
                      .port = options.address.port};
  }
  if (!options.lookups) options.lookups = std::make_shared<Lookups>(Offload{});
  auto dialer = std::make_unique<Dialer>(std::move(target), std::move(options.lookups), Dialer::MakeTls{},
                                         std::function<void(std::string_view)>{});
  return std::make_shared<StyxMount>(std::move(options.path), std::make_shared<StyxClient>(std::move(dialer)));
}

}  // namespace fusebox::vfs
