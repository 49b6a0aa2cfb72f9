#include "capability/codes.h"

#include <algorithm>
#include <array>

#include "fusebox/sandbox.h"

namespace fusebox::capability {
namespace {

using base::Errc;
constexpr std::array kCodes{
    CodeInfo{code::kPolicyInvalid, "CONFIGURATION_ERROR", "ERROR", "policy", Errc::invalid},
    CodeInfo{code::kCompile, "PROTOCOL_ERROR", "ERROR", "module", Errc::invalid},
    CodeInfo{code::kLink, "PROTOCOL_ERROR", "ERROR", "module", Errc::invalid},
    CodeInfo{code::kSignature, "PROTOCOL_ERROR", "ERROR", "module", Errc::invalid},
    CodeInfo{code::kFunctionNotFound, "PROTOCOL_ERROR", "ERROR", "module", Errc::not_found},
    CodeInfo{code::kAbiMismatch, "PROTOCOL_ERROR", "ERROR", "module", Errc::invalid},
    CodeInfo{code::kModuleTooLarge, "PROTOCOL_ERROR", "ERROR", "module", Errc::exhausted},
    CodeInfo{code::kManifestInvalid, "PROTOCOL_ERROR", "ERROR", "module", Errc::invalid},
    CodeInfo{"DENIED_CAPABILITY_NOT_FOUND", "AUTHORIZATION_ERROR", "WARNING", "gate", Errc::not_found},
    CodeInfo{"DENIED_CAPABILITY_DISABLED", "AUTHORIZATION_ERROR", "WARNING", "gate", Errc::denied},
    CodeInfo{"DENIED_ARGUMENT_INVALID", "AUTHORIZATION_ERROR", "WARNING", "gate", Errc::invalid},
    CodeInfo{"DENIED_POLICY_VIOLATION", "AUTHORIZATION_ERROR", "WARNING", "gate", Errc::denied},
    CodeInfo{code::kTrap, "CAPABILITY_ERROR", "ERROR", "execution", Errc::trapped},
    CodeInfo{code::kGuestAbort, "CAPABILITY_ERROR", "ERROR", "execution", Errc::trapped},
    CodeInfo{code::kCpuLimit, "CAPABILITY_ERROR", "ERROR", "execution", Errc::stopped},
    CodeInfo{code::kWallLimit, "CAPABILITY_ERROR", "ERROR", "execution", Errc::stopped},
    CodeInfo{code::kTickLimit, "CAPABILITY_ERROR", "ERROR", "execution", Errc::stopped},
    CodeInfo{code::kStackOverflow, "CAPABILITY_ERROR", "ERROR", "execution", Errc::trapped},
    CodeInfo{code::kCancelled, "CAPABILITY_ERROR", "WARNING", "execution", Errc::stopped},
    CodeInfo{code::kCapabilityDenied, "CAPABILITY_ERROR", "WARNING", "gate", Errc::denied},
    CodeInfo{code::kResultNotJson, "CAPABILITY_ERROR", "ERROR", "execution", Errc::invalid},
    CodeInfo{code::kResultInvalidUtf8, "CAPABILITY_ERROR", "ERROR", "execution", Errc::invalid},
    CodeInfo{code::kResultTooLarge, "CAPABILITY_ERROR", "ERROR", "execution", Errc::exhausted},
    CodeInfo{code::kResultOutOfBounds, "CAPABILITY_ERROR", "ERROR", "execution", Errc::trapped},
    CodeInfo{code::kMemoryLimit, "MEMORY_ERROR", "ERROR", "memory", Errc::exhausted},
    CodeInfo{code::kInputTooLarge, "MEMORY_ERROR", "ERROR", "memory", Errc::exhausted},
    CodeInfo{code::kAlloc, "MEMORY_ERROR", "ERROR", "memory", Errc::trapped},
    CodeInfo{code::kIntegrity, "SECURITY_ERROR", "CRITICAL", "integrity", Errc::denied},
    CodeInfo{code::kGuestMemoryFault, "SECURITY_ERROR", "CRITICAL", "execution", Errc::trapped},
    CodeInfo{code::kAuditUnavailable, "OBSERVABILITY_ERROR", "CRITICAL", "audit", Errc::unavailable},
    CodeInfo{code::kBusy, "RUNTIME_ERROR", "WARNING", "runtime", Errc::unavailable},
    CodeInfo{code::kInUse, "RUNTIME_ERROR", "WARNING", "runtime", Errc::unavailable},
    CodeInfo{code::kIo, "SYSTEM_ERROR", "ERROR", "system", Errc::io},
    CodeInfo{code::kOutOfMemory, "SYSTEM_ERROR", "CRITICAL", "system", Errc::exhausted},
    CodeInfo{code::kInternal, "RUNTIME_ERROR", "CRITICAL", "runtime", Errc::bug},
};

}  // namespace

const CodeInfo& code_info(std::string_view code) noexcept {
  const auto* at = std::ranges::find(kCodes, code, &CodeInfo::code);
  return at == kCodes.end() ? kCodes.back() : *at;
}

std::string_view code_for(const base::Error& error) noexcept {
  if (!error.name.empty() && code_info(error.name).code == error.name) return code_info(error.name).code;
  switch (error.code) {
    case Errc::io:
    case Errc::not_found:
      return code::kIo;
    case Errc::exhausted:
      return code::kOutOfMemory;
    case Errc::denied:
    case Errc::corrupt:
      return code::kIntegrity;
    case Errc::invalid:
    case Errc::unsupported:
      return code::kCompile;
    default:
      return code::kInternal;
  }
}

std::unexpected<base::Error> refuse(std::string_view code, std::string message) {
  return base::fail(code_info(code).errc, std::move(message), std::string(code));
}

std::string_view error_category(std::string_view code) noexcept {
  return code_info(code).category;
}

}  // namespace fusebox::capability
