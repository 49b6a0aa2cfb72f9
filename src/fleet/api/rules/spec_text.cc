// A spec between JSON and its value: what callers send, what the API echoes and the store keeps.
#include "base/json.h"
#include "fleet/api/rules/spec_rules.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::json::Kind;
using base::json::Node;
using base::json::Writer;

std::vector<std::string> decode_ports(const BodyObject& rule) {
  std::vector<std::string> ports;
  const Node* const found = rule.find("ports");
  if (found == nullptr) return ports;
  if (!found->is_array()) rule.fault("ports", "an array");
  for (const Node& port : found->elements()) {
    if (port.is_string()) {
      ports.push_back(port.string());
    } else if (const auto number = port.as_i64()) {
      ports.push_back(std::to_string(*number));
    } else {
      rule.fault("ports", "an array of port numbers and ranges such as \"80-90\"");
    }
  }
  return ports;
}

std::vector<RawEgressRule> decode_rules(const BodyObject& egress, std::string_view key) {
  std::vector<RawEgressRule> rules;
  egress.each(key, [&](const BodyObject& rule) {
    rules.push_back({rule.text("cidr"), rule.text("host"), rule.text("proto"), decode_ports(rule)});
  });
  return rules;
}

void write_rules(Writer& out, std::string_view key, const std::vector<host::EgressRule>& rules) {
  if (rules.empty()) return;
  out.key(key).begin_array();
  for (const host::EgressRule& rule : rules) {
    out.begin_object();
    if (!rule.cidr.empty()) out.key("cidr").string(rule.cidr);
    if (!rule.host.empty()) out.key("host").string(rule.host);
    if (!rule.ports.empty()) out.key("ports").begin_array();
    for (const auto& ports : rule.ports) {
      if (ports.first == ports.last) {
        out.integer(ports.first);
      } else {
        out.string(std::to_string(ports.first) + "-" + std::to_string(ports.last));
      }
    }
    if (!rule.ports.empty()) out.end_array();
    if (!rule.proto.empty()) out.key("proto").string(rule.proto);
    out.end_object();
  }
  out.end_array();
}

void write_egress(Writer& out, const host::Egress& egress) {
  out.key("egress").begin_object().key("default").string(egress.allow_by_default ? "allow" : "deny");
  write_rules(out, "allow", egress.allow);
  write_rules(out, "deny", egress.deny);
  if (egress.bandwidth_kbps != 0) out.key("bandwidth_kbps").unsigned_integer(egress.bandwidth_kbps);
  out.end_object();
}

}  // namespace

RawSpec decode_spec(const BodyObject& body) {
  RawSpec raw;
  EnvironmentSpec& spec = raw.spec;
  spec.cpus = body.i32("cpus");
  spec.ram_mb = body.i32("ram_mb");
  spec.storage_gb = body.i32("storage_gb");
  spec.region = body.text("region");
  spec.arch = body.text("arch");
  spec.max_runtime_seconds = body.i64("max_runtime_seconds");
  spec.idle_timeout_seconds = body.i64("idle_timeout_seconds");
  spec.image = body.text("image");
  spec.gpus = body.i32("gpus");
  spec.gpu_kind = body.text("gpu_kind");
  spec.gpu_profile = body.text("gpu_profile");
  spec.host_id = body.text("host_id");
  spec.labels = body.text_map("labels");
  spec.backend = body.text("backend");
  spec.huge_pages = body.boolean("huge_pages");
  if (const BodyObject egress = body.object("egress"); egress.present()) {
    raw.egress = RawEgress{egress.text("default"), decode_rules(egress, "allow"), decode_rules(egress, "deny"),
                           egress.i64("bandwidth_kbps")};
  }
  return raw;
}

std::string write_spec(const EnvironmentSpec& spec) {
  Writer out;
  const auto number = [&](std::string_view key, std::int64_t value) {
    if (value != 0) out.key(key).integer(value);
  };
  const auto text = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out.key(key).string(value);
  };
  out.begin_object();
  number("cpus", spec.cpus);
  number("ram_mb", spec.ram_mb);
  number("storage_gb", spec.storage_gb);
  text("region", spec.region);
  text("arch", spec.arch);
  number("max_runtime_seconds", spec.max_runtime_seconds);
  number("idle_timeout_seconds", spec.idle_timeout_seconds);
  text("image", spec.image);
  number("gpus", spec.gpus);
  text("gpu_kind", spec.gpu_kind);
  text("gpu_profile", spec.gpu_profile);
  text("host_id", spec.host_id);
  if (!spec.labels.empty()) {
    out.key("labels").begin_object();
    for (const auto& [key, value] : spec.labels) out.key(key).string(value);
    out.end_object();
  }
  text("backend", spec.backend);
  if (spec.egress) write_egress(out, *spec.egress);
  if (spec.huge_pages) out.key("huge_pages").boolean(true);
  out.end_object();
  return out.take();
}

base::Result<EnvironmentSpec> read_spec(std::string_view json) {
  FB_TRY(Body body, Body::parse(json));
  RawSpec raw = decode_spec(body.root());
  FB_CHECK(body.check());
  return check_spec(std::move(raw));
}

}  // namespace fusebox::fleet
