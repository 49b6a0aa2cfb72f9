/* Grabs the camera's newest frame, run-length encodes it and logs sizes and time. Declares its imports itself, as modules
 * written for the FUSE runtime do. */

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
IMPORT("timer_get_timestamp") unsigned long long timer_get_timestamp(void);
IMPORT("camera_last_frame") unsigned long long camera_last_frame(void* buf, unsigned int max_len);
IMPORT("module_log_event") void module_log_event(const char* ptr, unsigned int len, unsigned int level);

enum { FRAME_BYTES = 524288, OUTPUT_BYTES = 1048576, TEXT_BYTES = 128, INFO = 1, FATAL = 2 };

static unsigned char frame[FRAME_BYTES];
static unsigned char output[OUTPUT_BYTES];
static char text[TEXT_BYTES];

#include "../common/run_length.h"
#include "../common/text.h"

void module_init(void) {}

void module_step(void) {
  unsigned long long begin = timer_get_timestamp();
  unsigned int length = (unsigned int)camera_last_frame(frame, FRAME_BYTES);
  if (length == 0) {
    LOG("cam: no frame", INFO);
    return;
  }
  unsigned int encoded = run_length_encode(frame, length, output, OUTPUT_BYTES);
  if (encoded == 0) {
    LOG("compress: overflow", FATAL);
    return;
  }
  unsigned long long end = timer_get_timestamp();
  unsigned long long taken = end > begin ? end - begin : 0;
  unsigned int at = put(text, 0, "comp orig=");
  at = put_number(text, at, length);
  at = put(text, at, " out=");
  at = put_number(text, at, encoded);
  at = put(text, at, " us=");
  at = put_number(text, at, taken > 0xFFFFFFFFu ? 0xFFFFFFFFu : (unsigned int)taken);
  module_log_event(text, at, INFO);
}
