/* A defect as it happens: a loop whose end never comes, without a single call into the host. */
#include "fuse_guest.h"

static volatile unsigned int waiting = 1;

FUSE_STEP {
  while (waiting != 0) {
  }
}
