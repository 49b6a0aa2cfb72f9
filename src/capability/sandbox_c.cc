#include "fusebox/sandbox_c.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "base/bytes.h"
#include "capability/codes.h"
#include "fusebox/sandbox.h"

struct fusebox_sandbox {
  std::unique_ptr<fusebox::capability::Sandbox> sandbox;
};

namespace fusebox::capability {
namespace {

// In the order of fusebox_code.
constexpr std::array<const char*, 36> kNames = {"OK",
                                                "POLICY_INVALID",
                                                "COMPILE",
                                                "LINK",
                                                "SIGNATURE",
                                                "FUNCTION_NOT_FOUND",
                                                "ABI_MISMATCH",
                                                "MODULE_TOO_LARGE",
                                                "MANIFEST_INVALID",
                                                "DENIED_CAPABILITY_NOT_FOUND",
                                                "DENIED_CAPABILITY_DISABLED",
                                                "DENIED_ARGUMENT_INVALID",
                                                "DENIED_POLICY_VIOLATION",
                                                "TRAP",
                                                "GUEST_ABORT",
                                                "CPU_LIMIT",
                                                "WALL_LIMIT",
                                                "TICK_LIMIT",
                                                "STACK_OVERFLOW",
                                                "CANCELLED",
                                                "CAPABILITY_DENIED",
                                                "RESULT_NOT_JSON",
                                                "RESULT_INVALID_UTF8",
                                                "RESULT_TOO_LARGE",
                                                "RESULT_OUT_OF_BOUNDS",
                                                "MEMORY_LIMIT",
                                                "INPUT_TOO_LARGE",
                                                "ALLOC",
                                                "INTEGRITY",
                                                "GUEST_MEMORY_FAULT",
                                                "AUDIT_UNAVAILABLE",
                                                "BUSY",
                                                "IN_USE",
                                                "INTERNAL",
                                                "IO",
                                                "OUT_OF_MEMORY"};
static_assert(kNames.size() == FUSEBOX_OUT_OF_MEMORY + 1);

fusebox_code to_c(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<fusebox_code>(i);
  }
  return FUSEBOX_INTERNAL;
}

char* copy(std::string_view text) noexcept {
  char* made = static_cast<char*>(std::malloc(text.size() + 1));
  if (made == nullptr) return nullptr;
  if (!text.empty()) std::memcpy(made, text.data(), text.size());
  made[text.size()] = '\0';
  return made;
}

fusebox_code deliver_error(const base::Error& error, char** out) {
  if (out != nullptr) *out = copy(error_json(error));
  return to_c(code_for(error));
}

// Exceptions only come from memory running out; they do not cross into C.
template <class Body>
fusebox_code guarded(const Body& body) noexcept {
  try {
    return body();
  } catch (...) {
    return FUSEBOX_OUT_OF_MEMORY;
  }
}

std::chrono::nanoseconds as_time(std::uint64_t ns) noexcept {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(ns > INT64_MAX ? INT64_MAX : ns));
}

void set_id(fusebox_sandbox_output& output, const ExecutionId& id) {
  std::memcpy(output.execution_id, id.text().c_str(), sizeof output.execution_id);
}

fusebox_code execute(Sandbox& sandbox, std::optional<ExecutionId> id, base::ByteView wasm, std::string_view function,
                     std::string_view input, fusebox_sandbox_output& output) {
  if (!id) id = sandbox.new_execution_id();
  set_id(output, *id);
  auto result = sandbox.execute_as(*id, wasm, function, input);
  if (!result) {
    if (const auto* failure = dynamic_cast<const ExecutionFailure*>(result.error().detail.get())) {
      const Usage& usage = failure->outcome.usage;
      output.usage = {usage.cpu_us, usage.wall_us, usage.ticks, usage.peak_memory_bytes, usage.host_calls};
    }
    return deliver_error(result.error(), &output.error);
  }
  output.result = copy(result->result);
  output.result_len = result->result.size();
  output.kind = static_cast<fusebox_result_kind>(result->kind);
  output.usage = {result->usage.cpu_us, result->usage.wall_us, result->usage.ticks, result->usage.peak_memory_bytes,
                  result->usage.host_calls};
  return output.result == nullptr ? FUSEBOX_OUT_OF_MEMORY : FUSEBOX_OK;
}

}  // namespace
}  // namespace fusebox::capability

using namespace fusebox::capability;

