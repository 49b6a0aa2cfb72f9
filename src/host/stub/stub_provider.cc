#include "host/stub/stub_provider.h"

#include <algorithm>

#include "base/text.h"
#include "host/common/memory_file.h"
#include "host/common/names.h"
#include "host/common/paths.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

base::Error no_vm() {
  return {Errc::not_found, "vm not found", {}, nullptr};
}
base::Error no_snapshot() {
  return {Errc::not_found, "snapshot not found", {}, nullptr};
}
base::Error executes_nothing() {
  return {Errc::unsupported, "the stub provider executes nothing", {}, nullptr};
}

}  // namespace

Capacity StubOptions::default_capacity() {
  Capacity capacity;
  // Room for every trial: nothing is used up.
  capacity.cpus = 1024;
  capacity.ram_mb = 1 << 20;
  capacity.storage_gb = 10'000;
#if defined(__aarch64__)
  capacity.arch = "arm64";
#else
  capacity.arch = "amd64";
#endif
  return capacity;
}

StubProvider::StubProvider(StubOptions options) : options_(std::move(options)) {
  Capacity& capacity = options_.capacity;
  if (capacity.agent_name.empty()) capacity.agent_name = "fusebox-stub";
  if (capacity.agent_version.empty()) capacity.agent_version = FUSEBOX_VERSION;
  if (capacity.features.empty())
    capacity.features = {"generation", "guest-tmpfs",     "parallel-exec", "parallel-create", "safe-args",
                         "snapshot",   "snapshot-delete", "store-delete",  "files",           "logs"};
}

Result<std::string> StubProvider::id_of(std::string_view name) const {
  auto id = vm_id_of(name, *options_.random);
  if (!id) return fail(Errc::invalid, "a name has at most " + std::to_string(kVmIdBytesMax) + " bytes");
  return std::move(*id);
}

Result<StubProvider::Vm*> StubProvider::find(const CallContext& context, const std::string& vm) {
  FB_TRY(const std::string id, id_of(vm));
  FB_CHECK(fence_.admit(id, context.generation, now()));
  const auto at = vms_.find(id);
  if (at == vms_.end()) return fail(no_vm());
  at->second.record.generation = std::max(at->second.record.generation, context.generation);
  return &at->second;
}

Result<VmRecord> StubProvider::add(const CallContext& context, const std::string& id, std::string fleet_id,
                                   StubFiles files) {
  FB_CHECK(fence_.admit(id, context.generation, now()));
  if (const auto at = vms_.find(id); at != vms_.end()) {
    const Vm& there = at->second;
    if (!context.op_id.empty() && there.op_id == context.op_id && there.record.generation == context.generation)
      return there.record;
    return fail(Errc::exists, "vm " + id + " already exists");
  }
  Vm vm;
  vm.record = {id, "fc://" + id, context.generation, std::move(fleet_id), "running", random_hex(*options_.random, 16)};
  vm.op_id = context.op_id;
  vm.files = std::move(files);
  fence_.live(id, context.generation);
  return vms_.emplace(id, std::move(vm)).first->second.record;
}

StubProvider::Snapshots::iterator StubProvider::find_snapshot(std::string_view id) {
  return std::ranges::find_if(snapshots_, [&](const auto& one) { return one.second.record.snapshot_id == id; });
}

Task<Result<Capacity>> StubProvider::capacity(CallContext) {
  Capacity capacity = options_.capacity;
  capacity.vm_count = static_cast<std::int64_t>(vms_.size());
  co_return capacity;
}

Task<Result<VmRecord>> StubProvider::create(CallContext context, CreateSpec spec) {
  FB_CO_TRY(const std::string id, id_of(spec.name));
  StubFiles files;
  if (!spec.seed_snapshot.empty()) {
    const auto seed = find_snapshot(spec.seed_snapshot);
    if (seed == snapshots_.end()) co_return fail(no_snapshot());
    files = seed->second.files;
  }
  co_return add(context, id, std::move(spec.fleet_id), std::move(files));
}

Task<Result<std::vector<VmRecord>>> StubProvider::list(CallContext, std::string prefix) {
  std::vector<VmRecord> records;
  for (auto at = vms_.lower_bound(prefix); at != vms_.end() && at->first.starts_with(prefix); ++at)
    records.push_back(at->second.record);
  co_return records;
}

Task<Result<VmRecord>> StubProvider::get(CallContext context, std::string vm) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  co_return found->record;
}

