// Environments of WebAssembly modules in this process: an image of the local store, a writable layer, and processes that
// start in it in microseconds.
//
// A create opens nothing and runs nothing: an environment is a record until it is used. Processes belong to their
// environment and end with it, with this provider, or with their deadline; environments, what they have written, and
// snapshots survive this process (journal.h says how).
//
// A snapshot freezes the writable layer where it lies and puts an empty one over it; forks and restores refer to frozen
// layers. While processes run, the layer is copied instead: they hold files they may go on writing.
//
// What it cannot do is `unsupported`: attach, live snapshots, exposed ports, egress rules beyond hosts and ports
// (egress_map.h), GPUs. WASI has no file modes and no users: `mode` and `user` are accepted and mean nothing.
//
// Owner    borrows executor, clock, random and Containers, which outlive it and its streams. Destruction stops processes.
// Threads  the executor's. Guests run on the threads of Containers; large copies, digests and archives on its offload.
// Limits   beside each constant; environments_max and processes_max in the options.
// Contract control-plane.md 14.1 (column wasm), host-agent.md 3, 5, 6, 8
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "container/containers.h"
#include "host/api/provider.h"
#include "host/common/fence.h"
#include "host/wasm/environment.h"

namespace fusebox::host {

inline constexpr std::size_t kProcessesPerEnvironment = container::kSpaceProcessesMax;
inline constexpr std::size_t kEndedProcessesKept = 256;          // of an environment, for kExitKept at most
inline constexpr std::uint64_t kStorageDefaultBytes = 1u << 30;  // without storage_gb
inline constexpr std::uint64_t kSecretsBytesMax = 16u << 20;     // /fuse (control-plane.md 9.2)
inline constexpr std::uint64_t kUploadBytesMax = 64u << 20;      // of one file (host-agent.md 1)
inline constexpr std::size_t kLogRecordsKept = 256;              // a line per start, restore, drain: days of them
inline constexpr std::uint64_t kImmediateBytes = 256u << 10;     // hashed or written at once; more elsewhere

// The bytes of a peer's artifact, for pull(): http in real life.
using FetchArtifact =
    std::function<base::Task<base::Result<std::unique_ptr<FileReader>>>(CallContext context, PullSpec spec)>;

struct WasmOptions {
  container::Containers* containers = nullptr;
  base::Executor* executor = nullptr;
  base::Random* random = nullptr;
  std::filesystem::path state_dir;         // made when missing; one provider at a time
  image::Limits image_limits{};            // of names, as the library's
  Capacity capacity;                       // what is 0 or empty is this machine's
  std::size_t environments_max = 250'000;  // some 400 MB of records
  std::size_t processes_max = 1024;        // of all environments; Containers should keep as many instances
  std::size_t snapshots_max = 100'000;
  std::uint64_t artifact_bytes_max = 64ull << 30;  // host-agent.md 9.3
  std::filesystem::path artifact_dir;              // where one is kept while it comes; empty: state_dir
  FetchArtifact fetch_artifact;                    // empty: pull is `unsupported`
  std::shared_ptr<void> keep;                      // what `containers` is of; goes after everything else
};

class WasmProvider final : public Provider {
 public:
  // Reads the state folder. `unavailable`: another process has it.
  static base::Result<std::unique_ptr<WasmProvider>> create(WasmOptions options);
  ~WasmProvider() override;

  std::string_view backend() const noexcept override { return "wasm"; }
  base::Task<base::Result<Capacity>> capacity(CallContext context) override;
  base::Task<base::Result<VmRecord>> create(CallContext context, CreateSpec spec) override;
  base::Task<base::Result<std::vector<VmRecord>>> list(CallContext context, std::string prefix) override;
  base::Task<base::Result<VmRecord>> get(CallContext context, std::string vm) override;
  base::Task<base::Result<void>> destroy(CallContext context, std::string vm) override;
  base::Task<base::Result<void>> upload(CallContext context, std::string vm, std::string path, std::string bytes,
                                        std::optional<std::uint32_t> mode) override;
  base::Task<base::Result<ExecResult>> exec(CallContext context, std::string vm, ProcessSpec spec) override;
  base::Task<base::Result<std::unique_ptr<ProcessStream>>> start_process(CallContext context, std::string vm,
                                                                         ProcessSpec spec) override;
  base::Task<base::Result<std::unique_ptr<ProcessStream>>> connect_process(CallContext context, std::string vm,
                                                                           std::uint64_t pid) override;
  base::Task<base::Result<std::vector<ProcessInfo>>> processes(CallContext context, std::string vm) override;
  base::Task<base::Result<std::unique_ptr<http::ByteStream>>> attach(CallContext context, std::string vm,
                                                                     AttachSpec spec) override;
  base::Task<base::Result<std::vector<Endpoint>>> start_agent(CallContext context, std::string vm,
                                                              StartAgentSpec spec) override;
  base::Task<base::Result<void>> start_surfd(CallContext context, std::string vm, StartAgentSpec spec) override;
  base::Task<base::Result<void>> drain(CallContext context, std::string vm) override;
  base::Task<base::Result<SnapshotRecord>> snapshot(CallContext context, std::string vm, SnapshotSpec spec) override;
  base::Task<base::Result<std::vector<SnapshotRecord>>> snapshots(CallContext context, std::string vm) override;
  base::Task<base::Result<std::vector<SnapshotRecord>>> all_snapshots(CallContext context) override;
  base::Task<base::Result<void>> restore(CallContext context, std::string vm, std::string snapshot_id) override;
  base::Task<base::Result<VmRecord>> fork(CallContext context, std::string vm, ForkSpec spec) override;
  base::Task<base::Result<void>> delete_snapshot(CallContext context, std::string vm, std::string snapshot_id) override;
  base::Task<base::Result<SnapshotRecord>> pull(CallContext context, PullSpec spec) override;
  base::Task<base::Result<std::unique_ptr<FileReader>>> artifact(CallContext context, std::string digest) override;
  base::Task<base::Result<std::unique_ptr<FileReader>>> read_file(CallContext context, std::string vm,
                                                                  std::string path) override;
  base::Task<base::Result<std::unique_ptr<FileReader>>> read_archive(CallContext context, std::string vm,
                                                                     std::string path) override;
  base::Task<base::Result<std::unique_ptr<FileWriter>>> write_file(CallContext context, std::string vm,
                                                                   std::string path, std::uint32_t mode) override;
  base::Task<base::Result<std::vector<FileEntry>>> list_files(CallContext context, std::string vm,
                                                              std::string path) override;
  base::Task<base::Result<void>> remove_file(CallContext context, std::string vm, std::string path,
                                             bool recursive) override;
  base::Task<base::Result<LogPage>> logs(CallContext context, std::string vm, std::vector<std::string> sources,
                                         std::uint64_t from) override;
  base::Task<base::Result<VmStats>> stats(CallContext context, std::string vm) override;
  bool has_image(std::string_view image) const override;
  bool makes_at_once(std::string_view image) override { return image.empty() || shelf_.at_hand(image) != nullptr; }

