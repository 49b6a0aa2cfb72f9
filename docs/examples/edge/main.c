/* The smallest host: wires a pin and a clock, loads one module, ticks for a second. */
#include "fuse_app_config.h" /* first: it says which HAL groups fuse.h has */

#include <stdio.h>

#include "fuse.h"
#include "platform/platform.h"

static uint8_t module_pool[FUSE_APP_WAMR_POOL_BYTES];
static uint8_t log_pool[FUSE_APP_LOG_POOL_BYTES];
static uint8_t module_bytes[65536];

static void set_pin(uint32_t pin, uint32_t level) {
  printf("pin %u is %u\n", pin, level);
}

static const fuse_policy_t policy = {FUSE_POLICY_BEAT_CAPABILITIES,    FUSE_POLICY_BEAT_MEMORY_PAGES_MAX,
                                     FUSE_POLICY_BEAT_STACK_SIZE,      FUSE_POLICY_BEAT_HEAP_SIZE,
                                     FUSE_POLICY_BEAT_CPU_QUOTA_US,    FUSE_POLICY_BEAT_STEP_INTERVAL_US,
                                     FUSE_POLICY_BEAT_ACTIVATION_MASK, FUSE_POLICY_BEAT_EVENT_SUBSCRIBE};

int main(int argc, char** argv) {
  FILE* file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL) return 1;
  const uint32_t size = (uint32_t)fread(module_bytes, 1, sizeof module_bytes, file);
  fclose(file);

  fuse_hal_t hal = {.timer.get_timestamp = fuse_platform_get_timestamp_us, .gpio.write = set_pin};
  fuse_platform_init();
  fuse_module_id_t id;
  if (fuse_init(module_pool, sizeof module_pool, log_pool, sizeof log_pool, &hal) != FUSE_SUCCESS ||
      fuse_module_load(module_bytes, size, &policy, &id) != FUSE_SUCCESS || fuse_module_start(id) != FUSE_SUCCESS) {
    char why[256];
    fuse_last_error(why, sizeof why);
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  const uint64_t end = fuse_platform_get_timestamp_us() + 1000000;
  while (fuse_platform_get_timestamp_us() < end) {
    fuse_tick();
    uint64_t wait_us;
    if (fuse_next_due(&wait_us) == FUSE_SUCCESS && wait_us > 0 && wait_us < 1000000) {
      fuse_platform_sleep_us((uint32_t)wait_us);
    }
  }
  fuse_module_info_t info;
  fuse_module_info(id, &info);
  printf("%llu steps, the longest %llu us\n", (unsigned long long)info.steps_ok, (unsigned long long)info.step_max_us);
  return fuse_deinit() == FUSE_SUCCESS && info.steps_ok > 0 ? 0 : 1;
}
