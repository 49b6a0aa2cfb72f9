// Routes that do something in a guest and answer when it is done.
#include "host/api/deadlines.h"
#include "host/wire/agent_impl.h"
#include "host/wire/records.h"
#include "host/wire/requests.h"

namespace fusebox::host {

using base::Task;
using base::json::Writer;

Task<AgentAnswer> AgentServer::Impl::upload(AgentCall& call) {
  auto body = co_await read_json(call, options.upload_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(UploadRequest request, read_upload(*body->root));
  body->root.reset();  // tens of megabytes that nobody needs while the guest writes
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  call.context.limit = kUploadLimit;
  call.context.stop = pass.stop();
  metrics.transfer(false, request.bytes.size());
  auto done =
      co_await provider.upload(call.context, call.vm, std::move(request.path), std::move(request.bytes), request.mode);
  if (!done) co_return std::unexpected(guest_error(std::move(done).error(), pass, call.vm));
  co_return AgentAnswer(json_answer(R"({"ok":true})"));
}

Task<AgentAnswer> AgentServer::Impl::exec(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(ProcessSpec spec, read_exec_request(*body->root));
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  call.context.limit = spec.timeout + kExecSlack;
  call.context.stop = pass.stop();
  const base::Nanos began = clock.monotonic();
  auto result = co_await provider.exec(call.context, call.vm, std::move(spec));
  metrics.exec(clock.monotonic() - began);
  if (!result) co_return std::unexpected(guest_error(std::move(result).error(), pass, call.vm));
  co_return AgentAnswer(json_answer(write_exec(*result)));
}

Task<AgentAnswer> AgentServer::Impl::start_agent(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(StartAgentSpec spec, read_start_agent(*body->root));
  auto entered = co_await gates.enter_alone(call.vm, kStartAgentLimit);
  FB_CO_TRY(const VmGates::Pass pass, std::move(entered));
  call.context.limit = kStartAgentLimit;
  call.context.stop = pass.stop();
  auto endpoints = co_await provider.start_agent(call.context, call.vm, std::move(spec));
  if (!endpoints) co_return std::unexpected(guest_error(std::move(endpoints).error(), pass, call.vm));
  Writer out;
  out.begin_object().key("ok").boolean(true).key("endpoints");
  write_endpoints(out, *endpoints);
  out.end_object();
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::start_surfd(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(StartAgentSpec spec, read_start_agent(*body->root));
  auto entered = co_await gates.enter_alone(call.vm, kStartAgentLimit);
  FB_CO_TRY(const VmGates::Pass pass, std::move(entered));
  call.context.limit = kStartAgentLimit;
  call.context.stop = pass.stop();
  auto done = co_await provider.start_surfd(call.context, call.vm, std::move(spec));
  if (!done) co_return std::unexpected(guest_error(std::move(done).error(), pass, call.vm));
  co_return AgentAnswer(json_answer(R"({"ok":true})"));
}

Task<AgentAnswer> AgentServer::Impl::drain(AgentCall& call) {
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  call.context.limit = kDestroyLimit;
  call.context.stop = pass.stop();
  auto done = co_await provider.drain(call.context, call.vm);
  if (!done) co_return std::unexpected(guest_error(std::move(done).error(), pass, call.vm));
  co_return AgentAnswer(json_answer(R"({"ok":true})"));
}

Task<AgentAnswer> AgentServer::Impl::processes(AgentCall& call) {
  call.context.limit = kReadLimit;
  auto processes = co_await provider.processes(call.context, call.vm);
  if (!processes) co_return std::unexpected(std::move(processes).error());
  Writer out;
  out.begin_object().key("processes").begin_array();
  for (const ProcessInfo& process : *processes) write_process(out, process);
  out.end_array().end_object();
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::stats(AgentCall& call) {
  call.context.limit = kReadLimit;
  auto stats = co_await provider.stats(call.context, call.vm);
  if (!stats) co_return std::unexpected(std::move(stats).error());
  co_return AgentAnswer(json_answer(write_stats(*stats)));
}

}  // namespace fusebox::host
