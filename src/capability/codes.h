// The codes an embedder sees (contract capability.md 14.1), with what each implies.
//
// Threads  constant tables.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fusebox::capability {

namespace code {
inline constexpr std::string_view kPolicyInvalid = "POLICY_INVALID";
inline constexpr std::string_view kCompile = "COMPILE";
inline constexpr std::string_view kLink = "LINK";
inline constexpr std::string_view kSignature = "SIGNATURE";
inline constexpr std::string_view kFunctionNotFound = "FUNCTION_NOT_FOUND";
inline constexpr std::string_view kAbiMismatch = "ABI_MISMATCH";
inline constexpr std::string_view kModuleTooLarge = "MODULE_TOO_LARGE";
inline constexpr std::string_view kManifestInvalid = "MANIFEST_INVALID";
inline constexpr std::string_view kTrap = "TRAP";
inline constexpr std::string_view kGuestAbort = "GUEST_ABORT";
inline constexpr std::string_view kCpuLimit = "CPU_LIMIT";
inline constexpr std::string_view kWallLimit = "WALL_LIMIT";
inline constexpr std::string_view kTickLimit = "TICK_LIMIT";
inline constexpr std::string_view kStackOverflow = "STACK_OVERFLOW";
inline constexpr std::string_view kCancelled = "CANCELLED";
inline constexpr std::string_view kCapabilityDenied = "CAPABILITY_DENIED";
inline constexpr std::string_view kResultNotJson = "RESULT_NOT_JSON";
inline constexpr std::string_view kResultInvalidUtf8 = "RESULT_INVALID_UTF8";
inline constexpr std::string_view kResultTooLarge = "RESULT_TOO_LARGE";
inline constexpr std::string_view kResultOutOfBounds = "RESULT_OUT_OF_BOUNDS";
inline constexpr std::string_view kMemoryLimit = "MEMORY_LIMIT";
inline constexpr std::string_view kInputTooLarge = "INPUT_TOO_LARGE";
inline constexpr std::string_view kAlloc = "ALLOC";
inline constexpr std::string_view kIntegrity = "INTEGRITY";
inline constexpr std::string_view kGuestMemoryFault = "GUEST_MEMORY_FAULT";
inline constexpr std::string_view kAuditUnavailable = "AUDIT_UNAVAILABLE";
inline constexpr std::string_view kBusy = "BUSY";
inline constexpr std::string_view kInUse = "IN_USE";
inline constexpr std::string_view kInternal = "INTERNAL";
inline constexpr std::string_view kIo = "IO";
inline constexpr std::string_view kOutOfMemory = "OUT_OF_MEMORY";
}  // namespace code

struct CodeInfo {
  std::string_view code;
  std::string_view category;
  std::string_view severity;  // INFO, WARNING, ERROR, CRITICAL
  std::string_view subsystem;
  base::Errc errc;
};

// INTERNAL's row for a name that is not in the table.
const CodeInfo& code_info(std::string_view code) noexcept;
// The code for an Error of a lower layer, which has no name of 14.1 of its own.
std::string_view code_for(const base::Error& error) noexcept;
// An Error of this face: the code decides the Errc.
std::unexpected<base::Error> refuse(std::string_view code, std::string message);

}  // namespace fusebox::capability
