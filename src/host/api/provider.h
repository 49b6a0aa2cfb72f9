// What makes and keeps environments of one kind, as the control plane and the host wire see it: one interface for the
// sandboxes of this process, for those of another machine, and for the stub.
//
// Contract host-agent.md section 3 is this interface on the wire; names and fields are its. A provider that cannot do a
// thing answers `unsupported` (501 on the wire). Every call may be repeated after a crash: create with the same op_id and
// generation answers with the record that is there, destroy of what is gone is `not_found`.
//
// Fencing  `generation` of a call, when not 0, is checked against the highest the provider has seen of that name, also of
//          names that are gone: a lower one is `stale` (412).
// Owner    a Provider outlives its calls and streams.
// Threads  the executor it was made for, one per process and loop: calls of different environments run side by side.
// Errors   `not_found`, `invalid` (400), `exists` (409), `stale` (412), `unsupported` (501), `exhausted` (507 or 409),
//          `unavailable` (transport, or 503), `stopped` (deadline), `io` otherwise (500). From a wire, `detail` is a
//          WireFailure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "host/api/egress.h"
#include "host/api/process.h"
#include "http/byte_stream.h"

namespace fusebox::host {

// What a call that went over a wire knows of its failure.
struct WireFailure : base::ErrorDetail {
  int status = 0;        // of the answer; 0 = there was none
  bool sent = false;     // no answer, and the request may have reached the agent: its outcome is unknown
  bool refused = false;  // the connection was refused
};
// Null: the failure is not of a wire. Lives as long as the error.
inline const WireFailure* wire_failure(const base::Error& error) noexcept {
  return dynamic_cast<const WireFailure*>(error.detail.get());
}

struct CallContext {
  std::string request_id;        // X-Request-ID
  std::string op_id;             // X-Fusebox-Op; "" = none
  std::uint64_t generation = 0;  // X-Fusebox-Generation; 0 = unchecked
  std::chrono::nanoseconds limit{std::chrono::seconds{60}};
  std::stop_token stop;
};

struct GpuDevice {
  std::uint32_t index = 0;
  std::string uuid, model, pci_bus_id, driver_version, cuda_version, compute_cap, mig_mode, iommu_group;
  std::uint64_t memory_mb = 0;
  bool mig_capable = false;
};
struct MigInstance {
  std::string uuid, profile, kind, parent_gpu_uuid;
};
struct Capacity {  // host-agent.md 3.2
  std::int64_t cpus = 0, ram_mb = 0, storage_gb = 0, gpus = 0;
  std::string arch;
  std::string gpu_kind;
  std::vector<GpuDevice> gpu_devices;
  std::map<std::string, std::int64_t> mig_profiles;
  std::vector<MigInstance> mig_instances;
  std::optional<std::int64_t> storage_total_gb, base_image_gb, vm_count, huge_pages_free_mb;
  std::optional<std::map<std::string, std::int64_t>> image_gb;  // of every image that is there; none: not told
  std::string fleet_id;
  std::string agent_name, agent_version;  // `agent` of the answer, else from the Server header
  std::vector<std::string> features;
};

struct CreateSpec {  // host-agent.md 4.1
  std::string name;
  std::int64_t cpus = 1, memory_mb = 512, storage_gb = 0;
  std::string region, image, seed_snapshot;
  std::int64_t gpus = 0;
  std::string gpu_kind, gpu_profile;
  std::vector<std::string> gpu_uuids, mig_instance_uuids;
  std::string fleet_id;
  std::optional<Egress> egress;
  bool huge_pages = false;
};
struct VmRecord {
  std::string vm_id, url;
  std::uint64_t generation = 0;  // 0 = not told
  std::string fleet_id, state, boot_id;
};

struct ExposePort {
  std::uint16_t port = 0;
  std::string as;
  std::string protocol;  // "" = tcp
};
struct Endpoint {
  std::string as, url, protocol;
  std::uint16_t port = 0;       // of the guest
  std::uint16_t host_port = 0;  // 0 = not told
};
struct StartAgentSpec {  // host-agent.md 5.3
  std::string auth_token, gateway, gateway_token, download_url, download_sha256, binary_path, listen, extra_args;
  std::vector<ExposePort> expose;
};

struct SnapshotSpec {
  std::string comment;
  bool live = false;
  std::string snapshot_id;  // "" = the provider chooses
};
struct SnapshotRecord {                                                      // host-agent.md 6.1
  std::string snapshot_id, comment, created_at, origin_vm_id, digest, kind;  // kind: "disk", "live"
  std::uint64_t size_bytes = 0;
};
struct ForkSpec {
  std::string name, snapshot_id;
  std::int64_t cpus = 0, memory_mb = 0, storage_gb = 0;  // 0 = of the source
  std::string region;
};

struct PullSpec {  // host-agent.md 9.3
  std::string digest, peer_url, grant, snapshot_id;
};

struct FileEntry {
  std::string name;
  std::string type;  // "file", "dir", "symlink", "other"
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  base::Nanos mtime{0};  // wall
};
// A file or archive read piece by piece.
class FileReader {
 public:
  virtual ~FileReader() = default;
  virtual std::uint32_t mode() const noexcept = 0;
  virtual std::optional<std::uint64_t> size() const noexcept = 0;
  virtual base::Task<base::Result<std::size_t>> read_some(std::span<char> into) = 0;  // 0 = the end
};
// A file written under a temporary name; commit() gives it its own. Without commit() nothing stays.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  virtual base::Task<base::Result<void>> write(std::string_view piece) = 0;
  virtual base::Task<base::Result<std::uint64_t>> commit() = 0;  // its size
};

