#include "host/wasm/wasm_provider.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "base/text.h"
#include "host/common/names.h"
#include "host/wasm/egress_map.h"
#include "host/wasm/layer_stack.h"
#include "vfs/overlay/overlay.h"
#include "vfs/tar/tree_mount.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::int64_t kMemoryDefaultMb = 512;  // host-agent.md 4.1
constexpr std::int64_t kCpusMost = 32;
constexpr std::int64_t kMemoryLeastMb = 1;  // a module may be tiny
constexpr std::int64_t kGbMost = 1 << 20;
constexpr std::uint64_t kBytesPerGb = 1ull << 30;

base::Error no_vm() {
  return {Errc::not_found, "vm not found", {}, nullptr};
}

void fill_in(Capacity& capacity, const std::filesystem::path& folder) {
  if (capacity.cpus == 0) capacity.cpus = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  struct sysinfo memory{};
  if (capacity.ram_mb == 0 && ::sysinfo(&memory) == 0)
    capacity.ram_mb = static_cast<std::int64_t>(std::uint64_t{memory.totalram} * memory.mem_unit >> 20);
  struct statvfs disk{};
  if (::statvfs(folder.c_str(), &disk) == 0) {
    const std::uint64_t block = disk.f_frsize;
    if (capacity.storage_gb == 0) capacity.storage_gb = static_cast<std::int64_t>(disk.f_bavail * block / kBytesPerGb);
    if (!capacity.storage_total_gb)
      capacity.storage_total_gb = static_cast<std::int64_t>(disk.f_blocks * block / kBytesPerGb);
  }
#if defined(__aarch64__)
  if (capacity.arch.empty()) capacity.arch = "arm64";
#else
  if (capacity.arch.empty()) capacity.arch = "amd64";
#endif
  if (capacity.agent_name.empty()) capacity.agent_name = "fusebox-wasm";
  if (capacity.agent_version.empty()) capacity.agent_version = FUSEBOX_VERSION;
  if (capacity.features.empty()) {
    capacity.features = {"generation", "guest-tmpfs", "parallel-exec",   "parallel-create", "safe-args",
                         "snapshot",   "snapshot-id", "snapshot-delete", "store-delete",    "exec-stream",
                         "files",      "logs",        "boot-id",         "egress"};
  }
}

Result<void> check(const CreateSpec& spec) {
  if (spec.gpus > 0 || !spec.gpu_profile.empty())
    return fail(Errc::unsupported, "environments of the wasm provider have no GPUs");
  if (spec.cpus < 0 || spec.cpus > kCpusMost)
    return fail(Errc::invalid, "cpus is " + std::to_string(spec.cpus) + "; 1 to 32");
  if (spec.memory_mb != 0 && spec.memory_mb < kMemoryLeastMb)
    return fail(Errc::invalid, "memory_mb is " + std::to_string(spec.memory_mb) + "; the least is 1");
  if (spec.storage_gb < 0 || spec.storage_gb > kGbMost)
    return fail(Errc::invalid, "storage_gb is " + std::to_string(spec.storage_gb) + "; 0 to 1048576");
  if (spec.egress) FB_CHECK(map_egress(*spec.egress));
  return {};
}

}  // namespace

WasmProvider::WasmProvider(WasmOptions options, std::unique_ptr<Journal> journal, std::shared_ptr<LayerStore> layers)
    : options_(std::move(options)),
      journal_(std::move(journal)),
      layers_(std::move(layers)),
      offload_(container::offload_of(*options_.containers)),
      shelf_(options_.containers->options().library, options_.image_limits, *options_.executor, offload_),
      boot_(random_hex(*options_.random, 16)) {}

Result<std::unique_ptr<WasmProvider>> WasmProvider::create(WasmOptions options) {
  if (options.containers == nullptr || options.executor == nullptr || options.random == nullptr)
    return fail(Errc::bug, "wasm provider: containers, executor and random must be given");
  KeptState state;
  FB_TRY(auto journal, Journal::open(options.state_dir, state));
  FB_TRY(auto layers, LayerStore::open(options.state_dir / "layers", container::offload_of(*options.containers)));
  if (options.artifact_dir.empty()) options.artifact_dir = options.state_dir;
  std::error_code error;
  std::filesystem::create_directories(options.artifact_dir, error);
  if (error) return fail(Errc::io, "making " + options.artifact_dir.string() + ": " + error.message());
  fill_in(options.capacity, options.state_dir);
  std::unique_ptr<WasmProvider> provider(new WasmProvider(std::move(options), std::move(journal), std::move(layers)));
  FB_CHECK(provider->restore_state(std::move(state)));
  return provider;
}

