// Hosts: registered, after they were asked what they are.
#include "base/text.h"
#include "fleet/access/cidr.h"
#include "fleet/engine/boot_material.h"
#include "fleet/engine/create.h"
#include "fleet/engine/host_ops.h"
#include "fleet/engine/host_probe.h"
#include "fleet/engine/metered_provider.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kProbeLimit{seconds{10}};

// Contract 20, ORCH_HOST_URL_CIDRS: with a list, a host must be named by an address inside it. A name could lead elsewhere
// at the next lookup.
base::Result<void> check_host_url(std::string_view url, std::string_view list) {
  FB_TRY(const CidrList allowed, CidrList::parse(list));
  std::string_view host = url.substr(url.find("://") + 3);
  host = host.substr(0, host.find('/'));
  if (host.starts_with('['))
    host = host.substr(1, host.find(']') - 1);
  else
    host = host.substr(0, host.find(':'));
  const auto address = http::IpAddress::parse(host);
  if (address && allowed.contains(*address)) return {};
  return refuse(400, "url: " + std::string(host) + " is not an address inside ORCH_HOST_URL_CIDRS");
}

base::Result<HostRow> row_of(Core& core, const HostRequest& request) {
  HostRow row;
  row.host_id = request.id;
  row.url = request.url;
  row.region = request.region;
  row.backend = request.backend;
  row.arch = request.arch;
  row.labels = request.labels;
  row.cpus_total = request.cpus;
  row.ram_mb_total = request.ram_mb;
  row.storage_gb_total = request.storage_gb;
  row.vm_count_max = request.vm_count;
  row.gpus_total = request.gpus;
  row.gpu_kind = request.gpu_kind;
  row.mig_profiles = request.mig_profiles;
  if (!request.token.empty()) {
    FB_TRY(row.token_sealed, seal_host_token(core.parts.vault, row.host_id, request.token));
  }
  const HostTls tls{request.ca_pem, request.fingerprint_sha256, request.client_cert_pem, request.client_key_pem};
  if (!tls.ca_pem.empty() || !tls.fingerprint_sha256.empty() || !tls.client_cert_pem.empty()) {
    FB_TRY(row.tls_json, seal_host_tls(core.parts.vault, row.host_id, tls));
  }
  row.created_at = row.updated_at = row.reach_since = core.wall();
  return row;
}

host::ProviderSet::Remote probe_target(const HostRequest& request) {
  host::ProviderSet::Remote remote;
  remote.url = request.url;
  remote.token = request.token;
  remote.backend = request.backend;
  remote.ca_pem = request.ca_pem;
  remote.fingerprint_sha256 = request.fingerprint_sha256;
  remote.client_cert_pem = request.client_cert_pem;
  remote.client_key_pem = request.client_key_pem;
  return remote;
}

base::Result<void> judge_failed_probe(const HostRequest& request, HostRow& row, const base::Error& error,
                                      std::vector<std::string>& warnings) {
  const auto* failure = host::wire_failure(error);
  if (failure != nullptr && failure->status == 401)
    return refuse(502, "unauthorized",
                  "host at " + request.url + " rejected the token: it must be the agent's FC_AGENT_TOKEN", {});
  if (request.cpus <= 0 || request.ram_mb <= 0 || request.storage_gb <= 0)
    return refuse(502, "could not probe host agent at " + request.url + ": " + error.message);
  warnings.push_back("could not verify host agent at " + request.url + ": " + error.message);
  row.reach_state = Reachability::unreachable;
  row.last_error = error.message;
  return {};
}

}  // namespace

base::Task<base::Result<Outcome>> register_host(Core& core, RequestInfo info, HostRequest request) {
  FB_CO_TRY(const std::optional<Outcome> earlier, co_await earlier_outcome(core, info));
  if (earlier) co_return *earlier;
  if (!core.parts.options.host_url_cidrs.empty())
    FB_CO_CHECK(check_host_url(request.url, core.parts.options.host_url_cidrs));
  FB_CO_TRY(HostRow row, row_of(core, request));
  std::vector<std::string> warnings;
  const auto old = core.hosts.find(request.id);
  if (old && old->row.backend != row.backend) {
    FB_CO_TRY(const bool busy, co_await has_environments(core, request.id));
    if (busy) co_return refuse(409, "host " + request.id + " has environments of backend \"" + old->row.backend + "\"");
  }
  const std::unique_ptr<host::Provider> probe = core.parts.providers.remote(probe_target(request));
  if (!probe)
    co_return refuse(400, "url " + base::in_quotes(request.url) +
                              " cannot be used: it must be http or https with a host, without user, query or fragment");
  host::CallContext context;
  context.limit = kProbeLimit;
  context.request_id = info.request_id;
  const base::Nanos began = core.now();
  auto capacity = co_await probe->capacity(context);
  const double took = std::chrono::duration<double>(core.now() - began).count();
  if (capacity) {
    FB_CO_CHECK(apply_probe(row, *capacity, warnings));
    row.last_seen_at = core.wall();
  } else {
    FB_CO_CHECK(judge_failed_probe(request, row, capacity.error(), warnings));
  }
  if (old) {
    row.state = old->row.state;
    row.created_at = old->row.created_at;
    row.cpus_allocated = old->row.cpus_allocated;
    row.ram_mb_allocated = old->row.ram_mb_allocated;
    row.storage_gb_allocated = old->row.storage_gb_allocated;
    row.vm_count_allocated = old->row.vm_count_allocated;
    row.gpus_allocated = old->row.gpus_allocated;
  }
  Reader::BoundDevices bound;
  if (old) {
    FB_CO_TRY(bound, co_await core.get<Reader::BoundDevices>(
                         [&](Reader& reader) { return reader.bound_devices(row.host_id); }));
  }
  const Reachability before = old ? old->row.reach_state : Reachability::reachable;
  Outcome outcome{.status = 201, .json = render_host(row, bound, warnings), .location = {}, .replayed = false};
  EnvironmentRow none;
  OperationRow op = core.new_operation("register_host", none, info);
  op.host_id = row.host_id;
  finish_operation(op, outcome, core.wall());
  auto recorded = co_await core.commit("host_registered", [&](Tx& tx) -> base::Result<void> {
    tx.put_host(row);
    if (!op.idem_key.empty()) tx.insert_operation(op);
    tx.add_event(event_of("host", row.host_id, "host.registered", row.updated_at));
    if (const std::string_view event = reach_event(before, row.reach_state); !event.empty())
      tx.add_event(event_of("host", row.host_id, event, row.updated_at));
    return {};
  });
  if (!recorded) co_return co_await earlier_outcome_or(core, info, std::move(recorded.error()));
  FB_CO_CHECK(co_await refresh_host(core, row.host_id));
  if (const auto host = core.hosts.find(row.host_id); host && capacity) {
    core.hosts.contact(*host, core.now(), core.wall());
    take_capacity(core, *host, *capacity);
    core.hosts.changed(*host);
  }
  // Only now: one that was refused is no host, and its name must not make a series.
  core.parts.meters.agent_request(row.host_id, "capacity", agent_code(capacity ? nullptr : &capacity.error()), took);
  core.parts.meters.host_state(row.host_id, core.hosts.reachable(row.host_id));
  co_return outcome;
}

}  // namespace fusebox::fleet
