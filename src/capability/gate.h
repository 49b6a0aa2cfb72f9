// The one place that decides what a module may do (contract capability.md section 9).
//
// Every decision is a pure function of what is asked, the policy and the counters of the execution; the caller audits
// it before anything is done. URLs and paths are judged by the gateways' own rules, which return the same Ruling.
// Threads  plain values and pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "capability/decision.h"
#include "policy/policy.h"

namespace fusebox::capability {

// What host functions belong to. `none` is the ABI itself (result, input, buffer.read, last_error): never refused.
enum class HostCapability : std::uint8_t { none, log, http_request, fs_read, fs_write, env };
inline constexpr std::size_t kHostCapabilities = 6;

// "log", "http.request", ...; "" for none.
std::string_view to_string(HostCapability capability) noexcept;
// By id or alias ("network.request", "filesystem.read", "filesystem.write").
std::optional<HostCapability> host_capability(std::string_view id) noexcept;
// `[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*`, at most 128 bytes.
bool is_capability_id(std::string_view id) noexcept;

// The host capabilities one execution may use.
class Grants {
 public:
  static constexpr Grants all() noexcept { return Grants(0xff); }
  static constexpr Grants none() noexcept { return Grants(1); }
  constexpr bool has(HostCapability c) const noexcept { return (bits_ >> static_cast<unsigned>(c) & 1) != 0; }
  constexpr Grants with(HostCapability c) const noexcept {
    return Grants(static_cast<std::uint8_t>(bits_ | 1u << static_cast<unsigned>(c)));
  }
  constexpr Grants operator&(Grants other) const noexcept { return Grants(bits_ & other.bits_); }
  constexpr bool operator==(const Grants&) const = default;

 private:
  constexpr explicit Grants(unsigned bits) noexcept : bits_(static_cast<std::uint8_t>(bits)) {}
  std::uint8_t bits_;
};
// What the policy enables.
Grants enabled_by(const policy::Policy& policy) noexcept;
// Ids and aliases of a manifest's permissions or a registered capability's hosts; unknown ones grant nothing.
Grants named_by(std::span<const std::string> ids) noexcept;

// What an execution has used so far.
struct Counters {
  std::uint64_t host_calls = 0;
  std::uint64_t log_messages = 0;
  std::uint64_t log_bytes = 0;
};

namespace gate {

// Whether the capability of a host function may be used at all.
Ruling host_function(HostCapability capability, Grants grants);
// Whether one more host call fits limits.host_calls; `counters` includes the call in question.
Ruling host_calls(const policy::Limits& limits, const Counters& counters);
// A log message of `bytes`, as it would be recorded.
Ruling log_message(const policy::LogRules& rules, const Counters& counters, std::uint64_t bytes);
// The name of an environment variable: 1 to 255 bytes without NUL and '='. Whether it exists is no decision.
Ruling environment_name(std::string_view name);
// A registered capability about to be invoked; its arguments are judged by its schema.
Ruling invocation(std::string_view id, bool registered, const policy::Policy& policy);

}  // namespace gate

}  // namespace fusebox::capability