WasmProvider::~WasmProvider() {
  layers_->keep();
  for (auto& [id, environment] : environments_) stop(environment, SIGKILL);
}

Result<void> WasmProvider::restore_state(KeptState state) {
  std::map<std::uint64_t, std::weak_ptr<const Layer>> known;
  std::set<std::uint64_t> named;
  const auto chain_of = [&](const std::vector<std::uint64_t>& numbers) -> std::optional<LayerChain> {
    LayerChain chain;
    for (const std::uint64_t number : numbers) {
      layers_->was_used(number);
      if (!layers_->exists(number)) return std::nullopt;  // lost with the machine
      LayerPtr layer = known[number].lock();
      if (!layer) known[number] = layer = layers_->freeze(number);
      named.insert(number);
      chain.push_back(std::move(layer));
    }
    return chain;
  };
  for (KeptSnapshot& kept : state.snapshots) {
    if (auto chain = chain_of(kept.chain))
      snapshots_.push_back(std::make_unique<WasmSnapshot>(WasmSnapshot{std::move(kept), std::move(*chain)}));
  }
  for (auto& [id, kept] : state.environments) {
    layers_->was_used(kept.upper);
    auto chain = chain_of(kept.chain);
    if (!chain) continue;
    named.insert(kept.upper);
    WasmEnvironment environment;
    environment.chain = std::move(*chain);
    fence_.live(id, kept.generation);
    environment.kept = std::move(kept);
    note(environment, "provider started again; processes and /fuse are gone");
    environments_.emplace(id, std::move(environment));
  }
  std::vector<std::pair<base::Nanos, std::string>> dead;
  for (const auto& [id, tombstone] : state.tombstones) dead.emplace_back(tombstone.at, id);
  std::ranges::sort(dead);
  for (const auto& [at, id] : dead) {
    FB_CHECK(fence_.admit(id, state.tombstones[id].generation, at));
    fence_.gone(id, at);
  }
  fence_.forget_old(wall());
  layers_->sweep(named);
  return {};
}

KeptState WasmProvider::kept_state() const {
  KeptState state;
  for (const auto& [id, environment] : environments_) state.environments.emplace(id, environment.kept);
  for (const auto& snapshot : snapshots_) state.snapshots.push_back(snapshot->kept);
  for (const Fence::Tombstone& one : fence_.buried()) {
    if (!environments_.contains(one.name)) state.tombstones[one.name] = {fence_.highest(one.name), one.at};
  }
  return state;
}

Result<std::string> WasmProvider::id_of(std::string_view name) const {
  auto id = vm_id_of(name, *options_.random);
  if (!id) return fail(Errc::invalid, "a name has at most " + std::to_string(kVmIdBytesMax) + " bytes");
  return std::move(*id);
}

VmRecord WasmProvider::record_of(const WasmEnvironment& environment) const {
  const KeptEnvironment& kept = environment.kept;
  return {kept.id,       "wasm://" + kept.id, kept.generation,
          kept.fleet_id, "running",           boot_ + "-" + std::to_string(environment.boots)};
}

Result<WasmEnvironment*> WasmProvider::find(const CallContext& context, const std::string& vm) {
  FB_TRY(const std::string id, id_of(vm));
  const std::uint64_t before = fence_.highest(id);
  FB_CHECK(fence_.admit(id, context.generation, wall()));
  const auto at = environments_.find(id);
  if (at == environments_.end()) {
    if (context.generation > before) FB_CHECK(journal_->gone(id, {context.generation, wall()}));
    return fail(no_vm());
  }
  if (context.generation >
      at->second.kept.generation) {  // a newer owner: whoever was before it stays out, also after a restart
    at->second.kept.generation = context.generation;
    FB_CHECK(journal_->put(at->second.kept));
  }
  return &at->second;
}

Task<Result<WasmEnvironment*>> WasmProvider::use(CallContext context, std::string vm) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  if (!environment->image.image) {
    const KeptSpec spec = environment->kept.spec;
    auto taken = co_await shelf_.take(spec.image + ":" + spec.version);
    FB_CO_TRY(ShelvedImage image, std::move(taken));
    if (image.image->digest().hex() != spec.digest) {
      co_return fail(Errc::unavailable, "image " + spec.image + ":" + spec.version +
                                            " is not the one this environment was made from: " + spec.digest);
    }
    FB_CO_TRY(environment, find(context, vm));
    environment->image = std::move(image);
  }
  if (!environment->live) FB_CO_CHECK(make_live(*environment));
  co_return environment;
}