Task<Result<void>> StubProvider::destroy(CallContext context, std::string vm) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  const std::string id = found->record.vm_id;
  fence_.gone(id, now());
  vms_.erase(id);
  co_return Result<void>();
}

Task<Result<void>> StubProvider::upload(CallContext context, std::string vm, std::string path, std::string bytes,
                                        std::optional<std::uint32_t> mode) {
  FB_CO_TRY(Vm * found, find(context, vm));
  co_return found->files.put(path, std::move(bytes), is_secret_path(path) ? 0600 : mode.value_or(0644), now());
}

Task<Result<ExecResult>> StubProvider::exec(CallContext context, std::string vm, ProcessSpec) {
  FB_CO_CHECK(find(context, vm));
  co_return fail(executes_nothing());
}
Task<Result<std::unique_ptr<ProcessStream>>> StubProvider::start_process(CallContext context, std::string vm,
                                                                         ProcessSpec) {
  FB_CO_CHECK(find(context, vm));
  co_return fail(executes_nothing());
}
Task<Result<std::unique_ptr<ProcessStream>>> StubProvider::connect_process(CallContext context, std::string vm,
                                                                           std::uint64_t) {
  FB_CO_CHECK(find(context, vm));
  co_return fail(executes_nothing());
}
Task<Result<std::vector<ProcessInfo>>> StubProvider::processes(CallContext context, std::string vm) {
  FB_CO_CHECK(find(context, vm));
  co_return std::vector<ProcessInfo>();
}
Task<Result<std::unique_ptr<http::ByteStream>>> StubProvider::attach(CallContext context, std::string vm, AttachSpec) {
  FB_CO_CHECK(find(context, vm));
  co_return fail(executes_nothing());
}

Task<Result<std::vector<Endpoint>>> StubProvider::start_agent(CallContext context, std::string vm,
                                                              StartAgentSpec spec) {
  FB_CO_TRY(Vm * found, find(context, vm));
  std::vector<Endpoint> endpoints;
  for (const ExposePort& port : spec.expose) {
    const std::string url = found->record.url + ":" + std::to_string(port.port);
    endpoints.push_back({port.as, url, port.protocol, port.port, port.port});
  }
  if (!endpoints.empty()) found->endpoints = endpoints;
  co_return found->endpoints;
}
Task<Result<void>> StubProvider::start_surfd(CallContext context, std::string vm, StartAgentSpec) {
  FB_CO_CHECK(find(context, vm));
  co_return Result<void>();
}
Task<Result<void>> StubProvider::drain(CallContext context, std::string vm) {
  FB_CO_CHECK(find(context, vm));
  co_return Result<void>();
}

Task<Result<SnapshotRecord>> StubProvider::snapshot(CallContext context, std::string vm, SnapshotSpec spec) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  if (spec.live) co_return fail(Errc::unsupported, "the stub provider has no memory to keep");
  for (const auto& [number, one] : snapshots_) {
    if (!context.op_id.empty() && one.op_id == context.op_id && one.record.origin_vm_id == found->record.vm_id)
      co_return one.record;
  }
  if (snapshots_.size() >= kStubSnapshotsMax)
    co_return fail(Errc::exhausted, "the stub provider keeps " + std::to_string(kStubSnapshotsMax) + " snapshots");
  const std::uint64_t number = next_snapshot_++;
  Snapshot made;
  made.files = found->files;
  made.files.drop_secrets();
  made.op_id = context.op_id;
  made.record = {"cp-" + std::to_string(number) + "-" + random_hex(*options_.random, 6),
                 std::move(spec.comment),
                 rfc3339_seconds(now()),
                 found->record.vm_id,
                 made.files.digest(),
                 "disk",
                 made.files.bytes()};
  co_return snapshots_.emplace(number, std::move(made)).first->second.record;
}

Task<Result<std::vector<SnapshotRecord>>> StubProvider::snapshots(CallContext context, std::string vm) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  std::vector<SnapshotRecord> records;
  for (const auto& [number, one] : snapshots_) {
    if (one.record.origin_vm_id == found->record.vm_id) records.push_back(one.record);
  }
  co_return records;
}

Task<Result<std::vector<SnapshotRecord>>> StubProvider::all_snapshots(CallContext) {
  std::vector<SnapshotRecord> records;
  for (const auto& [number, one] : snapshots_) records.push_back(one.record);
  co_return records;
}

