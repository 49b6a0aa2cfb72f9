// Routes that make, list and end VMs, and that tell about the agent.
#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "host/api/deadlines.h"
#include "host/common/names.h"
#include "host/wire/agent_impl.h"
#include "host/wire/fields.h"
#include "host/wire/records.h"
#include "host/wire/requests.h"

namespace fusebox::host {

using base::Errc;
using base::Task;
using base::json::Writer;

namespace {

// What this side of the wire can do, whatever the provider is.
constexpr std::array<std::string_view, 6> kWireFeatures = {"async-pull", "exec-stream",   "files",
                                                           "logs",       "parallel-exec", "parallel-create"};

base::Error vm_not_found(base::Error error) {
  if (error.code == Errc::not_found) error.message = "vm not found";
  return error;
}

}  // namespace

Task<AgentAnswer> AgentServer::Impl::health(AgentCall&) {
  Writer out;
  out.begin_object().key("ok").boolean(true).key("app_name").string(options.app_name);
  out.key("product").string("fusebox").key("version").string(FUSEBOX_VERSION).end_object();
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::capacity(AgentCall& call) {
  call.context.limit = kReadLimit;
  auto capacity = co_await provider.capacity(call.context);
  if (!capacity) co_return std::unexpected(std::move(capacity).error());
  capacity->agent_name = "fusebox-host";
  capacity->agent_version = FUSEBOX_VERSION;
  if (!options.fleet_id.empty()) capacity->fleet_id = options.fleet_id;
  std::set<std::string, std::less<>> features(capacity->features.begin(), capacity->features.end());
  features.insert(kWireFeatures.begin(), kWireFeatures.end());
  if (options.tls) features.emplace("tls");
  capacity->features.assign(features.begin(), features.end());
  co_return AgentAnswer(json_answer(write_capacity(*capacity)));
}

Task<AgentAnswer> AgentServer::Impl::create(AgentCall& call) {
  auto body = co_await read_json(call, options.body_bytes_max);
  if (!body) co_return std::unexpected(std::move(body).error());
  auto spec = read_create(*body->root, options.app_name == "qemu-agent");
  if (!spec) co_return std::unexpected(std::move(spec).error());
  Fields fields(*body->root);
  const std::int64_t generation = fields.integer("generation", 0);
  if (call.context.generation == 0 && generation > 0) call.context.generation = static_cast<std::uint64_t>(generation);
  if (call.context.op_id.empty()) call.context.op_id = fields.string("op_id");
  FB_CO_CHECK(fields.check());
  call.context.limit = kCreateLimit;
  const base::Nanos began = clock.monotonic();
  const auto place = co_await boots.take();
  auto record = co_await provider.create(call.context, std::move(*spec));
  if (!record) co_return std::unexpected(std::move(record).error());
  metrics.boot(provider.backend(), clock.monotonic() - began);
  Writer out;
  write_vm(out, *record);
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::list(AgentCall& call) {
  call.context.limit = kReadLimit;
  auto records = co_await provider.list(call.context, std::string(call.query.get("prefix").value_or("")));
  if (!records) co_return std::unexpected(std::move(records).error());
  std::ranges::sort(*records, {}, &VmRecord::vm_id);
  Writer out;
  out.begin_object().key("vms").begin_array();
  for (const VmRecord& record : *records) write_vm(out, record);
  out.end_array().end_object();
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::get(AgentCall& call) {
  call.context.limit = kReadLimit;
  auto record = co_await provider.get(call.context, call.vm);
  if (!record) co_return std::unexpected(vm_not_found(std::move(record).error()));
  Writer out;
  write_vm(out, *record);
  co_return AgentAnswer(json_answer(out.take()));
}

Task<AgentAnswer> AgentServer::Impl::destroy(AgentCall& call) {
  call.context.limit = kDestroyLimit;
  // An old generation must not stop what a newer one is doing, so it is refused before anything is stopped.
  if (call.context.generation != 0) {
    auto present = co_await provider.get(call.context, call.vm);
    if (!present && present.error().code == Errc::stale) co_return std::unexpected(std::move(present).error());
  }
  const std::function<Task<base::Result<void>>()> act = [this, &call] {
    return provider.destroy(call.context, call.vm);
  };
  auto gone = co_await gates.destroy(call.vm, act);
  if (!gone) co_return std::unexpected(vm_not_found(std::move(gone).error()));
  co_return AgentAnswer(empty_answer());
}

Task<AgentAnswer> AgentServer::Impl::metrics_text(AgentCall& call) {
  AgentMetrics::Present present;
  present.backend = provider.backend();
  if (options.disk_free_bytes) present.disk_free_bytes = options.disk_free_bytes();
  call.context.limit = kReadLimit;
  auto records = co_await provider.list(call.context, "");
  if (!records) co_return std::unexpected(std::move(records).error());
  for (const VmRecord& record : *records) {
    ++present.vms_by_state[record.state.empty() ? "running" : record.state];
    if (present.vms.size() >= kStatsVmsMax) continue;
    auto stats = co_await provider.stats(call.context, record.vm_id);
    if (stats) present.vms.emplace_back(record.vm_id, *stats);
  }
  http::ServerResponse answer;
  answer.headers.push_back({"Content-Type", "text/plain; version=0.0.4"});
  answer.body = metrics.text(present);
  co_return AgentAnswer(std::move(answer));
}

Task<AgentAnswer> AgentServer::Impl::operation(AgentCall& call) {
  auto text = operations.describe(call.values.front());
  if (!text) co_return AgentAnswer(text_answer(404, "operation not found"));
  co_return AgentAnswer(json_answer(std::move(*text)));
}

}  // namespace fusebox::host
