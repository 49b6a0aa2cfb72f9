/* What the demos' host programs share: reading files, printing the security log. */
#ifndef DEMOS_HOST_H
#define DEMOS_HOST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuse.h"
#include "platform/platform.h"

/* The policy of one module, from its constants in fuse_app_config.h. */
#define DEMO_POLICY_OF(NAME)                                                                                           \
  {FUSE_POLICY_##NAME##_CAPABILITIES,    FUSE_POLICY_##NAME##_MEMORY_PAGES_MAX, FUSE_POLICY_##NAME##_STACK_SIZE,       \
   FUSE_POLICY_##NAME##_HEAP_SIZE,       FUSE_POLICY_##NAME##_CPU_QUOTA_US,     FUSE_POLICY_##NAME##_STEP_INTERVAL_US, \
   FUSE_POLICY_##NAME##_ACTIVATION_MASK, FUSE_POLICY_##NAME##_EVENT_SUBSCRIBE}

typedef struct {
  uint8_t* bytes;
  uint32_t size;
} demo_file;

/* Ends the process with a sentence when the file cannot be read. The caller frees `bytes`. */
static inline demo_file demo_read(const char* path) {
  demo_file file = {NULL, 0};
  FILE* in = fopen(path, "rb");
  long size = -1;
  if (in != NULL && fseek(in, 0, SEEK_END) == 0) size = ftell(in);
  if (size > 0 && fseek(in, 0, SEEK_SET) == 0) file.bytes = malloc((size_t)size);
  if (file.bytes == NULL || fread(file.bytes, 1, (size_t)size, in) != (size_t)size) {
    fprintf(stderr, "cannot read %s\n", path);
    exit(1);
  }
  fclose(in);
  file.size = (uint32_t)size;
  return file;
}

/* Ends the process with the runtime's own words. */
static inline void demo_fail(const char* what, fuse_stat_t status) {
  char why[256];
  fuse_last_error(why, sizeof why);
  fprintf(stderr, "%s: status %d: %s\n", what, (int)status, why);
  exit(1);
}

/* Starts platform and runtime on the platform's clock; the caller has set the other members of `hal`. */
static inline void demo_init(fuse_hal_t* hal, void* module_pool, size_t module_pool_size, void* log_pool,
                             size_t log_pool_size) {
  hal->timer.get_timestamp = fuse_platform_get_timestamp_us;
  /* No quota_arm: the runtime keeps quotas in CPU time. A timer of wall time would count other programs' turns as well. */
  fuse_platform_init();
  fuse_stat_t status = fuse_init(module_pool, module_pool_size, log_pool, log_pool_size, hal);
  if (status != FUSE_SUCCESS) demo_fail("fuse_init", status);
}

static inline fuse_module_id_t demo_load(const char* path, const fuse_policy_t* policy, const fuse_policy_ext_t* ext) {
  demo_file module = demo_read(path);
  fuse_module_id_t id = FUSE_INVALID_MODULE_ID;
  fuse_stat_t status = fuse_module_load_ext(module.bytes, module.size, policy, ext, NULL, 0, &id);
  free(module.bytes);
  if (status != FUSE_SUCCESS) demo_fail(path, status);
  return id;
}

static inline void demo_start(fuse_module_id_t id) {
  fuse_stat_t status = fuse_module_start(id);
  if (status != FUSE_SUCCESS) demo_fail("start", status);
}

/* The security log to standard error, oldest entry first. */
static inline void demo_print_log(void) {
  fuse_log_record_t records[16];
  uint64_t cursor = 0;
  uint32_t n = 0;
  while (fuse_log_read(&cursor, records, 16, &n) == FUSE_SUCCESS && n > 0) {
    for (uint32_t i = 0; i < n; ++i) {
      const fuse_log_entry_t* entry = &records[i].entry;
      fprintf(stderr, "log %8llu us  module %2d  level %u  %s\n", (unsigned long long)entry->timestamp_us,
              (int)entry->module_id, entry->level, entry->message);
    }
  }
}

#endif
