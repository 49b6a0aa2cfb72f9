#include "fleet/api/rules/spec_rules.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "fleet/api/rules/names.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {

using base::Result;

base::Result<void> check_gpu(EnvironmentSpec& spec) {
  if (spec.gpus < 0) return refuse(400, "spec.gpus must not be negative");
  if (spec.gpu_profile.empty()) return {};
  if (!is_gpu_profile(spec.gpu_profile)) {
    return refuse(400, "spec.gpu_profile " + base::in_quotes(spec.gpu_profile) + " is no MIG profile such as 1g.5gb");
  }
  if (spec.gpus < 1) return refuse(400, "spec.gpu_profile needs spec.gpus of 1 or more");
  if (lacks_mig(spec.gpu_kind)) {
    return refuse(400, "spec.gpu_kind " + base::in_quotes(spec.gpu_kind) + " has no MIG profiles");
  }
  spec.gpu_profile = lower_case(spec.gpu_profile);
  return {};
}

Result<void> check_labels(const StringMap& labels, std::string_view path) {
  for (const auto& [key, value] : labels) {
    const std::string where = std::string(path) + "[" + base::to_utf8(key.substr(0, 64)) + "]: ";
    if (!is_label(key)) return refuse(400, where + "the key must be 1 to 63 of A-Z, a-z, 0-9, -, _ and .");
    if (!is_label(value)) return refuse(400, where + "the value must be 1 to 63 of A-Z, a-z, 0-9, -, _ and .");
  }
  return {};
}

Result<void> check_timeouts(const EnvironmentSpec& spec) {
  if (spec.max_runtime_seconds < 0) return refuse(400, "spec.max_runtime_seconds must not be negative");
  if (spec.idle_timeout_seconds != 0 && spec.idle_timeout_seconds < kIdleTimeoutMin) {
    return refuse(400, "spec.idle_timeout_seconds must be 0 or at least 60");
  }
  return {};
}

Result<void> check_sizes(EnvironmentSpec& spec) {
  if (spec.cpus < 0) return refuse(400, "spec.cpus must not be negative");
  if (spec.ram_mb < 0) return refuse(400, "spec.ram_mb must not be negative");
  if (spec.storage_gb < 0) return refuse(400, "spec.storage_gb must not be negative");
  const std::optional<std::string> arch = normal_arch(spec.arch);
  if (!arch) return refuse(400, "spec.arch " + base::in_quotes(spec.arch) + " must be amd64 or arm64");
  spec.arch = *arch;
  return {};
}

Result<void> check_backend(const EnvironmentSpec& spec) {
  constexpr std::string_view kBackends[] = {"", "wasm", "firecracker", "qemu", "stub"};
  if (std::ranges::find(kBackends, spec.backend) == std::end(kBackends)) {
    return refuse(400, "spec.backend " + base::in_quotes(spec.backend) + " must be wasm, firecracker, qemu or stub");
  }
  if (spec.gpus > 0 && !spec.backend.empty() && spec.backend != "qemu") {
    return refuse(400, "spec.backend: gpu environments require \"qemu\"");
  }
  return {};
}

Result<EnvironmentSpec> check_spec(RawSpec raw) {
  FB_CHECK(check_gpu(raw.spec));
  FB_CHECK(check_labels(raw.spec.labels, "spec.labels"));
  FB_CHECK(check_timeouts(raw.spec));
  FB_CHECK(check_sizes(raw.spec));
  FB_CHECK(check_backend(raw.spec));
  FB_TRY(raw.spec.egress, check_egress(raw.egress));
  return std::move(raw.spec);
}

}  // namespace fusebox::fleet
