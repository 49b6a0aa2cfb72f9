// The number keys of policies and options: one table per object drives reading, writing and the JSON schemas, so that they
// cannot disagree.
//
// Threads  constants.
// Contract edge.md 6.3, 6.5, 8.5
#pragma once

#include <cstdint>
#include <string_view>

#include "fuse_types.h"

namespace fusebox::edge::config {

inline constexpr std::uint32_t kPagesMax = 65536;
inline constexpr std::uint32_t kU32Max = 0xFFFFFFFF;
inline constexpr std::uint64_t kTickBudgetMax = (std::uint64_t{1} << 63) - 1;  // what the engine's counter can hold
inline constexpr std::uint32_t kOptionModulesMax = 4096;

namespace keys {

template <class T>
struct Number {
  std::string_view name;
  std::uint32_t T::* field;
  std::uint32_t min;
  std::uint32_t max;
  std::string_view doc;
  bool is_switch = false;  // also true and false
};

// All required.
inline constexpr Number<fuse_policy_t> kPolicyNumbers[] = {
    {"memory_pages_max", &fuse_policy_t::memory_pages_max, 0, kPagesMax,
     "linear memory, in pages of 64 KiB; 0 = the module's own maximum"},
    {"stack_size", &fuse_policy_t::stack_size, 0, kU32Max, "call depth, in bytes; the runtime's floor applies"},
    {"heap_size", &fuse_policy_t::heap_size, 0, kU32Max, "bytes; recorded, adds no memory"},
    {"cpu_quota_us", &fuse_policy_t::cpu_quota_us, 0, kU32Max, "microseconds of CPU time per step; 0 = unlimited"},
    {"step_interval_us", &fuse_policy_t::step_interval_us, 0, kU32Max,
     "microseconds between steps, start to start; 0 = no minimum"},
};

inline constexpr Number<fuse_policy_ext_t> kExtensionNumbers[] = {
    {"phase_us", &fuse_policy_ext_t::phase_us, 0, kU32Max, "first due time after start"},
    {"deadline_us", &fuse_policy_ext_t::deadline_us, 0, kU32Max,
     "after the due time; missed deadlines are counted; 0 = off"},
    {"init_budget_us", &fuse_policy_ext_t::init_budget_us, 0, kU32Max,
     "microseconds each of start function, module_init and module_deinit; 0 = the runtime's lifecycle_budget_us"},
    {"log_entries_per_step", &fuse_policy_ext_t::log_entries_per_step, 0, kU32Max,
     "further log calls of a step are dropped and counted; 0 = unlimited"},
};

inline constexpr std::string_view kRestartNames[] = {"never", "limited", "always"};  // in order of fuse_restart_t
inline constexpr Number<fuse_policy_ext_t> kOnFaultNumbers[] = {
    {"max", &fuse_policy_ext_t::restart_max, 0, kU32Max, "restarts in all; needed with `limited`"},
    {"backoff_us", &fuse_policy_ext_t::restart_backoff_us, 0, kU32Max, "microseconds before a restart"},
};

inline constexpr Number<fuse_options_t> kOptionNumbers[] = {
    {"lifecycle_budget_us", &fuse_options_t::lifecycle_budget_us, 0, kU32Max,
     "microseconds each of start function, module_init and module_deinit; 0 = 1000000"},
    {"step_ceiling_us", &fuse_options_t::step_ceiling_us, 0, kU32Max, "bounds steps whose quota is 0; 0 = off"},
    {"stack_floor_bytes", &fuse_options_t::stack_floor_bytes, 0, kU32Max,
     "least call depth of a module, in bytes; 0 = 1048576"},
    {"memory_pages_cap", &fuse_options_t::memory_pages_cap, 0, kPagesMax, "most pages of any module; 0 = 65536"},
    {"max_modules", &fuse_options_t::max_modules, 1, kOptionModulesMax, "slots of the runtime"},
    {"wamr_heap_compat", &fuse_options_t::wamr_heap_compat, 0, 1, "heap_size widens the address range", true},
    {"strict_policy", &fuse_options_t::strict_policy, 0, 1, "unknown bits refuse the load", true},
    {"strict_imports", &fuse_options_t::strict_imports, 0, 1, "an import that is not granted refuses the load", true},
    {"update_probation_steps", &fuse_options_t::update_probation_steps, 0, kU32Max,
     "steps before an update is final; 0 = 3"},
    {"evidence_entries", &fuse_options_t::evidence_entries, 0, kU32Max, "records of the evidence log; 0 = 64"},
};

}  // namespace keys
}  // namespace fusebox::edge::config
