// RemoteProvider: snapshots, and their way from host to host.
#include "base/bytes.h"
#include "base/wait.h"
#include "host/api/deadlines.h"
#include "host/wire/records.h"
#include "host/wire/remote_files.h"
#include "host/wire/remote_wire.h"
#include "host/wire/requests.h"
#include "host/wire/status.h"
#include "http/server/router.h"

namespace fusebox::host {

using base::Errc;
using base::Result;
using base::Task;

namespace {

constexpr std::chrono::milliseconds kPollPullEvery{500};

Result<std::vector<SnapshotRecord>> list_of(const base::json::Node& node) {
  const base::json::Node* list = node.find("snapshots");
  if (list == nullptr || !list->is_array())
    return wire_fail(Errc::io, "the agent's reply has no list of snapshots", 200);
  std::vector<SnapshotRecord> records;
  for (const base::json::Node& one : list->elements()) {
    auto record = read_snapshot(one);
    if (!record) return wire_fail(Errc::io, record.error().message, 200);
    records.push_back(std::move(*record));
  }
  return records;
}

// A route the agent does not have is no "not found": who deletes would take the thing for gone.
base::Error unless_unknown(base::Error error, std::string_view what) {
  if (!is_unknown_route(error)) return error;
  error.code = Errc::unsupported;
  error.message = "the agent cannot " + std::string(what);
  return error;
}

}  // namespace

Task<Result<SnapshotRecord>> RemoteProvider::snapshot(CallContext context, std::string vm, SnapshotSpec spec) {
  WireCall call{.method = "POST",
                .path = vm_path(vm, "/snapshot"),
                .body = write_snapshot_request(spec),
                .limit = kSnapshotLimit};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(unless_unknown(std::move(document).error(), "make snapshots"));
  auto record = read_snapshot(*document->root);
  if (!record) co_return wire_fail(Errc::io, record.error().message, 200);
  if (record->origin_vm_id.empty()) record->origin_vm_id = vm;
  if (record->comment.empty()) record->comment = spec.comment;
  co_return std::move(*record);
}

Task<Result<std::vector<SnapshotRecord>>> RemoteProvider::snapshots(CallContext context, std::string vm) {
  WireCall call{.path = vm_path(vm, "/snapshots"), .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(unless_unknown(std::move(document).error(), "list snapshots"));
  co_return list_of(*document->root);
}

Task<Result<std::vector<SnapshotRecord>>> RemoteProvider::all_snapshots(CallContext context) {
  WireCall call{.path = "/v1/snapshots", .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(unless_unknown(std::move(document).error(), "list its store"));
  co_return list_of(*document->root);
}

Task<Result<void>> RemoteProvider::restore(CallContext context, std::string vm, std::string snapshot_id) {
  WireCall call{
      .method = "POST", .path = vm_path(vm, "/restore"), .body = write_restore(snapshot_id), .limit = kRestoreLimit};
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(unless_unknown(std::move(reply).error(), "restore snapshots"));
  co_return Result<void>();
}

Task<Result<VmRecord>> RemoteProvider::fork(CallContext context, std::string vm, ForkSpec spec) {
  WireCall call{.method = "POST", .path = vm_path(vm, "/fork"), .body = write_fork(spec), .limit = kRestoreLimit};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(unless_unknown(std::move(document).error(), "fork"));
  auto record = read_vm(*document->root, backend());
  if (!record) co_return wire_fail(Errc::io, record.error().message, 200);
  co_return std::move(*record);
}

Task<Result<void>> RemoteProvider::delete_snapshot(CallContext context, std::string vm, std::string snapshot_id) {
  const std::string rest = "/snapshots/" + http::percent_encode(snapshot_id);
  WireCall call{
      .method = "DELETE", .path = vm.empty() ? "/v1" + rest : vm_path(vm, rest), .body = {}, .limit = kDestroyLimit};
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(unless_unknown(std::move(reply).error(), "delete snapshots"));
  co_return Result<void>();
}

Task<Result<SnapshotRecord>> RemoteProvider::pull(CallContext context, PullSpec spec) {
  const base::Nanos end = wire_->loop().clock().monotonic() + context.limit;
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  const bool async = wire_->agent().has("async-pull");
  WireCall call{.method = "POST",
                .path = "/v1/artifacts/" + http::percent_encode(spec.digest) + "/pull",
                .body = write_pull(spec, async),
                .limit = kPullLimit};
  auto begun = co_await wire_->call_json(context, std::move(call));
  if (!begun) co_return std::unexpected(std::move(begun).error());
  const base::json::Node* op = begun->root->find("op");
  if (op == nullptr || !op->is_string()) co_return read_snapshot(*begun->root);
  const std::string path = "/v1/operations/" + http::percent_encode(op->string());
  while (wire_->loop().clock().monotonic() < end && !context.stop.stop_requested()) {
    WireCall poll{.path = path, .body = {}, .limit = kReadLimit, .retries = 2};
    auto document = co_await wire_->call_json(context, std::move(poll));
    if (!document) co_return std::unexpected(std::move(document).error());
    const base::json::Node* state = document->root->find("state");
    const base::json::Node* result = document->root->find("result");
    const base::json::Node* error = document->root->find("error");
    const std::string word = state != nullptr && state->is_string() ? state->string() : std::string();
    if (word == "done" && result != nullptr) co_return read_snapshot(*result);
    if (word != "running") {
      const std::string text = error != nullptr && error->is_string() ? error->string() : "the pull failed";
      co_return wire_fail(Errc::corrupt, short_text(text), 422);
    }
    co_await base::sleep_for(wire_->loop(), kPollPullEvery);
  }
  co_return wire_fail(Errc::stopped, "the pull did not end in time");
}

Task<Result<std::unique_ptr<FileReader>>> RemoteProvider::artifact(CallContext context, std::string digest) {
  auto stream = co_await wire_->open_artifact(std::move(context), std::move(digest));
  if (!stream) co_return std::unexpected(std::move(stream).error());
  co_return read_reply(std::move(*stream));
}

}  // namespace fusebox::host
