/* Run-length encodes the newest frame when the filter said that it is worth keeping. */
#include "fuse_guest.h"

enum { FRAME_BYTES = 262144, OUTPUT_BYTES = 524288, TEXT_BYTES = 128 };

static unsigned char frame[FRAME_BYTES];
static unsigned char output[OUTPUT_BYTES];
static char text[TEXT_BYTES];

#include "../common/run_length.h"
#include "../common/text.h"

FUSE_STEP {
  unsigned int length = (unsigned int)camera_last_frame(frame, FRAME_BYTES);
  if (length == 0) {
    LOG("compress: no frame", FUSE_GUEST_FATAL);
    return;
  }
  unsigned int encoded = run_length_encode(frame, length, output, OUTPUT_BYTES);
  if (encoded == 0) {
    LOG("compress: overflow", FUSE_GUEST_FATAL);
    return;
  }
  unsigned int at = put(text, 0, "compress: orig=");
  at = put_number(text, at, length);
  at = put(text, at, " out=");
  at = put_number(text, at, encoded);
  module_log_event(text, at, FUSE_GUEST_INFO);
}
