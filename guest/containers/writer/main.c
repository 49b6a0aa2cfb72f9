/* writer PATH COUNT [BYTES]: COUNT writes of BYTES (64) each; PATH "-" is standard output. Prints the nanoseconds of one
 * write to standard error. A pipe that is full counts as written. */
#include "lean.h"
#include "timer.h"

static char piece[32768];

int main(int argc, char** argv) {
  const uint64_t count = number_argument(argc, argv, 2, 0);
  const uint64_t bytes = number_argument(argc, argv, 3, 64);
  if (argc < 3 || bytes > sizeof piece) {
    static const char usage[] = "usage: writer PATH COUNT [BYTES], at most 32768 bytes\n";
    write_all(STDERR_FILENO, usage, sizeof usage - 1);
    return 2;
  }
  const int fd = strcmp(argv[1], "-") == 0 ? STDOUT_FILENO : open(argv[1], O_WRONLY);
  if (fd < 0) {
    complain("writer", argv[1]);
    return 1;
  }
  memset(piece, 'w', sizeof piece);
  const uint64_t start = now_ns();
  for (uint64_t i = 0; i < count; i++) {
    if (write(fd, piece, (size_t)bytes) < 0 && errno != EAGAIN) {
      complain("writer", argv[1]);
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
