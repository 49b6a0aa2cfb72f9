// What stands behind a Sandbox. Internal to sandbox*.cc.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "capability/argument_schema.h"
#include "capability/audit.h"
#include "capability/engine_set.h"
#include "capability/file_gateway.h"
#include "capability/http_gateway.h"
#include "capability/module_state.h"
#include "capability/running_slots.h"
#include "capability/statistics.h"
#include "engine/code_cache.h"
#include "fusebox/sandbox.h"
#include "http/client.h"
#include "http/resolver.h"

namespace fusebox::capability {

// Limits set by functions rather than by the policy.
struct Setters {
  static constexpr std::uint64_t kUnset = ~std::uint64_t{0};
  std::atomic<std::uint64_t> memory_bytes{kUnset};
  std::atomic<std::uint64_t> cpu_ns{kUnset};
  std::atomic<std::uint64_t> wall_ns{kUnset};
  std::atomic<std::uint64_t> ticks{0};  // 0 = off
  // The smaller of the policy's and these.
  policy::Limits combined_with(const policy::Limits& limits) const noexcept;
};

// One registered capability.
struct Registered {
  Module module;
  Registration registration;
  EntryType entry;
  ArgumentSchema policy_schema;
  ArgumentSchema manifest_schema;
  Grants grants = Grants::none();  // policy, manifest and hosts together
};

// Executions ids of several threads at once: a source each, chosen by thread.
class ExecutionIds {
 public:
  ExecutionIds(const base::Clock& clock, base::Random& random);
  ExecutionId next();

 private:
  struct alignas(64) Source {
    Source(const base::Clock& clock, base::Random& random) : ids(clock, random) {}
    base::IdSource ids;
  };
  std::vector<std::unique_ptr<Source>> sources_;
};

struct Sandbox::Impl {
  Impl(Policy policy_in, SandboxOptions options_in);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> set_up();

  // sandbox_prepare.cc
  Result<Module> load(std::span<const std::byte> wasm, SideFiles sides);
  Result<std::shared_ptr<const Prepared>> prepared(const Module& module, bool ticks);
  Result<std::shared_ptr<const Prepared>> compile(Module::State& state, const std::shared_ptr<engine::Engine>& engine,
                                                  bool ticks);
  Result<std::shared_ptr<engine::Engine>> engine_for(engine::Stopping stopping);
  Result<void> verify(const Module& module);
  Result<Module> module_of(std::span<const std::byte> wasm);

  // sandbox_run.cc
  struct Job {
    const Module* module = nullptr;
    std::string_view function;
    std::string_view input;
    std::string_view capability;  // registered id, "" otherwise
    Grants grants = Grants::none();
    ExecutionId id;
  };
  Report run(const Job& job);
  Result<RunEnd> perform(const Job& job, std::string_view id_text, RunningSlots::Claim& claim,
                         Statistics::Shard& counts);
  Result<void> admit(const Job& job) const;
  void record(AuditType type, std::string_view execution_id, std::string_view component, std::string_view capability,
              std::string_view outcome, std::string_view detail);
  Report failed(Report report, const base::Error& error);
  void finish(Report& report, std::string_view id_text, const Job& job, Statistics::Shard& counts);

  // sandbox_registry.cc
  std::shared_ptr<const Registered> find_registered(std::string_view id) const;

  const Policy policy;
  const SandboxOptions options;
  const base::RealClock real_clock;
  base::SystemRandom system_random;
  const base::Clock& clock;
  base::Random& random;
  const std::vector<engine::HostImport> host_imports;  // outlives nothing: the engine copies it
  std::shared_ptr<EngineSet> engines;
  std::shared_ptr<AuditLog> audit;
  std::shared_ptr<engine::CodeCache> cache;
  std::unique_ptr<http::Resolver> own_resolver;
  std::unique_ptr<http::Client> own_client;
  std::optional<HttpGateway> http;
  std::optional<FileGateway> files;
  std::optional<base::Error> setup_error;
  const Grants enabled;

  RunningSlots slots;
  Statistics statistics;
  ExecutionIds ids;
  Setters setters;

  mutable std::mutex sink_mutex;
  std::shared_ptr<const LogSink> sink;  // guarded by sink_mutex

  std::mutex engine_mutex;
  std::array<std::shared_ptr<engine::Engine>, 3>
      engine_owners;  // guarded by engine_mutex; by Stopping: time, ticks, epoch
  std::array<std::atomic<const std::shared_ptr<engine::Engine>*>, 3> engine_ready{};

  mutable std::shared_mutex registry_mutex;
  std::map<std::string, std::shared_ptr<const Registered>, std::less<>> registry;  // guarded by registry_mutex

  std::shared_mutex verified_mutex;
  std::set<Sha256> verified;  // identities; guarded by verified_mutex

  std::mutex kept_mutex;
  std::list<Module> kept;  // for execute(bytes), most recent first; guarded by kept_mutex
};

}  // namespace fusebox::capability
