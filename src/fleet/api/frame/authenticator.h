// From credentials to a principal: the master token, keys, browser sessions.
//
// What was found in the store is remembered per loop for kRemembered and forgotten at once when a key or session changes,
// so a known caller costs no lock, no hash and no read.
//
// Owner    store, side writes and options outlive it.
// Threads  Authenticator: any loop. PrincipalCache: its loop's thread.
// Errors   ApiErrorDetail 401, 429.
// Contract control-plane.md 2.1, 2.2, 2.6, 2.7
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/task.h"
#include "fleet/access/cidr.h"
#include "fleet/access/rate_limits.h"
#include "fleet/api/api_options.h"
#include "fleet/api/events/hub.h"
#include "fleet/api/frame/api_metrics.h"
#include "fleet/api/frame/principal.h"
#include "fleet/api/frame/side_writes.h"
#include "fleet/store/store.h"
#include "http/server/exchange.h"

namespace fusebox::fleet {

inline constexpr std::chrono::seconds kRemembered{5};      // contract 2.2
inline constexpr std::size_t kRememberedMax = 4096;        // callers per loop; beyond, all are looked up anew
inline constexpr std::chrono::seconds kLastUsedEvery{60};  // contract 18

class PrincipalCache {
 public:
  PrincipalPtr find(std::string_view credential, std::uint64_t epoch, base::Nanos now);
  void put(std::string_view credential, std::uint64_t epoch, base::Nanos now, PrincipalPtr principal);

 private:
  // By the hash of the text, then compared in constant time: a near miss tells nothing.
  struct Entry {
    std::string credential;
    PrincipalPtr principal;
    base::Nanos until{0};
  };
  std::unordered_map<std::size_t, Entry> entries_;
  std::uint64_t epoch_ = 0;
};

// The value of the cookie fuse_session, "" when there is none.
std::string session_cookie(const http::ServerRequest& request);

class Authenticator {
 public:
  Authenticator(const ApiOptions& options, Store& store, SideWrites& side_writes, ApiMetrics& metrics,
                const base::Clock& clock, CidrList allowed, CidrList proxies);

  // The sentence of a refusal, "" = this address may call.
  std::string check_address(const http::ServerRequest& request) const;
  bool is_local(const http::ServerRequest& request) const;
  // Each: seconds until the address or caller may ask again, 0 = now.
  int shut_out(const http::ServerRequest& request) const;
  int admit_login(const http::ServerRequest& request);
  int limit_rate(const std::string& principal);

  // The caller when it needs no look into the store; null: ask look_up().
  PrincipalPtr known(PrincipalCache& cache, const http::ServerRequest& request) const;
  // 401: to be told to refused().
  base::Task<base::Result<PrincipalPtr>> look_up(PrincipalCache& cache, base::Executor& home,
                                                 const http::ServerRequest& request);
  // A key, a session: what was remembered of them may be wrong from here on. Any thread.
  void forget() noexcept { epoch_.fetch_add(1, std::memory_order_acq_rel); }

  // Refusals are counted and put on record. refused(): seconds the address is shut out for, 0 = it is not.
  int refused(const http::ServerRequest& request, const std::string& request_id, std::string_view reason);
  void refused_scope(const http::ServerRequest& request, const std::string& request_id);
  void rejected(const http::ServerRequest& request, const std::string& request_id);

 private:
  base::Task<base::Result<PrincipalPtr>> look_up_key(base::Executor& home, std::string token);
  base::Task<base::Result<PrincipalPtr>> look_up_session(base::Executor& home, std::string value);
  std::optional<http::IpAddress> address_of(const http::ServerRequest& request) const;
  void record(const http::ServerRequest& request, const std::string& request_id, std::string_view entity_type,
              std::string_view event_type);
  bool is_master(std::string_view token) const noexcept;

  const ApiOptions& options_;
  Store& store_;
  SideWrites& side_writes_;
  ApiMetrics& metrics_;
  const base::Clock& clock_;
  const PrincipalPtr master_;
  const CidrList allowed_, proxies_;
  AccessLimits limits_;
  std::atomic<std::uint64_t> epoch_{1};
  // While nobody is shut out, which is nearly always, no request asks who is: monotonic nanoseconds.
  std::atomic<std::int64_t> shut_out_until_{0};
};

}  // namespace fusebox::fleet
