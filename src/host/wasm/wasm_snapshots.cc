// Snapshots of wasm environments: frozen layers, restores, forks, and what travels between hosts.
#include <algorithm>
#include <csignal>

#include "base/json.h"
#include "base/text.h"
#include "base/wait.h"
#include "host/common/names.h"
#include "host/wasm/elsewhere.h"
#include "host/wasm/layer_archive.h"
#include "host/wasm/layer_stack.h"
#include "host/wasm/wasm_provider.h"
#include "vfs/overlay/overlay.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

base::Error no_snapshot() {
  return {Errc::not_found, "snapshot not found", {}, nullptr};
}

struct Sized {
  std::string digest;
  std::uint64_t bytes = 0;
};
Result<Sized> digest_of(const LayerTar& tar, const base::Clock& clock) {
  base::Sha256Stream hash;
  Sized sized;
  FB_CHECK(write_layer_tar(tar, clock, [&](base::ByteView piece) -> Result<void> {
    hash.update(piece);
    sized.bytes += piece.size();
    return {};
  }));
  sized.digest = hash.finish().hex();
  return sized;
}

std::vector<std::uint64_t> numbers_of(const LayerChain& chain) {
  std::vector<std::uint64_t> numbers;
  for (const LayerPtr& layer : chain) numbers.push_back(layer->number());
  return numbers;
}

}  // namespace

SnapshotRecord WasmProvider::record_of(const WasmSnapshot& snapshot) {
  const KeptSnapshot& kept = snapshot.kept;
  return {kept.id, kept.comment, kept.created_at, kept.origin, kept.digest, "disk", kept.size_bytes};
}

WasmSnapshot* WasmProvider::find_snapshot(std::string_view id) noexcept {
  const auto at = std::ranges::find_if(snapshots_, [&](const auto& one) { return one->kept.id == id; });
  return at == snapshots_.end() ? nullptr : at->get();
}

Result<void> WasmProvider::keep_snapshot(WasmSnapshot snapshot) {
  FB_CHECK(journal_->put(snapshot.kept));
  snapshots_.push_back(std::make_unique<WasmSnapshot>(std::move(snapshot)));
  return {};
}

// The environment goes on over these layers with an empty writable one; what it had there is gone or frozen.
void WasmProvider::replace_layers(WasmEnvironment& environment, LayerChain chain) {
  environment.chain = std::move(chain);
  environment.kept.chain = numbers_of(environment.chain);
  environment.kept.upper = layers_->new_number();
}

// All that the environment has written, as layers that do not change any more.
Task<Result<LayerChain>> WasmProvider::freeze(CallContext context, std::string vm) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  const std::uint64_t upper = environment->kept.upper;
  if (!layers_->exists(upper)) co_return environment->chain;
  LayerChain chain = environment->chain;
  const std::shared_ptr<LiveEnvironment> live = environment->live;
  const base::Clock& clock = executor().clock();
  if (live && (live->space->running() > 0 || live->writers > 0)) {
    const auto done = elsewhere<LayerPtr>(offload_, [layers = layers_, path = layers_->path_of(upper), &clock, live] {
      return layers->copy(path, clock);
    });
    auto copied = co_await done.wait(executor());
    FB_CO_TRY(LayerPtr copy, std::move(copied));
    chain.push_back(std::move(copy));
    if (chain.size() <= kLayersMax) co_return chain;
    auto merged = co_await merge(std::move(chain));
    co_return merged;
  }
  chain.push_back(layers_->freeze(upper));
  replace_layers(*environment, chain);
  FB_CO_CHECK(journal_->put(environment->kept));
  if (live) FB_CO_CHECK(show_layers(*environment));
  if (chain.size() <= kLayersMax) co_return chain;
  auto merged = co_await merge(chain);
  FB_CO_TRY(LayerChain one, std::move(merged));
  FB_CO_TRY(environment, find(context, vm));
  const bool is_idle = !environment->live || environment->live->space->running() == 0;
  if (environment->chain == chain && is_idle) {
    environment->chain = one;
    environment->kept.chain = numbers_of(one);
    FB_CO_CHECK(journal_->put(environment->kept));
    if (environment->live) FB_CO_CHECK(show_layers(*environment));
  }
  co_return one;
}

