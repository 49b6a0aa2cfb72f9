/* Nanoseconds of the monotonic clock, for guests that measure. */
#ifndef FUSEBOX_GUEST_TIMER_H
#define FUSEBOX_GUEST_TIMER_H

#include <stdint.h>
#include <time.h>

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

#endif
