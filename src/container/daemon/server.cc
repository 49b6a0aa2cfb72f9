#include "container/daemon/server.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace fusebox::container {

base::Result<std::unique_ptr<Server>> Server::open(const std::filesystem::path& socket_path, Service& service) {
  FB_TRY(Listener listener, Listener::open(socket_path));
  base::Fd stop = base::Fd::adopt(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return base::fail(base::errno_error("eventfd", errno));
  return std::unique_ptr<Server>(new Server(std::move(listener), std::move(stop), service));
}

Server::Server(Listener listener, base::Fd stop, Service& service)
    : service_(service), listener_(std::move(listener)), stop_(std::move(stop)), thread_([this] { listen(); }) {
  pthread_setname_np(thread_.native_handle(), "fusebox-door");
}

Server::~Server() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const Serving& serving : serving_)
      if (serving.socket >= 0) ::shutdown(serving.socket, SHUT_RDWR);
  }
  for (Serving& serving : serving_) serving.thread.join();
}

void Server::listen() {
  for (;;) {
    auto channel = listener_.accept(stop_.get());
    if (!channel || !*channel) return;
    serve(std::move(**channel));
  }
}

void Server::serve(Channel channel) {
  join_ended();
  const std::lock_guard lock(mutex_);
  if (serving_.size() >= kConnectionsMax) return;  // the client sees its connection close
  Serving& serving = serving_.emplace_back();
  serving.socket = channel.fd();
  serving.thread = std::thread([this, &serving, taken = std::move(channel)]() mutable {
    service_.serve(taken);
    const std::lock_guard ended(mutex_);
    serving.socket = -1;
    serving.ended = true;
    const Channel closed = std::move(taken);
  });
}

void Server::join_ended() {
  std::list<Serving> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = serving_.begin(); at != serving_.end();) {
      const auto next = std::next(at);
      if (at->ended) ended.splice(ended.end(), serving_, at);
      at = next;
    }
  }
  for (Serving& serving : ended) serving.thread.join();
}

}  // namespace fusebox::container
