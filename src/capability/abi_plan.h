// What the run protocol needs to know of a module, read once from its exports: entry types, allocator, result length,
// memory. Contract capability.md sections 3 and 4.
//
// Threads  pure functions; plain values.
// Errors   LINK, SIGNATURE, FUNCTION_NOT_FOUND, with the names and types in question.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "capability/gate.h"
#include "engine/inspect.h"

namespace fusebox::capability {

enum class EntryType : std::uint8_t {
  pointer_length_to_pointer,  // (i32, i32) -> i32: `run`
  pointer_length_to_packed,   // (i32, i32) -> i64
  pointer_length,             // (i32, i32) -> ()
  pointer_to_pointer,         // (i32) -> i32, input ends with NUL
  plain,                      // () -> ()
};
constexpr bool takes_input(EntryType type) noexcept {
  return type != EntryType::plain;
}
constexpr bool takes_length(EntryType type) noexcept {
  return type != EntryType::plain && type != EntryType::pointer_to_pointer;
}

enum class AllocatorKind : std::uint8_t { none, sized_release, plain_release, assembly_script };
struct AllocatorPlan {
  AllocatorKind kind = AllocatorKind::none;
  std::string_view allocate;  // names are constants
  std::string_view release;   // "" when the module does not export it with its type
  bool pins = false;
};

struct AbiPlan {
  AllocatorPlan allocator;
  bool has_memory = false;
  bool has_result_length = false;
  bool has_initialize = false;
};

// Imports: only functions, only the names of section 5, only their types.
base::Result<void> check_imports(const engine::ModuleInfo& info);
// Also checks that a memory is exported when an imported host function or `entry` needs one.
base::Result<AbiPlan> plan_abi(const engine::ModuleInfo& info, std::string_view entry);
// The entry to call; "" means "_start".
base::Result<EntryType> entry_type(const engine::ModuleInfo& info, std::string_view function);

}  // namespace fusebox::capability
