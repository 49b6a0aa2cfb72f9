// Environments made from others: forks, forks of snapshots, moves to another host.
#include "base/json.h"
#include "fleet/engine/boot_material.h"
#include "fleet/engine/create.h"
#include "fleet/engine/seeds.h"
#include "fleet/engine/snapshots.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

// What a copy carries from its source: everything but where it was and what it grew from (10.6).
CreateRequest carried(const BootMaterial& material, const EnvironmentSpec& spec, std::string task_id) {
  CreateRequest request = material.request;
  request.task_id = std::move(task_id);
  request.spec = spec;
  request.spec.host_id.clear();
  request.spec.labels.clear();
  request.seed_snapshot_id.clear();
  request.startup_script.clear();  // it has run: what it did is in the copy's files
  request.startup_steps.clear();
  request.files.clear();
  return request;
}

// Fields that are set win over what the source had.
void override_spec(EnvironmentSpec& spec, const EnvironmentSpec& asked) {
  const auto number = [](std::int64_t& into, std::int64_t value) {
    if (value != 0) into = value;
  };
  const auto text = [](std::string& into, const std::string& value) {
    if (!value.empty()) into = value;
  };
  number(spec.cpus, asked.cpus);
  number(spec.ram_mb, asked.ram_mb);
  number(spec.storage_gb, asked.storage_gb);
  text(spec.region, asked.region);
  text(spec.arch, asked.arch);
  number(spec.max_runtime_seconds, asked.max_runtime_seconds);
  number(spec.idle_timeout_seconds, asked.idle_timeout_seconds);
  number(spec.gpus, asked.gpus);
  text(spec.gpu_kind, asked.gpu_kind);
  text(spec.gpu_profile, asked.gpu_profile);
  text(spec.host_id, asked.host_id);
  if (!asked.labels.empty()) spec.labels = asked.labels;
  if (asked.egress) spec.egress = asked.egress;
  if (asked.huge_pages) spec.huge_pages = true;
}

SnapshotRow lineage_row(Core& core, std::string_view owner, const SnapshotRow& seed, std::string_view child,
                        std::string_view comment) {
  SnapshotRow row;
  row.snapshot_id = core.new_id("fork-seed-");
  row.vm_id = child;
  row.tenant_id = seed.tenant_id;
  row.owner_tenant_id = owner;
  row.parent_snapshot_id = seed.snapshot_id;
  row.mode = "auto";
  row.backend = seed.backend;
  row.arch = seed.arch;
  row.host_id = seed.host_id;
  row.state = SnapshotState::ready;
  if (!comment.empty())
    row.metadata_json = base::json::Writer().begin_object().key("comment").string(comment).end_object().take();
  row.created_at = row.updated_at = row.last_used_at = core.wall();
  return row;
}

// Written with the child's intent.
Store::WriteWork write_lineage(SnapshotRow lineage) {
  return [lineage = std::move(lineage)](Tx& tx) -> base::Result<void> {
    tx.insert_snapshot(lineage);
    return {};
  };
}

// What a fork of `seed` starts from: its environment's request while that is there, else a request that says nothing.
base::Task<base::Result<CreateRequest>> request_behind(Core& core, const SnapshotRow& seed, std::string task_id,
                                                       std::string tenant) {
  auto source = co_await core.environment(seed.vm_id, std::move(tenant));
  if (!source && api_detail(source.error()).status != 404) co_return std::unexpected(std::move(source.error()));
  // Its name may be another environment's by now.
  if (!source || source->created_at > seed.created_at) {
    base::json::Writer nothing;
    nothing.begin_object().key("task_id").string(task_id).end_object();
    co_return read_stored_create(nothing.text());
  }
  FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, *source));
  FB_CO_TRY(const EnvironmentSpec spec, read_spec(source->spec_json));
  co_return carried(material, spec, std::move(task_id));
}

base::Task<base::Result<SnapshotRow>> seed_of_fork(Core& core, RequestInfo info, const EnvironmentRow& source,
                                                   ForkRequest request) {
  if (!request.reuse_snapshot_id.empty()) {
    FB_CO_TRY(SnapshotRow seed, co_await core.snapshot(request.reuse_snapshot_id, info.caller.tenant));
    if (seed.vm_id != source.vm_id) co_return no_such_snapshot(request.reuse_snapshot_id);
    if (seed.state != SnapshotState::ready)
      co_return refuse(409,
                       "snapshot " + seed.snapshot_id + " is " + std::string(to_string(seed.state)) + ", not ready");
    co_return seed;
  }
  SnapshotRequest snapshot;
  snapshot.comment = request.comment;
  snapshot.mode = "auto";
  snapshot.live = request.live;
  // A repeated fork waits for this snapshot, or goes on from it: one call, one seed. No caller's key has a colon.
  if (!info.idempotency_key.empty()) info.idempotency_key += ":seed";
  info.respond_async = false;
  FB_CO_TRY(const Outcome made, co_await create_snapshot(core, info, source.vm_id, std::move(snapshot)));
  FB_CO_TRY(const auto document, base::json::parse(made.json));
  const auto* id = document.root->find("id");
  std::string snapshot_id;
  if (id != nullptr) snapshot_id = id->string();
  co_return co_await core.snapshot(std::move(snapshot_id), std::string());
}

