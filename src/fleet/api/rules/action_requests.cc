// Bodies of the actions on environments, snapshots, hosts and keys.
#include <algorithm>
#include <limits>

#include "fleet/access/scopes.h"
#include "fleet/api/rules/names.h"
#include "fleet/api/rules/spec_rules.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::Result;
using Absent = Body::Absent;

constexpr std::size_t kLabelBytesMax = 256;                            // of a key, for people
constexpr std::size_t kTenantBytesMax = 128;                           // as a task id
constexpr std::int64_t kSecondsMax = std::int64_t{100} * 365 * 86400;  // beyond, times in nanoseconds overflow

Result<void> check_new_task_id(const std::string& task_id) {
  if (task_id.empty() || is_task_id(task_id)) return {};
  return refuse(400, "task_id must be 1 to 128 of A-Z, a-z, 0-9 and ._:@+~-, and neither . nor ..");
}

Result<void> check_seconds(std::string_view name, std::int64_t seconds) {
  if (seconds >= 0 && seconds <= kSecondsMax) return {};
  return refuse(400, std::string(name) + " must be 0 to " + std::to_string(kSecondsMax));
}

}  // namespace

Result<ForkRequest> read_fork(std::string_view text) {
  FB_TRY(Body body, Body::parse(text, Absent::empty_object));
  const BodyObject root = body.root();
  ForkRequest request{root.text("reuse_snapshot_id"), root.text("comment"), root.text("task_id"), root.boolean("live")};
  FB_CHECK(body.check());
  FB_CHECK(check_new_task_id(request.task_id));
  return request;
}

Result<ForkSnapshotRequest> read_fork_snapshot(std::string_view text) {
  FB_TRY(Body body, Body::parse(text, Absent::empty_object));
  const BodyObject root = body.root();
  ForkSnapshotRequest request{root.text("task_id"), root.text("comment"), std::nullopt};
  const BodyObject spec = root.object("spec");
  RawSpec raw = decode_spec(spec);
  FB_CHECK(body.check());
  FB_CHECK(check_new_task_id(request.task_id));
  if (!spec.present()) return request;
  FB_TRY(request.spec, check_spec(std::move(raw)));
  return request;
}

Result<MigrateRequest> read_migrate(std::string_view text) {
  FB_TRY(Body body, Body::parse(text, Absent::empty_object));
  const BodyObject root = body.root();
  MigrateRequest request{root.text("target_host_id"), root.boolean("live"), root.boolean("lazy")};
  FB_CHECK(body.check());
  if (request.lazy && !request.live) return refuse(400, "lazy needs live");
  return request;
}

Result<SnapshotRequest> read_snapshot(std::string_view text) {
  FB_TRY(Body body, Body::parse(text, Absent::empty_object));
  const BodyObject root = body.root();
  SnapshotRequest request;
  request.comment = root.text("comment");
  if (std::string mode = root.text("mode"); !mode.empty()) request.mode = std::move(mode);
  request.export_ref = root.text("export_ref");
  request.export_status = root.text("export_status");
  request.layer_key = root.text("layer_key");
  request.retention_seconds = root.i64("retention_seconds");
  request.metadata = root.text_map("metadata");
  request.live = root.boolean("live");
  FB_CHECK(body.check());
  FB_CHECK(check_seconds("retention_seconds", request.retention_seconds));
  if (request.live && !request.layer_key.empty()) return refuse(400, "live and layer_key are mutually exclusive");
  if (!request.export_ref.empty() && request.export_status.empty()) request.export_status = "pending";
  return request;
}

Result<DrainHostRequest> read_drain_host(std::string_view text) {
  FB_TRY(Body body, Body::parse(text, Absent::empty_object));
  const BodyObject root = body.root();
  DrainHostRequest request;
  request.evict = root.boolean("evict");
  request.timeout_seconds = root.i64("timeout_seconds", request.timeout_seconds);
  FB_CHECK(body.check());
  FB_CHECK(check_seconds("timeout_seconds", request.timeout_seconds));
  return request;
}

Result<ApiKeyRequest> read_api_key(std::string_view text) {
  FB_TRY(Body body, Body::parse(text, Absent::empty_object));
  const BodyObject root = body.root();
  ApiKeyRequest request;
  request.label = root.text("label");
  request.tenant_id = root.text("tenant_id");
  if (root.find("scopes") != nullptr) request.scopes = root.texts("scopes");
  request.expires_in_seconds = root.i64("expires_in_seconds");
  FB_CHECK(body.check());
  if (request.label.size() > kLabelBytesMax) return refuse(400, "label must be at most 256 bytes");
  if (request.tenant_id.size() > kTenantBytesMax) return refuse(400, "tenant_id must be at most 128 bytes");
  if (request.scopes) {
    if (const auto scopes = Scopes::parse(*request.scopes); !scopes) return refuse(400, scopes.error().message);
  }
  FB_CHECK(check_seconds("expires_in_seconds", request.expires_in_seconds));
  return request;
}

Result<std::string> read_login(std::string_view text) {
  FB_TRY(Body body, Body::parse(text));
  std::string token = body.root().text("token");
  FB_CHECK(body.check());
  return token;
}

Result<void> check_computer(std::string_view text) {
  const auto malformed = [](const base::Error& error) {
    constexpr std::string_view kPrefix = "invalid JSON body: ";
    std::string_view message = error.message;
    if (message.starts_with(kPrefix)) message.remove_prefix(kPrefix.size());
    return refuse(400, "malformed action: " + std::string(message));
  };
  auto body = Body::parse(text);
  if (!body) return malformed(body.error());
  const std::string action = body->root().text("action");
  if (const auto fault = body->check(); !fault) return malformed(fault.error());
  if (action.empty()) return refuse(400, "action is required");
  return {};
}

}  // namespace fusebox::fleet
