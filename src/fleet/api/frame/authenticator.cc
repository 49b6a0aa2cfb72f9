#include "fleet/api/frame/authenticator.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/api_error.h"
#include "fleet/secrets/tokens.h"

namespace fusebox::fleet {

namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kCookieName = "fuse_session";

PrincipalPtr whole_power(std::string id) {
  auto principal = std::make_shared<Principal>();
  principal->id = std::move(id);
  principal->scopes = Scopes::all();
  return principal;
}

PrincipalPtr principal_of(const ApiKeyRow& row) {
  auto principal = std::make_shared<Principal>();
  principal->id = row.id;
  principal->tenant = row.tenant_id;
  principal->layer_scope = row.tenant_id.empty() ? row.id : row.tenant_id;
  principal->scopes = scopes_of_key(row.scopes);
  principal->is_key = true;
  principal->expires_at = row.expires_at;
  return principal;
}

// What a request shows, as one text: a token as it is, a session behind a character no token begins with.
struct Shown {
  enum class Kind : std::uint8_t { nothing, malformed, token, session };
  Kind kind = Kind::nothing;
  std::string text;
};
Shown shown_by(const http::ServerRequest& request) {
  if (const std::string* header = request.find("authorization"); header != nullptr) {
    if (!header->starts_with(kBearer) || header->size() == kBearer.size()) return {Shown::Kind::malformed, {}};
    return {Shown::Kind::token, header->substr(kBearer.size())};
  }
  std::string session = session_cookie(request);
  if (session.empty()) return {};
  return {Shown::Kind::session, std::move(session)};
}

std::string cache_key(const Shown& shown) {
  return shown.kind == Shown::Kind::session ? '\n' + shown.text : shown.text;
}

std::unexpected<base::Error> invalid_token() {
  return refuse(401, "invalid token");
}

}  // namespace

