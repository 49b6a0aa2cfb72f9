#include "http/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

#include "http/limits.h"

namespace fusebox::http {

using base::Errc;
using base::fail;
using base::Nanos;
using base::Result;

namespace {

using AddrinfoPtr = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

std::optional<IpAddress> address_of(const addrinfo& info) {
  IpAddress address;
  if (info.ai_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(info.ai_addr);
    std::memcpy(address.bytes.data(), &in->sin_addr, 4);
    return address;
  }
  if (info.ai_family != AF_INET6) return std::nullopt;
  const auto* in = reinterpret_cast<const sockaddr_in6*>(info.ai_addr);
  address.family = IpAddress::Family::v6;
  std::memcpy(address.bytes.data(), &in->sin6_addr, 16);
  return address;
}

Result<std::vector<IpAddress>> look_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  // No AI_ADDRCONFIG: every answer is judged, also those this machine could not reach.
  addrinfo* raw = nullptr;
  const int status = getaddrinfo(name.c_str(), nullptr, &hints, &raw);
  const AddrinfoPtr list(raw, &freeaddrinfo);
  if (status == EAI_AGAIN) return fail(Errc::unavailable, "the name servers do not answer for " + name, "NETWORK");
  std::vector<IpAddress> addresses;
  for (const addrinfo* info = list.get(); status == 0 && info != nullptr; info = info->ai_next) {
    const auto address = address_of(*info);
    if (address && std::ranges::find(addresses, *address) == addresses.end()) addresses.push_back(*address);
  }
  if (addresses.empty()) return fail(Errc::not_found, "the name " + name + " has no address", "NETWORK");
  return addresses;
}

std::unexpected<base::Error> cancelled(const std::string& name) {
  return fail(Errc::stopped, "stopped while resolving " + name, "CANCELLED");
}

std::unexpected<base::Error> timed_out(const std::string& name) {
  return fail(Errc::stopped, "resolving " + name + " took too long", "TIMEOUT");
}

// What the caller and the thread of one lookup share; the last of the two frees it.
struct Lookup {
  std::mutex mutex;
  std::condition_variable finished;
  std::optional<Result<std::vector<IpAddress>>> answer;
};

}  // namespace

struct SystemResolver::Shared {
  std::atomic<std::size_t> under_way{0};
};

SystemResolver::SystemResolver(const base::Clock& clock) : clock_(clock), shared_(std::make_shared<Shared>()) {}

Result<std::vector<IpAddress>> SystemResolver::resolve(const std::string& name, Nanos time_limit,
                                                       const StopCheck& stop) {
  // Asked before a thread starts, so that no question leaves the machine for a call that has ended.
  if (stop && stop()) return cancelled(name);
  if (time_limit <= Nanos::zero()) return timed_out(name);
  if (shared_->under_way.fetch_add(1) >= kLookupsMax) {
    shared_->under_way.fetch_sub(1);
    return fail(Errc::exhausted, std::to_string(kLookupsMax) + " name lookups are under way; try again later",
                "NETWORK");
  }
  auto lookup = std::make_shared<Lookup>();
  try {
    std::thread([shared = shared_, lookup, name] {
      pthread_setname_np(pthread_self(), "fb-resolve");
      auto answer = look_up(name);
      {
        const std::lock_guard lock(lookup->mutex);
        lookup->answer = std::move(answer);
      }
      lookup->finished.notify_one();
      shared->under_way.fetch_sub(1);
    }).detach();
  } catch (const std::system_error&) {
    shared_->under_way.fetch_sub(1);
    return fail(Errc::exhausted, "no thread for a name lookup; try again later", "NETWORK");
  }

  const Nanos start = clock_.monotonic();
  std::unique_lock lock(lookup->mutex);
  while (!lookup->answer) {
    if (stop && stop()) return cancelled(name);
    const Nanos left = time_limit - (clock_.monotonic() - start);
    if (left <= Nanos::zero()) return timed_out(name);
    lookup->finished.wait_for(lock, stop ? std::min<Nanos>(left, kStopPollInterval) : left);
  }
  return std::move(*lookup->answer);
}

}  // namespace fusebox::http
