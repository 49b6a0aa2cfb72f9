// The REST API of the control plane: one handler for an http::Server, on any number of loops.
//
// Every request goes through the order of contract 1.2 (frame/frame.cc) and then to one function (handlers/). What the
// store commits is told to the API, which forgets cached answers and wakes listeners.
//
// Owner    engine, store and seams outlive the Api, and so do the loops unless it was closed; the server that calls
//          handler(), and every task of a handler, is destroyed before it. The Api is the store's observer, or is told by
//          the one that is.
// Threads  create(), close() and its like: any executor's. handler(): the loops. What an observer is told: the store's threads.
// Contract control-plane.md 1-7, 10.2, 11.2, 16.3, 18
#pragma once

#include <memory>
#include <span>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "fleet/api/api_options.h"
#include "fleet/engine/engine.h"
#include "fleet/metrics/registry.h"
#include "fleet/store/store.h"
#include "http/loop.h"
#include "http/server/server.h"

namespace fusebox::fleet {

struct ApiParts {
  Engine& engine;
  Store& store;
  Registry& metrics;
  base::Logger& logger;
  const base::Clock& clock;
  base::Random& random;  // for any thread
  std::span<http::Loop* const> loops;
};

class Api final : public CommitObserver {
 public:
  // `invalid`: a list of addresses that cannot be read.
  static base::Result<std::unique_ptr<Api>> create(ApiParts parts, ApiOptions options);
  ~Api() override;
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // For http::Server::listen: who the server says it is and how its own refusals look.
  void prepare(http::ServerOptions& options) const;
  http::Handler handler();

  // A stop in three steps. Streams without an end of their own (events, logs that are followed, terminals, desktops) end:
  // each gets what it has still to get, and its last frame. Later ones end as they begin.
  base::Task<void> close(base::Executor& home);
  // So do commands and files that are under way, which may take as long as requests may.
  base::Task<void> end_work(base::Executor& home);
  // Nothing asks any more: what is put on record without being waited for is written.
  base::Task<void> settle(base::Executor& home);

  // CommitObserver: told by the store, or by whoever stands between it and the store.
  void env_event(const EnvEventRow& event) override;
  void environment_changed(std::string_view vm_id) override;
  void cache_changed(std::string_view what, std::string_view id) override;

 private:
  struct Impl;
  explicit Api(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::fleet
