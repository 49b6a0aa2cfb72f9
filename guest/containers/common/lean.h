/* What the guests of guest/containers share: output, numbers and words without stdio, so that a module stays a few KiB
 * and starts at once.
 *
 * Threads  one: a guest has no other.
 * Errors   functions that fail answer -1 and leave errno.
 */
#ifndef FUSEBOX_GUEST_LEAN_H
#define FUSEBOX_GUEST_LEAN_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAN __attribute__((unused)) static

/* Everything or -1. A full pipe answers EAGAIN and takes more as soon as its reader has read. */
LEAN int write_all(int fd, const void* bytes, size_t size) {
  const char* at = bytes;
  while (size != 0) {
    ssize_t taken = write(fd, at, size);
    if (taken < 0 && (errno == EAGAIN || errno == EINTR)) {
      usleep(200);
      continue;
    }
    if (taken < 0) return -1;
    at += taken;
    size -= (size_t)taken;
  }
  return 0;
}

/* Text on its way to a descriptor. */
struct out {
  int fd;
  bool failed; /* a write failed: the rest is dropped */
  size_t used;
  char bytes[512];
};

LEAN void out_flush(struct out* out) {
  if (out->used != 0 && !out->failed && write_all(out->fd, out->bytes, out->used) != 0) out->failed = true;
  out->used = 0;
}
LEAN void out_bytes(struct out* out, const char* bytes, size_t size) {
  while (size != 0) {
    if (out->used == sizeof out->bytes) out_flush(out);
    size_t room = sizeof out->bytes - out->used;
    size_t part = size < room ? size : room;
    memcpy(out->bytes + out->used, bytes, part);
    out->used += part;
    bytes += part;
    size -= part;
  }
}
LEAN void out_text(struct out* out, const char* text) {
  out_bytes(out, text, strlen(text));
}
LEAN void out_char(struct out* out, char c) {
  out_bytes(out, &c, 1);
}
LEAN void out_spaces(struct out* out, size_t count) {
  while (count-- != 0) out_char(out, ' ');
}
/* Padded on the right with blanks. */
LEAN void out_column(struct out* out, const char* text, size_t width) {
  size_t length = strlen(text);
  out_text(out, text);
  if (length < width) out_spaces(out, width - length);
}

/* Decimal digits and their NUL: at most 20 + 1. */
#define NUMBER_BYTES 21
LEAN char* number_text(uint64_t value, char text[NUMBER_BYTES]) {
  char* at = text + NUMBER_BYTES - 1;
  *at = '\0';
  do {
    *--at = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return at;
}
LEAN void out_number(struct out* out, uint64_t value) {
  char text[NUMBER_BYTES];
  out_text(out, number_text(value, text));
}

/* Decimal, the whole text, at most 2^63-1. False: not such a number. */
LEAN bool parse_number(const char* text, uint64_t* value) {
  uint64_t result = 0;
  if (*text == '\0') return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9') return false;
    uint64_t digit = (uint64_t)(*text - '0');
    if (result > (UINT64_C(0x7fffffffffffffff) - digit) / 10) return false;
    result = result * 10 + digit;
  }
  *value = result;
  return true;
}
/* The argument at `index`, or `otherwise` when there is none. Ends the guest with 2 when it is not a number. */
LEAN uint64_t number_argument(int argc, char** argv, int index, uint64_t otherwise) {
  uint64_t value = otherwise;
  if (index < argc && !parse_number(argv[index], &value)) {
    struct out err = {.fd = 2};
    out_text(&err, argv[0]);
    out_text(&err, ": not a number: ");
    out_text(&err, argv[index]);
    out_text(&err, "\n");
    out_flush(&err);
    exit(2);
  }
  return value;
}

/* "who: what: <error>" on standard error; leaves errno as it was. */
LEAN void complain(const char* who, const char* what) {
  int error = errno;
  struct out err = {.fd = 2};
  out_text(&err, who);
  out_text(&err, ": ");
  if (what != NULL) {
    out_text(&err, what);
    out_text(&err, ": ");
  }
  out_text(&err, strerror(error));
  out_text(&err, "\n");
  out_flush(&err);
  errno = error;
}

/* Reads what there is, at most `size`; waits on behind a blocking pipe that gave up waiting. 0 = end. */
LEAN ssize_t read_some(int fd, void* to, size_t size) {
  for (;;) {
    ssize_t got = read(fd, to, size);
    if (got >= 0 || errno != EAGAIN) return got;
  }
}

#endif
