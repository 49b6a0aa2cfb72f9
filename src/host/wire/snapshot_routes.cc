// Routes of snapshots: made, listed, gone back to, made a VM of, removed.
//
// A repeated X-Fusebox-Op answers with what the first one came to, as long as it succeeded: one that failed may be tried
// again under its id.
#include "host/api/deadlines.h"
#include "host/common/names.h"
#include "host/wire/agent_impl.h"
#include "host/wire/records.h"
#include "host/wire/requests.h"

namespace fusebox::host {

using base::Errc;
using base::Task;
using base::json::Writer;

namespace {

std::string key_of(const AgentCall& call) {
  return call.route + " " + call.vm;
}

base::Error snapshot_not_found(base::Error error) {
  if (error.code == Errc::not_found) error.message = "snapshot not found";
  return error;
}

AgentAnswer list_answer(const base::Result<std::vector<SnapshotRecord>>& records) {
  if (!records) return std::unexpected(records.error());
  Writer out;
  out.begin_object().key("snapshots").begin_array();
  for (const SnapshotRecord& record : *records) write_snapshot(out, record);
  out.end_array().end_object();
  return AgentAnswer(json_answer(out.take()));
}

}  // namespace

Task<AgentAnswer> AgentServer::Impl::snapshot(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(SnapshotSpec spec, read_snapshot_request(*body->root));
  auto entered = co_await gates.enter_alone(call.vm, kSnapshotLimit);
  FB_CO_TRY(const VmGates::Pass pass, std::move(entered));
  const std::string& op = call.context.op_id;
  if (const auto* outcome = operations.find(op, key_of(call)); !op.empty() && outcome != nullptr && outcome->done)
    co_return AgentAnswer(json_answer(outcome->result));
  if (!op.empty()) FB_CO_CHECK(operations.begin(op, key_of(call)));
  call.context.limit = kSnapshotLimit;
  call.context.stop = pass.stop();
  const base::Nanos began = clock.monotonic();
  auto record = co_await provider.snapshot(call.context, call.vm, std::move(spec));
  if (!record) {
    operations.forget(op, key_of(call));
    co_return std::unexpected(guest_error(std::move(record).error(), pass, call.vm));
  }
  metrics.snapshot(record->kind, "create", clock.monotonic() - began, record->size_bytes);
  Writer out;
  write_snapshot(out, *record);
  operations.succeed(op, key_of(call), out.text());
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::restore(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(std::string snapshot_id, read_restore(*body->root));
  auto entered = co_await gates.enter_alone(call.vm, kRestoreLimit);
  FB_CO_TRY(const VmGates::Pass pass, std::move(entered));
  const std::string& op = call.context.op_id;
  if (const auto* outcome = operations.find(op, key_of(call)); !op.empty() && outcome != nullptr && outcome->done)
    co_return AgentAnswer(json_answer(outcome->result));
  if (!op.empty()) FB_CO_CHECK(operations.begin(op, key_of(call)));
  call.context.limit = kRestoreLimit;
  call.context.stop = pass.stop();
  const base::Nanos began = clock.monotonic();
  auto done = co_await provider.restore(call.context, call.vm, std::move(snapshot_id));
  if (!done) {
    operations.forget(op, key_of(call));
    co_return std::unexpected(guest_error(std::move(done).error(), pass, call.vm));
  }
  metrics.snapshot("disk", "restore", clock.monotonic() - began, 0);
  operations.succeed(op, key_of(call), R"({"ok":true})");
  co_return AgentAnswer(json_answer(R"({"ok":true})"));
}

Task<AgentAnswer> AgentServer::Impl::fork(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  FB_CO_TRY(ForkSpec spec, read_fork(*body->root));
  call.context.limit = kRestoreLimit;
  const base::Nanos began = clock.monotonic();
  const auto place = co_await boots.take();
  auto record = co_await provider.fork(call.context, call.vm, std::move(spec));
  if (!record) co_return std::unexpected(std::move(record).error());
  metrics.boot(provider.backend(), clock.monotonic() - began);
  Writer out;
  write_vm(out, *record);
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::snapshots(AgentCall& call) {
  call.context.limit = kReadLimit;
  const auto records = co_await provider.snapshots(call.context, call.vm);
  co_return list_answer(records);
}

Task<AgentAnswer> AgentServer::Impl::all_snapshots(AgentCall& call) {
  call.context.limit = kReadLimit;
  const auto records = co_await provider.all_snapshots(call.context);
  co_return list_answer(records);
}

Task<AgentAnswer> AgentServer::Impl::delete_snapshot(AgentCall& call) {
  if (!is_snapshot_id(call.values.back())) co_return AgentAnswer(text_answer(404, "snapshot not found"));
  call.context.limit = kDestroyLimit;
  auto done = co_await provider.delete_snapshot(call.context, call.vm, call.values.back());
  if (!done) co_return std::unexpected(snapshot_not_found(std::move(done).error()));
  co_return AgentAnswer(empty_answer());
}

Task<AgentAnswer> AgentServer::Impl::delete_stored_snapshot(AgentCall& call) {
  auto answer = co_await delete_snapshot(call);
  co_return answer;
}

}  // namespace fusebox::host
