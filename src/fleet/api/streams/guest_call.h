// Calls into a guest from a connection's loop: the lease, the provider and what they give live on the engine's executor.
//
// Threads  the functions are called and return at `home`; what they return may be held and dropped anywhere.
// Errors   of the engine as they are; of a provider by their code: 413 too large, 501 unsupported, 503
//          unavailable or too late.
// Contract control-plane.md 5.4-5.6, 14.1
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/task.h"
#include "base/wait.h"
#include "fleet/api/streams/on.h"
#include "fleet/engine/engine.h"
#include "host/api/provider.h"

namespace fusebox::fleet {

struct GuestCall {
  // Not an aggregate: gcc 12 destroys aggregate temporaries of an await expression twice.
  GuestCall(Engine& engine_in, base::Executor& home_in, RequestInfo info_in, std::string vm_id_in,
            Engine::GuestUse use_in = Engine::GuestUse::work)
      : engine(engine_in), home(home_in), info(std::move(info_in)), vm_id(std::move(vm_id_in)), use(use_in) {}
  Engine& engine;
  base::Executor& home;
  RequestInfo info;
  std::string vm_id;
  Engine::GuestUse use;
};

host::CallContext context_for(const GuestLease& lease, const RequestInfo& info, std::chrono::nanoseconds limit);
// What a provider's failure means to a caller of the API.
base::Error provider_error(base::Error error, std::string_view vm_id);

// Runs `work` with a lease on the engine's executor: for calls that give plain values.
template <class T>
using GuestWork = std::function<base::Task<base::Result<T>>(GuestLease&)>;

template <class T>
base::Task<base::Result<T>> with_guest(GuestCall call, GuestWork<T> work) {
  base::Result<T> result = base::fail(base::Errc::bug, "not begun");
  {
    auto lease = co_await call.engine.guest(call.info, call.vm_id, call.use);
    if (!lease) {
      result = std::unexpected(std::move(lease.error()));
    } else {
      result = co_await work(**lease);
      if (!result) result = std::unexpected(provider_error(std::move(result.error()), call.vm_id));
    }
  }
  co_await base::resume_on(call.home);
  co_return result;
}

// A lease together with what was opened under it; both live and end on the engine's executor.
template <class T>
struct Opened {
  std::unique_ptr<GuestLease> lease;  // first made, last destroyed
  std::unique_ptr<T> thing;
};
template <class T>
using OpenedPtr = std::shared_ptr<Opened<T>>;
template <class T>
using Opener = std::function<base::Task<base::Result<std::unique_ptr<T>>>(GuestLease&)>;

template <class T>
base::Task<base::Result<OpenedPtr<T>>> open_in_guest(GuestCall call, Opener<T> open) {
  base::Result<OpenedPtr<T>> result = base::fail(base::Errc::bug, "not begun");
  base::Executor& executor = call.engine.executor();
  {
    auto lease = co_await call.engine.guest(call.info, call.vm_id, call.use);
    if (!lease) {
      result = std::unexpected(std::move(lease.error()));
    } else {
      auto thing = co_await open(**lease);
      if (!thing) {
        result = std::unexpected(provider_error(std::move(thing.error()), call.vm_id));
      } else {
        result = OpenedPtr<T>(new Opened<T>{std::move(*lease), std::move(*thing)}, DestroyOn<Opened<T>>{&executor});
      }
    }
  }
  co_await base::resume_on(call.home);
  co_return result;
}

// A lease alone: the guest may be called by other ways, and its idle clock stands still.
using LeasePtr = std::shared_ptr<GuestLease>;
base::Task<base::Result<LeasePtr>> lease_guest(GuestCall call);

}  // namespace fusebox::fleet