Task<Result<void>> StubProvider::restore(CallContext context, std::string vm, std::string snapshot_id) {
  FB_CO_TRY(Vm * found, find(context, vm));
  const auto from = find_snapshot(snapshot_id);
  if (from == snapshots_.end()) co_return fail(no_snapshot());
  found->files = from->second.files;
  found->record.boot_id = random_hex(*options_.random, 16);
  co_return Result<void>();
}

Task<Result<VmRecord>> StubProvider::fork(CallContext context, std::string vm, ForkSpec spec) {
  FB_CO_TRY(const std::string child, id_of(spec.name));
  FB_CO_TRY(const std::string parent, id_of(vm));
  const auto source = vms_.find(parent);
  if (source == vms_.end()) co_return fail(no_vm());
  const auto seed = find_snapshot(spec.snapshot_id);
  if (seed == snapshots_.end()) co_return fail(no_snapshot());
  co_return add(context, child, source->second.record.fleet_id, seed->second.files);
}

Task<Result<void>> StubProvider::delete_snapshot(CallContext context, std::string vm, std::string snapshot_id) {
  std::string origin;
  if (!vm.empty()) {
    FB_CO_TRY(const Vm* found, find(context, vm));
    origin = found->record.vm_id;
  }
  const auto at = find_snapshot(snapshot_id);
  if (at == snapshots_.end() || (!origin.empty() && at->second.record.origin_vm_id != origin))
    co_return fail(no_snapshot());
  snapshots_.erase(at);
  co_return Result<void>();
}

Task<Result<SnapshotRecord>> StubProvider::pull(CallContext, PullSpec) {
  co_return fail(Errc::unsupported, "the stub provider moves no snapshots");
}
Task<Result<std::unique_ptr<FileReader>>> StubProvider::artifact(CallContext, std::string) {
  co_return fail(Errc::not_found, "artifact not found");
}

Task<Result<std::unique_ptr<FileReader>>> StubProvider::read_file(CallContext context, std::string vm,
                                                                  std::string path) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  FB_CO_TRY(const StubFiles::File file, found->files.get(path));
  co_return read_memory(file.bytes, file.mode);
}
Task<Result<std::unique_ptr<FileReader>>> StubProvider::read_archive(CallContext context, std::string vm,
                                                                     std::string path) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  FB_CO_TRY(std::string tar, found->files.archive(path));
  co_return read_memory(std::make_shared<const std::string>(std::move(tar)), 0644);
}
Task<Result<std::unique_ptr<FileWriter>>> StubProvider::write_file(CallContext context, std::string vm,
                                                                   std::string path, std::uint32_t mode) {
  FB_CO_CHECK(find(context, vm));
  FB_CO_CHECK(check_path(path));
  co_return write_memory(kStubFileBytesMax, [this, context, vm, path, mode](std::string bytes) -> Result<void> {
    FB_TRY(Vm * still, find(context, vm));
    return still->files.put(path, std::move(bytes), mode, now());
  });
}
Task<Result<std::vector<FileEntry>>> StubProvider::list_files(CallContext context, std::string vm, std::string path) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  co_return found->files.list(path);
}
Task<Result<void>> StubProvider::remove_file(CallContext context, std::string vm, std::string path, bool recursive) {
  FB_CO_TRY(Vm * found, find(context, vm));
  co_return found->files.remove(path, recursive);
}

Task<Result<Provider::LogPage>> StubProvider::logs(CallContext context, std::string vm,
                                                   std::vector<std::string> sources, std::uint64_t from) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  LogPage page;
  page.next = std::max<std::uint64_t>(from, found->logs.size());
  for (std::uint64_t at = from; at < found->logs.size(); ++at) {
    const LogRecord& record = found->logs[static_cast<std::size_t>(at)];
    if (sources.empty() || std::ranges::find(sources, record.source) != sources.end()) page.records.push_back(record);
  }
  co_return page;
}

void StubProvider::log(std::string_view vm_id, LogRecord record) {
  if (const auto at = vms_.find(vm_id); at != vms_.end()) at->second.logs.push_back(std::move(record));
}
Task<Result<VmStats>> StubProvider::stats(CallContext context, std::string vm) {
  FB_CO_TRY(const Vm* found, find(context, vm));
  VmStats stats;
  stats.memory_bytes = stats.disk_bytes = found->files.bytes();
  co_return stats;
}
bool StubProvider::has_image(std::string_view) const {
  return true;
}

}  // namespace fusebox::host
