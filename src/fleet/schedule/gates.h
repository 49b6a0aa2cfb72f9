// The gates every placement passes, and why a host is turned away.
//
// Threads  pure functions.
// Contract control-plane.md 12.1
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleet/schedule/types.h"

namespace fusebox::fleet::schedule {

// In the order they are tried.
enum class Gate : std::uint8_t { none, state, region, arch, backend, labels, features, image, fit, reachable };

// The first gate `host` fails for `demand`; none: it can take the environment.
Gate failed_gate(const HostView& host, const Demand& demand);
// `is cordoned, not active`, `does not fit 2CPU/512MB/2GB`, ...: completes the sentence `host "x" ...`.
std::string rejection_text(const HostView& host, const Demand& demand, Gate gate);

// Whether the image is there, as far as the host tells.
bool may_have_image(const HostView& host, std::string_view image);
bool labels_match(const Labels& host, const Labels& wanted);
std::string_view arch_or_default(std::string_view arch) noexcept;        // "" = amd64
std::string_view backend_or_default(std::string_view backend) noexcept;  // "" = firecracker
// `k=v, k2=v2`, sorted by key.
std::string labels_text(const Labels& labels);
// `2CPU/512MB/2GB`, and ` + 1 gpu ...` when some are asked.
std::string size_text(const Demand& demand);

}  // namespace fusebox::fleet::schedule
