/* Microseconds collected while the demo runs, and their ranks afterwards. Bounded: the first SAMPLES_MAX count. */
#ifndef RUNAWAY_STATISTICS_H
#define RUNAWAY_STATISTICS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MAX = 8192 }; /* 80 seconds of a 10 ms period */

typedef struct {
  uint64_t values[SAMPLES_MAX];
  unsigned count;
} samples;

static inline void sample_add(samples* to, uint64_t value) {
  if (to->count < SAMPLES_MAX) to->values[to->count++] = value;
}

static inline int sample_order(const void* a, const void* b) {
  uint64_t left = *(const uint64_t*)a, right = *(const uint64_t*)b;
  return left < right ? -1 : left > right;
}

/* The value below which `percent` of all lie; 100 = the greatest; 0 without any. Leaves the order alone. */
static inline uint64_t sample_rank(const samples* of, unsigned percent) {
  if (of->count == 0) return 0;
  samples sorted = *of;
  qsort(sorted.values, sorted.count, sizeof sorted.values[0], sample_order);
  unsigned place = sorted.count * percent / 100;
  return sorted.values[place < sorted.count ? place : sorted.count - 1];
}

#endif
