#include "host/stub/faulty_provider.h"

#include <utility>

namespace fusebox::host {

using base::Result;
using base::Task;

void ProviderFaults::plan_all(const ProviderFault& fault) {
  for (auto& plans : plans_) plans.push_back(fault);
}

void ProviderFaults::clear() noexcept {
  for (auto& plans : plans_) plans.clear();
}

void ProviderFaults::release() {
  for (const auto& one : std::exchange(hanging_, {})) one.set(true);
}

ProviderFault ProviderFaults::next(ProviderCall call) {
  ++calls_[index(call)];
  auto& plans = plans_[index(call)];
  if (plans.empty()) return {};
  ProviderFault fault = plans.front();
  if (plans.front().times != kAlways && --plans.front().times == 0) plans.pop_front();
  return fault;
}

Task<void> FaultyProvider::hang(CallContext context) {
  const base::Completion<bool> end;
  std::erase_if(faults_.hanging_, [](const auto& one) { return one.is_set(); });
  faults_.hanging_.push_back(end);
  const auto timer = executor_.post_at(executor_.clock().monotonic() + context.limit, [end] { end.set(false); });
  const std::stop_callback stopped(context.stop, [end] { end.set(false); });
  co_await end.wait(executor_);
  executor_.cancel(timer);
}

template <class T>
Task<Result<T>> FaultyProvider::through(ProviderCall call, CallContext context, Task<Result<T>> inner) {
  using How = ProviderFault::How;
  if (faults_.heard) faults_.heard(call, context);
  const ProviderFault fault = faults_.next(call);
  if (fault.delay.count() > 0) co_await base::sleep_for(executor_, fault.delay);
  if (fault.how == How::fail) co_return base::fail(fault.error);
  if (fault.how == How::hang) {
    co_await hang(std::move(context));
    co_return base::fail(fault.error);
  }
  Result<T> answer = co_await std::move(inner);
  if (fault.how == How::none) co_return answer;
  if (fault.how == How::hang_late) co_await hang(std::move(context));
  co_return base::fail(fault.error);
}

Task<Result<Capacity>> FaultyProvider::capacity(CallContext context) {
  auto inner = inner_.capacity(context);
  auto answer = co_await through(ProviderCall::capacity, std::move(context), std::move(inner));
  if (answer && faults_.capacity) faults_.capacity(*answer);
  co_return answer;
}

Task<Result<VmRecord>> FaultyProvider::create(CallContext context, CreateSpec spec) {
  auto inner = inner_.create(context, std::move(spec));
  auto answer = co_await through(ProviderCall::create, std::move(context), std::move(inner));
  if (answer && faults_.record) faults_.record(*answer);
  co_return answer;
}

Task<Result<std::vector<VmRecord>>> FaultyProvider::list(CallContext context, std::string prefix) {
  auto inner = inner_.list(context, std::move(prefix));
  auto answer = co_await through(ProviderCall::list, std::move(context), std::move(inner));
  if (answer && faults_.list) faults_.list(*answer);
  co_return answer;
}

Task<Result<VmRecord>> FaultyProvider::get(CallContext context, std::string vm) {
  auto inner = inner_.get(context, std::move(vm));
  auto answer = co_await through(ProviderCall::get, std::move(context), std::move(inner));
  if (answer && faults_.record) faults_.record(*answer);
  co_return answer;
}

Task<Result<void>> FaultyProvider::destroy(CallContext context, std::string vm) {
  return through(ProviderCall::destroy, context, inner_.destroy(context, std::move(vm)));
}

Task<Result<void>> FaultyProvider::upload(CallContext context, std::string vm, std::string path, std::string bytes,
                                          std::optional<std::uint32_t> mode) {
  return through(ProviderCall::upload, context,
                 inner_.upload(context, std::move(vm), std::move(path), std::move(bytes), mode));
}

Task<Result<ExecResult>> FaultyProvider::scripted_exec(std::string vm, ProcessSpec spec) {
  co_return faults_.exec(vm, spec);
}

Task<Result<ExecResult>> FaultyProvider::exec(CallContext context, std::string vm, ProcessSpec spec) {
  if (faults_.exec) {
    auto scripted = scripted_exec(std::move(vm), std::move(spec));
    return through(ProviderCall::exec, context, std::move(scripted));
  }
  return through(ProviderCall::exec, context, inner_.exec(context, std::move(vm), std::move(spec)));
}

Task<Result<std::unique_ptr<ProcessStream>>> FaultyProvider::start_process(CallContext context, std::string vm,
                                                                           ProcessSpec spec) {
  return through(ProviderCall::start_process, context, inner_.start_process(context, std::move(vm), std::move(spec)));
}

Task<Result<std::unique_ptr<ProcessStream>>> FaultyProvider::connect_process(CallContext context, std::string vm,
                                                                             std::uint64_t pid) {
  return through(ProviderCall::connect_process, context, inner_.connect_process(context, std::move(vm), pid));
}

Task<Result<std::vector<ProcessInfo>>> FaultyProvider::processes(CallContext context, std::string vm) {
  return through(ProviderCall::processes, context, inner_.processes(context, std::move(vm)));
}

Task<Result<std::unique_ptr<http::ByteStream>>> FaultyProvider::attach(CallContext context, std::string vm,
                                                                       AttachSpec spec) {
  return through(ProviderCall::attach, context, inner_.attach(context, std::move(vm), std::move(spec)));
}

Task<Result<std::vector<Endpoint>>> FaultyProvider::start_agent(CallContext context, std::string vm,
                                                                StartAgentSpec spec) {
  return through(ProviderCall::start_agent, context, inner_.start_agent(context, std::move(vm), std::move(spec)));
}

Task<Result<void>> FaultyProvider::start_surfd(CallContext context, std::string vm, StartAgentSpec spec) {
  return through(ProviderCall::start_surfd, context, inner_.start_surfd(context, std::move(vm), std::move(spec)));
}

Task<Result<void>> FaultyProvider::drain(CallContext context, std::string vm) {
  return through(ProviderCall::drain, context, inner_.drain(context, std::move(vm)));
}

Task<Result<SnapshotRecord>> FaultyProvider::snapshot(CallContext context, std::string vm, SnapshotSpec spec) {
  auto inner = inner_.snapshot(context, std::move(vm), std::move(spec));
  auto answer = co_await through(ProviderCall::snapshot, std::move(context), std::move(inner));
  if (answer && faults_.snapshot) faults_.snapshot(*answer);
  co_return answer;
}

Task<Result<std::vector<SnapshotRecord>>> FaultyProvider::snapshots(CallContext context, std::string vm) {
  auto inner = inner_.snapshots(context, std::move(vm));
  auto answer = co_await through(ProviderCall::snapshots, std::move(context), std::move(inner));
  if (answer && faults_.snapshots) faults_.snapshots(*answer);
  co_return answer;
}

Task<Result<std::vector<SnapshotRecord>>> FaultyProvider::all_snapshots(CallContext context) {
  auto inner = inner_.all_snapshots(context);
  auto answer = co_await through(ProviderCall::all_snapshots, std::move(context), std::move(inner));
  if (answer && faults_.snapshots) faults_.snapshots(*answer);
  co_return answer;
}

Task<Result<void>> FaultyProvider::restore(CallContext context, std::string vm, std::string snapshot_id) {
  return through(ProviderCall::restore, context, inner_.restore(context, std::move(vm), std::move(snapshot_id)));
}

Task<Result<VmRecord>> FaultyProvider::fork(CallContext context, std::string vm, ForkSpec spec) {
  auto inner = inner_.fork(context, std::move(vm), std::move(spec));
  auto answer = co_await through(ProviderCall::fork, std::move(context), std::move(inner));
  if (answer && faults_.record) faults_.record(*answer);
  co_return answer;
}

Task<Result<void>> FaultyProvider::delete_snapshot(CallContext context, std::string vm, std::string snapshot_id) {
  return through(ProviderCall::delete_snapshot, context,
                 inner_.delete_snapshot(context, std::move(vm), std::move(snapshot_id)));
}

Task<Result<SnapshotRecord>> FaultyProvider::pull(CallContext context, PullSpec spec) {
  auto inner = inner_.pull(context, std::move(spec));
  auto answer = co_await through(ProviderCall::pull, std::move(context), std::move(inner));
  if (answer && faults_.snapshot) faults_.snapshot(*answer);
  co_return answer;
}

Task<Result<std::unique_ptr<FileReader>>> FaultyProvider::artifact(CallContext context, std::string digest) {
  return through(ProviderCall::artifact, context, inner_.artifact(context, std::move(digest)));
}

Task<Result<std::unique_ptr<FileReader>>> FaultyProvider::read_file(CallContext context, std::string vm,
                                                                    std::string path) {
  return through(ProviderCall::read_file, context, inner_.read_file(context, std::move(vm), std::move(path)));
}

Task<Result<std::unique_ptr<FileReader>>> FaultyProvider::read_archive(CallContext context, std::string vm,
                                                                       std::string path) {
  return through(ProviderCall::read_archive, context, inner_.read_archive(context, std::move(vm), std::move(path)));
}

Task<Result<std::unique_ptr<FileWriter>>> FaultyProvider::write_file(CallContext context, std::string vm,
                                                                     std::string path, std::uint32_t mode) {
  return through(ProviderCall::write_file, context, inner_.write_file(context, std::move(vm), std::move(path), mode));
}

Task<Result<std::vector<FileEntry>>> FaultyProvider::list_files(CallContext context, std::string vm, std::string path) {
  return through(ProviderCall::list_files, context, inner_.list_files(context, std::move(vm), std::move(path)));
}

Task<Result<void>> FaultyProvider::remove_file(CallContext context, std::string vm, std::string path, bool recursive) {
  return through(ProviderCall::remove_file, context,
                 inner_.remove_file(context, std::move(vm), std::move(path), recursive));
}

Task<Result<Provider::LogPage>> FaultyProvider::logs(CallContext context, std::string vm,
                                                     std::vector<std::string> sources, std::uint64_t from) {
  return through(ProviderCall::logs, context, inner_.logs(context, std::move(vm), std::move(sources), from));
}

Task<Result<VmStats>> FaultyProvider::stats(CallContext context, std::string vm) {
  return through(ProviderCall::stats, context, inner_.stats(context, std::move(vm)));
}

}  // namespace fusebox::host
