/* Host functions of the capability sandbox, for guests in C: freestanding, nothing but this file is needed.
 *
 *   clang --target=wasm32-unknown-unknown -nostdlib -O2 -Wl,--no-entry -Wl,--export-memory -o guest.wasm guest.c
 *
 * Every function returns a count or 0, or one of the negative codes below. A buffer that lies outside the guest's memory ends the
 * execution. Functions with an output buffer return the total number of bytes and copy at most `capacity` of them;
 * femto_buffer_read() fetches the rest of the newest output without doing the work again.
 *
 * Contract: docs/capability.md. Each guest exports `run` (FEMTO_RUN); femto_support.h has an allocator and JSON helpers.
 */
#ifndef FEMTO_H
#define FEMTO_H

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned int femto_u32;
typedef int femto_i32;

#define FEMTO_IMPORT(name) __attribute__((import_module("femto"), import_name(name)))
#define FEMTO_EXPORT(name) __attribute__((export_name(name)))

enum femto_code {
  FEMTO_OK = 0,
  FEMTO_ARGUMENT_INVALID = -1,
  FEMTO_UTF8_INVALID = -2,
  FEMTO_CAPABILITY_NOT_FOUND = -3,
  FEMTO_CAPABILITY_DISABLED = -4,
  FEMTO_POLICY_VIOLATION = -5,
  FEMTO_NOT_FOUND = -6,
  FEMTO_IO = -7,
  FEMTO_TOO_LARGE = -8,
  FEMTO_TIMEOUT = -9,
  FEMTO_NETWORK = -10,
  FEMTO_LIMIT = -11,
  FEMTO_EXISTS = -12,
  FEMTO_CANCELLED = -13
};

enum femto_level { FEMTO_DEBUG = 0, FEMTO_INFO = 1, FEMTO_WARN = 2, FEMTO_ERROR = 3 };

/* One log record: UTF-8 text, or a JSON object whose members become fields. Returns the bytes accepted. Capability `log`. */
FEMTO_IMPORT("log") femto_i32 femto_log(femto_i32 level, const char* text, femto_u32 length);

/* One HTTP request. `request` is JSON: method (GET), url, headers ([[name, value], ...]), body or body_base64, timeout_ms.
 * The output is JSON: status, url, headers, body or body_base64. Any HTTP status is a success. Capability `http.request`. */
FEMTO_IMPORT("http.request")
femto_i32 femto_http_request(const char* request, femto_u32 length, void* buffer, femto_u32 capacity);

/* A whole file. Capability `fs.read`. */
FEMTO_IMPORT("fs.read") femto_i32 femto_fs_read(const char* path, femto_u32 length, void* buffer, femto_u32 capacity);

/* Replaces a whole file at once. Returns the bytes written. Capability `fs.write`. */
FEMTO_IMPORT("fs.write")
femto_i32 femto_fs_write(const char* path, femto_u32 length, const void* data, femto_u32 data_length);

/* A variable the policy lists. Capability `env`. */
FEMTO_IMPORT("env.get") femto_i32 femto_env_get(const char* name, femto_u32 length, void* buffer, femto_u32 capacity);

/* The execution's result, instead of what `run` returns. A later call replaces it. */
FEMTO_IMPORT("result") femto_i32 femto_result(const void* data, femto_u32 length);

/* The execution's input. */
FEMTO_IMPORT("input") femto_i32 femto_input(void* buffer, femto_u32 capacity);

/* Bytes of the newest output from `offset` on. Returns the bytes copied, 0 at its end. */
FEMTO_IMPORT("buffer.read") femto_i32 femto_buffer_read(femto_u32 offset, void* buffer, femto_u32 capacity);

/* The last failing call as JSON: type, reason, capability, code, timestamp. 0 bytes when none failed. */
FEMTO_IMPORT("last_error") femto_i32 femto_last_error(void* buffer, femto_u32 capacity);

/* FEMTO_RUN { ... return pointer to a NUL-terminated result, or 0; } */
#define FEMTO_RUN FEMTO_EXPORT("run") const char* femto_run(const char* input, femto_u32 input_length)

#ifdef __cplusplus
}
#endif
#endif
