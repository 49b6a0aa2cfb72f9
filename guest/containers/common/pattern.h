/* What pipe_source writes and pipe_sink expects: the byte at offset i is i % 4093 >> 2, and the prime keeps it out of step
 * with every buffer size, so that a lost, doubled or exchanged piece shows. */
#ifndef FUSEBOX_GUEST_PATTERN_H
#define FUSEBOX_GUEST_PATTERN_H

#include "lean.h"

#define PATTERN_PERIOD 4093
#define CHUNK_MAX 16384

static unsigned char pattern[PATTERN_PERIOD + CHUNK_MAX];

LEAN void make_pattern(void) {
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (unsigned char)(i % PATTERN_PERIOD >> 2);
}
/* What the bytes from `offset` on look like, CHUNK_MAX of them. */
LEAN const unsigned char* pattern_at(uint64_t offset) {
  return pattern + offset % PATTERN_PERIOD;
}

#endif
