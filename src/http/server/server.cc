#include "http/server/server.h"

#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "base/files.h"
#include "http/limits.h"
#include "http/loop_impl.h"
#include "http/server/connection.h"
#include "http/server/listener.h"
#include "http/server/shard.h"
#include "http/tls_context.h"

namespace fusebox::http {
namespace {

using base::Errc;
using base::Result;

// Accepts on the first loop and gives each connection to the loop that has the fewest.
class Accepting : public std::enable_shared_from_this<Accepting> {
 public:
  Accepting(std::shared_ptr<ServerCore> core, std::vector<std::shared_ptr<Shard>> shards,
            std::shared_ptr<Socket> listener)
      : core_(std::move(core)), shards_(std::move(shards)), loads_(shards_.size()), listener_(std::move(listener)) {
    for (auto& load : loads_) load = std::make_shared<std::atomic<std::size_t>>(0);
  }

  void wait() {
    if (waiting_ || !listener_->is_open()) return;
    waiting_ = true;
    listener_->when_readable([](void* self, bool ok) { static_cast<Accepting*>(self)->ready(ok); }, this);
  }
  void stop() noexcept {
    listener_->forget_readable();
    listener_->close();
  }

 private:
  void ready(bool ok) {
    waiting_ = false;
    if (!ok) return;
    // What is beyond the maximum waits in the backlog; ServerCore::room asks again.
    while (core_->connections.load() < core_->options.connections_max) {
      Accepted accepted = accept_from(listener_->fd());
      if (accepted.spent) return pause();
      if (accepted.fd < 0) return wait();
      hand_over(std::move(accepted));
    }
    // One may have gone between the last look and now, when nobody could tell that somebody waits for it.
    if (core_->connections.load() < core_->options.connections_max) wait();
  }
  void pause() {
    Loop& loop = listener_->loop();
    loop.post_at(loop.clock().monotonic() + kAcceptPause, [self = shared_from_this()] { self->wait(); });
  }
  void hand_over(Accepted accepted) {
    std::size_t fewest = 0;
    for (std::size_t i = 1; i < loads_.size(); ++i) {
      if (loads_[i]->load() < loads_[fewest]->load()) fewest = i;
    }
    auto ticket = std::make_shared<Ticket>(core_, loads_[fewest]);
    const std::shared_ptr<Shard>& shard = shards_[fewest];
    Peer peer{std::move(accepted.address), accepted.port};
    if (fewest == 0) return shard->adopt(accepted.fd, std::move(peer), std::move(ticket));
    shard->loop().post(
        [shard, fd = base::Fd::adopt(accepted.fd), peer = std::move(peer), ticket = std::move(ticket)]() mutable {
          shard->adopt(fd.release(), std::move(peer), std::move(ticket));
        });
  }

  const std::shared_ptr<ServerCore> core_;
  const std::vector<std::shared_ptr<Shard>> shards_;
  std::vector<std::shared_ptr<std::atomic<std::size_t>>> loads_;
  const std::shared_ptr<Socket> listener_;
  bool waiting_ = false;
};

class RealServer final : public Server {
 public:
  RealServer(std::shared_ptr<ServerCore> core, std::vector<std::shared_ptr<Shard>> shards,
             std::shared_ptr<Accepting> accepting, std::uint16_t port)
      : core_(std::move(core)), shards_(std::move(shards)), accepting_(std::move(accepting)), port_(port) {}
  ~RealServer() override { close(); }

  std::uint16_t port() const noexcept override { return port_; }
  std::size_t connections() const noexcept override { return core_->connections.load(); }

  Result<void> reload_tls() override {
    if (!core_->tls) return base::fail(Errc::invalid, "the server speaks no TLS");
    return core_->tls->reload();
  }

  bool drain(std::chrono::nanoseconds limit) override {
    core_->draining.store(true);
    shards_.front()->loop().post([accepting = accepting_] { accepting->stop(); });
    for (const auto& shard : shards_) shard->loop().post([shard] { shard->drain(); });
    return core_->wait_until_empty(limit);
  }

 private:
  // Runs `work` on the loop's thread, or here when no thread runs it.
  static void run_on(Loop& loop, const std::shared_ptr<Shard>& shard, const std::function<void(bool running)>& work) {
    const std::thread::id runner = loop.impl().runner.load();
    if (runner == std::this_thread::get_id()) return work(true);
    if (runner == std::thread::id()) return work(false);
    auto done = std::make_shared<std::promise<void>>();
    std::future<void> finished = done->get_future();
    loop.post([work, done, shard] {
      work(true);
      done->set_value();
    });
    // A loop that was stopped just now never does it; its thread is gone in a moment.
    while (finished.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
      if (loop.impl().runner.load() == std::thread::id()) return work(false);
    }
  }

  void close() {
    core_->draining.store(true);
    run_on(shards_.front()->loop(), shards_.front(), [accepting = accepting_](bool) { accepting->stop(); });
    bool ends_elsewhere = true;
    for (const auto& shard : shards_) {
      if (shard->loop().impl().runner.load() == std::this_thread::get_id()) ends_elsewhere = false;
      run_on(shard->loop(), shard, [shard](bool running) { running ? shard->close_all() : shard->destroy_all(); });
    }
    if (ends_elsewhere) core_->wait_until_empty(kServerCloseTime);
  }

  const std::shared_ptr<ServerCore> core_;
  const std::vector<std::shared_ptr<Shard>> shards_;
  const std::shared_ptr<Accepting> accepting_;
  const std::uint16_t port_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(std::span<Loop* const> loops, ServerOptions options, Handler handler) {
  if (loops.empty()) return base::fail(Errc::invalid, "a server needs a loop");
  auto core = std::make_shared<ServerCore>();
  core->options = std::move(options);
  core->handler = std::move(handler);
  if (core->options.tls) {
    FB_TRY(core->tls, TlsServer::load(*core->options.tls));
  }
  FB_TRY(const int fd, open_listener(core->options.listen));
  const std::uint16_t port = port_of(fd);
  FB_TRY(std::shared_ptr<Socket> listener, Socket::adopt(*loops.front(), fd));
  std::vector<std::shared_ptr<Shard>> shards;
  for (Loop* const loop : loops) shards.push_back(std::make_shared<Shard>(*loop, core));
  auto accepting = std::make_shared<Accepting>(core, shards, std::move(listener));
  core->room = [weak = std::weak_ptr(accepting), loop = loops.front()] {
    if (const auto still = weak.lock()) loop->post([still] { still->wait(); });
  };
  loops.front()->post([accepting] { accepting->wait(); });
  return std::make_unique<RealServer>(std::move(core), std::move(shards), std::move(accepting), port);
}

}  // namespace fusebox::http