Task<Result<LayerChain>> WasmProvider::merge(LayerChain chain) {
  const base::Clock& clock = executor().clock();
  const auto done =
      elsewhere<LayerPtr>(offload_, [layers = layers_, chain, &clock] { return layers->merge(chain, clock); });
  auto merged = co_await done.wait(executor());
  FB_CO_TRY(LayerPtr layer, std::move(merged));
  co_return LayerChain{std::move(layer)};
}

// Files that are open stay what they are; the next open sees the layers of now.
Result<void> WasmProvider::show_layers(WasmEnvironment& environment) {
  LiveEnvironment& live = *environment.live;
  if (live.upper->number() != environment.kept.upper)
    live.upper = std::make_shared<LazyUpper>(layers_, environment.kept.upper, storage_of(environment.kept.spec));
  FB_TRY(auto lower, lower_of(environment));
  live.root->show(vfs::make_overlay(std::move(lower), live.upper));
  return {};
}

Task<Result<WasmProvider::Frozen>> WasmProvider::measure(KeptSpec spec, LayerChain chain) {
  Frozen frozen;
  frozen.chain = chain;
  const base::Clock& clock = executor().clock();
  LayerTar tar{layer_tar_head(spec), std::move(chain)};
  FB_CO_TRY(const std::uint64_t bytes, content_bytes(tar.chain, clock, kImmediateBytes));
  Result<Sized> sized = fail(Errc::bug, "not measured");
  if (bytes <= kImmediateBytes) {
    sized = digest_of(tar, clock);
  } else {
    const auto done = elsewhere<Sized>(offload_, [tar, &clock] { return digest_of(tar, clock); });
    sized = co_await done.wait(executor());
  }
  FB_CO_TRY(Sized measured, std::move(sized));
  frozen.digest = std::move(measured.digest);
  frozen.size_bytes = measured.bytes;
  co_return frozen;
}

Task<Result<SnapshotRecord>> WasmProvider::snapshot(CallContext context, std::string vm, SnapshotSpec spec) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  if (spec.live) co_return fail(Errc::unsupported, "the wasm provider keeps files, not the memory of processes");
  if (!spec.snapshot_id.empty() && !is_snapshot_id(spec.snapshot_id))
    co_return fail(Errc::invalid, "snapshot_id " + base::in_quotes(spec.snapshot_id) + " is no id");
  const std::string origin = environment->kept.id;
  const KeptSpec kept_spec = environment->kept.spec;
  for (const auto& one : snapshots_) {
    const bool same = (!context.op_id.empty() && one->kept.op_id == context.op_id) ||
                      (!spec.snapshot_id.empty() && one->kept.id == spec.snapshot_id);
    if (same && one->kept.origin == origin) co_return record_of(*one);
  }
  if (!spec.snapshot_id.empty() && find_snapshot(spec.snapshot_id) != nullptr)
    co_return fail(Errc::exists, "snapshot " + spec.snapshot_id + " already exists");
  if (snapshots_.size() >= options_.snapshots_max)
    co_return fail(Errc::exhausted, "this host keeps " + std::to_string(options_.snapshots_max) + " snapshots");
  auto frozen_chain = co_await freeze(context, vm);
  FB_CO_TRY(LayerChain chain, std::move(frozen_chain));
  auto measured = co_await measure(kept_spec, std::move(chain));
  FB_CO_TRY(Frozen frozen, std::move(measured));
  WasmSnapshot made;
  made.chain = std::move(frozen.chain);
  made.kept.id = spec.snapshot_id;
  if (made.kept.id.empty()) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wall()).count();
    made.kept.id = "snap-" + std::to_string(seconds) + "-" + random_hex(*options_.random, 6);
  }
  made.kept.op_id = context.op_id;
  made.kept.comment = std::move(spec.comment);
  made.kept.created_at = rfc3339_seconds(wall());
  made.kept.origin = origin;
  made.kept.digest = std::move(frozen.digest);
  made.kept.size_bytes = frozen.size_bytes;
  made.kept.spec = kept_spec;
  made.kept.chain = numbers_of(made.chain);
  const SnapshotRecord record = record_of(made);
  FB_CO_CHECK(keep_snapshot(std::move(made)));
  co_return record;
}

