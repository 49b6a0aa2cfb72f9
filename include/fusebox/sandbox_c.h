/* The capability sandbox for C: include/fusebox/sandbox.h mirrored, contract capability.md section 2.
 *
 *   fusebox_sandbox *sb = fusebox_sandbox_new();
 *   fusebox_sandbox_load_policy(sb, "policy.json");
 *   fusebox_sandbox_output out = {0};
 *   if (fusebox_sandbox_execute(sb, wasm, wasm_len, "run", input, input_len, &out) == FUSEBOX_OK) use(out.result, out.result_len);
 *   fusebox_sandbox_output_free(&out);
 *   fusebox_sandbox_free(sb);
 *
 * Owner    A sandbox belongs to who made it. What an output points to belongs to the output until fusebox_sandbox_output_free().
 * Threads  execute and cancel: any thread. new, free and load_policy: while nothing runs in that sandbox.
 * Errors   every call returns a code of contract 14.1; fusebox_sandbox_code_name() gives its name.
 */
#ifndef FUSEBOX_SANDBOX_C_H
#define FUSEBOX_SANDBOX_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fusebox_sandbox fusebox_sandbox;

/* In the order of contract 14.1; values never change. */
typedef enum fusebox_code {
  FUSEBOX_OK = 0,
  FUSEBOX_POLICY_INVALID = 1,
  FUSEBOX_COMPILE = 2,
  FUSEBOX_LINK = 3,
  FUSEBOX_SIGNATURE = 4,
  FUSEBOX_FUNCTION_NOT_FOUND = 5,
  FUSEBOX_ABI_MISMATCH = 6,
  FUSEBOX_MODULE_TOO_LARGE = 7,
  FUSEBOX_MANIFEST_INVALID = 8,
  FUSEBOX_DENIED_CAPABILITY_NOT_FOUND = 9,
  FUSEBOX_DENIED_CAPABILITY_DISABLED = 10,
  FUSEBOX_DENIED_ARGUMENT_INVALID = 11,
  FUSEBOX_DENIED_POLICY_VIOLATION = 12,
  FUSEBOX_TRAP = 13,
  FUSEBOX_GUEST_ABORT = 14,
  FUSEBOX_CPU_LIMIT = 15,
  FUSEBOX_WALL_LIMIT = 16,
  FUSEBOX_TICK_LIMIT = 17,
  FUSEBOX_STACK_OVERFLOW = 18,
  FUSEBOX_CANCELLED = 19,
  FUSEBOX_CAPABILITY_DENIED = 20,
  FUSEBOX_RESULT_NOT_JSON = 21,
  FUSEBOX_RESULT_INVALID_UTF8 = 22,
  FUSEBOX_RESULT_TOO_LARGE = 23,
  FUSEBOX_RESULT_OUT_OF_BOUNDS = 24,
  FUSEBOX_MEMORY_LIMIT = 25,
  FUSEBOX_INPUT_TOO_LARGE = 26,
  FUSEBOX_ALLOC = 27,
  FUSEBOX_INTEGRITY = 28,
  FUSEBOX_GUEST_MEMORY_FAULT = 29,
  FUSEBOX_AUDIT_UNAVAILABLE = 30,
  FUSEBOX_BUSY = 31,
  FUSEBOX_IN_USE = 32,
  FUSEBOX_INTERNAL = 33,
  FUSEBOX_IO = 34,
  FUSEBOX_OUT_OF_MEMORY = 35
} fusebox_code;

typedef struct fusebox_sandbox_usage {
  uint64_t cpu_us;
  uint64_t wall_us;
  uint64_t ticks;
  uint64_t peak_memory_bytes;
  uint64_t host_calls;
} fusebox_sandbox_usage;

typedef enum fusebox_result_kind {
  FUSEBOX_RESULT_JSON = 0,
  FUSEBOX_RESULT_TEXT = 1,
  FUSEBOX_RESULT_BYTES = 2
} fusebox_result_kind;

typedef struct fusebox_sandbox_output {
  char execution_id[37]; /* lower-case text, NUL-terminated; "" when no execution began */
  char* result;          /* NULL after a failure; a NUL follows result_len bytes */
  size_t result_len;
  fusebox_result_kind kind;
  fusebox_sandbox_usage usage;
  char* error; /* the error object of contract 14.2 as JSON; NULL on success */
} fusebox_sandbox_output;

/* Defaults of contract 8.2, no capability enabled. NULL when memory is short. */
fusebox_sandbox* fusebox_sandbox_new(void);
void fusebox_sandbox_free(fusebox_sandbox* sandbox);

/* For executions that start later; the smaller of policy and setter holds; 0 restores the default (ticks: off). */
fusebox_code fusebox_sandbox_set_memory_limit(fusebox_sandbox* sandbox, uint64_t bytes);
fusebox_code fusebox_sandbox_set_cpu_limit_ns(fusebox_sandbox* sandbox, uint64_t nanoseconds);
fusebox_code fusebox_sandbox_set_wall_limit_ns(fusebox_sandbox* sandbox, uint64_t nanoseconds);
fusebox_code fusebox_sandbox_set_tick_limit(fusebox_sandbox* sandbox, uint64_t ticks);

/* Replaces the policy. On failure the old one stays and `error`, when not NULL, gets JSON to be given to fusebox_sandbox_string_free. */
fusebox_code fusebox_sandbox_load_policy(fusebox_sandbox* sandbox, const char* path, char** error);

/* `function` NULL means "run", "" means "_start". `output` may be NULL. It is always set, and freed with output_free. */
fusebox_code fusebox_sandbox_execute(fusebox_sandbox* sandbox, const uint8_t* wasm, size_t wasm_len,
                                     const char* function, const char* input, size_t input_len,
                                     fusebox_sandbox_output* output);

/* The same under an id of the caller's, so that another thread can cancel it. `id` is what fusebox_sandbox_new_id gave. */
fusebox_code fusebox_sandbox_new_id(fusebox_sandbox* sandbox, char id[37]);
fusebox_code fusebox_sandbox_execute_as(fusebox_sandbox* sandbox, const char* id, const uint8_t* wasm, size_t wasm_len,
                                        const char* function, const char* input, size_t input_len,
                                        fusebox_sandbox_output* output);
/* `found`, when not NULL, tells whether an execution of this id was running. FUSEBOX_INTERNAL for text that is no id. */
fusebox_code fusebox_sandbox_cancel(fusebox_sandbox* sandbox, const char* id, int* found);

void fusebox_sandbox_output_free(fusebox_sandbox_output* output);
void fusebox_sandbox_string_free(char* string);

/* "CPU_LIMIT", ...; "OK" for FUSEBOX_OK. */
const char* fusebox_sandbox_code_name(fusebox_code code);

#ifdef __cplusplus
}
#endif
#endif
