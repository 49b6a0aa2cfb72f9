// From bytes to something that can be run: load, verify, compile, link; each once where possible.
#include <algorithm>

#include "base/crypto.h"
#include "capability/codes.h"
#include "capability/host_functions.h"
#include "capability/limits.h"
#include "capability/sandbox_impl.h"
#include "policy/signature.h"

namespace fusebox::capability {
namespace {

base::Error as_compile_error(base::Error error) {
  if (code_info(error.name).code != error.name) error.name = code::kCompile;
  return error;
}

}  // namespace

Result<std::shared_ptr<engine::Engine>> Sandbox::Impl::engine_for(engine::Stopping stopping) {
  const auto index = static_cast<std::size_t>(stopping);
  if (const auto* ready = engine_ready[index].load(std::memory_order_acquire)) return *ready;
  const std::lock_guard lock(engine_mutex);
  if (engine_owners[index] == nullptr) {
    const auto profile = options.dense ? engine::Profile::dense : engine::Profile::fast;
    FB_TRY(engine_owners[index], engines->get({profile, stopping, policy.limits.stack_bytes}));
    engine_ready[index].store(&engine_owners[index], std::memory_order_release);
  }
  return engine_owners[index];
}

Result<Module> Sandbox::Impl::load(std::span<const std::byte> wasm, SideFiles sides) {
  FB_TRY(const auto engine, engine_for(engine::Stopping::time));
  auto module = make_module(*engine, wasm, sides, policy.limits.module_bytes);
  if (module || module.error().code != base::Errc::unsupported || policy.metering != policy::Metering::preferred)
    return module;
  FB_TRY(const auto unmetered, engine_for(engine::Stopping::epoch));
  return make_module(*unmetered, wasm, std::move(sides), policy.limits.module_bytes);
}

Result<std::shared_ptr<const Prepared>> Sandbox::Impl::prepared(const Module& module, bool ticks) {
  const auto stopping = ticks ? engine::Stopping::ticks : engine::Stopping::time;
  Module::State& state = *module.state();
  // Without a share in the engine, whose counter all executions would write: this sandbox keeps it.
  if (const auto* engine = engine_ready[static_cast<std::size_t>(stopping)].load(std::memory_order_acquire)) {
    if (auto ready = state.find(engine->get())) return ready;
  }
  FB_TRY(const std::shared_ptr<engine::Engine> engine, engine_for(stopping));
  const std::lock_guard lock(state.compiling);
  if (auto ready = state.find(engine.get())) return ready;
  const base::Nanos start = clock.monotonic();
  auto made = compile(state, engine, ticks);
  statistics.shard().compile.add(clock.monotonic() - start);
  if (!made) return base::fail(as_compile_error(std::move(made.error())));
  return state.keep(engine.get(), std::move(*made));
}

Result<std::shared_ptr<const Prepared>> Sandbox::Impl::compile(Module::State& state,
                                                               const std::shared_ptr<engine::Engine>& engine,
                                                               bool ticks) {
  const auto with = [&](const std::shared_ptr<engine::Engine>& chosen) {
    return cache != nullptr ? cache->get_or_compile(chosen, state.wasm, state.hash)
                            : engine::Code::compile(chosen, state.wasm);
  };
  auto code = with(engine);
  // What cannot be counted can still be stopped by the engine's epochs, when the policy does not insist and no tick
  // limit does.
  if (!code && code.error().code == base::Errc::unsupported && policy.metering == policy::Metering::preferred &&
      !ticks) {
    FB_TRY(const std::shared_ptr<engine::Engine> unmetered, engine_for(engine::Stopping::epoch));
    code = with(unmetered);
  }
  if (!code) return base::fail(std::move(code.error()));
  FB_TRY(auto program, engine::Program::link(std::move(*code), host_imports));
  return std::make_shared<const Prepared>(Prepared{std::move(program), state.abi, engine});
}

Result<void> Sandbox::Impl::verify(const Module& module) {
  const Module::State& state = *module.state();
  if (policy.integrity.require == policy::IntegrityRequire::none && state.sides.signature.empty()) return {};
  {
    const std::shared_lock lock(verified_mutex);
    if (verified.contains(state.identity)) return {};
  }
  const auto check = [&]() -> Result<policy::IntegrityVerdict> {
    std::optional<policy::SignatureEnvelope> envelope;
    if (!state.sides.signature.empty()) {
      FB_TRY(envelope, policy::SignatureEnvelope::parse(state.sides.signature));
    }
    const Sha256 manifest =
        state.sides.manifest.empty() ? Sha256{} : base::sha256(base::as_bytes(state.sides.manifest));
    std::vector<Sha256> pinned;
    {
      const std::shared_lock lock(registry_mutex);
      for (const auto& [id, registered] : registry) pinned.push_back(registered->module.hash());
    }
    return policy::verify_integrity(policy.integrity, {state.hash, manifest}, envelope ? &*envelope : nullptr, pinned,
                                    clock);
  };
  const auto verdict = check();
  std::string detail = "{\"module_sha256\":\"" + state.hash.hex() + "\"";
  if (verdict && !verdict->signed_by.empty()) detail += ",\"key_id\":\"" + verdict->signed_by + "\"";
  record(AuditType::module_verification, {}, "sandbox", {}, verdict ? "verified" : code::kIntegrity, detail + "}");
  if (!verdict) return refuse(code::kIntegrity, verdict.error().message);
  const std::unique_lock lock(verified_mutex);
  if (verified.size() == kVerifiedKeptMax) verified.clear();
  verified.insert(state.identity);
  return {};
}

Result<Module> Sandbox::Impl::module_of(std::span<const std::byte> wasm) {
  const Sha256 hash = base::sha256(wasm);
  const auto find = [&]() -> std::optional<Module> {
    const auto at = std::ranges::find(kept, hash, [](const Module& module) { return module.hash(); });
    if (at == kept.end()) return std::nullopt;
    kept.splice(kept.begin(), kept, at);
    return kept.front();
  };
  {
    const std::lock_guard lock(kept_mutex);
    if (auto known = find()) return *known;
  }
  FB_TRY(Module module, load(wasm, {}));
  const std::lock_guard lock(kept_mutex);
  // Another thread may have met the same bytes meanwhile: then its module is used, so that the code is made once.
  if (auto known = find()) return *known;
  kept.push_front(module);
  if (kept.size() > kModulesKeptMax) kept.pop_back();
  return module;
}

}  // namespace fusebox::capability
