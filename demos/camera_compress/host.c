/* Host of camera_compress: one module, stepped five times; see run.sh.
 *
 * Usage: camera_compress <module> [policy.bin] [--interval-us N]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/host.h"
#include "fuse.h"
#include "fuse_app_config.h"
#include "platform/platform.h"

#define FRAME_BYTES 262144u
#define STEPS 5u
#define TICK_US 100000u

static uint8_t module_pool[FUSE_APP_WAMR_POOL_BYTES];
static uint8_t log_pool[FUSE_APP_LOG_POOL_BYTES];
static uint8_t frame[FRAME_BYTES];

static uint64_t last_frame(void* buf, uint32_t max_len) {
  uint32_t length = max_len < FRAME_BYTES ? max_len : FRAME_BYTES;
  memcpy(buf, frame, length);
  return length;
}

typedef struct {
  const char* module;
  const char* policy; /* NULL = the generated constants */
  const char* interval_us;
} arguments;

static int read_arguments(int argc, char** argv, arguments* out) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--interval-us") == 0 && i + 1 < argc) {
      out->interval_us = argv[++i];
    } else if (out->module == NULL) {
      out->module = argv[i];
    } else if (out->policy == NULL) {
      out->policy = argv[i];
    } else {
      return 0;
    }
  }
  return out->module != NULL;
}

static fuse_policy_t policy_of(const arguments* given) {
  fuse_policy_t policy = DEMO_POLICY_OF(CAMERA_COMPRESS);
  if (given->policy != NULL) {
    demo_file file = demo_read(given->policy);
    if (fuse_policy_from_bin(file.bytes, file.size, &policy) != FUSE_SUCCESS) {
      fprintf(stderr, "%s: %u bytes; a policy has 32\n", given->policy, file.size);
      exit(1);
    }
    free(file.bytes);
  }
  if (given->interval_us != NULL) policy.step_interval_us = (uint32_t)strtoul(given->interval_us, NULL, 10);
  return policy;
}

static void start_runtime(void) {
  for (uint32_t i = 0; i < FRAME_BYTES; ++i) frame[i] = (uint8_t)(i / 256);
  fuse_hal_t hal;
  memset(&hal, 0, sizeof hal);
  hal.camera.last_frame = last_frame;
  demo_init(&hal, module_pool, sizeof module_pool, log_pool, sizeof log_pool);
}

typedef struct {
  unsigned ok, quota_exceeded, other;
} counts;

/* Ticks until the module made its steps or came to an end. */
static counts run(fuse_module_id_t id) {
  counts steps = {0, 0, 0};
  while (steps.ok < STEPS) {
    if ((fuse_tick() & (1u << id)) != 0) printf("[step %u/%u] completed\n", ++steps.ok, STEPS);
    fuse_module_state_t state = FUSE_MODULE_STATE_TRAPPED;
    fuse_module_stat(id, &state);
    if (state == FUSE_MODULE_STATE_QUOTA_EXCEEDED) ++steps.quota_exceeded;
    if (state == FUSE_MODULE_STATE_TRAPPED) ++steps.other;
    if (state != FUSE_MODULE_STATE_RUNNING) break;
    if (steps.ok < STEPS) fuse_platform_sleep_us(TICK_US);
  }
  return steps;
}

int main(int argc, char** argv) {
  arguments given = {NULL, NULL, NULL};
  if (!read_arguments(argc, argv, &given)) {
    fprintf(stderr, "usage: %s <module> [policy.bin] [--interval-us N]\n", argv[0]);
    return 1;
  }
  printf("=== FUSE camera-compress demo ===\n");
  fuse_policy_t policy = policy_of(&given);
  printf("module: %s\n", given.module);
  printf("policy source: %s\n", given.policy != NULL ? given.policy : "fuse_app_config.h");
  printf("capabilities=0x%02X pages=%u quota_us=%u\n", policy.capabilities, policy.memory_pages_max,
         policy.cpu_quota_us);
  start_runtime();
  fuse_module_id_t id = demo_load(given.module, &policy, NULL);
  demo_start(id);
  printf("module id: %u\n", id);
  counts steps = run(id);
  demo_print_log();
  fuse_deinit();
  printf("=== Summary: ok=%u quota_exceeded=%u trap/other=%u ===\n", steps.ok, steps.quota_exceeded, steps.other);
  return steps.ok == STEPS ? 0 : 1;
}
