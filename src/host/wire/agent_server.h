// The host agent's side of the host wire: a Provider behind HTTP, as control planes know it.
//
// handle() is given to an http::Server (or to a test's fake of an Exchange). All routes of the contract that a provider can
// answer; beside them, Fusebox's own: GET .../processes, GET .../stats, POST .../drain.
//
// Owner    provider, executor, clock, random and logger outlive it. stop() and idle() before it is destroyed.
// Threads  the provider's executor: the server it serves has that one loop.
// Errors   answers, as text/plain; the table is in status.h. No answer holds a token.
// Contract host-agent.md 1 to 9, 16
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/random.h"
#include "base/task.h"
#include "host/api/provider.h"
#include "host/wire/limits.h"
#include "http/server/exchange.h"
#include "http/server/server.h"

namespace fusebox::host {

struct AgentServerOptions {
  std::string token;                  // never empty
  std::string token_previous;         // accepted too, for rotation; "" = none
  std::string app_name = "fc-agent";  // "qemu-agent" also changes the defaults of a request
  std::string fleet_id;
  bool tls = false;  // told as a feature
  std::uint64_t body_bytes_max = kAgentBodyBytesMax;
  std::uint64_t upload_bytes_max = kAgentUploadBytesMax;
  std::size_t parallel_boots_max = 4;
  std::chrono::nanoseconds transfer_limit = kTransferLimit;
  std::function<std::optional<std::uint64_t>()> disk_free_bytes;  // for /metrics; empty: not told
};

struct AgentServerParts {
  Provider& provider;
  base::Executor& executor;
  const base::Clock& clock;
  base::Random& random;
  base::Logger& logger;
};

class AgentServer {
 public:
  AgentServer(const AgentServerParts& parts, AgentServerOptions options);
  ~AgentServer();
  AgentServer(const AgentServer&) = delete;
  AgentServer& operator=(const AgentServer&) = delete;

  base::Task<void> handle(http::Exchange& exchange);

  // Ends attached streams, followed logs and background pulls.
  void stop();
  base::Task<void> idle();  // until what stop() ended has ended

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "fusebox-host/<version>"
std::string agent_server_name();

// The bounds of HA section 1 as options of a server; `listen` and TLS are the caller's.
http::ServerOptions agent_http_options(std::chrono::nanoseconds request_limit);

}  // namespace fusebox::host
