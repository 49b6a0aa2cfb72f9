#include "host/agent/host_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "base/text.h"
#include "base/units.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr std::array<std::string_view, 2> kBackends = {"wasm", "stub"};

class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  void text(std::string_view name, std::string& into) {
    if (const auto value = get(name)) into = *value;
  }
  void path(std::string_view name, std::filesystem::path& into) {
    if (const auto value = get(name)) into = *value;
  }
  template <class Number>
  void number(std::string_view name, Number& into, std::uint64_t min, std::uint64_t max) {
    const auto value = get(name);
    if (!value) return;
    std::uint64_t parsed = 0;
    const char* const end = value->data() + value->size();
    const auto [at, error] = std::from_chars(value->data(), end, parsed);
    if (error != std::errc() || at != end || parsed < min || parsed > max)
      return bad(name, *value, "a number from " + std::to_string(min) + " to " + std::to_string(max));
    into = static_cast<Number>(parsed);
  }
  // Plain seconds as the reference has them, or a duration with a unit.
  void duration(std::string_view name, std::chrono::nanoseconds& into) {
    const auto value = get(name);
    if (!value) return;
    const bool digits = std::ranges::all_of(*value, [](char c) { return c >= '0' && c <= '9'; });
    const auto parsed = base::parse_duration(digits ? *value + "s" : *value);
    if (!parsed || *parsed <= std::chrono::nanoseconds{0}) return bad(name, *value, "a time such as 60 or 1m30s");
    into = *parsed;
  }
  void labels(std::string_view name, std::map<std::string, std::string>& into) {
    const auto value = get(name);
    if (!value) return;
    std::string_view rest = *value;
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || equals == 0) return bad(name, *value, "a list such as zone=a,disk=fast");
      into[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
    }
  }
  bool is_set(std::string_view name) const { return get(name).has_value(); }
  void problem(std::string text) { problems_.push_back(std::move(text)); }
  Result<void> check() const {
    if (problems_.empty()) return {};
    std::string all;
    for (const std::string& one : problems_) all += (all.empty() ? "" : "\n") + one;
    return fail(Errc::invalid, std::move(all));
  }

 private:
  std::optional<std::string> get(std::string_view name) const {
    auto value = environment_(name);
    if (value && value->empty()) return {};
    return value;
  }
  void bad(std::string_view name, const std::string& value, const std::string& wanted) {
    problem(std::string(name) + " is " + base::in_quotes(value) + "; it must be " + wanted);
  }
  const Environment& environment_;
  std::vector<std::string> problems_;
};

std::string backend_problem(std::string_view backend) {
  if (std::ranges::find(kBackends, backend) != kBackends.end()) return {};
  if (backend == "firecracker" || backend == "qemu")
    return "backend " + base::in_quotes(backend) +
           " is not part of this build: microVMs need a build with them; choose wasm or stub";
  return "backend " + base::in_quotes(backend) + " is unknown; choose wasm or stub";
}

bool is_url(std::string_view url) {
  return (url.starts_with("http://") && url.size() > 7) || (url.starts_with("https://") && url.size() > 8);
}

}  // namespace

