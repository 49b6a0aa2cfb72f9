// One replica of the control plane: store, engine, API and listener, put together and taken apart in order.
//
// Threads are created here and nowhere else in the fleet: one loop for the engine (and the providers of this process), one
// loop per core for connections; the store names its own.
//
// Owner    owns everything but the seams. Destruction stops at once; stop() is the polite way.
// Threads  start(), stop(), reload_tls(), live_backends(): the main thread.
// Errors   as `orchestrator: <text>` is completed (contract 20): store, key, address, certificate.
// Contract control-plane.md 1.1, 16.1, 17.1, 20
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "fleet/api/api_options.h"
#include "fleet/engine/engine.h"
#include "fleet/engine/options.h"
#include "fleet/secrets/vault.h"
#include "fleet/store/store.h"
#include "host/api/provider_set.h"
#include "http/loop.h"
#include "http/server/server.h"

namespace fusebox::fleet {

struct ControlPlaneOptions {
  http::ServerOptions http;
  StoreOptions store;
  EngineOptions engine;
  ApiOptions api;
  std::chrono::nanoseconds shutdown_limit{std::chrono::seconds{30}};
  std::size_t http_threads = 0;  // 0 = processors
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;  // for any thread
  base::Logger* logger = nullptr;
  std::vector<VaultKey> keys;  // the current one first
  // Makes the providers on the engine's loop; called once.
  std::function<base::Result<std::unique_ptr<host::ProviderSet>>(http::Loop& engine)> providers;
  // Tests end the process at durable steps; empty otherwise.
  std::function<void(std::string_view step)> on_step;
};

class ControlPlane {
 public:
  static base::Result<std::unique_ptr<ControlPlane>> start(ControlPlaneOptions options);
  ~ControlPlane();
  ControlPlane(const ControlPlane&) = delete;
  ControlPlane& operator=(const ControlPlane&) = delete;

  std::uint16_t port() const noexcept;
  std::string_view store_kind() const noexcept;
  Engine::LiveBackends live_backends() const;
  base::Result<void> reload_tls();
  // Accepts no more, ends streams with their last frame, lets requests and operations reach their next recorded step.
  void stop();

 private:
  struct Impl;
  explicit ControlPlane(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fusebox::fleet
