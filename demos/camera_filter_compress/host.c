/* Host of camera_filter_compress: posts an event per frame; the filter wakes the compressor; see run.sh.
 *
 * Usage: camera_filter_compress <frame_filter> <frame_compress>
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/host.h"
#include "fuse.h"
#include "fuse_app_config.h"
#include "platform/platform.h"

#define FRAME_BYTES 262144u
#define FRAMES 8u
#define FILTER_TICKS 100u
#define COMPRESS_TICKS 10u
#define TICK_US 1000u
#define PAUSE_US 50000u

static uint8_t module_pool[FUSE_APP_WAMR_POOL_BYTES];
static uint8_t log_pool[FUSE_APP_LOG_POOL_BYTES];
static uint8_t frame[FRAME_BYTES]; /* not refilled until the chain is done */

static uint64_t last_frame(void* buf, uint32_t max_len) {
  uint32_t length = max_len < FRAME_BYTES ? max_len : FRAME_BYTES;
  memcpy(buf, frame, length);
  return length;
}

static void start_runtime(void) {
  fuse_hal_t hal;
  memset(&hal, 0, sizeof hal);
  hal.camera.last_frame = last_frame;
  demo_init(&hal, module_pool, sizeof module_pool, log_pool, sizeof log_pool);
}

/* Ticks until `id` made a step, at most `ticks` times. `ran` collects who stepped meanwhile. */
static int tick_until(fuse_module_id_t id, unsigned ticks, uint32_t* ran) {
  for (unsigned i = 0; i < ticks && (*ran & (1u << id)) == 0; ++i) {
    if (i > 0) fuse_platform_sleep_us(TICK_US);
    *ran |= fuse_tick();
  }
  return (*ran & (1u << id)) != 0;
}

static void fill(unsigned index) {
  for (uint32_t i = 0; i < FRAME_BYTES; ++i) frame[i] = index % 2 == 0 ? (uint8_t)i : 0x80;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s <frame_filter> <frame_compress>\n", argv[0]);
    return 1;
  }
  printf("=== FUSE camera-filter-compress demo ===\n");
  start_runtime();
  fuse_policy_t filter = DEMO_POLICY_OF(FRAME_FILTER);
  fuse_policy_t compress = DEMO_POLICY_OF(FRAME_COMPRESS);
  fuse_module_id_t filter_id = demo_load(argv[1], &filter, NULL);
  fuse_module_id_t compress_id = demo_load(argv[2], &compress, NULL);
  demo_start(filter_id);
  demo_start(compress_id);
  unsigned kept = 0, rejected = 0;
  for (unsigned i = 0; i < FRAMES; ++i) {
    fill(i);
    printf("[frame %2u] posting CAMERA_FRAME_READY (%s)\n", i, i % 2 == 0 ? "varied/high-MAD" : "uniform/MAD=0");
    fuse_post_event(FUSE_EVENT_CAMERA_FRAME_READY);
    uint32_t ran = 0;
    if (!tick_until(filter_id, FILTER_TICKS, &ran)) break;
    if (tick_until(compress_id, COMPRESS_TICKS, &ran)) {
      ++kept;
      printf("-> compressed\n");
    } else {
      ++rejected;
      printf("-> rejected by filter\n");
    }
    fuse_platform_sleep_us(PAUSE_US);
  }
  demo_print_log();
  fuse_deinit();
  printf("=== Summary: frames=%u accepted+compressed=%u rejected=%u ===\n", kept + rejected, kept, rejected);
  return kept == 4 && rejected == 4 ? 0 : 1;
}
