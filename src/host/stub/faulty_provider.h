// Any provider as seen through a bad network or told by a liar: for the tests of those who must live with both.
//
// Each call takes the next fault planned for it (plans are taken in order, then none). Answers may be rewritten: wrong
// ids, stale generations, negative capacity.
//
// Owner    borrows provider, executor and faults, which outlive it and its calls.
// Threads  the executor's.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>

#include "base/executor.h"
#include "base/wait.h"
#include "host/api/provider.h"

namespace fusebox::host {

enum class ProviderCall : std::uint8_t {
  capacity,
  create,
  list,
  get,
  destroy,
  upload,
  exec,
  start_process,
  connect_process,
  processes,
  attach,
  start_agent,
  start_surfd,
  drain,
  snapshot,
  snapshots,
  all_snapshots,
  restore,
  fork,
  delete_snapshot,
  pull,
  artifact,
  read_file,
  read_archive,
  write_file,
  list_files,
  remove_file,
  logs,
  stats,
};
inline constexpr std::size_t kProviderCalls = static_cast<std::size_t>(ProviderCall::stats) + 1;

struct ProviderFault {
  enum class How : std::uint8_t {
    none,       // only the delay
    fail,       // nothing happened
    fail_late,  // it happened, the answer is lost
    hang,       // no answer until the call's limit, its stop, or release(); nothing happened
    hang_late,  // the same, but it happened
  } how = How::none;
  base::Nanos delay{0};  // before it
  base::Error error{base::Errc::unavailable, "connection reset", {}, nullptr};
  std::uint64_t times = 1;  // how many calls; kAlways
};
inline constexpr std::uint64_t kAlways = UINT64_MAX;

class ProviderFaults {
 public:
  bool at_once = false;  // what the provider says of itself
  void plan(ProviderCall call, ProviderFault fault) { plans_[index(call)].push_back(std::move(fault)); }
  void plan_all(const ProviderFault& fault);  // for every kind of call: a host that is away
  void clear() noexcept;                      // what is planned; calls that hang go on hanging
  void release();                             // calls that hang end with their error
  std::uint64_t calls(ProviderCall call) const noexcept { return calls_[index(call)]; }

  // Rewrite answers; may be empty.
  std::function<void(Capacity&)> capacity;
  std::function<void(VmRecord&)> record;  // of create, get and fork
  std::function<void(std::vector<VmRecord>&)> list;
  std::function<void(SnapshotRecord&)> snapshot;  // of snapshot and pull
  std::function<void(std::vector<SnapshotRecord>&)> snapshots;
  // What exec() answers where no fault is planned, in place of the provider; may be empty.
  std::function<base::Result<ExecResult>(const std::string& vm, const ProcessSpec& spec)> exec;
  // Told of every call before anything is done for it; may be empty.
  std::function<void(ProviderCall call, const CallContext& context)> heard;

 private:
  friend class FaultyProvider;
  static std::size_t index(ProviderCall call) noexcept { return static_cast<std::size_t>(call); }
  ProviderFault next(ProviderCall call);

  std::vector<base::Completion<bool>> hanging_;
  std::array<std::deque<ProviderFault>, kProviderCalls> plans_;
  std::array<std::uint64_t, kProviderCalls> calls_{};
};

class FaultyProvider final : public Provider {
 public:
  FaultyProvider(Provider& inner, base::Executor& executor, ProviderFaults& faults) noexcept
      : inner_(inner), executor_(executor), faults_(faults) {}

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
  std::string_view backend() const noexcept override { return inner_.backend(); }
  bool has_image(std::string_view image) const override { return inner_.has_image(image); }
  bool makes_at_once(std::string_view /*image*/) override { return faults_.at_once; }

 private:
  // Awaits `inner`, which has not begun, when the fault lets it.
  base::Task<base::Result<ExecResult>> scripted_exec(std::string vm, ProcessSpec spec);
  template <class T>
  base::Task<base::Result<T>> through(ProviderCall call, CallContext context, base::Task<base::Result<T>> inner);
  base::Task<void> hang(CallContext context);

  Provider& inner_;
  base::Executor& executor_;
  ProviderFaults& faults_;
};

}  // namespace fusebox::host
