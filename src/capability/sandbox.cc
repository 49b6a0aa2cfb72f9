#include <algorithm>
#include <functional>
#include <thread>

#include "capability/codes.h"
#include "capability/host_functions.h"
#include "capability/limits.h"
#include "capability/sandbox_impl.h"
#include "policy/load.h"

namespace fusebox::capability {
namespace {

constexpr std::uint64_t kConcurrentMax = 4096;  // contract 8.2

std::uint64_t as_setting(std::chrono::nanoseconds time, std::uint64_t fallback_ns) noexcept {
  return time.count() <= 0 ? fallback_ns : static_cast<std::uint64_t>(time.count());
}

// An audit log of the sandbox's own carries its clock along, because it may outlive the sandbox.
struct OwnAudit {
  base::RealClock real_clock;
  AuditLog log;
  OwnAudit(AuditOptions options, const base::Clock* clock)
      : log(std::move(options), clock != nullptr ? *clock : real_clock) {}
};

}  // namespace

policy::Limits Setters::combined_with(const policy::Limits& limits) const noexcept {
  policy::Limits combined = limits;
  combined.memory_bytes = std::min(limits.memory_bytes, memory_bytes.load(std::memory_order_relaxed));
  combined.cpu_ns = std::min(limits.cpu_limit_ns(), cpu_ns.load(std::memory_order_relaxed));
  combined.wall_ns = std::min(limits.wall_limit_ns(), wall_ns.load(std::memory_order_relaxed));
  const std::uint64_t set = ticks.load(std::memory_order_relaxed);
  if (set != 0) combined.ticks = limits.ticks == 0 ? set : std::min(limits.ticks, set);
  return combined;
}

ExecutionIds::ExecutionIds(const base::Clock& clock, base::Random& random) {
  constexpr std::size_t kSources = 8;  // threads that make ids at the same moment; more share
  for (std::size_t i = 0; i < kSources; ++i) sources_.push_back(std::make_unique<Source>(clock, random));
}

ExecutionId ExecutionIds::next() {
  const std::size_t hash = std::hash<std::thread::id>{}(std::this_thread::get_id());
  return ExecutionId{sources_[(hash >> 12) % sources_.size()]->ids.uuid().bytes};
}

Sandbox::Impl::Impl(Policy policy_in, SandboxOptions options_in)
    : policy(std::move(policy_in)),
      options(std::move(options_in)),
      clock(options.clock != nullptr ? *options.clock : real_clock),
      random(options.random != nullptr ? *options.random : system_random),
      host_imports(make_host_imports()),
      engines(options.engines != nullptr ? options.engines : make_engines()),
      audit(options.audit),
      cache(options.code_cache),
      enabled(enabled_by(policy)),
      slots(static_cast<std::size_t>(std::clamp<std::uint64_t>(policy.limits.concurrent, 1, kConcurrentMax))),
      ids(clock, random) {
  if (auto ready = set_up(); !ready) {
    setup_error = std::move(ready.error());
    setup_error->name = code::kPolicyInvalid;
  }
  record(AuditType::runtime_start, {}, "runtime", {}, setup_error ? "failed" : "ok", {});
  if (!policy.hash_hex.empty()) {
    record(AuditType::config_load, {}, "runtime", {}, "ok", "{\"policy_sha256\":\"" + policy.hash_hex + "\"}");
  }
  (void)audit->flush();
}

Sandbox::Impl::~Impl() {
  record(AuditType::runtime_stop, {}, "runtime", {}, "ok", {});
  (void)audit->flush();
}

Result<void> Sandbox::Impl::set_up() {
  if (audit == nullptr) {
    auto options_of_audit = audit_options(policy.audit, policy.base_dir);
    // Something must take the records, of the failure too.
    auto own =
        std::make_shared<OwnAudit>(options_of_audit ? std::move(*options_of_audit) : AuditOptions{}, options.clock);
    audit = std::shared_ptr<AuditLog>(own, &own->log);
    if (!options_of_audit) return base::fail(std::move(options_of_audit.error()));
  }
  if (policy.isolation != policy::Isolation::thread) {
    return refuse(code::kPolicyInvalid, std::string("isolation \"") +
                                            (policy.isolation == policy::Isolation::process ? "process" : "vm") +
                                            "\" is not available in this build; \"thread\" is");
  }
  if (cache == nullptr && !options.cache_dir.empty()) {
    const auto on_event = [this](const engine::CacheEvent& event) {
      if (event.kind != engine::CacheEvent::Kind::rejected) return;
      record(AuditType::cache_rejected, {}, "store", {}, "deleted",
             "{\"module_sha256\":\"" + event.module_hash.hex() + "\"}");
    };
    cache = engine::CodeCache::open(options.cache_dir, options.cache_dir / "secret", engine::kCodeCacheBytesDefault,
                                    on_event);
  }
  if (policy.http.enabled) {
    if (options.resolver == nullptr) own_resolver = std::make_unique<http::SystemResolver>(clock);
    if (options.http_client == nullptr) own_client = std::make_unique<http::Client>();
    http.emplace(policy.http, options.resolver != nullptr ? *options.resolver : *own_resolver,
                 options.http_client != nullptr ? *options.http_client : *own_client, clock);
  }
  if (policy.fs_read.enabled || policy.fs_write.enabled) {
    FB_TRY(FileGateway opened, FileGateway::open(policy.fs_read, policy.fs_write, policy.base_dir, {clock, random}));
    files.emplace(std::move(opened));
  }
  return {};
}

Sandbox::Sandbox() : Sandbox(Policy{}) {}
Sandbox::Sandbox(Policy policy) : impl_(std::make_unique<Impl>(std::move(policy), SandboxOptions{})) {}
Sandbox::Sandbox(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Sandbox::~Sandbox() = default;
Sandbox::Sandbox(Sandbox&&) noexcept = default;
Sandbox& Sandbox::operator=(Sandbox&&) noexcept = default;

Result<Sandbox> Sandbox::create(Policy policy, SandboxOptions options) {
  auto impl = std::make_unique<Impl>(std::move(policy), std::move(options));
  if (impl->setup_error) return base::fail(*impl->setup_error);
  return Sandbox(std::move(impl));
}

void Sandbox::set_memory_limit(std::uint64_t bytes) {
  impl_->setters.memory_bytes.store(bytes == 0 ? policy::Limits{}.memory_bytes : bytes, std::memory_order_relaxed);
}
void Sandbox::set_cpu_limit(std::chrono::nanoseconds time) {
  impl_->setters.cpu_ns.store(as_setting(time, policy::Limits{}.cpu_limit_ns()), std::memory_order_relaxed);
}
void Sandbox::set_wall_limit(std::chrono::nanoseconds time) {
  impl_->setters.wall_ns.store(as_setting(time, policy::Limits{}.wall_limit_ns()), std::memory_order_relaxed);
}
void Sandbox::set_tick_limit(std::uint64_t ticks) {
  impl_->setters.ticks.store(ticks, std::memory_order_relaxed);
}

void Sandbox::take_setters_of(const Sandbox& other) {
  const Setters& from = other.impl_->setters;
  Setters& to = impl_->setters;
  to.memory_bytes.store(from.memory_bytes.load(std::memory_order_relaxed), std::memory_order_relaxed);
  to.cpu_ns.store(from.cpu_ns.load(std::memory_order_relaxed), std::memory_order_relaxed);
  to.wall_ns.store(from.wall_ns.load(std::memory_order_relaxed), std::memory_order_relaxed);
  to.ticks.store(from.ticks.load(std::memory_order_relaxed), std::memory_order_relaxed);
  std::shared_ptr<const LogSink> sink;
  {
    const std::lock_guard lock(other.impl_->sink_mutex);
    sink = other.impl_->sink;
  }
  const std::lock_guard lock(impl_->sink_mutex);
  impl_->sink = std::move(sink);
}

void Sandbox::set_log_sink(LogSink sink) {
  auto shared = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
  const std::lock_guard lock(impl_->sink_mutex);
  impl_->sink = std::move(shared);
}

Result<Module> Sandbox::load(std::span<const std::byte> wasm, SideFiles sides) {
  return impl_->load(wasm, std::move(sides));
}

Result<Module> Sandbox::load(ModuleStore& store, std::string_view ref) {
  FB_TRY(StoredModule stored, store.load(ref));
  FB_TRY(Module module, impl_->load(stored.wasm, {std::move(stored.signature_json), std::move(stored.manifest_json)}));
  module.state()->pin = std::move(stored.pin);
  return module;
}

Result<void> Sandbox::prepare(const Module& module) {
  if (impl_->setup_error) return base::fail(*impl_->setup_error);
  const bool ticks = impl_->setters.combined_with(impl_->policy.limits).ticks != 0;
  FB_CHECK(impl_->prepared(module, ticks));
  return {};
}

Report Sandbox::run(const Request& request) {
  return impl_->run({request.module,
                     request.function.empty() ? "_start" : request.function,
                     request.input,
                     {},
                     impl_->enabled,
                     request.id ? *request.id : impl_->ids.next()});
}

Result<Output> Sandbox::execute(const Module& module, std::string_view function, std::string_view input) {
  return to_result(run({&module, function, input, {}}));
}

Result<Output> Sandbox::execute(std::span<const std::byte> wasm, std::string_view function, std::string_view input) {
  FB_TRY(const Module module, impl_->module_of(wasm));
  return execute(module, function, input);
}

Result<Output> Sandbox::execute_as(const ExecutionId& id, std::span<const std::byte> wasm, std::string_view function,
                                   std::string_view input) {
  FB_TRY(const Module module, impl_->module_of(wasm));
  return to_result(run({&module, function, input, id}));
}

Result<Output> Sandbox::execute_with_memory(const Module& module, std::string_view function, std::string_view input) {
  return execute(module, function, input);
}

Result<std::vector<std::string>> Sandbox::list_functions(std::span<const std::byte> wasm) const {
  FB_TRY(const Module module, impl_->load(wasm, {}));
  return module.functions();
}

ExecutionId Sandbox::new_execution_id() {
  return impl_->ids.next();
}
bool Sandbox::cancel(const ExecutionId& id) {
  return impl_->slots.cancel(id);
}
std::size_t Sandbox::cancel_all() {
  return impl_->slots.cancel_all();
}

const Policy& Sandbox::policy() const noexcept {
  return impl_->policy;
}
const std::shared_ptr<AuditLog>& Sandbox::audit() const noexcept {
  return impl_->audit;
}

AuditPosition Sandbox::audit_head() const {
  const auto head = impl_->audit->head();
  return head ? AuditPosition{head->seq, head->hash} : AuditPosition{};
}

Stats Sandbox::stats() const {
  Stats stats = impl_->statistics.sum();
  stats.running = impl_->slots.running();
  return stats;
}

Result<Policy> load_policy(const std::filesystem::path& file) {
  return policy::load(file);
}

Result<Policy> parse_policy(std::string_view json, const std::filesystem::path& base_dir) {
  base::json::Problems problems;
  auto parsed = policy::parse(json, "policy", base_dir.string(), problems);
  if (!parsed) return base::fail(problems.to_error(code::kPolicyInvalid));
  return std::move(*parsed);
}

}  // namespace fusebox::capability
