#include "fleet/control_plane.h"

#include <pthread.h>

#include <algorithm>
#include <latch>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "fleet/api/api.h"
#include "fleet/clear_tokens.h"
#include "fleet/engine/make_engine.h"
#include "fleet/metrics/engine_meters.h"

namespace fusebox::fleet {
namespace {

constexpr std::chrono::seconds kLastWords{2};  // for commands that are ended at the limit to say so

void name_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

// Runs the task on the loop's thread and waits for it on this one.
template <class T>
T run_on(http::Loop& loop, base::Task<T> task) {
  std::optional<T> result;
  std::latch done(1);
  const auto work = [](base::Task<T> what, std::optional<T>& into, std::latch& told) -> base::Task<void> {
    into.emplace(co_await std::move(what));
    told.count_down();
  };
  base::spawn(loop, work(std::move(task), result, done));
  done.wait();
  return std::move(*result);
}
void run_on(http::Loop& loop, base::Task<void> task) {
  std::latch done(1);
  base::spawn(loop, std::move(task), [&done] { done.count_down(); });
  done.wait();
}

// Contract 17.1: a key that did not write what the database holds would make all of it unreadable.
base::Task<base::Result<void>> check_key(Store& store, const Vault& vault, base::Executor& executor, base::Nanos wall) {
  FB_CO_TRY(const auto ring,
            co_await store.get<std::vector<KeyRingRow>>(executor, [](Reader& reader) { return reader.key_ring(); }));
  bool known = false;
  for (const KeyRingRow& row : ring) {
    if (row.key_id == vault.key_id()) co_return base::Result<void>{};
    known = known || vault.has_check_value(row.check_value);
  }
  FB_CO_TRY(const bool sealed,
            co_await store.get<bool>(executor, [](Reader& reader) { return reader.has_ciphertext(); }));
  if (sealed && !ring.empty() && !known)
    co_return base::fail(
        base::Errc::denied,
        "TOKEN_ENCRYPTION_KEY is not the key this database was written with; give the former one, or list "
        "it in TOKEN_ENCRYPTION_KEYS_OLD");
  const KeyRingRow row{
      .key_id = vault.key_id(), .check_value = vault.check_value(), .created_at = wall, .retired_at = base::Nanos{0}};
  Store::WriteWork work = [row](Tx& tx) -> base::Result<void> {
    tx.put_key(row);
    return {};
  };
  co_return co_await store.write(executor, std::move(work));
}

// Hands what is committed to the API and, where other replicas commit as well, to the engine; both come after the store
// and go before it.
class Relay final : public CommitObserver {
 public:
  void to(CommitObserver* observer, Engine* engine) noexcept {
    const std::lock_guard lock(mutex_);
    observer_ = observer;
    engine_ = engine;
  }
  void env_event(const EnvEventRow& event) override {
    const std::lock_guard lock(mutex_);
    if (observer_ != nullptr) observer_->env_event(event);
  }
  void environment_changed(std::string_view vm_id) override {
    const std::lock_guard lock(mutex_);
    if (observer_ != nullptr) observer_->environment_changed(vm_id);
    if (engine_ != nullptr) engine_->environment_changed(vm_id);
  }
  void cache_changed(std::string_view what, std::string_view id) override {
    const std::lock_guard lock(mutex_);
    if (observer_ != nullptr) observer_->cache_changed(what, id);
  }

 private:
  std::mutex mutex_;
  CommitObserver* observer_ = nullptr;  // guarded by mutex_, as the engine
  Engine* engine_ = nullptr;
};

}  // namespace

struct ControlPlane::Impl {
  ControlPlaneOptions options;
  Registry registry;
  RegistryMeters meters{registry};
  Relay relay;
  std::unique_ptr<Store> store;
  std::unique_ptr<Vault> vault;
  http::Loop engine_loop;
  std::vector<std::unique_ptr<http::Loop>> http_loops;
  std::vector<http::Loop*> http_pointers;
  std::vector<std::thread> threads;
  std::unique_ptr<host::ProviderSet> providers;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Api> api;
  std::unique_ptr<http::Server> server;
  bool stopped = false;

  explicit Impl(ControlPlaneOptions given) : options(std::move(given)), engine_loop(*options.clock) {}
  ~Impl() { end(); }