 private:
  using Environments = std::map<std::string, WasmEnvironment, std::less<>>;
  WasmProvider(WasmOptions options, std::unique_ptr<Journal> journal, std::shared_ptr<LayerStore> layers);
  base::Result<void> restore_state(KeptState state);
  KeptState kept_state() const;

  base::Nanos wall() const noexcept { return options_.executor->clock().wall(); }
  base::Executor& executor() const noexcept { return *options_.executor; }
  base::Result<std::string> id_of(std::string_view name) const;
  VmRecord record_of(const WasmEnvironment& environment) const;
  base::Result<WasmEnvironment*> find(const CallContext& context, const std::string& vm);
  // find(), and everything made ready to be used. Nothing is looked up again after it: use it at once.
  base::Task<base::Result<WasmEnvironment*>> use(CallContext context, std::string vm);
  static std::uint64_t storage_of(const KeptSpec& spec) noexcept;
  base::Result<void> make_live(WasmEnvironment& environment);
  base::Result<std::shared_ptr<vfs::Mount>> lower_of(const WasmEnvironment& environment) const;
  void note(WasmEnvironment& environment, std::string text);

  // What a new environment is made of.
  struct Origin {
    ShelvedImage image;
    LayerChain chain;
    KeptSpec spec;
  };
  base::Task<base::Result<Origin>> origin_of(CreateSpec spec);
  base::Result<VmRecord> add(const CallContext& context, const std::string& id, std::string fleet_id, Origin origin);
  std::optional<base::Result<VmRecord>> already_there(const CallContext& context, const std::string& id) const;

  // Processes (wasm_processes.cc).
  base::Result<std::shared_ptr<WasmProcess>> start(WasmEnvironment& environment, const ProcessSpec& spec,
                                                   bool collects);
  std::shared_ptr<WasmProcess> add_process(WasmEnvironment& environment, const ProcessSpec& spec, bool collects);
  base::Result<void> start_guest(WasmEnvironment& environment, const std::shared_ptr<WasmProcess>& process,
                                 const ProcessSpec& spec, std::string program);
  void forget_ended(WasmEnvironment& environment);
  std::size_t running() const noexcept { return *running_; }
  static void stop(WasmEnvironment& environment, int signal) noexcept;
  static std::vector<std::shared_ptr<WasmProcess>> running_in(const WasmEnvironment& environment);
  base::Task<void> all_ended(std::vector<std::shared_ptr<WasmProcess>> processes);

  // Snapshots (wasm_snapshots.cc).
  struct Frozen {
    LayerChain chain;
    std::string digest;
    std::uint64_t size_bytes = 0;
  };
  base::Task<base::Result<LayerChain>> freeze(CallContext context, std::string vm);
  base::Task<base::Result<LayerChain>> merge(LayerChain chain);
  base::Result<void> show_layers(WasmEnvironment& environment);
  base::Task<base::Result<Frozen>> measure(KeptSpec spec, LayerChain chain);
  WasmSnapshot* find_snapshot(std::string_view id) noexcept;
  static SnapshotRecord record_of(const WasmSnapshot& snapshot);
  base::Result<void> keep_snapshot(WasmSnapshot snapshot);
  void replace_layers(WasmEnvironment& environment, LayerChain chain);

  WasmOptions options_;
  std::unique_ptr<Journal> journal_;
  std::shared_ptr<LayerStore> layers_;
  vfs::Offload offload_;
  ImageShelf shelf_;
  Fence fence_;
  std::string boot_;
  Environments environments_;
  std::vector<std::unique_ptr<WasmSnapshot>> snapshots_;  // oldest first
  std::shared_ptr<std::atomic<std::size_t>> running_ = std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace fusebox::host