struct LogRecord {
  base::Nanos at{0};   // wall
  std::string source;  // "boot", "script", "agent", "serial", "vmm"
  std::string data;
};
struct VmStats {
  std::uint64_t cpu_us = 0;
  std::uint64_t memory_bytes = 0, disk_bytes = 0;
  std::uint32_t processes = 0;
};

class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string_view backend() const noexcept = 0;  // "wasm", "firecracker", "qemu", "stub"

  virtual base::Task<base::Result<Capacity>> capacity(CallContext context) = 0;
  virtual base::Task<base::Result<VmRecord>> create(CallContext context, CreateSpec spec) = 0;
  virtual base::Task<base::Result<std::vector<VmRecord>>> list(CallContext context, std::string prefix) = 0;
  virtual base::Task<base::Result<VmRecord>> get(CallContext context, std::string vm) = 0;
  virtual base::Task<base::Result<void>> destroy(CallContext context, std::string vm) = 0;

  virtual base::Task<base::Result<void>> upload(CallContext context, std::string vm, std::string path,
                                                std::string bytes, std::optional<std::uint32_t> mode) = 0;
  // Whole output, cut at the spec's bound. limit of the context = the spec's timeout and some more.
  virtual base::Task<base::Result<ExecResult>> exec(CallContext context, std::string vm, ProcessSpec spec) = 0;
  // A process belongs to its environment: the stream may go, the process stays, unless the spec says otherwise.
  virtual base::Task<base::Result<std::unique_ptr<ProcessStream>>> start_process(CallContext context, std::string vm,
                                                                                 ProcessSpec spec) = 0;
  virtual base::Task<base::Result<std::unique_ptr<ProcessStream>>> connect_process(CallContext context, std::string vm,
                                                                                   std::uint64_t pid) = 0;
  virtual base::Task<base::Result<std::vector<ProcessInfo>>> processes(CallContext context, std::string vm) = 0;
  // Raw frames of fuse-attach/1 (control-plane.md 6.2): a wire relays them without looking.
  virtual base::Task<base::Result<std::unique_ptr<http::ByteStream>>> attach(CallContext context, std::string vm,
                                                                             AttachSpec spec) = 0;
  virtual base::Task<base::Result<std::vector<Endpoint>>> start_agent(CallContext context, std::string vm,
                                                                      StartAgentSpec spec) = 0;
  virtual base::Task<base::Result<void>> start_surfd(CallContext context, std::string vm, StartAgentSpec spec) = 0;
  // What `drain` of an environment means where there is no guest agent to tell.
  virtual base::Task<base::Result<void>> drain(CallContext context, std::string vm) = 0;

  virtual base::Task<base::Result<SnapshotRecord>> snapshot(CallContext context, std::string vm, SnapshotSpec spec) = 0;
  virtual base::Task<base::Result<std::vector<SnapshotRecord>>> snapshots(CallContext context, std::string vm) = 0;
  virtual base::Task<base::Result<std::vector<SnapshotRecord>>> all_snapshots(CallContext context) = 0;
  virtual base::Task<base::Result<void>> restore(CallContext context, std::string vm, std::string snapshot_id) = 0;
  virtual base::Task<base::Result<VmRecord>> fork(CallContext context, std::string vm, ForkSpec spec) = 0;
  // `vm` "" = of the store (feature store-delete).
  virtual base::Task<base::Result<void>> delete_snapshot(CallContext context, std::string vm,
                                                         std::string snapshot_id) = 0;
  virtual base::Task<base::Result<SnapshotRecord>> pull(CallContext context, PullSpec spec) = 0;
  // The bytes of a stored snapshot, for another host's pull. `not_found`: no snapshot with that digest.
  virtual base::Task<base::Result<std::unique_ptr<FileReader>>> artifact(CallContext context, std::string digest) = 0;

  virtual base::Task<base::Result<std::unique_ptr<FileReader>>> read_file(CallContext context, std::string vm,
                                                                          std::string path) = 0;
  virtual base::Task<base::Result<std::unique_ptr<FileReader>>> read_archive(CallContext context, std::string vm,
                                                                             std::string path) = 0;  // tar of a folder
  virtual base::Task<base::Result<std::unique_ptr<FileWriter>>> write_file(CallContext context, std::string vm,
                                                                           std::string path, std::uint32_t mode) = 0;
  virtual base::Task<base::Result<std::vector<FileEntry>>> list_files(CallContext context, std::string vm,
                                                                      std::string path) = 0;
  virtual base::Task<base::Result<void>> remove_file(CallContext context, std::string vm, std::string path,
                                                     bool recursive) = 0;

  // What is kept of `sources` (all when empty) after `since`; with a position to go on from.
  struct LogPage {
    std::vector<LogRecord> records;
    std::uint64_t next = 0;
  };
  virtual base::Task<base::Result<LogPage>> logs(CallContext context, std::string vm, std::vector<std::string> sources,
                                                 std::uint64_t from) = 0;
  virtual base::Task<base::Result<VmStats>> stats(CallContext context, std::string vm) = 0;

  // Whether create() with this image would find it here without fetching anything.
  virtual bool has_image(std::string_view image) const = 0;
  // Whether create() of this image ("" = from a snapshot), fork() and destroy() end without waiting, and what they leave
  // ends with this process or is known to it when it starts again.
  virtual bool makes_at_once(std::string_view /*image*/) { return false; }
};

}  // namespace fusebox::host
