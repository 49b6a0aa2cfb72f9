// The background engine's door: listens at a Unix socket and gives each connection a thread.
//
// Owner    the Service outlives it. Destruction turns new connections away, ends the open ones and waits for them.
// Threads  one that listens, one per connection; at most kConnectionsMax. A connection there is no thread for is told so
//          and closed.
#pragma once

#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/result.h"
#include "container/daemon/channel.h"
#include "container/daemon/service.h"

namespace fusebox::container {

inline constexpr std::size_t kConnectionsMax = 256;  // a person's terminals and scripts; each costs a thread

class Server {
 public:
  static base::Result<std::unique_ptr<Server>> open(const std::filesystem::path& socket_path, Service& service);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Serving {
    std::thread thread;
    std::optional<Channel> channel;  // while it is open: shut down to end it
    bool ended = false;
  };
  Server(Listener listener, base::Fd stop, Service& service);
  void listen();
  void serve(Channel channel);
  void join_ended();

  Service& service_;
  Listener listener_;
  base::Fd stop_;  // an eventfd
  std::mutex mutex_;
  std::list<Serving> serving_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace fusebox::container
