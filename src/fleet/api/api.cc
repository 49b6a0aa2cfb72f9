#include "fleet/api/api.h"

#include <utility>
#include <vector>

#include "fleet/api/frame/frame.h"
#include "fleet/api/openapi.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {

namespace {

// How many loops the hub's interest masks have bits for.
constexpr std::size_t kLoopsMax = 64;

std::vector<base::Executor*> executors_of(std::span<http::Loop* const> loops) {
  return {loops.begin(), loops.end()};
}

}  // namespace

struct Api::Impl {
  Impl(ApiParts given, ApiOptions chosen, CidrList allowed, CidrList proxies)
      : options(std::move(chosen)),
        metrics(given.metrics),
        side_writes(given.store, *given.loops.front()),
        authenticator(options, given.store, side_writes, metrics, given.clock, std::move(allowed), std::move(proxies)),
        events(given.store, executors_of(given.loops)),
        services{options,
                 given.engine,
                 given.store,
                 given.logger,
                 given.clock,
                 given.random,
                 metrics,
                 authenticator,
                 side_writes,
                 events,
                 views,
                 std::make_shared<const std::string>(openapi_json(options.product_version)),
                 std::make_shared<const std::string>(openapi_yaml(options.product_version))} {
    for (std::size_t at = 0; at < given.loops.size(); ++at) {
      loops.push_back(std::make_unique<LoopState>(*given.loops[at], events.at(at), given.store));
    }
    frame.emplace(services, loops);
  }

  const ApiOptions options;
  ApiMetrics metrics;
  SideWrites side_writes;
  Authenticator authenticator;
  EventsHub events;
  ViewCache views;
  Services services;
  std::vector<std::unique_ptr<LoopState>> loops;
  std::optional<Frame> frame;

  base::Task<void> end_streams(base::Executor& home, LiveStreams::Until reached);
};

base::Task<void> Api::Impl::end_streams(base::Executor& home, LiveStreams::Until reached) {
  for (const auto& loop : loops) {
    const base::Completion<bool> told;
    loop->loop.post([state = loop.get(), reached, told] {
      state->hub.end_all();
      state->streams.end_all(reached);
      told.set(true);
    });
    co_await told.wait(home);
  }
}

base::Result<std::unique_ptr<Api>> Api::create(ApiParts parts, ApiOptions options) {
  if (parts.loops.empty() || parts.loops.size() > kLoopsMax) {
    return base::fail(base::Errc::invalid, "the API needs 1 to " + std::to_string(kLoopsMax) + " loops");
  }
  FB_TRY(CidrList allowed, base::within("ORCH_ALLOWED_CIDRS", CidrList::parse(options.allowed_cidrs)));
  FB_TRY(CidrList proxies, base::within("ORCH_TRUSTED_PROXIES", CidrList::parse(options.trusted_proxies)));
  auto impl = std::make_unique<Impl>(parts, std::move(options), std::move(allowed), std::move(proxies));
  return std::unique_ptr<Api>(new Api(std::move(impl)));
}

Api::Api(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Api::~Api() = default;

void Api::prepare(http::ServerOptions& options) const {
  options.server_name = "fuse-orchestrator/" + impl_->options.version;
  options.error_response = [](int status, std::string_view what) {
    http::ServerResponse response;
    response.status = status;
    response.headers.push_back({"Content-Type", "application/json"});
    const std::string code = status == 413 ? "payload_too_large" : status < 500 ? "invalid_argument" : "internal";
    response.body = error_envelope(refuse(status, code, std::string(what), {}).error());
    return response;
  };
}

http::Handler Api::handler() {
  return [frame = &*impl_->frame](http::Exchange& exchange) { return frame->serve(exchange); };
}

base::Task<void> Api::close(base::Executor& home) {
  impl_->services.closing.store(true);
  co_await impl_->end_streams(home, LiveStreams::Until::close);
}

base::Task<void> Api::end_work(base::Executor& home) {
  co_await impl_->end_streams(home, LiveStreams::Until::limit);
}

base::Task<void> Api::settle(base::Executor& home) {
  co_await impl_->side_writes.close(home);
}

void Api::env_event(const EnvEventRow& event) {
  impl_->events.publish(event);
}

void Api::environment_changed(std::string_view vm_id) {
  impl_->views.evict(vm_id);
}

void Api::cache_changed(std::string_view what, std::string_view) {
  if (what != "key" && what != "login") return;
  impl_->authenticator.forget();
  for (const auto& loop : impl_->loops) {
    loop->loop.post([state = loop.get()] { state->streams.check_soon(); });
  }
}

}  // namespace fusebox::fleet
