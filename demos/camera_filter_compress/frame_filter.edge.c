/* Looks at the newest frame and posts DATA_CAPTURED when it is worth keeping: its mean absolute deviation is 8 or more. */
#include "fuse_guest.h"

enum { FRAME_BYTES = 262144, TEXT_BYTES = 128, DATA_CAPTURED = 1, KEEP_FROM = 8 };

static unsigned char frame[FRAME_BYTES];
static char text[TEXT_BYTES];

#include "../common/text.h"

static unsigned int mean_absolute_deviation(const unsigned char* bytes, unsigned int length) {
  unsigned int sum = 0;
  for (unsigned int i = 0; i < length; ++i) sum += bytes[i];
  unsigned int mean = sum / length;
  unsigned int deviation = 0;
  for (unsigned int i = 0; i < length; ++i) deviation += bytes[i] > mean ? bytes[i] - mean : mean - bytes[i];
  return deviation / length;
}

FUSE_STEP {
  unsigned int length = (unsigned int)camera_last_frame(frame, FRAME_BYTES);
  if (length == 0) {
    LOG("filter: no frame", FUSE_GUEST_INFO);
    return;
  }
  unsigned int deviation = mean_absolute_deviation(frame, length);
  unsigned int at = put(text, 0, deviation >= KEEP_FROM ? "filter: accept frame=" : "filter: reject frame=");
  at = put_number(text, at, length);
  at = put(text, at, " mad=");
  at = put_number(text, at, deviation);
  module_log_event(text, at, FUSE_GUEST_INFO);
  if (deviation >= KEEP_FROM) fuse_event_post(DATA_CAPTURED);
}
