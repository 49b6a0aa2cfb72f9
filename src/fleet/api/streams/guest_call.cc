#include "fleet/api/streams/guest_call.h"

#include "fleet/api_error.h"
#include "host/api/too_large.h"

namespace fusebox::fleet {

host::CallContext context_for(const GuestLease& lease, const RequestInfo& info, std::chrono::nanoseconds limit) {
  host::CallContext context;
  context.request_id = info.request_id;
  context.generation = lease.row().generation;
  context.limit = limit;
  return context;
}

base::Error provider_error(base::Error error, std::string_view vm_id) {
  if (dynamic_cast<const ApiErrorDetail*>(error.detail.get()) != nullptr) return error;
  Details details{{"vm_id", std::string(vm_id)}};
  int status = 500;
  switch (error.code) {
    case base::Errc::invalid:
      status = 400;
      break;
    case base::Errc::not_found:
      status = 404;
      break;
    case base::Errc::exists:
    case base::Errc::stale:
      status = 409;
      break;
    case base::Errc::unsupported:
      status = 501;
      break;
    case base::Errc::exhausted:
      status = error.name == host::kTooLarge ? 413 : 503;
      break;
    case base::Errc::stopped:
    case base::Errc::unavailable:
      status = 503;
      break;
    default:
      break;
  }
  return refuse(status, std::move(error.message), std::move(details)).error();
}

base::Task<base::Result<LeasePtr>> lease_guest(GuestCall call) {
  base::Result<LeasePtr> result = base::fail(base::Errc::bug, "not begun");
  {
    auto lease = co_await call.engine.guest(call.info, call.vm_id, call.use);
    if (!lease) {
      result = std::unexpected(std::move(lease.error()));
    } else {
      result = LeasePtr(lease->release(), DestroyOn<GuestLease>{&call.engine.executor()});
    }
  }
  co_await base::resume_on(call.home);
  co_return result;
}

}  // namespace fusebox::fleet