Result<std::shared_ptr<vfs::Mount>> WasmProvider::lower_of(const WasmEnvironment& environment) const {
  std::vector<std::shared_ptr<vfs::Mount>> layers;
  for (const LayerPtr& layer : environment.chain) {
    FB_TRY(layers.emplace_back(), layer->mount());
  }
  return make_layer_stack(vfs::make_tree_mount(environment.image.image->tree()), std::move(layers));
}

std::uint64_t WasmProvider::storage_of(const KeptSpec& spec) noexcept {
  return spec.storage_gb == 0 ? kStorageDefaultBytes : static_cast<std::uint64_t>(spec.storage_gb) * kBytesPerGb;
}

Result<void> WasmProvider::make_live(WasmEnvironment& environment) {
  const KeptSpec& spec = environment.kept.spec;
  const base::Clock& clock = executor().clock();
  FB_TRY(auto lower, lower_of(environment));
  auto upper = std::make_shared<LazyUpper>(layers_, environment.kept.upper, storage_of(spec));
  auto root = std::make_shared<SwitchMount>(vfs::make_overlay(std::move(lower), upper));
  FB_TRY(auto names, vfs::Namespace::build({.root = root, .mounts = {}}));
  auto secrets = vfs::make_memory_upper(clock, kSecretsBytesMax);
  container::SpaceOptions space;
  space.name = environment.kept.id;
  space.image = environment.image.image;
  space.root = root;
  space.mounts.push_back({"/fuse", secrets});
  space.config.limits.memory_pages = static_cast<std::uint32_t>(std::min<std::int64_t>(spec.memory_mb * 16, 65536));
  if (!spec.egress.empty()) {
    FB_TRY(const Egress egress, read_egress(spec.egress));
    FB_TRY(EgressMap map, map_egress(egress));
    space.config.sockets = std::move(map.sockets);
    if (map.bytes_per_s > 0) space.config.limits.socket_bytes_per_s = map.bytes_per_s;
    space.may_connect = std::move(map.may_connect);
  }
  FB_TRY(auto opened, container::open_space(*options_.containers, std::move(space)));
  environment.live = std::make_shared<LiveEnvironment>(LiveEnvironment{
      std::move(upper), std::move(root), std::move(secrets), EnvFiles(std::move(names), clock), std::move(opened)});
  return {};
}

void WasmProvider::note(WasmEnvironment& environment, std::string text) {
  environment.logs.push_back({wall(), "boot", std::move(text) + "\n"});
  if (environment.logs.size() <= kLogRecordsKept) return;
  environment.logs.pop_front();
  ++environment.first_log;
}

Task<Result<Capacity>> WasmProvider::capacity(CallContext) {
  Capacity capacity = options_.capacity;
  capacity.vm_count = static_cast<std::int64_t>(environments_.size());
  auto images = co_await shelf_.sizes();
  if (images) capacity.image_gb = std::move(*images);  // else not told: what was known of them stays
  co_return capacity;
}

Task<Result<WasmProvider::Origin>> WasmProvider::origin_of(CreateSpec spec) {
  Origin origin;
  if (spec.seed_snapshot.empty()) {
    if (spec.image.empty()) co_return fail(Errc::invalid, "an environment of the wasm provider needs an image");
    if (const ShelvedImage* ready = shelf_.at_hand(spec.image)) {
      origin.image = *ready;
    } else {
      auto taken = co_await shelf_.take(spec.image);
      FB_CO_TRY(origin.image, std::move(taken));
    }
    origin.spec.image = origin.image.name;
    origin.spec.version = origin.image.version;
    origin.spec.digest = origin.image.image->digest().hex();
  } else {
    const WasmSnapshot* seed = find_snapshot(spec.seed_snapshot);
    if (seed == nullptr) co_return fail(Errc::not_found, "snapshot not found");
    origin.chain = seed->chain;
    origin.spec = seed->kept.spec;
  }
  if (spec.egress) origin.spec.egress = write_egress(*spec.egress);
  if (spec.cpus != 0) origin.spec.cpus = spec.cpus;
  if (spec.memory_mb != 0) origin.spec.memory_mb = spec.memory_mb;
  if (spec.storage_gb != 0) origin.spec.storage_gb = spec.storage_gb;
  if (origin.spec.cpus == 0) origin.spec.cpus = 1;
  if (origin.spec.memory_mb == 0) origin.spec.memory_mb = kMemoryDefaultMb;
  co_return origin;
}

std::optional<Result<VmRecord>> WasmProvider::already_there(const CallContext& context, const std::string& id) const {
  const auto at = environments_.find(id);
  if (at == environments_.end()) return std::nullopt;
  const KeptEnvironment& there = at->second.kept;
  if (!context.op_id.empty() && there.op_id == context.op_id && there.generation == context.generation)
    return record_of(at->second);
  return fail(Errc::exists, "vm " + id + " already exists");
}

