/* Everything a guest should not get away with, one thing per run. The input names it:
 *
 *   other_host    asks for a host that is on nobody's list
 *   outside_root  reads a file above its root
 *   absolute_path reads a file by its absolute path on the machine
 *   big_memory    grows its memory to 1 GiB
 *   spin          never returns
 *   recurse       calls itself for ever
 *   forged_pointer hands the host a buffer that lies outside its memory
 *   log_flood     logs until it is told to stop
 *   trap          divides by zero
 *
 * Result: what the host answered, as JSON; for the modes that are stopped there is none.
 */
#include "femto_support.h"

static char buffer[4096];

static const char* report(const char* what, long long code) {
  femto_text answer = femto_text_new(8192);
  femto_put(&answer, "{\"tried\":");
  femto_put_json(&answer, what, femto_length(what));
  femto_put(&answer, ",\"code\":");
  femto_put_number(&answer, code);
  const femto_i32 length = femto_last_error(buffer, sizeof buffer);
  if (length > 0 && length <= (femto_i32)sizeof buffer) {
    femto_put(&answer, ",\"error\":");
    femto_put_bytes(&answer, buffer, (femto_size)length);
  }
  femto_put(&answer, "}");
  return answer.data;
}

static femto_i32 read_file(const char* path) {
  return femto_fs_read(path, (femto_u32)femto_length(path), buffer, sizeof buffer);
}

/* The barriers keep the compiler from making a loop of it; locals stay out of linear memory, so that it is the engine's stack
 * that runs out and not the guest's own. */
__attribute__((noinline)) static int recurse(int depth) {
  __asm__ volatile("" : "+r"(depth));
  if (depth < 0) return 0;
  const int below = recurse(depth + 1);
  __asm__ volatile("" : "+r"(depth));
  return below + depth;
}

FEMTO_RUN {
  const femto_slice mode = {input, input_length};
  if (femto_is(mode, "other_host")) {
    static const char ask[] = "{\"url\":\"https://example.org/\"}";
    return report("other_host", femto_http_request(ask, sizeof ask - 1, buffer, sizeof buffer));
  }
  if (femto_is(mode, "outside_root")) return report("outside_root", read_file("/data/../../etc/passwd"));
  if (femto_is(mode, "absolute_path")) return report("absolute_path", read_file("/etc/passwd"));
  if (femto_is(mode, "big_memory")) {
    return report("big_memory", (int)__builtin_wasm_memory_grow(0, (1u << 30) >> 16));
  }
  if (femto_is(mode, "spin")) {
    for (volatile unsigned int i = 0;; ++i) {
    }
  }
  if (femto_is(mode, "recurse")) return report("recurse", recurse(0));
  if (femto_is(mode, "forged_pointer")) {
    return report("forged_pointer", femto_log(FEMTO_INFO, (const char*)0xfffffff0u, 64));
  }
  if (femto_is(mode, "log_flood")) {
    femto_i32 code = 0;
    long long accepted = 0;
    while (code >= 0 && accepted < 100000) {
      code = femto_log(FEMTO_WARN, "flood", 5);
      accepted += code >= 0;
    }
    return report("log_flood", accepted);
  }
  if (femto_is(mode, "trap")) {
    volatile int zero = 0;
    return report("trap", (int)input_length / zero);
  }
  return "{\"error\":\"the input names no mode; guest/examples/hostile.c lists them\"}";
}
