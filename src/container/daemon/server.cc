#include "container/daemon/server.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "container/daemon/refusal.h"

namespace fusebox::container {
namespace {

base::Error too_many() {
  return {base::Errc::exhausted,
          "the engine serves " + std::to_string(kConnectionsMax) + " connections already; close others first", "AGAIN",
          nullptr};
}

void turn_away(Channel& channel, const base::Error& why) {
  static_cast<void>(channel.send(refusal_text(why)));  // whoever is gone already need not know
}

}  // namespace

base::Result<std::unique_ptr<Server>> Server::open(const std::filesystem::path& socket_path, Service& service) {
  FB_TRY(Listener listener, Listener::open(socket_path));
  base::Fd stop = base::Fd::adopt(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return base::fail(base::errno_error("eventfd", errno));
  std::unique_ptr<Server> server(new Server(std::move(listener), std::move(stop), service));
  FB_TRY(server->thread_, service.threads()([door = server.get()] { door->listen(); }));
  pthread_setname_np(server->thread_.native_handle(), "fusebox-door");
  return server;
}

Server::Server(Listener listener, base::Fd stop, Service& service)
    : service_(service), listener_(std::move(listener)), stop_(std::move(stop)) {}

Server::~Server() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (Serving& serving : serving_)
      if (serving.channel) serving.channel->shut_down();
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
  if (serving_.size() >= kConnectionsMax) return turn_away(channel, too_many());
  Serving& serving = serving_.emplace_back();
  serving.channel.emplace(std::move(channel));
  auto thread = service_.threads()([this, &serving] {
    service_.serve(*serving.channel);
    const std::lock_guard ended(mutex_);
    serving.channel.reset();
    serving.ended = true;
  });
  if (thread) {
    serving.thread = std::move(*thread);
  } else {
    turn_away(*serving.channel, thread.error());
    serving_.pop_back();
  }
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
