// A create request as it is kept with its environment: a create body again.
#include <limits>

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/api/rules/create_parts.h"
#include "fleet/api/rules/requests.h"

namespace fusebox::fleet {
namespace {

using base::json::Writer;

void text(Writer& out, std::string_view key, const std::string& value) {
  if (!value.empty()) out.key(key).string(value);
}
void number(Writer& out, std::string_view key, std::int64_t value) {
  if (value != 0) out.key(key).integer(value);
}

void write_files(Writer& out, const std::vector<GuestFile>& files) {
  constexpr std::string_view kDigits = "01234567";
  if (files.empty()) return;
  out.key("files").begin_object();
  for (const GuestFile& file : files) out.key(file.path).string(base::to_base64(base::as_bytes(file.bytes)));
  out.end_object().key("file_modes").begin_object();
  for (const GuestFile& file : files) {
    std::string mode;
    for (int shift = 9; shift >= 0; shift -= 3) mode += kDigits[file.mode >> shift & 7];
    out.key(file.path).string(mode);
  }
  out.end_object();
}

void write_steps(Writer& out, const std::vector<StartupStep>& steps) {
  if (steps.empty()) return;
  out.key("startup_steps").begin_array();
  for (const StartupStep& step : steps) {
    out.begin_object().key("run").string(step.run);
    text(out, "name", step.name);
    text(out, "key", step.key);
    number(out, "timeout_seconds", step.timeout_seconds);
    out.end_object();
  }
  out.end_array();
}

void write_expose(Writer& out, const std::vector<host::ExposePort>& ports) {
  if (ports.empty()) return;
  out.key("expose").begin_array();
  for (const host::ExposePort& expose : ports) {
    out.begin_object().key("port").integer(expose.port);
    text(out, "as", expose.as);
    text(out, "protocol", expose.protocol);
    out.end_object();
  }
  out.end_array();
}

void write_agent(Writer& out, const AgentBlock& agent) {
  out.key("agent").begin_object();
  text(out, "binary_path", agent.binary_path);
  text(out, "download_url", agent.download_url);
  text(out, "download_sha256", agent.download_sha256);
  text(out, "listen", agent.listen);
  text(out, "extra_args", agent.extra_args);
  text(out, "drain_command", agent.drain_command);
  out.end_object();
}

}  // namespace

std::string write_create(const CreateRequest& request) {
  Writer out;
  out.begin_object().key("task_id").string(request.task_id).key("spec").raw(write_spec(request.spec));
  // As base64, which keeps its bytes whatever they are.
  text(out, "manifest_inline", base::to_base64(base::as_bytes(request.manifest)));
  if (!request.secrets.empty()) {
    out.key("secrets").begin_object();
    for (const auto& [key, value] : request.secrets) out.key(key).string(value);
    out.end_object();
  }
  text(out, "startup_script", request.startup_script);
  write_steps(out, request.startup_steps);
  number(out, "startup_script_timeout_seconds", request.startup_script_timeout_seconds);
  text(out, "gateway_url", request.gateway_url);
  text(out, "gateway_token", request.gateway_token);
  write_expose(out, request.expose);
  if (!request.healthcheck_json.empty()) out.key("healthcheck").raw(request.healthcheck_json);
  if (request.desktop_width != 0) {
    out.key("desktop").begin_object();
    number(out, "width", request.desktop_width);
    number(out, "height", request.desktop_height);
    text(out, "wm", request.desktop_wm);
    out.end_object();
  }
  write_files(out, request.files);
  text(out, "seed_snapshot_id", request.seed_snapshot_id);
  write_agent(out, request.agent);
  if (request.rerun_script_on_reboot) out.key("rerun_script_on_reboot").boolean(true);
  out.end_object();
  return out.take();
}

base::Result<CreateRequest> read_stored_create(std::string_view json) {
  CreateFacts facts;
  facts.script_timeout_max_seconds = std::numeric_limits<std::int64_t>::max();
  return read_create_as(json, facts, Origin::store);
}

}  // namespace fusebox::fleet