Result<HostOptions> host_options_from(const Environment& environment) {
  HostOptions options;
  Reader read(environment);
  read.text("FUSEBOX_HOST_BACKEND", options.backend);
  read.path("FC_DIR", options.data_dir);
  read.path("FUSEBOX_HOST_DATA_DIR", options.data_dir);
  read.path("FUSEBOX_HOST_IMAGES", options.image_dir);
  read.text("FC_AGENT_BIND", options.bind);
  read.number("FC_AGENT_PORT", options.port, 1, 65535);
  read.text("PUBLIC_HOST", options.public_host);
  read.text("FC_AGENT_TOKEN", options.token);
  read.text("FC_AGENT_TOKEN_PREVIOUS", options.token_previous);
  read.text("FC_AGENT_TLS_CERT", options.tls_cert_file);
  read.text("FC_AGENT_TLS_KEY", options.tls_key_file);
  read.text("FC_AGENT_TLS_CLIENT_CA", options.tls_client_ca_file);
  read.number("FC_AGENT_MAX_BODY_BYTES", options.body_bytes_max, 1024, 1u << 30);
  read.number("FC_AGENT_MAX_UPLOAD_BYTES", options.upload_bytes_max, 1024, 1u << 30);
  read.duration("FC_AGENT_REQUEST_TIMEOUT", options.request_limit);
  read.duration("FC_AGENT_ARTIFACT_TRANSFER_TIMEOUT", options.transfer_limit);
  read.number("FC_AGENT_MAX_ARTIFACT_BYTES", options.artifact_bytes_max, 1024, kArtifactBytesMax);
  read.duration("FC_AGENT_ARTIFACT_IO_TIMEOUT", options.artifact_io_limit);
  read.path("FC_AGENT_ARTIFACT_TMP_DIR", options.artifact_dir);
  read.number("FC_AGENT_MAX_PARALLEL_BOOTS", options.parallel_boots_max, 1, 1024);
  read.number("FUSEBOX_HOST_CPUS", options.cpus, 1, 1'000'000);
  read.number("FUSEBOX_HOST_RAM_MB", options.ram_mb, 1, 1'000'000'000);
  read.number("FUSEBOX_HOST_STORAGE_GB", options.storage_gb, 1, 1'000'000'000);
  read.text("FC_FLEET_ID", options.fleet_id);
  read.text("FUSEBOX_SERVER_URL", options.join.server_url);
  read.text("FUSEBOX_SERVER_TOKEN", options.join.server_token);
  read.text("FUSEBOX_SERVER_CA", options.join.server_ca_file);
  read.text("FUSEBOX_HOST_ID", options.join.host_id);
  read.text("FUSEBOX_HOST_URL", options.join.advertise_url);
  read.text("FUSEBOX_HOST_REGION", options.join.region);
  read.labels("FUSEBOX_HOST_LABELS", options.join.labels);
  read.number("FUSEBOX_HOST_VM_COUNT", options.join.vm_count, 1, 1'000'000);
  read.text("FUSEBOX_HOST_FINGERPRINT", options.join.tls_fingerprint_sha256);
  if (read.is_set("QEMU_AGENT_TOKEN")) read.problem("QEMU_AGENT_TOKEN is set: " + backend_problem("qemu"));
  FB_CHECK(read.check());
  return options;
}

Result<void> check_host_options(const HostOptions& options) {
  std::vector<std::string> problems;
  if (options.token.empty()) problems.emplace_back("FC_AGENT_TOKEN must be set");
  if (std::string problem = backend_problem(options.backend); !problem.empty()) problems.push_back(std::move(problem));
  if (options.tls_cert_file.empty() != options.tls_key_file.empty())
    problems.emplace_back("FC_AGENT_TLS_CERT and FC_AGENT_TLS_KEY: one without the other");
  if (!options.tls_client_ca_file.empty() && options.tls_cert_file.empty())
    problems.emplace_back("FC_AGENT_TLS_CLIENT_CA needs FC_AGENT_TLS_CERT and FC_AGENT_TLS_KEY");
  if (options.public_host.find_first_of(" /?#@") != std::string::npos)
    problems.push_back("PUBLIC_HOST is " + base::in_quotes(options.public_host) + "; it must be an IP or a host name");
  const JoinOptions& join = options.join;
  if (!join.server_url.empty() && !is_url(join.server_url))
    problems.push_back("the server's url is " + base::in_quotes(join.server_url) + "; it must be http or https");
  if (join.server_url.empty() && !join.server_token.empty())
    problems.emplace_back("a server token without the server's url");
  if (!join.server_url.empty() && join.server_token.empty())
    problems.emplace_back("the server's url without a token for it");
  if (!join.advertise_url.empty() && !is_url(join.advertise_url))
    problems.push_back("FUSEBOX_HOST_URL is " + base::in_quotes(join.advertise_url) + "; it must be http or https");
  if (problems.empty()) return {};
  std::string all;
  for (const std::string& one : problems) all += (all.empty() ? "" : "\n") + one;
  return fail(Errc::invalid, std::move(all));
}

}  // namespace fusebox::host
