// http.request, fs.read and fs.write: the gateways judge and act, this file carries their replies to the guest.
#include "base/bytes.h"
#include "capability/host_call.h"

namespace fusebox::capability {

std::int32_t host_http_request(HostCall& call) {
  Execution& execution = call.execution();
  GatewayReply reply = execution.setup().http->request(call.text(), execution.http(), call.gateway_call());
  std::int32_t code = 0;
  return call.accept(reply, code) ? call.deliver(std::move(reply.output)) : code;
}

std::int32_t host_fs_read(HostCall& call) {
  Execution& execution = call.execution();
  GatewayReply reply = execution.setup().files->read(call.text(), execution.files(), call.gateway_call());
  std::int32_t code = 0;
  return call.accept(reply, code) ? call.deliver(std::move(reply.output)) : code;
}

std::int32_t host_fs_write(HostCall& call) {
  Execution& execution = call.execution();
  const GatewayReply reply =
      execution.setup().files->write(call.text(), base::as_bytes(call.data()), execution.files(), call.gateway_call());
  std::int32_t code = 0;
  return call.accept(reply, code) ? static_cast<std::int32_t>(reply.written) : code;
}

}  // namespace fusebox::capability
