/* A healthy module: toggles pin 1 each period, so that the host sees when it runs, and tells the others about its sample. */
#include "fuse_guest.h"

enum { PIN = 1, SAMPLE = 0 };

static unsigned int level;

FUSE_STEP {
  level ^= 1;
  gpio_write(PIN, level);
  fuse_event_post(SAMPLE);
}
