/* A host program written from the contract alone: every function of fuse.h and platform.h that FUSE has, on one module.
 *
 * Compiled twice, as C99 and as C++17, with both spellings of the platform's header. Exit status 0 when the module did what
 * its policy allows and nothing else.
 */
#include "fuse.h"
#include "platform.h"
#include "platform/platform.h"

#include <stdio.h>
#include <string.h>

/* (module
 *   (import "env" "temp_get_reading" (func $temp (result f32)))
 *   (import "env" "module_log_event" (func $log (param i32 i32 i32)))
 *   (memory 1)
 *   (data (i32.const 0) "step")
 *   (func (export "module_step") (drop (call $temp)) (call $log (i32.const 0) (i32.const 4) (i32.const 1)))) */
static const uint8_t
    module_bytes[] = {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, /* magic, version */
                      0x01, 0x0e, 0x03, 0x60, 0x00, 0x01, 0x7d, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00,
                      0x60, 0x00, 0x00, /* types */
                      0x02, 0x2f, 0x02, 0x03, 'e',  'n',  'v',  0x10, 't',  'e',  'm',  'p',  '_',
                      'g',  'e',  't', /* imports */
                      '_',  'r',  'e',  'a',  'd',  'i',  'n',  'g',  0x00, 0x00, 0x03, 'e',  'n',
                      'v',  0x10, 'm',  'o',  'd',  'u',  'l',  'e',  '_',  'l',  'o',  'g',  '_',
                      'e',  'v',  'e',  'n',  't',  0x00, 0x01, 0x03, 0x02, 0x01, 0x02, /* functions */
                      0x05, 0x03, 0x01, 0x00, 0x01,                                     /* memory */
                      0x07, 0x0f, 0x01, 0x0b, 'm',  'o',  'd',  'u',  'l',  'e',  '_',  's',  't',
                      'e',  'p',  0x00, 0x02, /* exports */
                      0x0a, 0x0f, 0x01, 0x0d, 0x00, 0x10, 0x00, 0x1a, 0x41, 0x00, 0x41, 0x04, 0x41,
                      0x01, 0x10, 0x01, 0x0b,                                                 /* code */
                      0x0b, 0x0a, 0x01, 0x00, 0x41, 0x00, 0x0b, 0x04, 's',  't',  'e',  'p'}; /* data */

static uint8_t module_pool[512 * 1024];
static uint8_t log_pool[32 * 1024];
static uint32_t readings;

static float reading(void) {
  ++readings;
  return 21.5f;
}

static uint64_t frame(void* buf, uint32_t max_len) {
  memset(buf, 0, max_len);
  return max_len;
}

static int failures;
static void expect(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "failed: %s\n", what);
  ++failures;
}

int main(void) {
  static const uint8_t policy_bytes[32] = {0x09, 0,    0,    0,    0x01, 0, 0, 0, 0,    0x20, 0, 0, 0,    0, 0, 0,
                                           0x00, 0x2d, 0x31, 0x01, 0,    0, 0, 0, 0x03, 0,    0, 0, 0x20, 0, 0, 0};
  fuse_hal_t hal;
  fuse_policy_t policy;
  fuse_module_id_t id = FUSE_INVALID_MODULE_ID;
  fuse_module_state_t state = FUSE_MODULE_STATE_UNLOADED;
  fuse_log_entry_t entry;

  memset(&hal, 0, sizeof hal);
  hal.temp.get_reading = reading;
  hal.timer.get_timestamp = fuse_platform_get_timestamp_us;
  hal.camera.last_frame = frame;
  hal.quota_arm = fuse_platform_quota_arm;
  hal.quota_cancel = fuse_platform_quota_cancel;

  fuse_platform_init();
  expect(fuse_tick() == 0, "no tick before init");
  expect(fuse_init(module_pool, sizeof module_pool, log_pool, sizeof log_pool, &hal) == FUSE_SUCCESS, "init");
  expect(fuse_policy_from_bin(policy_bytes, sizeof policy_bytes, &policy) == FUSE_SUCCESS, "policy_from_bin");
  expect(policy.capabilities == (FUSE_CAP_TEMP_SENSOR | FUSE_CAP_LOG), "capabilities");
  expect(fuse_module_load(module_bytes, sizeof module_bytes, &policy, &id) == FUSE_SUCCESS, "load");
  expect(id == 0, "the first slot");
  expect(fuse_module_start(id) == FUSE_SUCCESS, "start");
  expect(fuse_tick() == 1u, "the first step runs");
  expect(fuse_post_event(5) == FUSE_SUCCESS, "post");
  expect(fuse_tick() == 1u, "an event runs it");
  expect(fuse_clear_event(5) == FUSE_SUCCESS, "clear");
  expect(fuse_module_run_step(id) == FUSE_SUCCESS, "a direct step");
  expect(readings == 3, "three readings");
  memcpy(&entry, log_pool + 3 * sizeof entry, sizeof entry);
  expect(entry.module_id == id && entry.level == FUSE_LOG_INFO && strcmp(entry.message, "step") == 0, "the log entry");
  expect(fuse_module_pause(id) == FUSE_SUCCESS, "pause");
  expect(fuse_module_stat(id, &state) == FUSE_SUCCESS && state == FUSE_MODULE_STATE_PAUSED, "stat");
  fuse_quota_expired(id);
  expect(fuse_stop() == FUSE_SUCCESS && fuse_restart() == FUSE_SUCCESS, "stop and restart");
  expect(fuse_module_unload(id) == FUSE_SUCCESS, "unload");
  expect(fuse_module_stat(id, &state) == FUSE_ERR_MODULE_NOT_FOUND, "an unloaded id");
  fuse_platform_sleep_us(1);
  expect(fuse_deinit() == FUSE_SUCCESS, "deinit");
  return failures == 0 ? 0 : 1;
}