extern "C" {

fusebox_sandbox* fusebox_sandbox_new(void) {
  try {
    return new fusebox_sandbox{std::make_unique<Sandbox>()};
  } catch (...) {
    return nullptr;
  }
}

void fusebox_sandbox_free(fusebox_sandbox* sandbox) {
  delete sandbox;
}

fusebox_code fusebox_sandbox_set_memory_limit(fusebox_sandbox* sandbox, uint64_t bytes) {
  sandbox->sandbox->set_memory_limit(bytes);
  return FUSEBOX_OK;
}

fusebox_code fusebox_sandbox_set_cpu_limit_ns(fusebox_sandbox* sandbox, uint64_t nanoseconds) {
  sandbox->sandbox->set_cpu_limit(as_time(nanoseconds));
  return FUSEBOX_OK;
}

fusebox_code fusebox_sandbox_set_wall_limit_ns(fusebox_sandbox* sandbox, uint64_t nanoseconds) {
  sandbox->sandbox->set_wall_limit(as_time(nanoseconds));
  return FUSEBOX_OK;
}

fusebox_code fusebox_sandbox_set_tick_limit(fusebox_sandbox* sandbox, uint64_t ticks) {
  sandbox->sandbox->set_tick_limit(ticks);
  return FUSEBOX_OK;
}

fusebox_code fusebox_sandbox_load_policy(fusebox_sandbox* sandbox, const char* path, char** error) {
  if (error != nullptr) *error = nullptr;
  return guarded([&] {
    auto policy = load_policy(path);
    if (!policy) return deliver_error(policy.error(), error);
    auto made = Sandbox::create(std::move(*policy));
    if (!made) return deliver_error(made.error(), error);
    made->take_setters_of(*sandbox->sandbox);
    *sandbox->sandbox = std::move(*made);
    return FUSEBOX_OK;
  });
}

fusebox_code fusebox_sandbox_execute(fusebox_sandbox* sandbox, const uint8_t* wasm, size_t wasm_len,
                                     const char* function, const char* input, size_t input_len,
                                     fusebox_sandbox_output* output) {
  return fusebox_sandbox_execute_as(sandbox, nullptr, wasm, wasm_len, function, input, input_len, output);
}

fusebox_code fusebox_sandbox_new_id(fusebox_sandbox* sandbox, char id[37]) {
  return guarded([&] {
    std::memcpy(id, sandbox->sandbox->new_execution_id().text().c_str(), 37);
    return FUSEBOX_OK;
  });
}

fusebox_code fusebox_sandbox_execute_as(fusebox_sandbox* sandbox, const char* id, const uint8_t* wasm, size_t wasm_len,
                                        const char* function, const char* input, size_t input_len,
                                        fusebox_sandbox_output* output) {
  fusebox_sandbox_output own;
  fusebox_sandbox_output& target = output != nullptr ? *output : own;
  target = {};
  const fusebox_code code = guarded([&] {
    std::optional<ExecutionId> parsed;
    if (id != nullptr) {
      auto given = ExecutionId::parse(id);
      if (!given) return deliver_error(given.error(), &target.error);
      parsed = *given;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(wasm), wasm_len);
    return execute(*sandbox->sandbox, parsed, fusebox::base::as_bytes(bytes), function == nullptr ? "run" : function,
                   input == nullptr ? std::string_view() : std::string_view(input, input_len), target);
  });
  if (output == nullptr) fusebox_sandbox_output_free(&own);
  return code;
}

fusebox_code fusebox_sandbox_cancel(fusebox_sandbox* sandbox, const char* id, int* found) {
  if (found != nullptr) *found = 0;
  return guarded([&] {
    const auto parsed = ExecutionId::parse(id);
    if (!parsed) return FUSEBOX_INTERNAL;
    const bool cancelled = sandbox->sandbox->cancel(*parsed);
    if (found != nullptr) *found = cancelled ? 1 : 0;
    return FUSEBOX_OK;
  });
}

void fusebox_sandbox_output_free(fusebox_sandbox_output* output) {
  if (output == nullptr) return;
  std::free(output->result);
  std::free(output->error);
  output->result = nullptr;
  output->error = nullptr;
}

void fusebox_sandbox_string_free(char* string) {
  std::free(string);
}

const char* fusebox_sandbox_code_name(fusebox_code code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : "INTERNAL";
}

}  // extern "C"
