// POST /v1/hosts (contract control-plane.md 11.3, without the probe).
#include <algorithm>

#include "base/bytes.h"
#include "base/certificate.h"
#include "base/text.h"
#include "fleet/api/rules/names.h"
#include "fleet/api/rules/spec_rules.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::in_quotes;
using base::Result;

// Either case means the same; whoever reads the url later looks for this one.
std::string with_small_scheme(std::string url) {
  const std::size_t end = url.find("://");
  if (end == std::string::npos) return url;
  return url.replace(0, end, lower_case(std::string_view(url).substr(0, end)));
}

HostRequest decode(const BodyObject& root) {
  HostRequest request;
  request.id = root.text("id");
  request.url = with_small_scheme(root.text("url"));
  request.token = root.text("token");
  request.region = root.text("region");
  if (std::string backend = root.text("backend"); !backend.empty()) request.backend = std::move(backend);
  request.labels = root.text_map("labels");
  const BodyObject capacity = root.object("capacity");
  request.cpus = capacity.i32("cpus");
  request.ram_mb = capacity.i32("ram_mb");
  request.storage_gb = capacity.i32("storage_gb");
  request.vm_count = capacity.i32("vm_count");
  request.arch = capacity.text("arch");
  request.gpus = capacity.i32("gpus");
  request.gpu_kind = capacity.text("gpu_kind");
  request.mig_profiles = capacity.count_map("mig_profiles");
  const BodyObject tls = root.object("tls");
  request.ca_pem = tls.text("ca_pem");
  request.fingerprint_sha256 = tls.text("fingerprint_sha256");
  request.client_cert_pem = tls.text("client_cert_pem");
  request.client_key_pem = tls.text("client_key_pem");
  return request;
}

Result<void> check_identity(const HostRequest& request) {
  constexpr std::string_view kSchemes[] = {"http", "https"};
  if (request.id.empty() || request.url.empty()) return refuse(400, "id and url are required");
  if (!is_host_id(request.id)) {
    return refuse(400, "id must be 1 to 128 of A-Z, a-z, 0-9, ., _ and -, and begin with a letter or digit");
  }
  if (!is_url(request.url, kSchemes, UrlTail::path_only)) {
    return refuse(400, "url must be http or https with a host, without user, query or fragment");
  }
  constexpr std::string_view kBackends[] = {"firecracker", "qemu", "wasm", "stub"};  // stub: for trials (14.1)
  if (std::ranges::find(kBackends, request.backend) == std::end(kBackends)) {
    return refuse(400, "backend " + in_quotes(request.backend) + " must be firecracker, qemu, wasm or stub");
  }
  if (request.token.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return refuse(400, "token holds a line end or a NUL byte");
  }
  return check_labels(request.labels, "labels");
}

// Sizes of 0 or below are taken from the probe.
Result<void> check_capacity(HostRequest& request) {
  if (request.gpus < 0) return refuse(400, "capacity.gpus must not be negative");
  if ((request.gpus > 0 || !request.mig_profiles.empty()) && request.backend != "qemu") {
    return refuse(400, "capacity.gpus and capacity.mig_profiles: gpu hosts require backend \"qemu\"");
  }
  if (request.vm_count <= 0) return refuse(400, "capacity.vm_count must be positive");
  const std::optional<std::string> arch = normal_arch(request.arch);
  if (!arch) return refuse(400, "capacity.arch " + in_quotes(request.arch) + " must be amd64 or arm64");
  request.arch = *arch;
  std::map<std::string, std::int64_t> profiles;
  for (const auto& [profile, count] : request.mig_profiles) {
    const std::string where = "capacity.mig_profiles[" + base::to_utf8(profile.substr(0, 64)) + "]: ";
    if (!is_gpu_profile(profile)) return refuse(400, where + "no MIG profile such as 1g.5gb");
    if (count <= 0) return refuse(400, where + "the count must be positive");
    profiles[lower_case(profile)] += count;
  }
  request.mig_profiles = std::move(profiles);
  for (std::int64_t* size : {&request.cpus, &request.ram_mb, &request.storage_gb}) {
    *size = std::max<std::int64_t>(*size, 0);
  }
  return {};
}

Result<void> check_tls(HostRequest& request) {
  if (!request.fingerprint_sha256.empty()) {
    std::string digits = lower_case(request.fingerprint_sha256);
    std::erase(digits, ':');
    if (digits.size() != 64 || !base::from_hex(digits)) {
      return refuse(400, "tls.fingerprint_sha256 must be 64 hexadecimal digits");
    }
    request.fingerprint_sha256 = std::move(digits);
  }
  if (!request.ca_pem.empty() && !base::certificate_fingerprint(request.ca_pem)) {
    return refuse(400, "tls.ca_pem holds no PEM certificate");
  }
  if (request.client_cert_pem.empty() != request.client_key_pem.empty()) {
    return refuse(400, "tls.client_cert_pem and tls.client_key_pem go together");
  }
  if (!request.client_cert_pem.empty() && !base::certificate_fingerprint(request.client_cert_pem)) {
    return refuse(400, "tls.client_cert_pem holds no PEM certificate");
  }
  return {};
}

}  // namespace

Result<HostRequest> read_host(std::string_view text) {
  FB_TRY(Body body, Body::parse(text));
  HostRequest request = decode(body.root());
  FB_CHECK(body.check());
  FB_CHECK(check_identity(request));
  FB_CHECK(check_capacity(request));
  FB_CHECK(check_tls(request));
  return request;
}

}  // namespace fusebox::fleet