Task<Result<std::vector<SnapshotRecord>>> WasmProvider::snapshots(CallContext context, std::string vm) {
  FB_CO_TRY(const WasmEnvironment* environment, find(context, vm));
  std::vector<SnapshotRecord> records;
  for (const auto& one : snapshots_) {
    if (one->kept.origin == environment->kept.id) records.push_back(record_of(*one));
  }
  co_return records;
}

Task<Result<std::vector<SnapshotRecord>>> WasmProvider::all_snapshots(CallContext) {
  std::vector<SnapshotRecord> records;
  for (const auto& one : snapshots_) records.push_back(record_of(*one));
  co_return records;
}

Task<Result<void>> WasmProvider::restore(CallContext context, std::string vm, std::string snapshot_id) {
  FB_CO_TRY(WasmEnvironment * environment, find(context, vm));
  if (find_snapshot(snapshot_id) == nullptr) co_return fail(no_snapshot());
  stop(*environment, SIGKILL);
  auto running = running_in(*environment);
  co_await all_ended(std::move(running));
  FB_CO_TRY(environment, find(context, vm));
  const WasmSnapshot* snapshot = find_snapshot(snapshot_id);
  if (snapshot == nullptr) co_return fail(no_snapshot());
  if (snapshot->kept.spec.digest != environment->kept.spec.digest)
    co_return fail(Errc::invalid, "the snapshot is of image " + snapshot->kept.spec.image + ", the environment of " +
                                      environment->kept.spec.image);
  const std::uint64_t old = environment->kept.upper;
  replace_layers(*environment, snapshot->chain);
  FB_CO_CHECK(journal_->put(environment->kept));
  // Processes that came meanwhile end with what they were started in.
  stop(*environment, SIGKILL);
  if (environment->live)
    environment->live->upper->discard();
  else
    layers_->remove(old);
  environment->live.reset();
  ++environment->boots;
  note(*environment, "restored from snapshot " + snapshot_id);
  co_return Result<void>();
}

Task<Result<VmRecord>> WasmProvider::fork(CallContext context, std::string vm, ForkSpec spec) {
  CallContext of_source = context;
  of_source.generation = 0;  // the fence of a fork is its child's
  FB_CO_TRY(const WasmEnvironment* source, find(of_source, vm));
  FB_CO_TRY(const std::string child, id_of(spec.name));
  if (auto there = already_there(context, child)) co_return std::move(*there);
  CreateSpec create;
  create.seed_snapshot = spec.snapshot_id;
  create.cpus = spec.cpus;
  create.memory_mb = spec.memory_mb;
  create.storage_gb = spec.storage_gb;
  std::string fleet_id = source->kept.fleet_id;
  auto made = co_await origin_of(std::move(create));
  FB_CO_TRY(Origin origin, std::move(made));
  co_return add(context, child, std::move(fleet_id), std::move(origin));
}

Task<Result<void>> WasmProvider::delete_snapshot(CallContext context, std::string vm, std::string snapshot_id) {
  std::string origin;
  if (!vm.empty()) {
    FB_CO_TRY(const WasmEnvironment* environment, find(context, vm));
    origin = environment->kept.id;
  }
  const auto at = std::ranges::find_if(snapshots_, [&](const auto& one) { return one->kept.id == snapshot_id; });
  if (at == snapshots_.end() || (!origin.empty() && (*at)->kept.origin != origin)) co_return fail(no_snapshot());
  FB_CO_CHECK(journal_->snapshot_gone(snapshot_id));
  snapshots_.erase(at);
  co_return Result<void>();
}

