// A Provider on another machine: the client's side of the host wire.
//
// It drives our own agents and those of the reference, which lack much: what an agent can do is read from its capacity and
// its Server header, and what is missing is done with what is there (files by upload and exec, streams by exec).
//
// Deadlines are control-plane.md 14.2's, shortened by CallContext::limit: set it for long calls (host/api/deadlines.h). Only
// reads, upload and start-agent are tried again here. A create whose outcome is unknown says so by WireFailure::sent.
//
// Owner    loop and random outlive the provider; the provider outlives its calls and streams.
// Threads  the loop's.
// Errors   as provider.h, with a WireFailure as detail; texts of an agent are cut to 512 bytes.
// Contract host-agent.md; control-plane.md 5.5, 5.6, 14.2, D21, D34
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "host/api/provider.h"
#include "http/async/async_client.h"
#include "http/loop.h"

namespace fusebox::host {

class RemoteWire;

struct RemoteOptions {
  std::string url;  // http or https, with host; a path prefix is kept
  std::string token{};
  std::string backend = "firecracker";
  http::PeerTls tls{};
  http::Proxies proxies{};
};

class RemoteProvider final : public Provider {
 public:
  // `invalid`: an url nobody can use.
  static base::Result<std::unique_ptr<RemoteProvider>> create(http::Loop& loop, base::Random& random,
                                                              RemoteOptions options);
  ~RemoteProvider() override;

  std::string_view backend() const noexcept override;
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
  // By the images the agent last told of.
  bool has_image(std::string_view image) const override;

 private:
  explicit RemoteProvider(std::unique_ptr<RemoteWire> wire) noexcept;
  std::unique_ptr<RemoteWire> wire_;
};

}  // namespace fusebox::host
