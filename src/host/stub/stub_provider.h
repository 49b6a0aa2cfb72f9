// A provider that only keeps books: environments run at once, hold files in memory and execute nothing.
//
// What it does is real: names, generations, idempotency, snapshots with contents, forks. So a control plane can be tried
// and tested without a sandbox, and nobody takes it for one: exec and attach are `unsupported`.
//
// Owner    holds everything in memory; nothing survives it.
// Threads  the executor its tasks run on.
// Limits   kStubFileBytesMax per environment, kStubSnapshotsMax in all.
// Contract control-plane.md 14.1 (column stub), host-agent.md 3
#pragma once

#include <map>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "host/api/provider.h"
#include "host/common/fence.h"
#include "host/stub/stub_files.h"

namespace fusebox::host {

inline constexpr std::size_t kStubSnapshotsMax =
    100'000;  // maps of shared contents; the oldest test suite makes 10,000

struct StubOptions {
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  Capacity capacity = default_capacity();  // features and agent are added where empty
  static Capacity default_capacity();
};

class StubProvider final : public Provider {
 public:
  explicit StubProvider(StubOptions options);

  std::string_view backend() const noexcept override { return "stub"; }
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
  bool makes_at_once(std::string_view /*image*/) override { return true; }

  // What a VM that is there logs from now on: a stub says nothing by itself.
  void log(std::string_view vm_id, LogRecord record);

 private:
  struct Vm {
    VmRecord record;
    std::string op_id;
    StubFiles files;
    std::vector<Endpoint> endpoints;
    std::vector<LogRecord> logs;
  };
  struct Snapshot {
    SnapshotRecord record;
    std::string op_id;
    StubFiles files;
  };
  using Snapshots = std::map<std::uint64_t, Snapshot>;  // by number: oldest first

  base::Nanos now() const noexcept { return options_.clock->wall(); }
  base::Result<std::string> id_of(std::string_view name) const;
  base::Result<Vm*> find(const CallContext& context, const std::string& vm);
  base::Result<VmRecord> add(const CallContext& context, const std::string& id, std::string fleet_id, StubFiles files);
  Snapshots::iterator find_snapshot(std::string_view id);

  StubOptions options_;
  Fence fence_;
  std::map<std::string, Vm, std::less<>> vms_;
  Snapshots snapshots_;
  std::uint64_t next_snapshot_ = 1;
};

}  // namespace fusebox::host