std::string session_cookie(const http::ServerRequest& request) {
  const std::string* header = request.find("cookie");
  if (header == nullptr) return {};
  for (std::string_view rest = *header; !rest.empty();) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    std::string_view pair = rest.substr(0, end);
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == kCookieName) {
      return std::string(pair.substr(equals + 1));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

PrincipalPtr PrincipalCache::find(std::string_view credential, std::uint64_t epoch, base::Nanos now) {
  if (epoch != epoch_) {
    entries_.clear();
    epoch_ = epoch;
    return nullptr;
  }
  const auto found = entries_.find(TextHash{}(credential));
  if (found == entries_.end() || found->second.until <= now) return nullptr;
  const bool same = base::equal_constant_time(base::as_bytes(found->second.credential), base::as_bytes(credential));
  return same ? found->second.principal : nullptr;
}

void PrincipalCache::put(std::string_view credential, std::uint64_t epoch, base::Nanos now, PrincipalPtr principal) {
  if (epoch != epoch_) return;  // something changed while the store was asked
  if (entries_.size() >= kRememberedMax) entries_.clear();
  entries_.insert_or_assign(TextHash{}(credential),
                            Entry{std::string(credential), std::move(principal), now + kRemembered});
}

Authenticator::Authenticator(const ApiOptions& options, Store& store, SideWrites& side_writes, ApiMetrics& metrics,
                             const base::Clock& clock, CidrList allowed, CidrList proxies)
    : options_(options),
      store_(store),
      side_writes_(side_writes),
      metrics_(metrics),
      clock_(clock),
      master_(whole_power(options.open ? "open" : "master")),
      allowed_(std::move(allowed)),
      proxies_(std::move(proxies)),
      limits_(clock, static_cast<std::uint64_t>(std::max<std::int64_t>(options.rate_limit_rps, 0))) {}

std::optional<http::IpAddress> Authenticator::address_of(const http::ServerRequest& request) const {
  const auto peer = http::IpAddress::parse(request.peer);
  if (!peer || proxies_.empty()) return peer;
  std::string forwarded;
  for (const http::Header& header : request.headers) {
    if (header.name != "x-forwarded-for") continue;
    if (!forwarded.empty()) forwarded += ',';
    forwarded += header.value;
  }
  return effective_address(*peer, forwarded, proxies_);
}

std::string Authenticator::check_address(const http::ServerRequest& request) const {
  if (allowed_.empty()) return {};
  const auto address = address_of(request);
  if (!address) return "could not parse remote address";
  return allowed_.contains(*address) ? std::string() : "source address not in allowlist";
}

bool Authenticator::is_local(const http::ServerRequest& request) const {
  const auto address = address_of(request);
  return address && is_loopback(*address);
}

int Authenticator::shut_out(const http::ServerRequest& request) const {
  if (shut_out_until_.load(std::memory_order_relaxed) <= clock_.monotonic().count()) return 0;
  const auto address = address_of(request);
  return address ? limits_.shut_out(*address) : 0;
}

int Authenticator::admit_login(const http::ServerRequest& request) {
  const auto address = address_of(request);
  return address ? limits_.login(*address) : 0;
}

int Authenticator::limit_rate(const std::string& principal) {
  return options_.rate_limit_rps > 0 ? limits_.request(principal) : 0;
}

bool Authenticator::is_master(std::string_view token) const noexcept {
  return !options_.master_token.empty() &&
         base::equal_constant_time(base::as_bytes(token), base::as_bytes(options_.master_token));
}

PrincipalPtr Authenticator::known(PrincipalCache& cache, const http::ServerRequest& request) const {
  if (options_.open) return master_;
  const std::string* header = request.find("authorization");
  const std::uint64_t epoch = epoch_.load(std::memory_order_acquire);
  if (header != nullptr) {
    if (!header->starts_with(kBearer)) return nullptr;
    const std::string_view token = std::string_view(*header).substr(kBearer.size());
    if (is_master(token)) return master_;
    PrincipalPtr found = cache.find(token, epoch, clock_.monotonic());
    return found != nullptr && !found->expired(clock_.wall()) ? found : nullptr;
  }
  const Shown shown = shown_by(request);
  if (shown.kind != Shown::Kind::session) return nullptr;
  PrincipalPtr found = cache.find(cache_key(shown), epoch, clock_.monotonic());
  return found != nullptr && !found->expired(clock_.wall()) ? found : nullptr;
}

base::Task<base::Result<PrincipalPtr>> Authenticator::look_up(PrincipalCache& cache, base::Executor& home,
                                                              const http::ServerRequest& request) {
  const Shown shown = shown_by(request);
  if (shown.kind == Shown::Kind::nothing || shown.kind == Shown::Kind::malformed) {
    co_return refuse(401, "missing or malformed credentials");
  }
  const std::uint64_t epoch = epoch_.load(std::memory_order_acquire);
  base::Result<PrincipalPtr> found = base::fail(base::Errc::bug, "not asked");
  if (shown.kind == Shown::Kind::token) {
    found = co_await look_up_key(home, shown.text);
  } else {
    found = co_await look_up_session(home, shown.text);
  }
  if (found && epoch == epoch_.load(std::memory_order_acquire)) {
    cache.put(cache_key(shown), epoch, clock_.monotonic(), *found);
  }
  co_return found;
}

base::Task<base::Result<PrincipalPtr>> Authenticator::look_up_key(base::Executor& home, std::string token) {
  const base::Bytes hash = secret_hash(token);
  auto row = co_await store_.get<std::optional<ApiKeyRow>>(
      home, [&hash](Reader& reader) { return reader.api_key_of_hash(hash); });
  if (!row) co_return std::unexpected(std::move(row.error()));
  const base::Nanos now = clock_.wall();
  if (!*row || !base::equal_constant_time((*row)->key_hash, hash) || !is_live(**row, now)) co_return invalid_token();
  if (now - (*row)->last_used_at >= kLastUsedEvery) {
    side_writes_.add([id = (*row)->id, now](Tx& tx) { tx.touch_api_key(id, now); });
  }
  co_return principal_of(**row);
}

base::Task<base::Result<PrincipalPtr>> Authenticator::look_up_session(base::Executor& home, std::string value) {
  const base::Bytes hash = secret_hash(value);
  auto row = co_await store_.get<std::optional<LoginRow>>(home, [&hash](Reader& reader) { return reader.login(hash); });
  if (!row) co_return std::unexpected(std::move(row.error()));
  // Without a master token nobody acts as the master, however old the session is.
  if (!*row || !is_live(**row, clock_.wall()) || options_.master_token.empty()) co_return invalid_token();
  auto principal = std::make_shared<Principal>(*master_);
  principal->expires_at = (*row)->expires_at;
  principal->login_sha256 = hash;
  co_return PrincipalPtr(std::move(principal));
}

int Authenticator::refused(const http::ServerRequest& request, const std::string& request_id, std::string_view reason) {
  metrics_.auth_failure(reason);
  record(request, request_id, "auth", "auth.failed");
  const auto address = address_of(request);
  const int seconds = address ? limits_.failed_credentials(*address) : 0;
  if (seconds > 0) {
    const base::Nanos until = clock_.monotonic() + std::chrono::seconds{seconds};
    if (shut_out_until_.load(std::memory_order_relaxed) < until.count()) shut_out_until_.store(until.count());
  }
  return seconds;
}

void Authenticator::refused_scope(const http::ServerRequest& request, const std::string& request_id) {
  metrics_.auth_failure("scope");
  record(request, request_id, "auth", "auth.failed");
}

void Authenticator::rejected(const http::ServerRequest& request, const std::string& request_id) {
  metrics_.auth_failure("address");
  record(request, request_id, "ip", "ip.rejected");
}

void Authenticator::record(const http::ServerRequest& request, const std::string& request_id,
                           std::string_view entity_type, std::string_view event_type) {
  const auto address = address_of(request);
  base::json::Writer payload;
  payload.begin_object().key("method").string(base::to_utf8(request.method));
  payload.key("path").string(base::to_utf8(request.path())).key("request_id").string(request_id).end_object();
  EventRow row{0,
               std::string(entity_type),
               address ? address->text() : base::to_utf8(request.peer),
               std::string(event_type),
               payload.take(),
               clock_.wall()};
  side_writes_.add([row = std::move(row)](Tx& tx) { tx.add_event(row); });
}

}  // namespace fusebox::fleet
