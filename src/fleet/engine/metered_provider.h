// A registered host's provider with its calls counted: what host, which call, how it ended, how long it took.
//
// A call is counted once, whatever the wire tries again inside it; of a stream its opening is. The code is 200 for what
// succeeded, the agent's status for what it refused, 0 where there was no answer.
//
// Owner    owns the provider it counts for; meters and clock outlive it.
// Threads  as the provider's.
// Contract control-plane.md section 19
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "fleet/engine/meters.h"
#include "host/api/provider.h"

namespace fusebox::fleet {

// Null: the call succeeded.
int agent_code(const base::Error* error) noexcept;

class MeteredProvider final : public host::Provider {
 public:
  MeteredProvider(std::unique_ptr<host::Provider> inner, std::string host_id, EngineMeters& meters,
                  const base::Clock& clock)
      : inner_(std::move(inner)), host_id_(std::move(host_id)), meters_(meters), clock_(clock) {}

  std::string_view backend() const noexcept override { return inner_->backend(); }
  bool has_image(std::string_view image) const override { return inner_->has_image(image); }
  bool makes_at_once(std::string_view image) override { return inner_->makes_at_once(image); }

  base::Task<base::Result<host::Capacity>> capacity(host::CallContext context) override;
  base::Task<base::Result<host::VmRecord>> create(host::CallContext context, host::CreateSpec spec) override;
  base::Task<base::Result<std::vector<host::VmRecord>>> list(host::CallContext context, std::string prefix) override;
  base::Task<base::Result<host::VmRecord>> get(host::CallContext context, std::string vm) override;
  base::Task<base::Result<void>> destroy(host::CallContext context, std::string vm) override;
  base::Task<base::Result<void>> upload(host::CallContext context, std::string vm, std::string path, std::string bytes,
                                        std::optional<std::uint32_t> mode) override;
  base::Task<base::Result<host::ExecResult>> exec(host::CallContext context, std::string vm,
                                                  host::ProcessSpec spec) override;
  base::Task<base::Result<std::unique_ptr<host::ProcessStream>>> start_process(host::CallContext context,
                                                                               std::string vm,
                                                                               host::ProcessSpec spec) override;
  base::Task<base::Result<std::unique_ptr<host::ProcessStream>>> connect_process(host::CallContext context,
                                                                                 std::string vm,
                                                                                 std::uint64_t pid) override;
  base::Task<base::Result<std::vector<host::ProcessInfo>>> processes(host::CallContext context,
                                                                     std::string vm) override;
  base::Task<base::Result<std::unique_ptr<http::ByteStream>>> attach(host::CallContext context, std::string vm,
                                                                     host::AttachSpec spec) override;
  base::Task<base::Result<std::vector<host::Endpoint>>> start_agent(host::CallContext context, std::string vm,
                                                                    host::StartAgentSpec spec) override;
  base::Task<base::Result<void>> start_surfd(host::CallContext context, std::string vm,
                                             host::StartAgentSpec spec) override;
  base::Task<base::Result<void>> drain(host::CallContext context, std::string vm) override;
  base::Task<base::Result<host::SnapshotRecord>> snapshot(host::CallContext context, std::string vm,
                                                          host::SnapshotSpec spec) override;
  base::Task<base::Result<std::vector<host::SnapshotRecord>>> snapshots(host::CallContext context,
                                                                        std::string vm) override;
  base::Task<base::Result<std::vector<host::SnapshotRecord>>> all_snapshots(host::CallContext context) override;
  base::Task<base::Result<void>> restore(host::CallContext context, std::string vm, std::string snapshot_id) override;
  base::Task<base::Result<host::VmRecord>> fork(host::CallContext context, std::string vm,
                                                host::ForkSpec spec) override;
  base::Task<base::Result<void>> delete_snapshot(host::CallContext context, std::string vm,
                                                 std::string snapshot_id) override;
  base::Task<base::Result<host::SnapshotRecord>> pull(host::CallContext context, host::PullSpec spec) override;
  base::Task<base::Result<std::unique_ptr<host::FileReader>>> artifact(host::CallContext context,
                                                                       std::string digest) override;
  base::Task<base::Result<std::unique_ptr<host::FileReader>>> read_file(host::CallContext context, std::string vm,
                                                                        std::string path) override;
  base::Task<base::Result<std::unique_ptr<host::FileReader>>> read_archive(host::CallContext context, std::string vm,
                                                                           std::string path) override;
  base::Task<base::Result<std::unique_ptr<host::FileWriter>>> write_file(host::CallContext context, std::string vm,
                                                                         std::string path, std::uint32_t mode) override;
  base::Task<base::Result<std::vector<host::FileEntry>>> list_files(host::CallContext context, std::string vm,
                                                                    std::string path) override;
  base::Task<base::Result<void>> remove_file(host::CallContext context, std::string vm, std::string path,
                                             bool recursive) override;
  base::Task<base::Result<LogPage>> logs(host::CallContext context, std::string vm, std::vector<std::string> sources,
                                         std::uint64_t from) override;
  base::Task<base::Result<host::VmStats>> stats(host::CallContext context, std::string vm) override;

 private:
  // Awaits `call`, which has not begun.
  template <class T>
  base::Task<base::Result<T>> timed(std::string_view op, base::Task<base::Result<T>> call);

  const std::unique_ptr<host::Provider> inner_;
  const std::string host_id_;
  EngineMeters& meters_;
  const base::Clock& clock_;
};

}  // namespace fusebox::fleet
