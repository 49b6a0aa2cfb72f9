/* opener PATH COUNT [BYTES]: COUNT times open, read of BYTES (4096) and close. Prints the nanoseconds of one round to
 * standard error. */
#include "lean.h"
#include "timer.h"

static char piece[16384];

static int round_trip(const char* path, size_t bytes) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  if (bytes != 0 && read(fd, piece, bytes) < 0) return -1;
  return close(fd);
}

int main(int argc, char** argv) {
  const uint64_t count = number_argument(argc, argv, 2, 0);
  const uint64_t bytes = number_argument(argc, argv, 3, 4096);
  if (argc < 3 || bytes > sizeof piece) {
    static const char usage[] = "usage: opener PATH COUNT [BYTES], at most 16384 bytes\n";
    write_all(STDERR_FILENO, usage, sizeof usage - 1);
    return 2;
  }
  const uint64_t start = now_ns();
  for (uint64_t i = 0; i < count; i++) {
    if (round_trip(argv[1], (size_t)bytes) != 0) {
      complain("opener", argv[1]);
      return 1;
    }
  }
  const uint64_t ns = now_ns() - start;
  struct out err = {.fd = STDERR_FILENO};
  out_number(&err, count == 0 ? 0 : ns / count);
  out_text(&err, "\n");
  out_flush(&err);
  return 0;
}
