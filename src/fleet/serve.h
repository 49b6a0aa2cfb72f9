// `fusebox serve`: settings, log, signals and one control plane until it is told to stop.
//
// Threads  one call per process; signals are the process's.
// Contract control-plane.md 1.1, 2.1, 20
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "fleet/config/config.h"
#include "host/api/provider_set.h"
#include "http/loop.h"

namespace fusebox::fleet {

// Makes the providers this process has: on the engine's loop, with its folders in `data_dir`. Owned by the control plane.
using MakeProviders = std::function<base::Result<std::unique_ptr<host::ProviderSet>>(
    http::Loop& engine, const Config& config, const base::Clock& clock, base::Random& random)>;

struct ServeOptions {
  std::string version;
  MakeProviders make_providers;
  // Told once everything answers; may be empty.
  std::function<void(std::uint16_t port)> ready;
  // Called at durable steps; for tests (docs/operating.md). Empty otherwise.
  std::function<void(std::string_view step)> on_step;
};

// Exit status: 0 after a stop; 1 with `orchestrator: <text>` on standard error when it could not start.
int run_serve(std::span<const std::string> args, const ServeOptions& options);

}  // namespace fusebox::fleet
