// POST /v1/environments: the checks in their order.
#include "base/json.h"
#include "fleet/api/rules/create_parts.h"
#include "fleet/api/rules/manifest.h"
#include "fleet/api/rules/names.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::Result;

RawHealthcheck decode_healthcheck(const BodyObject& check) {
  RawHealthcheck raw;
  if (!check.present()) return raw;
  raw.present = true;
  const BodyObject http = check.object("http");
  raw.has_http = http.present();
  raw.port = http.i64("port");
  raw.path = http.text("path");
  raw.exec = check.texts("exec");
  raw.has_exec = !raw.exec.empty();
  raw.interval = check.i64("interval_seconds");
  raw.timeout = check.i64("timeout_seconds");
  raw.retries = check.i64("retries");
  raw.start_period = check.i64("start_period_seconds");
  raw.json = base::json::canonical(*check.node());
  return raw;
}

AgentBlock decode_agent(const BodyObject& agent) {
  return {agent.text("binary_path"), agent.text("download_url"), agent.text("download_sha256"),
          agent.text("listen"),      agent.text("extra_args"),   agent.text("drain_command")};
}

void decode_desktop(const BodyObject& body, const BodyObject& spec, RawCreate& raw) {
  BodyObject desktop = body.object("desktop");
  if (!desktop.present()) desktop = spec.object("desktop");  // where the newer client puts it
  raw.has_desktop = desktop.present();
  raw.request.desktop_width = desktop.i32("width");
  raw.request.desktop_height = desktop.i32("height");
  raw.request.desktop_wm = desktop.text("wm");
}

Result<void> check_task_id(const std::string& task_id) {
  if (task_id.empty()) return refuse(400, "task_id is required");
  if (!is_task_id(task_id)) {
    return refuse(400, "task_id must be 1 to 128 of A-Z, a-z, 0-9 and ._:@+~-, and neither . nor ..");
  }
  return {};
}

// After the seed: what the reference does not check, and the ceiling.
Result<void> check_rest(RawCreate& raw, std::int64_t script_timeout_max) {
  CreateRequest& request = raw.request;
  EnvironmentSpec& spec = raw.spec.spec;
  FB_CHECK(check_sizes(spec));
  FB_CHECK(check_backend(spec));
  FB_TRY(spec.egress, check_egress(raw.spec.egress));
  FB_CHECK(check_proxy(raw.proxy));
  FB_TRY(request.expose, check_expose(raw.expose));
  FB_CHECK(check_agent(request.agent));
  FB_CHECK(check_gateway(request));
  FB_CHECK(check_steps(request));
  return check_script_ceiling(request, script_timeout_max);
}

}  // namespace

RawCreate decode_create(const BodyObject& body) {
  RawCreate raw;
  CreateRequest& request = raw.request;
  const BodyObject spec = body.object("spec");
  request.task_id = body.text("task_id");
  raw.spec = decode_spec(spec);
  raw.manifest_inline = body.text("manifest_inline");
  request.secrets = body.text_map("secrets");
  request.startup_script = body.text("startup_script");
  body.each("startup_steps", [&](const BodyObject& step) {
    request.startup_steps.push_back(
        {step.text("run"), step.text("name"), step.text("key"), step.i64("timeout_seconds")});
  });
  request.startup_script_timeout_seconds = body.i64("startup_script_timeout_seconds");
  request.gateway_url = body.text("gateway_url");
  request.gateway_token = body.text("gateway_token");
  body.each("expose", [&](const BodyObject& expose) {
    raw.expose.push_back({expose.i64("port"), expose.text("as"), expose.text("protocol")});
  });
  raw.healthcheck = decode_healthcheck(body.object("healthcheck"));
  decode_desktop(body, spec, raw);
  raw.files = body.text_map("files");
  raw.file_modes = body.text_map("file_modes");
  request.seed_snapshot_id = body.text("seed_snapshot_id");
  request.agent = decode_agent(body.object("agent"));
  request.rerun_script_on_reboot = body.boolean("rerun_script_on_reboot");
  if (const BodyObject proxy = body.object("egress"); proxy.present()) {
    raw.proxy = {true, proxy.text("mode"), proxy.text("provider"), proxy.text("protocol")};
  }
  return raw;
}

Result<CreateRequest> read_create(std::string_view body, const CreateFacts& facts) {
  return read_create_as(body, facts, Origin::caller);
}

Result<CreateRequest> read_create_as(std::string_view body, const CreateFacts& facts, Origin origin) {
  FB_TRY(Body parsed, Body::parse(body));
  RawCreate raw = decode_create(parsed.root());
  FB_CHECK(parsed.check());
  CreateRequest& request = raw.request;
  EnvironmentSpec& spec = raw.spec.spec;
  FB_CHECK(check_task_id(request.task_id));
  FB_CHECK(check_gpu(spec));
  FB_CHECK(check_labels(spec.labels, "spec.labels"));
  if (!spec.host_id.empty() && facts.host_exists && !facts.host_exists(spec.host_id)) {
    return refuse(404, "spec.host_id: host \"" + spec.host_id + "\" is not registered");
  }
  FB_CHECK(check_timeouts(spec));
  FB_CHECK(check_healthcheck(raw.healthcheck));
  FB_CHECK(check_desktop(raw));
  if (request.startup_script_timeout_seconds < 0) {
    return refuse(400, "startup_script_timeout_seconds must not be negative");
  }
  FB_TRY(request.files, check_files(raw.files, raw.file_modes));
  FB_TRY(request.manifest, check_manifest(raw.manifest_inline));
  FB_CHECK(check_secrets(request.manifest, request.secrets));
  if (origin == Origin::caller && !request.seed_snapshot_id.empty() && !spec.image.empty()) {
    return refuse(400, "seed_snapshot_id and spec.image are mutually exclusive");
  }
  FB_CHECK(check_rest(raw, facts.script_timeout_max_seconds));
  request.healthcheck_json = raw.healthcheck.json;
  request.spec = std::move(spec);
  return std::move(request);
}

Result<CreateRequest> read_explain(std::string_view body) {
  FB_TRY(Body parsed, Body::parse(body));
  CreateRequest request;
  RawSpec raw = decode_spec(parsed.root().object("spec"));
  request.seed_snapshot_id = parsed.root().text("seed_snapshot_id");
  FB_CHECK(parsed.check());
  FB_TRY(request.spec, check_spec(std::move(raw)));
  return request;
}

}  // namespace fusebox::fleet
