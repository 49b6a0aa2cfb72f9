#include "vfs/net/socket_mount.h"

#include <algorithm>

#include "base/text.h"
#include "vfs/net/connection.h"
#include "vfs/net/limits.h"
#include "vfs/net/listener.h"

namespace fusebox::vfs {

class Net {
 public:
  explicit Net(NetOptions options)
      : options_(std::move(options)), limit_(std::make_shared<RateLimit>(options_.bytes_per_s, *options_.clock)) {
    if (!options_.lookups) options_.lookups = std::make_shared<Lookups>(Offload{});
  }
  const NetOptions& options() const noexcept { return options_; }
  const std::shared_ptr<RateLimit>& limit() const noexcept { return limit_; }

 private:
  NetOptions options_;
  std::shared_ptr<RateLimit> limit_;
};

namespace {

FileType type_of(const SocketAddress& address) noexcept {
  if (address.kind == SocketKind::serial) return FileType::character;
  return address.datagram() ? FileType::socket_datagram : FileType::socket_stream;
}

std::function<void(std::string_view)> reporter(const Net& net, const SocketNode& socket) {
  if (!net.options().report) return {};
  return [report = net.options().report, start = "socket " + base::in_quotes(socket.name) + " at " +
                                                 to_string(socket.address) +
                                                 ": "](std::string_view why) { report(start + std::string(why)); };
}

TlsContext::Role role_of(SocketKind kind) noexcept {
  if (kind == SocketKind::listen_tcps) return TlsContext::Role::server;
  return kind == SocketKind::udps ? TlsContext::Role::datagram_client : TlsContext::Role::client;
}

// The configured files are read now, where a mistake in them stops the launch. The system's trust store is large, and
// read when a socket is first used.
base::Result<Dialer::MakeTls> tls_of(const SocketNode& socket) {
  if (!socket.address.tls()) return Dialer::MakeTls{};
  const auto role = role_of(socket.address.kind);
  const bool store = socket.tls.ca.empty() && socket.tls.certificate.empty() && socket.tls.key.empty();
  if (store) return Dialer::MakeTls([options = socket.tls, role] { return TlsContext::create(options, role); });
  auto made = TlsContext::create(socket.tls, role);
  if (!made) return std::unexpected(std::move(made.error()));
  return Dialer::MakeTls([made = std::move(*made)]() -> base::Result<std::shared_ptr<TlsContext>> { return made; });
}

Device device_of(const SocketNode& socket) {
  Device device{.name = socket.name, .type = type_of(socket.address), .code = device_code("Sock")};
  device.inode = socket.address.port;  // of serial 0: a hash of the path
  return device;
}

base::Result<Device> passive(const std::shared_ptr<Net>& net, const SocketNode& socket) {
  std::shared_ptr<TlsContext> tls;
  if (socket.address.tls()) {
    auto made = TlsContext::create(socket.tls, TlsContext::Role::server);
    if (!made) return std::unexpected(std::move(made.error()));
    tls = std::move(*made);
  }
  auto listener = make_listener(socket.address, std::move(tls), net->limit(), reporter(*net, socket));
  if (!listener) return std::unexpected(std::move(listener.error()));
  Device device = device_of(socket);
  device.open = [net, listener = *listener](Call&, const OpenRequest& request,
                                            const Stat& node) -> Io<std::unique_ptr<File>> {
    return listener->open(node, request.flags);
  };
  return device;
}

base::Result<Device> active(const std::shared_ptr<Net>& net, const SocketNode& socket) {
  auto tls = tls_of(socket);
  if (!tls) return std::unexpected(std::move(tls.error()));
  DialTarget target{.address = socket.address, .unix_path = {}, .time = kConnectTime};
  target.may_connect = net->options().may_connect;
  auto connection = std::make_shared<Connection>(
      std::make_unique<Dialer>(std::move(target), net->options().lookups, std::move(*tls), reporter(*net, socket)),
      net->limit(), socket.address.datagram());
  Device device = device_of(socket);
  device.size = [connection] { return connection->connected() ? 1 : 0; };
  device.open = [net, connection, serial = socket.address.kind == SocketKind::serial](
                    Call&, const OpenRequest& request, const Stat& node) -> Io<std::unique_ptr<File>> {
    return make_socket_file(node, request.flags, connection, serial);
  };
  return device;
}

base::Result<Device> make_device(const std::shared_ptr<Net>& net, const SocketNode& socket) {
  return base::within("socket " + base::in_quotes(socket.name),
                      socket.address.listens() ? passive(net, socket) : active(net, socket));
}

}  // namespace

std::shared_ptr<Net> make_net(NetOptions options) {
  return std::make_shared<Net>(std::move(options));
}

base::Result<std::shared_ptr<Mount>> make_socket_mount(std::shared_ptr<Net> net, std::vector<SocketNode> sockets,
                                                       std::string path) {
  std::vector<TreeEntry> entries;
  for (const SocketNode& socket : sockets) {
    if (std::ranges::find(entries, socket.name, [](const TreeEntry& e) { return e.device.name; }) != entries.end()) {
      return base::fail(base::Errc::exists, "socket " + base::in_quotes(socket.name) + " is configured twice");
    }
    auto device = make_device(net, socket);
    if (!device) return std::unexpected(std::move(device.error()));
    entries.push_back({std::move(*device), nullptr});
  }
  return make_device_tree(std::move(path), device_code("NetF"), std::move(entries));
}

base::Result<Device> socket_device(std::shared_ptr<Net> net, SocketNode socket) {
  auto device = make_device(net, socket);
  if (device) device->name = "socket";
  return device;
}

}  // namespace fusebox::vfs