base::Result<void> check_copyable(const EnvironmentRow& source, const Place& place) {
  if (source.state != EnvironmentState::running) return wrong_state(source, "running");
  if (source.gpus > 0) return refuse(409, "a gpu environment cannot be copied: its devices hold state of their own");
  if (place.host && source.backend == "qemu" && !place.has("snapshot"))
    return refuse(501, "host \"" + source.host_id + "\" does not support forks");
  return {};
}

}  // namespace

base::Task<base::Result<Outcome>> fork_environment(Core& core, RequestInfo info, std::string vm_id,
                                                   ForkRequest request) {
  FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
  if (earlier) co_return *earlier;
  FB_CO_TRY(const EnvironmentRow source, co_await core.environment(vm_id, info.caller.tenant));
  FB_CO_TRY(const Place place, core.place_of(source));
  FB_CO_CHECK(check_copyable(source, place));
  FB_CO_TRY(const SnapshotRow seed, co_await seed_of_fork(core, info, source, request));
  if (seed.kind == "live" && !place.has("live-fork"))
    co_return refuse(409, "snapshot " + seed.snapshot_id + " is live and its host cannot fork live snapshots");
  FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, source));
  FB_CO_TRY(const EnvironmentSpec spec, read_spec(source.spec_json));
  const std::string task_id = request.task_id.empty() ? core.new_id("fork-") : request.task_id;
  CreateRequest child = carried(material, spec, task_id);
  child.spec.image.clear();  // it is in the seed
  child.spec.backend = source.backend;
  Origin origin;
  origin.kind = "fork";
  origin.tenant = source.tenant_id;
  origin.seed = seed;
  origin.source_vm_id = source.vm_id;
  origin.source_snapshot_id = seed.snapshot_id;
  origin.fork_of = source.host_vm_name;
  origin.prefer_host = source.host_id;
  origin.also = write_lineage(lineage_row(core, source.tenant_id, seed, core.parts.options.vm_prefix + task_id, {}));
  co_return co_await create_environment(core, std::move(info), std::move(child), std::move(origin));
}

base::Task<base::Result<Outcome>> fork_from_snapshot(Core& core, RequestInfo info, std::string snapshot_id,
                                                     ForkSnapshotRequest request) {
  FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
  if (earlier) co_return *earlier;
  FB_CO_TRY(const SnapshotRow seed, co_await find_seed(core, snapshot_id, info.caller.tenant));
  const std::string task_id = request.task_id.empty() ? core.new_id("fork-") : request.task_id;
  FB_CO_TRY(CreateRequest child, co_await request_behind(core, seed, task_id, info.caller.tenant));
  if (request.spec) override_spec(child.spec, *request.spec);
  child.spec.image.clear();  // it is in the seed
  child.spec.backend = seed.backend;
  Origin origin;
  origin.kind = "fork";
  origin.tenant = info.caller.tenant.empty() ? seed.owner_tenant_id : info.caller.tenant;
  origin.seed = seed;
  origin.source_vm_id = seed.vm_id;
  origin.source_snapshot_id = seed.snapshot_id;
  origin.also =
      write_lineage(lineage_row(core, origin.tenant, seed, core.parts.options.vm_prefix + task_id, request.comment));
  co_return co_await create_environment(core, std::move(info), std::move(child), std::move(origin));
}

base::Task<base::Result<Outcome>> migrate_environment(Core& core, RequestInfo info, std::string vm_id,
                                                      MigrateRequest request) {
  FB_CO_TRY(const EnvironmentRow source, co_await core.environment(vm_id, info.caller.tenant));
  FB_CO_TRY(const Place place, core.place_of(source));
  FB_CO_CHECK(check_copyable(source, place));
  if (request.lazy && !request.live) co_return refuse(400, "lazy needs live");
  if (request.live)
    co_return refuse(409, "environments of backend \"" + source.backend +
                              "\" cannot move with their memory; the source is untouched");
  if (source.host_id.empty())
    co_return refuse(503,
                     "vm " + vm_id + " runs in the control plane's own process; no registered host holds its files");
  if (request.target_host_id == source.host_id)
    co_return refuse(409, "vm " + vm_id + " is on host \"" + source.host_id + "\" already");
  if (!request.target_host_id.empty() && !core.hosts.find(request.target_host_id))
    co_return no_such_host(request.target_host_id);

  ForkRequest fork;
  fork.comment = "migrate";
  RequestInfo inner = info;
  inner.idempotency_key.clear();
  inner.respond_async = false;
  FB_CO_TRY(const SnapshotRow seed, co_await seed_of_fork(core, inner, source, fork));
  FB_CO_TRY(const BootMaterial material, open_material(core.parts.vault, source));
  FB_CO_TRY(const EnvironmentSpec spec, read_spec(source.spec_json));
  CreateRequest moved = carried(material, spec, core.new_id(source.task_id.substr(0, 80) + "-m", 8));
  moved.spec.image.clear();
  moved.spec.backend = source.backend;
  moved.spec.host_id = request.target_host_id;
  Origin origin;
  origin.kind = "migrate";
  origin.tenant = source.tenant_id;
  origin.seed = seed;
  origin.source_vm_id = source.vm_id;
  origin.source_snapshot_id = seed.snapshot_id;
  origin.exclude_host = source.host_id;
  // Its operation drains and destroys the source when the new one runs (finish_move).
  auto outcome = co_await create_environment(core, inner, std::move(moved), std::move(origin));
  if (outcome)
    outcome->status = 200;
  else if (!core.closing)
    (void)co_await delete_snapshot(core, inner, seed.snapshot_id);  // of no use to anybody
  co_return outcome;
}

}  // namespace fusebox::fleet
