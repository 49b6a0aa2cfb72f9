// What the threads of one server share, and the part of it that lives on one loop.
//
// Internal to src/http/server.
// Threads  ServerCore: any. Shard: its loop's, except open().
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "http/server/server.h"
#include "http/socket.h"

namespace fusebox::http {

class ServerConnection;
class TlsServer;

struct Peer {
  std::string address;
  std::uint16_t port = 0;
};

struct ServerCore {
  ServerOptions options;
  Handler handler;
  std::shared_ptr<TlsServer> tls;  // null: plain
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> connections{0};
  std::function<void()> room;  // posts to the loop that accepts: a connection went when there were too many

  // Waits until no connection is left; false after `limit`.
  bool wait_until_empty(std::chrono::nanoseconds limit);

 private:
  friend class Ticket;
  void release();
  std::mutex mutex_;
  std::condition_variable empty_;
};

// One connection's place, held by its handler's side and by its socket: given back when both have ended.
class Ticket {
 public:
  Ticket(std::shared_ptr<ServerCore> core, std::shared_ptr<std::atomic<std::size_t>> load) noexcept;
  ~Ticket();
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

 private:
  const std::shared_ptr<ServerCore> core_;
  const std::shared_ptr<std::atomic<std::size_t>> load_;  // of its loop
};

class Shard : public std::enable_shared_from_this<Shard> {
 public:
  Shard(Loop& loop, std::shared_ptr<ServerCore> core);
  ~Shard();
  void adopt(int fd, Peer peer, std::shared_ptr<Ticket> ticket);
  void ended(ServerConnection& connection);  // called by the connection, which is destroyed soon after
  void drain();                              // closes those that wait for a request
  void close_all();    // closes every socket; handlers end by themselves, the loop keeps the shard
  void destroy_all();  // only when the loop does not run
  std::size_t size() const noexcept { return connections_.size(); }

  Loop& loop() noexcept { return loop_; }
  ServerCore& core() noexcept { return *core_; }

 private:
  Loop& loop_;
  const std::shared_ptr<ServerCore> core_;
  bool closing_ = false;
  std::unordered_map<ServerConnection*, std::unique_ptr<ServerConnection>> connections_;
};

}  // namespace fusebox::http
