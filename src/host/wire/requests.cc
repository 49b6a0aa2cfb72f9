#include "host/wire/requests.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/bytes.h"
#include "host/api/deadlines.h"
#include "host/common/names.h"
#include "host/wire/fields.h"
#include "host/wire/limits.h"
#include "host/wire/records.h"

namespace fusebox::host {
namespace {

using base::Errc;
using base::fail;
using base::Result;
using base::json::Node;
using base::json::Writer;

constexpr std::size_t kUuidsMax = 64;         // more devices than any host has
constexpr std::size_t kEgressRulesMax = 256;  // contract
constexpr std::size_t kEgressPortsMax = 256;

void put(Writer& out, std::string_view key, const std::string& text) {
  out.key(key).string(base::is_utf8(text) ? text : base::to_utf8(text));
}
void put_if(Writer& out, std::string_view key, const std::string& text) {
  if (!text.empty()) put(out, key, text);
}
void put_list(Writer& out, std::string_view key, const std::vector<std::string>& texts) {
  out.key(key).begin_array();
  for (const std::string& text : texts) out.string(base::to_utf8(text));
  out.end_array();
}

std::optional<EgressRule::Ports> read_ports(const Node& node) {
  if (const auto one = node.as_u64(); one && *one >= 1 && *one <= 65535)
    return EgressRule::Ports{static_cast<std::uint16_t>(*one), static_cast<std::uint16_t>(*one)};
  if (!node.is_string()) return {};
  const std::string& text = node.string();
  EgressRule::Ports ports;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, ports.first);
  ports.last = ports.first;
  if (error == std::errc() && at != end && *at == '-')
    std::tie(at, error) = [&] {
      const auto last = std::from_chars(at + 1, end, ports.last);
      return std::tuple{last.ptr, last.ec};
    }();
  if (error != std::errc() || at != end || ports.first == 0 || ports.last < ports.first) return {};
  return ports;
}

Result<std::vector<EgressRule>> read_rules(Fields& egress, std::string_view key) {
  std::vector<EgressRule> rules;
  const Node* list = egress.find(key);
  if (list == nullptr) return rules;
  if (!list->is_array() || list->elements().size() > kEgressRulesMax)
    return fail(Errc::invalid, "bad field: 'egress': at most 256 rules");
  for (const Node& one : list->elements()) {
    Fields fields(one);
    EgressRule rule{
        .cidr = fields.string("cidr"), .host = fields.string("host"), .ports = {}, .proto = fields.string("proto")};
    if (rule.cidr.empty() == rule.host.empty()) fields.bad("egress", "a rule has either cidr or host");
    if (!rule.proto.empty() && rule.proto != "tcp" && rule.proto != "udp") fields.bad("egress", "proto is tcp or udp");
    if (const Node* ports = fields.find("ports")) {
      if (ports->elements().size() > kEgressPortsMax) fields.bad("egress", "too many ports");
      for (const Node& port : ports->elements()) {
        const auto range = read_ports(port);
        if (!range) fields.bad("egress", "a port is a number or \"first-last\"");
        if (range) rule.ports.push_back(*range);
      }
    }
    FB_CHECK(fields.check());
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<Egress> read_egress(const Node& node) {
  Fields fields(node);
  Egress egress;
  const std::string fallback = fields.string("default");
  if (!fallback.empty() && fallback != "allow" && fallback != "deny") fields.bad("egress", "default is allow or deny");
  egress.allow_by_default = fallback != "deny";
  const std::int64_t bandwidth = fields.integer("bandwidth_kbps", 0);
  if (bandwidth < 0) fields.bad("egress", "bandwidth_kbps is negative");
  egress.bandwidth_kbps = static_cast<std::uint64_t>(std::max<std::int64_t>(bandwidth, 0));
  FB_TRY(egress.allow, read_rules(fields, "allow"));
  FB_TRY(egress.deny, read_rules(fields, "deny"));
  FB_CHECK(fields.check());
  return egress;
}

void write_rules(Writer& out, std::string_view key, const std::vector<EgressRule>& rules) {
  if (rules.empty()) return;
  out.key(key).begin_array();
  for (const EgressRule& rule : rules) {
    out.begin_object();
    put_if(out, "cidr", rule.cidr);
    put_if(out, "host", rule.host);
    if (!rule.ports.empty()) {
      out.key("ports").begin_array();
      for (const auto& [first, last] : rule.ports) {
        if (first == last) out.integer(first);
        if (first != last) out.string(std::to_string(first) + "-" + std::to_string(last));
      }
      out.end_array();
    }
    put_if(out, "proto", rule.proto);
    out.end_object();
  }
  out.end_array();
}

void write_egress(Writer& out, const Egress& egress) {
  out.key("egress").begin_object().key("default").string(egress.allow_by_default ? "allow" : "deny");
  write_rules(out, "allow", egress.allow);
  write_rules(out, "deny", egress.deny);
  if (egress.bandwidth_kbps != 0) out.key("bandwidth_kbps").unsigned_integer(egress.bandwidth_kbps);
  out.end_object();
}

std::int64_t positive_or(std::int64_t value, std::int64_t fallback) noexcept {
  return value == 0 ? fallback : value;
}

}  // namespace

std::chrono::milliseconds exec_timeout(std::optional<std::int64_t> asked_ms) noexcept {
  const std::int64_t max = std::chrono::milliseconds(kExecTimeoutMax).count();
  if (!asked_ms || *asked_ms <= 0) return std::chrono::milliseconds(max);
  return std::chrono::milliseconds(std::min(*asked_ms, max));
}

Result<CreateSpec> read_create(const Node& node, bool qemu) {
  Fields fields(node);
  CreateSpec spec;
  spec.name = fields.string("name");
  spec.cpus = positive_or(fields.integer("cpus", 0), 1);
  spec.memory_mb = positive_or(fields.integer("memory_mb", 0), qemu ? 1024 : 512);
  spec.storage_gb = fields.integer("storage_gb", 0);
  spec.region = fields.string("region");
  spec.image = fields.string("image");
  spec.seed_snapshot = fields.string("seed_snapshot");
  spec.gpus = fields.integer("gpus", 0);
  spec.gpu_kind = fields.string("gpu_kind");
  spec.gpu_profile = fields.string("gpu_profile");
  spec.mig_instance_uuids = fields.strings("mig_instance_uuids", kUuidsMax);
  spec.gpu_uuids = fields.strings("gpu_uuids", kUuidsMax);
  spec.fleet_id = fields.string("fleet_id");
  spec.huge_pages = fields.boolean("huge_pages") || fields.string("huge_pages_size") == "2M";
  if (spec.cpus < 1 || spec.cpus > 32) fields.bad("cpus", "must be 1 to 32");
  if (spec.memory_mb < 128) fields.bad("memory_mb", "must be at least 128");
  if (spec.storage_gb < 0) fields.bad("storage_gb", "is negative");
  if (spec.gpus < 0) fields.bad("gpus", "is negative");
  if (!spec.seed_snapshot.empty() && !is_snapshot_id(spec.seed_snapshot))
    fields.bad("seed_snapshot", "is no snapshot id");
  FB_CHECK(fields.check());
  if (const Node* egress = fields.find("egress")) {
    FB_TRY(spec.egress, read_egress(*egress));
  }
  return spec;
}

std::string write_create(const CreateSpec& spec, const CallContext& context) {
  Writer out;
  out.begin_object();
  put(out, "name", spec.name);
  out.key("cpus").integer(spec.cpus).key("memory_mb").integer(spec.memory_mb);
  out.key("storage_gb").integer(spec.storage_gb);
  put(out, "region", spec.region);
  put_if(out, "image", spec.image);
  put_if(out, "seed_snapshot", spec.seed_snapshot);
  if (spec.gpus != 0) out.key("gpus").integer(spec.gpus);
  put_if(out, "gpu_kind", spec.gpu_kind);
  put_if(out, "gpu_profile", spec.gpu_profile);
  if (!spec.mig_instance_uuids.empty()) put_list(out, "mig_instance_uuids", spec.mig_instance_uuids);
  if (!spec.gpu_uuids.empty()) put_list(out, "gpu_uuids", spec.gpu_uuids);
  if (context.generation != 0) out.key("generation").unsigned_integer(context.generation);
  put_if(out, "fleet_id", spec.fleet_id);
  put_if(out, "op_id", context.op_id);
  if (spec.huge_pages) out.key("huge_pages").boolean(true);
  if (spec.egress) write_egress(out, *spec.egress);
  out.end_object();
  return out.take();
}

Result<UploadRequest> read_upload(const Node& node) {
  Fields fields(node);
  UploadRequest request;
  request.path = fields.required_string("path");
  const std::string content = fields.required_string("content_b64");
  if (const Node* mode = fields.find("mode")) {
    if (mode->is_string()) request.mode = read_mode(mode->string());
    if (const auto number = mode->as_u64(); number && *number <= 07777)
      request.mode = static_cast<std::uint32_t>(*number);
    if (!request.mode) fields.bad("mode", "must be an octal text such as \"0644\"");
  }
  if (request.path.empty() || request.path.find('\0') != std::string::npos) fields.bad("path", "names no file");
  FB_CHECK(fields.check());
  const auto bytes = base::from_base64(content);
  if (!bytes) return fail(Errc::invalid, "bad field: 'content_b64': not base64");
  request.bytes = base::as_text(*bytes);
  return request;
}

std::string write_upload(const std::string& path, const std::string& bytes, std::optional<std::uint32_t> mode) {
  Writer out;
  out.begin_object();
  put(out, "path", path);
  out.key("content_b64").string(base::to_base64(base::as_bytes(bytes)));
  if (mode) put(out, "mode", write_mode(*mode));
  out.end_object();
  return out.take();
}

Result<ProcessSpec> read_exec_request(const Node& node) {
  Fields fields(node);
  ProcessSpec spec;
  if (fields.find("cmd") == nullptr) fields.missing("cmd");
  spec.argv = fields.strings("cmd", kArgumentsMax);
  if (spec.argv.empty()) fields.bad("cmd", "must be a non-empty list of strings");
  spec.timeout = exec_timeout(fields.optional_integer("timeout_ms"));
  spec.env = fields.pairs("env", kArgumentsMax);
  spec.cwd = fields.string("cwd");
  spec.user = fields.string("user");
  const std::string input = fields.string("stdin_b64");
  FB_CHECK(fields.check());
  const auto bytes = base::from_base64(input);
  if (!bytes) return fail(Errc::invalid, "bad field: 'stdin_b64': not base64");
  spec.stdin_bytes = base::as_text(*bytes);
  return spec;
}

std::string write_exec_request(const ProcessSpec& spec) {
  Writer out;
  out.begin_object();
  put_list(out, "cmd", spec.argv);
  out.key("timeout_ms").integer(spec.timeout.count());
  if (!spec.env.empty()) {
    out.key("env").begin_object();
    for (const auto& [key, value] : spec.env) out.key(base::to_utf8(key)).string(base::to_utf8(value));
    out.end_object();
  }
  put_if(out, "cwd", spec.cwd);
  put_if(out, "user", spec.user);
  if (!spec.stdin_bytes.empty()) out.key("stdin_b64").string(base::to_base64(base::as_bytes(spec.stdin_bytes)));
  out.end_object();
  return out.take();
}

Result<StartAgentSpec> read_start_agent(const Node& node) {
  Fields fields(node);
  StartAgentSpec spec;
  (void)fields.required_string("manifest_path");
  (void)fields.required_string("secrets_path");
  spec.auth_token = fields.string("auth_token");
  spec.gateway = fields.string("gateway");
  spec.gateway_token = fields.string("gateway_token");
  spec.download_url = fields.string("download_url");
  spec.download_sha256 = fields.string("download_sha256");
  spec.binary_path = fields.string("binary_path");
  spec.listen = fields.string("listen");
  spec.extra_args = fields.string("extra_args");
  if (const Node* expose = fields.find("expose")) {
    if (!expose->is_array() || expose->elements().size() > kExposeMax)
      fields.bad("expose", "must list at most 64 ports");
    for (const Node& one : expose->elements()) {
      Fields entry(one);
      const std::int64_t port = entry.integer("port", 0);
      if (port < 1 || port > 65535) entry.bad("expose", "a port is 1 to 65535");
      spec.expose.push_back({static_cast<std::uint16_t>(port), entry.string("as"), entry.string("protocol")});
      FB_CHECK(entry.check());
    }
  }
  FB_CHECK(fields.check());
  return spec;
}

std::string write_start_agent(const StartAgentSpec& spec, bool surfd) {
  Writer out;
  out.begin_object();
  put(out, "manifest_path", "/fuse/manifest.json");
  put(out, "secrets_path", "/fuse/secrets.json");
  put(out, "tls_cert_path", "/fuse/tls/cert.pem");
  put(out, "tls_key_path", "/fuse/tls/key.pem");
  put(out, "auth_token", spec.auth_token);
  put_if(out, "gateway", spec.gateway);
  put_if(out, "gateway_token", spec.gateway_token);
  put_if(out, "extra_args", spec.extra_args);
  if (!surfd) {
    put_if(out, "download_url", spec.download_url);
    put_if(out, "download_sha256", spec.download_sha256);
    put_if(out, "binary_path", spec.binary_path);
    put_if(out, "listen", spec.listen);
    if (!spec.expose.empty()) {
      out.key("expose").begin_array();
      for (const ExposePort& port : spec.expose) {
        out.begin_object().key("port").integer(port.port);
        put_if(out, "as", port.as);
        put_if(out, "protocol", port.protocol);
        out.end_object();
      }
      out.end_array();
    }
  }
  out.end_object();
  return out.take();
}

Result<SnapshotSpec> read_snapshot_request(const Node& node) {
  Fields fields(node);
  SnapshotSpec spec{
      .comment = fields.string("comment"), .live = fields.boolean("live"), .snapshot_id = fields.string("snapshot_id")};
  if (!spec.snapshot_id.empty() && !is_snapshot_id(spec.snapshot_id)) fields.bad("snapshot_id", "is no snapshot id");
  FB_CHECK(fields.check());
  return spec;
}

std::string write_snapshot_request(const SnapshotSpec& spec) {
  Writer out;
  out.begin_object();
  put_if(out, "comment", spec.comment);
  out.key("include_ram").boolean(false);
  if (spec.live) out.key("live").boolean(true);
  put_if(out, "snapshot_id", spec.snapshot_id);
  out.end_object();
  return out.take();
}

Result<std::string> read_restore(const Node& node) {
  Fields fields(node);
  std::string id = fields.required_string("snapshot_id");
  if (!id.empty() && !is_snapshot_id(id)) fields.bad("snapshot_id", "is no snapshot id");
  if (id.empty()) fields.missing("snapshot_id");
  FB_CHECK(fields.check());
  return id;
}

std::string write_restore(const std::string& snapshot_id) {
  Writer out;
  out.begin_object();
  put(out, "snapshot_id", snapshot_id);
  out.key("include_ram").boolean(false).end_object();
  return out.take();
}

Result<ForkSpec> read_fork(const Node& node) {
  Fields fields(node);
  ForkSpec spec;
  spec.name = fields.required_string("name");
  spec.snapshot_id = fields.required_string("snapshot_id");
  spec.cpus = fields.integer("cpus", 0);
  spec.memory_mb = fields.integer("memory_mb", 0);
  spec.storage_gb = fields.integer("storage_gb", 0);
  spec.region = fields.string("region");
  if (!spec.snapshot_id.empty() && !is_snapshot_id(spec.snapshot_id)) fields.bad("snapshot_id", "is no snapshot id");
  if (spec.cpus < 0 || spec.cpus > 32) fields.bad("cpus", "must be 1 to 32");
  if (spec.memory_mb < 0 || (spec.memory_mb > 0 && spec.memory_mb < 128))
    fields.bad("memory_mb", "must be at least 128");
  if (spec.storage_gb < 0) fields.bad("storage_gb", "is negative");
  FB_CHECK(fields.check());
  return spec;
}

std::string write_fork(const ForkSpec& spec) {
  Writer out;
  out.begin_object();
  put(out, "name", spec.name);
  put(out, "snapshot_id", spec.snapshot_id);
  if (spec.cpus != 0) out.key("cpus").integer(spec.cpus);
  if (spec.memory_mb != 0) out.key("memory_mb").integer(spec.memory_mb);
  if (spec.storage_gb != 0) out.key("storage_gb").integer(spec.storage_gb);
  put_if(out, "region", spec.region);
  out.end_object();
  return out.take();
}

Result<PullRequest> read_pull(const Node& node, const std::string& digest) {
  if (!is_digest(digest)) return fail(Errc::invalid, "the digest must be 64 lower-case hexadecimal digits");
  Fields fields(node);
  PullRequest request;
  request.spec.digest = digest;
  request.spec.peer_url = fields.required_string("peer_url");
  request.spec.grant = fields.required_string("grant");
  request.spec.snapshot_id = fields.string("snapshot_id");
  request.async = fields.boolean("async");
  if (request.spec.grant.empty()) fields.missing("grant");
  const std::string& url = request.spec.peer_url;
  if (!url.starts_with("http://") && !url.starts_with("https://")) fields.bad("peer_url", "must be http or https");
  if (request.spec.snapshot_id.empty()) request.spec.snapshot_id = "art-" + digest.substr(0, 16);
  if (!is_snapshot_id(request.spec.snapshot_id)) fields.bad("snapshot_id", "is no snapshot id");
  FB_CHECK(fields.check());
  return request;
}

std::string write_pull(const PullSpec& spec, bool async) {
  Writer out;
  out.begin_object();
  put(out, "peer_url", spec.peer_url);
  put(out, "grant", spec.grant);
  put_if(out, "snapshot_id", spec.snapshot_id);
  if (async) out.key("async").boolean(true);
  out.end_object();
  return out.take();
}

}  // namespace fusebox::host
