#include "http/server/shard.h"

#include <utility>
#include <vector>

#include "http/limits.h"
#include "http/loop_impl.h"
#include "http/server/connection.h"
#include "http/tls_context.h"

namespace fusebox::http {

Ticket::Ticket(std::shared_ptr<ServerCore> core, std::shared_ptr<std::atomic<std::size_t>> load) noexcept
    : core_(std::move(core)), load_(std::move(load)) {
  core_->connections.fetch_add(1);
  load_->fetch_add(1);
}

Ticket::~Ticket() {
  load_->fetch_sub(1);
  core_->release();
}

void ServerCore::release() {
  const std::size_t before = connections.fetch_sub(1);
  if (before == options.connections_max && room) room();
  if (before != 1) return;
  const std::lock_guard lock(mutex_);
  empty_.notify_all();
}

bool ServerCore::wait_until_empty(std::chrono::nanoseconds limit) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, limit, [this] { return connections.load() == 0; });
}

Shard::Shard(Loop& loop, std::shared_ptr<ServerCore> core) : loop_(loop), core_(std::move(core)) {}
Shard::~Shard() = default;

void Shard::adopt(int fd, Peer peer, std::shared_ptr<Ticket> ticket) {
  base::Result<std::shared_ptr<Socket>> socket = Socket::adopt(loop_, fd);
  if (!socket || closing_) return;
  (*socket)->attach(ticket);
  if (core_->tls) {
    std::unique_ptr<TlsSession> tls = core_->tls->accept(fd);
    if (!tls) return;
    (*socket)->set_tls(std::move(tls));
  }
  auto connection = std::make_unique<ServerConnection>(*this, std::move(*socket), std::move(peer), std::move(ticket));
  ServerConnection& started = *connection;
  connections_.emplace(&started, std::move(connection));
  started.start();
}

void Shard::ended(ServerConnection& connection) {
  auto found = connections_.extract(&connection);
  if (found.empty()) return;
  loop_.post([ended = std::move(found.mapped())] {});  // its coroutine is still running
  if (!closing_ || !connections_.empty()) return;
  loop_.post([self = shared_from_this()] { std::erase(self->loop_.impl().keepers, self); });
}

void Shard::drain() {
  for (const auto& [raw, owned] : connections_) raw->close_if_idle();
}

void Shard::close_all() {
  closing_ = true;
  if (!connections_.empty()) loop_.impl().keepers.push_back(shared_from_this());
  std::vector<ServerConnection*> all;
  for (const auto& [raw, owned] : connections_) all.push_back(raw);
  for (ServerConnection* const connection : all) {
    if (connections_.contains(connection)) connection->close();
  }
}

void Shard::destroy_all() {
  closing_ = true;
  connections_.clear();
}

}  // namespace fusebox::http
