// `fusebox host` as an object: a provider behind the host wire, on a loop and thread of its own, that may register itself
// with a control plane.
//
// Owner    makes and owns loop, thread, provider and server; clock, random and logger outlive it. Destruction stops it.
// Threads  start(), stop(), port(): one thread, not the agent's.
// Errors   start: `invalid` for options nobody can use, one problem a line; what the provider or the address says.
// Contract host-agent.md; control-plane.md 11
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "host/agent/host_options.h"
#include "host/api/provider.h"
#include "http/loop.h"

namespace fusebox::host {

// Makes the provider of options.backend on the agent's loop.
using ProviderFactory =
    std::function<base::Result<std::unique_ptr<Provider>>(http::Loop& loop, const HostOptions& options)>;

struct HostSeams {
  const base::Clock& clock;
  base::Random& random;
  base::Logger& logger;
};

class HostAgent {
 public:
  static base::Result<std::unique_ptr<HostAgent>> start(HostOptions options, const ProviderFactory& make_provider,
                                                        const HostSeams& seams);
  ~HostAgent();
  HostAgent(const HostAgent&) = delete;
  HostAgent& operator=(const HostAgent&) = delete;

  std::uint16_t port() const noexcept;
  bool is_registered();  // with its control plane; asks the agent's thread
  // Accepts no more, ends streams, lets calls under way end within options.stop_limit. Environments stay as the provider
  // leaves them. True when all ended in time.
  bool stop();
  base::Result<void> reload_tls();

 private:
  struct Impl;
  explicit HostAgent(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// The verb: checks the options, runs until SIGINT or SIGTERM, reloads certificates at SIGHUP. Problems go to standard error as
// "fusebox host: ...". Exit status: 0, or 1 when it could not start.
int run_host(HostOptions options, const ProviderFactory& make_provider);

// The providers this folder can make by itself: "stub".
base::Result<std::unique_ptr<Provider>> make_stub_provider(const base::Clock& clock, base::Random& random);

}  // namespace fusebox::host