  base::Result<void> begin() {
    options.store.timing = [this](std::string_view query, double seconds) {
      registry.histogram(Metric::store_query_duration, {query}).observe(seconds);
    };
    options.store.failed = [this](std::string_view failure) {
      registry.counter(Metric::store_errors, {failure}).add();
    };
    FB_TRY(store, open_store(options.store));
    store->observe(&relay);
    FB_TRY(Vault made,
           Vault::create(options.keys.front(), {options.keys.begin() + 1, options.keys.end()}, *options.random));
    vault = std::make_unique<Vault>(std::move(made));
    FB_TRY(providers, options.providers(engine_loop));
    const std::size_t count =
        options.http_threads != 0 ? options.http_threads : std::max(1U, std::thread::hardware_concurrency());
    for (std::size_t i = 0; i < count; ++i) {
      http_loops.push_back(std::make_unique<http::Loop>(*options.clock));
      http_pointers.push_back(http_loops.back().get());
    }
    threads.emplace_back([this] {
      name_thread("engine");
      engine_loop.run();
    });
    for (http::Loop* loop : http_pointers) {
      threads.emplace_back([loop] {
        name_thread("http");
        loop->run();
      });
    }
    return serve();
  }

  base::Result<void> serve() {
    FB_CHECK(run_on(engine_loop, check_key(*store, *vault, engine_loop, options.clock->wall())));
    if (options.store.import_plaintext) FB_CHECK(import_clear_tokens());
    FB_TRY(const std::vector<KeyRingRow> ring,
           run_on(engine_loop,
                  store->get<std::vector<KeyRingRow>>(engine_loop, [](Reader& reader) { return reader.key_ring(); })));
    // What marks a fleet on its hosts outlives its keys: the first of them.
    const auto first = std::ranges::min_element(ring, {}, &KeyRingRow::created_at);
    if (first != ring.end()) options.engine.fleet_id = base::to_hex(first->check_value).substr(0, 16);
    EngineParts parts{engine_loop,     *store,          *providers, *vault,         *options.clock,
                      *options.random, *options.logger, meters,     options.engine, options.on_step};
    FB_TRY(engine, run_on(engine_loop, make_engine(std::move(parts), !store->replicated())));
    FB_TRY(api,
           Api::create({*engine, *store, registry, *options.logger, *options.clock, *options.random, http_pointers},
                       options.api));
    relay.to(api.get(), store->replicated() ? engine.get() : nullptr);
    api->prepare(options.http);
    FB_TRY(server, http::Server::listen(http_pointers, options.http, api->handler()));
    return {};
  }

  base::Result<void> import_clear_tokens() {
    FB_TRY(const std::vector<std::string> hosts, run_on(engine_loop, seal_clear_tokens(*store, *vault, engine_loop)));
    for (const std::string& host_id : hosts)
      options.logger->log(base::LogLevel::info, "store", "clear-text host token sealed", {{"host_id", host_id}});
    return {};
  }

  void polite_stop() {
    if (stopped || !server) return;
    stopped = true;
    run_on(engine_loop, api->close(engine_loop));
    const bool drained = server->drain(options.shutdown_limit);
    run_on(engine_loop, api->end_work(engine_loop));
    if (!drained) server->drain(kLastWords);
    run_on(engine_loop, api->settle(engine_loop));
    run_on(engine_loop, engine->close(engine_loop, options.shutdown_limit));
  }

  void end() {
    polite_stop();
    // From the outside in: no new work, no task that runs, then what tasks stood on.
    server.reset();
    relay.to(nullptr, nullptr);
    for (http::Loop* loop : http_pointers) loop->stop();
    engine_loop.stop();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    api.reset();
    engine.reset();
    providers.reset();
    http_loops.clear();
    store.reset();
  }
};

ControlPlane::ControlPlane(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ControlPlane::~ControlPlane() = default;

base::Result<std::unique_ptr<ControlPlane>> ControlPlane::start(ControlPlaneOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  FB_CHECK(impl->begin());
  return std::unique_ptr<ControlPlane>(new ControlPlane(std::move(impl)));
}

std::uint16_t ControlPlane::port() const noexcept {
  return impl_->server->port();
}
std::string_view ControlPlane::store_kind() const noexcept {
  return impl_->store->kind();
}
Engine::LiveBackends ControlPlane::live_backends() const {
  const auto ask = [](Engine& engine) -> base::Task<Engine::LiveBackends> { co_return engine.live_backends(); };
  return run_on(impl_->engine_loop, ask(*impl_->engine));
}
base::Result<void> ControlPlane::reload_tls() {
  return impl_->server->reload_tls();
}
void ControlPlane::stop() {
  impl_->polite_stop();
}

}  // namespace fusebox::fleet