Result<VmRecord> WasmProvider::add(const CallContext& context, const std::string& id, std::string fleet_id,
                                   Origin origin) {
  FB_CHECK(fence_.admit(id, context.generation, wall()));
  if (auto there = already_there(context, id)) return std::move(*there);
  if (environments_.size() >= options_.environments_max) {
    return fail(Errc::exhausted,
                "this host keeps " + std::to_string(options_.environments_max) + " environments; that is the most");
  }
  WasmEnvironment environment;
  environment.kept = {
      id, context.op_id, std::move(fleet_id), context.generation, std::move(origin.spec), layers_->new_number(), {}};
  for (const LayerPtr& layer : origin.chain) environment.kept.chain.push_back(layer->number());
  environment.chain = std::move(origin.chain);
  environment.image = std::move(origin.image);
  FB_CHECK(journal_->put(environment.kept));
  fence_.live(id, context.generation);
  note(environment, "made from image " + environment.kept.spec.image + ":" + environment.kept.spec.version);
  return record_of(environments_.emplace(id, std::move(environment)).first->second);
}

Task<Result<VmRecord>> WasmProvider::create(CallContext context, CreateSpec spec) {
  FB_CO_CHECK(check(spec));
  FB_CO_TRY(const std::string id, id_of(spec.name));
  FB_CO_CHECK(fence_.admit(id, context.generation, wall()));
  if (auto there = already_there(context, id)) co_return std::move(*there);
  std::string fleet_id = spec.fleet_id;
  auto made = co_await origin_of(std::move(spec));
  FB_CO_TRY(Origin origin, std::move(made));
  co_return add(context, id, std::move(fleet_id), std::move(origin));
}

Task<Result<std::vector<VmRecord>>> WasmProvider::list(CallContext, std::string prefix) {
  std::vector<VmRecord> records;
  for (auto at = environments_.lower_bound(prefix); at != environments_.end() && at->first.starts_with(prefix); ++at)
    records.push_back(record_of(at->second));
  co_return records;
}

Task<Result<VmRecord>> WasmProvider::get(CallContext context, std::string vm) {
  FB_CO_TRY(const WasmEnvironment* environment, find(context, vm));
  co_return record_of(*environment);
}

Task<Result<void>> WasmProvider::destroy(CallContext context, std::string vm) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  const std::string id = environment->kept.id;
  fence_.gone(id, wall());
  FB_CO_CHECK(journal_->gone(id, {fence_.highest(id), wall()}));
  stop(*environment, SIGKILL);
  if (environment->live)
    environment->live->upper->discard();
  else
    layers_->remove(environment->kept.upper);
  auto running = running_in(*environment);
  environments_.erase(id);
  if (journal_->is_mostly_history(environments_.size() + snapshots_.size() + fence_.tombstones()))
    FB_CO_CHECK(journal_->rewrite(kept_state()));
  co_await all_ended(std::move(running));
  co_return Result<void>();
}

Task<Result<std::vector<Endpoint>>> WasmProvider::start_agent(CallContext context, std::string vm,
                                                              StartAgentSpec spec) {
  FB_CO_CHECK(find(context, vm));
  if (!spec.expose.empty()) co_return fail(Errc::unsupported, "environments of the wasm provider expose no ports");
  co_return std::vector<Endpoint>();
}
Task<Result<void>> WasmProvider::start_surfd(CallContext context, std::string vm, StartAgentSpec) {
  FB_CO_CHECK(find(context, vm));
  co_return Result<void>();
}
Task<Result<void>> WasmProvider::drain(CallContext context, std::string vm) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  note(*environment, "drained");
  stop(*environment, SIGTERM);
  auto running = running_in(*environment);
  co_await all_ended(std::move(running));
  co_return Result<void>();
}

Task<Result<Provider::LogPage>> WasmProvider::logs(CallContext context, std::string vm,
                                                   std::vector<std::string> sources, std::uint64_t from) {
  FB_CO_TRY(const WasmEnvironment* environment, find(context, vm));
  LogPage page;
  page.next = environment->first_log + environment->logs.size();
  for (std::uint64_t at = std::max(from, environment->first_log); at < page.next; ++at) {
    const LogRecord& record = environment->logs[static_cast<std::size_t>(at - environment->first_log)];
    if (sources.empty() || std::ranges::find(sources, record.source) != sources.end()) page.records.push_back(record);
  }
  co_return page;
}

bool WasmProvider::has_image(std::string_view image) const {
  return shelf_.has(image);
}

}  // namespace fusebox::host