Task<Result<std::unique_ptr<FileReader>>> WasmProvider::artifact(CallContext, std::string digest) {
  const auto at = std::ranges::find_if(snapshots_, [&](const auto& one) { return one->kept.digest == digest; });
  if (at == snapshots_.end()) co_return fail(Errc::not_found, "artifact not found");
  const LayerTar tar{layer_tar_head((*at)->kept.spec), (*at)->chain};
  using Spooled = std::unique_ptr<FileReader>;
  const auto done = elsewhere<Spooled>(offload_, [tar, folder = options_.state_dir, &clock = executor().clock()] {
    return spool(folder, [&](const TarSink& sink) { return write_layer_tar(tar, clock, sink); });
  });
  auto spooled = co_await done.wait(executor());
  co_return spooled;
}

Task<Result<SnapshotRecord>> WasmProvider::pull(CallContext context, PullSpec spec) {
  if (!options_.fetch_artifact) co_return fail(Errc::unsupported, "this host pulls no artifacts");
  if (!is_digest(spec.digest)) co_return fail(Errc::invalid, "bad digest");
  if (spec.snapshot_id.empty()) spec.snapshot_id = "art-" + spec.digest.substr(0, 16);
  if (!is_snapshot_id(spec.snapshot_id)) co_return fail(Errc::invalid, "bad snapshot id");
  if (const WasmSnapshot* there = find_snapshot(spec.snapshot_id)) {
    if (there->kept.digest == spec.digest) co_return record_of(*there);
    co_return fail(Errc::exists, "snapshot " + spec.snapshot_id + " already exists with another digest");
  }
  auto fetched = co_await options_.fetch_artifact(context, spec);
  FB_CO_TRY(const std::unique_ptr<FileReader> reader, std::move(fetched));
  FB_CO_TRY(IncomingArtifact incoming,
            IncomingArtifact::create(options_.artifact_dir, options_.artifact_bytes_max, reader->size()));
  std::vector<char> piece(64 * 1024);
  for (;;) {
    auto got = co_await reader->read_some(piece);
    FB_CO_TRY(const std::size_t size, std::move(got));
    if (size == 0) break;
    FB_CO_CHECK(incoming.add({piece.data(), size}));
  }
  FB_CO_TRY(const std::string digest, incoming.finish());
  if (digest != spec.digest) co_return fail(Errc::corrupt, "the peer's bytes are not those of the digest", "ARTIFACT");
  FB_CO_TRY(const ArtifactHead head, incoming.head());
  auto taken = co_await shelf_.take(head.image + ":" + head.version);
  if (!taken || taken->image->digest().hex() != head.digest) {
    co_return fail(Errc::invalid, "the artifact needs image " + head.image + ":" + head.version + " with digest " +
                                      head.digest + ", which this host does not have");
  }
  const auto done = elsewhere<LayerChain>(
      offload_, [layers = layers_, &incoming, &clock = executor().clock()] { return incoming.unpack(*layers, clock); });
  auto unpacked = co_await done.wait(executor());
  FB_CO_TRY(LayerChain chain, std::move(unpacked));
  WasmSnapshot made;
  made.chain = std::move(chain);
  made.kept.id = spec.snapshot_id;
  made.kept.op_id = context.op_id;
  made.kept.created_at = rfc3339_seconds(wall());
  made.kept.digest = digest;
  made.kept.source_peer = spec.peer_url;
  made.kept.size_bytes = incoming.bytes();
  made.kept.spec.image = head.image;
  made.kept.spec.version = head.version;
  made.kept.spec.digest = head.digest;
  made.kept.chain = numbers_of(made.chain);
  const SnapshotRecord record = record_of(made);
  FB_CO_CHECK(keep_snapshot(std::move(made)));
  co_return record;
}

}  // namespace fusebox::host
