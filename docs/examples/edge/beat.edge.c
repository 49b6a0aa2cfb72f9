#include "fuse_guest.h"

static unsigned int level;

FUSE_STEP {
  level ^= 1;
  gpio_write(13, level);
  module_log_event("beat", 4, FUSE_GUEST_INFO);
}
