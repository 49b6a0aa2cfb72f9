#include "capability/abi_plan.h"

#include <algorithm>
#include <array>
#include <optional>

#include "capability/codes.h"
#include "capability/host_functions.h"

namespace fusebox::capability {
namespace {

using engine::ExternKind;
using engine::FuncType;
using engine::ModuleInfo;
using engine::ValType;

FuncType type(std::size_t params, std::optional<ValType> result) {
  FuncType made;
  made.params.assign(params, ValType::i32);
  if (result) made.results.push_back(*result);
  return made;
}

bool exports_function(const ModuleInfo& info, std::string_view name, const FuncType& wanted) {
  const engine::Export* found = info.find_export(name);
  return found != nullptr && found->kind == ExternKind::function && found->function == wanted;
}

struct KnownAllocator {
  AllocatorKind kind;
  std::string_view allocate;
  std::size_t allocate_params;
  std::string_view release;
  std::size_t release_params;
};
constexpr std::array kAllocators{
    KnownAllocator{AllocatorKind::sized_release, "femto_alloc", 1, "femto_dealloc", 2},
    KnownAllocator{AllocatorKind::sized_release, "alloc", 1, "dealloc", 2},
    KnownAllocator{AllocatorKind::plain_release, "malloc", 1, "free", 1},
    KnownAllocator{AllocatorKind::assembly_script, "__new", 2, "__unpin", 1},
};

AllocatorPlan plan_allocator(const ModuleInfo& info) {
  for (const KnownAllocator& known : kAllocators) {
    if (!exports_function(info, known.allocate, type(known.allocate_params, ValType::i32))) continue;
    const bool releases = exports_function(info, known.release, type(known.release_params, std::nullopt));
    const bool pins =
        known.kind == AllocatorKind::assembly_script && exports_function(info, "__pin", type(1, ValType::i32));
    return {known.kind, known.allocate, releases ? known.release : std::string_view{}, pins};
  }
  return {};
}

std::optional<EntryType> classify(const FuncType& function) {
  if (function == type(2, ValType::i32)) return EntryType::pointer_length_to_pointer;
  if (function == type(2, ValType::i64)) return EntryType::pointer_length_to_packed;
  if (function == type(2, std::nullopt)) return EntryType::pointer_length;
  if (function == type(1, ValType::i32)) return EntryType::pointer_to_pointer;
  if (function == type(0, std::nullopt)) return EntryType::plain;
  return std::nullopt;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : " or ") + text;
  return all;
}

// The first import that needs the guest's memory, or null. env.abort takes pointers but only looks where it may.
const engine::Import* import_with_pointers(const ModuleInfo& info) {
  const auto at = std::ranges::find_if(info.imports, [](const engine::Import& import) {
    return match_import(import.module, import.field, import.function).row != nullptr;
  });
  return at == info.imports.end() ? nullptr : &*at;
}

}  // namespace

base::Result<void> check_imports(const ModuleInfo& info) {
  for (const engine::Import& import : info.imports) {
    const std::string name = "import \"" + import.module + "\" \"" + import.field + "\"";
    if (import.kind != ExternKind::function) {
      return refuse(code::kLink, name + " is a " + std::string(to_string(import.kind)) +
                                     "; modules may import functions only. Define it in the module");
    }
    const ImportMatch match = match_import(import.module, import.field, import.function);
    if (!match.known) {
      return refuse(code::kLink,
                    name + " " + import.function.text() +
                        " is not a host function; `femto` offers log, http.request, fs.read, fs.write, env.get, "
                        "result, input, buffer.read and last_error");
    }
    if (!match.type_accepted) {
      return refuse(code::kLink,
                    name + " has type " + import.function.text() + "; accepted: " + joined(match.accepted_types));
    }
  }
  return {};
}

base::Result<AbiPlan> plan_abi(const ModuleInfo& info, std::string_view entry) {
  AbiPlan plan;
  const engine::Export* memory = info.find_export("memory");
  plan.has_memory = memory != nullptr && memory->kind == ExternKind::memory;
  plan.allocator = plan_allocator(info);
  plan.has_result_length = exports_function(info, "femto_result_len", type(0, ValType::i32));
  plan.has_initialize = exports_function(info, "_initialize", type(0, std::nullopt));
  if (plan.has_memory) return plan;
  if (const engine::Import* import = import_with_pointers(info)) {
    return refuse(code::kLink, "import \"" + import->module + "\" \"" + import->field +
                                   "\" takes pointers, but the module exports no memory named \"memory\"");
  }
  const engine::Export* found = info.find_export(entry);
  const bool is_function = found != nullptr && found->kind == ExternKind::function;
  const auto known = is_function ? classify(found->function) : std::nullopt;
  if (known && takes_input(*known)) {
    return refuse(code::kLink, "entry \"" + std::string(entry) + "\" " + found->function.text() +
                                   " takes input, but the module exports no memory named \"memory\"");
  }
  return plan;
}

base::Result<EntryType> entry_type(const ModuleInfo& info, std::string_view function) {
  const std::string_view name = function.empty() ? "_start" : function;
  const engine::Export* found = info.find_export(name);
  if (found == nullptr) {
    return refuse(code::kFunctionNotFound, "the module exports no function \"" + std::string(name) + "\"");
  }
  if (found->kind != ExternKind::function) {
    return refuse(code::kFunctionNotFound, "export \"" + std::string(name) + "\" is a " +
                                               std::string(to_string(found->kind)) + ", not a function");
  }
  const auto known = classify(found->function);
  if (!known) {
    return refuse(code::kSignature, "function \"" + std::string(name) + "\" has type " + found->function.text() +
                                        "; an entry has (i32, i32) -> i32, (i32, i32) -> i64, (i32, i32) -> (), "
                                        "(i32) -> i32 or () -> ()");
  }
  return *known;
}

}  // namespace fusebox::capability
