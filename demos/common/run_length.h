/* Run-length code of the camera demos' guests: pairs of a count (1..255) and a value. */
#ifndef DEMOS_RUN_LENGTH_H
#define DEMOS_RUN_LENGTH_H

/* Bytes written, or 0 when `output` is too small. */
static unsigned int run_length_encode(const unsigned char* input, unsigned int length, unsigned char* output,
                                      unsigned int capacity) {
  unsigned int written = 0;
  for (unsigned int at = 0; at < length;) {
    unsigned char value = input[at];
    unsigned int end = length - at > 255 ? at + 255 : length;
    unsigned int next = at + 1;
    while (next < end && input[next] == value) ++next;
    if (capacity - written < 2) return 0;
    output[written++] = (unsigned char)(next - at);
    output[written++] = value;
    at = next;
  }
  return written;
}

#endif
