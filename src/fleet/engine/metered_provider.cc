#include "fleet/engine/metered_provider.h"

#include <chrono>
#include <utility>

namespace fusebox::fleet {

int agent_code(const base::Error* error) noexcept {
  if (error == nullptr) return 200;
  const auto* failure = host::wire_failure(*error);
  return failure == nullptr ? 0 : failure->status;
}

template <class T>
base::Task<base::Result<T>> MeteredProvider::timed(std::string_view op, base::Task<base::Result<T>> call) {
  const base::Nanos began = clock_.monotonic();
  base::Result<T> answer = co_await std::move(call);
  const double seconds = std::chrono::duration<double>(clock_.monotonic() - began).count();
  meters_.agent_request(host_id_, op, agent_code(answer ? nullptr : &answer.error()), seconds);
  co_return answer;
}

base::Task<base::Result<host::Capacity>> MeteredProvider::capacity(host::CallContext context) {
  return timed("capacity", inner_->capacity(std::move(context)));
}
base::Task<base::Result<host::VmRecord>> MeteredProvider::create(host::CallContext context, host::CreateSpec spec) {
  return timed("create", inner_->create(std::move(context), std::move(spec)));
}
base::Task<base::Result<std::vector<host::VmRecord>>> MeteredProvider::list(host::CallContext context,
                                                                            std::string prefix) {
  return timed("list", inner_->list(std::move(context), std::move(prefix)));
}
base::Task<base::Result<host::VmRecord>> MeteredProvider::get(host::CallContext context, std::string vm) {
  return timed("get", inner_->get(std::move(context), std::move(vm)));
}
base::Task<base::Result<void>> MeteredProvider::destroy(host::CallContext context, std::string vm) {
  return timed("destroy", inner_->destroy(std::move(context), std::move(vm)));
}
base::Task<base::Result<void>> MeteredProvider::upload(host::CallContext context, std::string vm, std::string path,
                                                       std::string bytes, std::optional<std::uint32_t> mode) {
  return timed("upload", inner_->upload(std::move(context), std::move(vm), std::move(path), std::move(bytes), mode));
}
base::Task<base::Result<host::ExecResult>> MeteredProvider::exec(host::CallContext context, std::string vm,
                                                                 host::ProcessSpec spec) {
  return timed("exec", inner_->exec(std::move(context), std::move(vm), std::move(spec)));
}
base::Task<base::Result<std::unique_ptr<host::ProcessStream>>> MeteredProvider::start_process(host::CallContext context,
                                                                                              std::string vm,
                                                                                              host::ProcessSpec spec) {
  return timed("start_process", inner_->start_process(std::move(context), std::move(vm), std::move(spec)));
}
base::Task<base::Result<std::unique_ptr<host::ProcessStream>>> MeteredProvider::connect_process(
    host::CallContext context, std::string vm, std::uint64_t pid) {
  return timed("connect_process", inner_->connect_process(std::move(context), std::move(vm), pid));
}
base::Task<base::Result<std::vector<host::ProcessInfo>>> MeteredProvider::processes(host::CallContext context,
                                                                                    std::string vm) {
  return timed("processes", inner_->processes(std::move(context), std::move(vm)));
}
base::Task<base::Result<std::unique_ptr<http::ByteStream>>> MeteredProvider::attach(host::CallContext context,
                                                                                    std::string vm,
                                                                                    host::AttachSpec spec) {
  return timed("attach", inner_->attach(std::move(context), std::move(vm), std::move(spec)));
}
base::Task<base::Result<std::vector<host::Endpoint>>> MeteredProvider::start_agent(host::CallContext context,
                                                                                   std::string vm,
                                                                                   host::StartAgentSpec spec) {
  return timed("start_agent", inner_->start_agent(std::move(context), std::move(vm), std::move(spec)));
}
base::Task<base::Result<void>> MeteredProvider::start_surfd(host::CallContext context, std::string vm,
                                                            host::StartAgentSpec spec) {
  return timed("start_surfd", inner_->start_surfd(std::move(context), std::move(vm), std::move(spec)));
}
base::Task<base::Result<void>> MeteredProvider::drain(host::CallContext context, std::string vm) {
  return timed("drain", inner_->drain(std::move(context), std::move(vm)));
}
base::Task<base::Result<host::SnapshotRecord>> MeteredProvider::snapshot(host::CallContext context, std::string vm,
                                                                         host::SnapshotSpec spec) {
  return timed("snapshot", inner_->snapshot(std::move(context), std::move(vm), std::move(spec)));
}
base::Task<base::Result<std::vector<host::SnapshotRecord>>> MeteredProvider::snapshots(host::CallContext context,
                                                                                       std::string vm) {
  return timed("snapshots", inner_->snapshots(std::move(context), std::move(vm)));
}
base::Task<base::Result<std::vector<host::SnapshotRecord>>> MeteredProvider::all_snapshots(host::CallContext context) {
  return timed("all_snapshots", inner_->all_snapshots(std::move(context)));
}
base::Task<base::Result<void>> MeteredProvider::restore(host::CallContext context, std::string vm,
                                                        std::string snapshot_id) {
  return timed("restore", inner_->restore(std::move(context), std::move(vm), std::move(snapshot_id)));
}
base::Task<base::Result<host::VmRecord>> MeteredProvider::fork(host::CallContext context, std::string vm,
                                                               host::ForkSpec spec) {
  return timed("fork", inner_->fork(std::move(context), std::move(vm), std::move(spec)));
}
base::Task<base::Result<void>> MeteredProvider::delete_snapshot(host::CallContext context, std::string vm,
                                                                std::string snapshot_id) {
  return timed("delete_snapshot", inner_->delete_snapshot(std::move(context), std::move(vm), std::move(snapshot_id)));
}
base::Task<base::Result<host::SnapshotRecord>> MeteredProvider::pull(host::CallContext context, host::PullSpec spec) {
  return timed("pull", inner_->pull(std::move(context), std::move(spec)));
}
base::Task<base::Result<std::unique_ptr<host::FileReader>>> MeteredProvider::artifact(host::CallContext context,
                                                                                      std::string digest) {
  return timed("artifact", inner_->artifact(std::move(context), std::move(digest)));
}
base::Task<base::Result<std::unique_ptr<host::FileReader>>> MeteredProvider::read_file(host::CallContext context,
                                                                                       std::string vm,
                                                                                       std::string path) {
  return timed("read_file", inner_->read_file(std::move(context), std::move(vm), std::move(path)));
}
base::Task<base::Result<std::unique_ptr<host::FileReader>>> MeteredProvider::read_archive(host::CallContext context,
                                                                                          std::string vm,
                                                                                          std::string path) {
  return timed("read_archive", inner_->read_archive(std::move(context), std::move(vm), std::move(path)));
}
base::Task<base::Result<std::unique_ptr<host::FileWriter>>> MeteredProvider::write_file(host::CallContext context,
                                                                                        std::string vm,
                                                                                        std::string path,
                                                                                        std::uint32_t mode) {
  return timed("write_file", inner_->write_file(std::move(context), std::move(vm), std::move(path), mode));
}
base::Task<base::Result<std::vector<host::FileEntry>>> MeteredProvider::list_files(host::CallContext context,
                                                                                   std::string vm, std::string path) {
  return timed("list_files", inner_->list_files(std::move(context), std::move(vm), std::move(path)));
}
base::Task<base::Result<void>> MeteredProvider::remove_file(host::CallContext context, std::string vm, std::string path,
                                                            bool recursive) {
  return timed("remove_file", inner_->remove_file(std::move(context), std::move(vm), std::move(path), recursive));
}
base::Task<base::Result<host::Provider::LogPage>> MeteredProvider::logs(host::CallContext context, std::string vm,
                                                                        std::vector<std::string> sources,
                                                                        std::uint64_t from) {
  return timed("logs", inner_->logs(std::move(context), std::move(vm), std::move(sources), from));
}
base::Task<base::Result<host::VmStats>> MeteredProvider::stats(host::CallContext context, std::string vm) {
  return timed("stats", inner_->stats(std::move(context), std::move(vm)));
}

}  // namespace fusebox::fleet
