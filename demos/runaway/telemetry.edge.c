/* A healthy module: toggles pin 2 each period, so that the host sees when it runs. */
#include "fuse_guest.h"

enum { PIN = 2 };

static unsigned int level;

FUSE_STEP {
  level ^= 1;
  gpio_write(PIN, level);
}
