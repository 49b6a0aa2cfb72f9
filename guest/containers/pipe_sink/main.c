/* pipe_sink PATH [BYTES]: reads a pipe to its end, or that many bytes, and prints "<bytes> <ms> <MB/s>". Ends with 1 when a
 * byte is not what pipe_source wrote there. */
#include "pattern.h"
#include "timer.h"

static unsigned char piece[CHUNK_MAX];

/* Eight bytes at a time, because this runs inside what is measured. */
static bool same(const unsigned char* a, const unsigned char* b, size_t size) {
  uint64_t differ = 0;
  for (; size >= 8; size -= 8, a += 8, b += 8) {
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    differ |= x ^ y;
  }
  return differ == 0 && memcmp(a, b, size) == 0;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    static const char usage[] = "usage: pipe_sink PATH [BYTES]\n";
    write_all(STDERR_FILENO, usage, sizeof usage - 1);
    return 2;
  }
  const uint64_t wanted = number_argument(argc, argv, 2, UINT64_MAX);
  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) {
    complain("pipe_sink", argv[1]);
    return 1;
  }
  make_pattern();
  uint64_t total = 0;
  uint64_t start = 0;
  bool right = true;
  while (total < wanted) {
    const ssize_t got = read_some(fd, piece, wanted - total < CHUNK_MAX ? (size_t)(wanted - total) : CHUNK_MAX);
    if (got < 0) {
      complain("pipe_sink", argv[1]);
      return 1;
    }
    if (got == 0) break;
    if (start == 0) start = now_ns();
    right = right && same(piece, pattern_at(total), (size_t)got);
    total += (uint64_t)got;
  }
  const uint64_t ns = start == 0 ? 0 : now_ns() - start;
  struct out out = {.fd = STDOUT_FILENO};
  out_number(&out, total);
  out_text(&out, " ");
  out_number(&out, ns / 1000000);
  out_text(&out, " ");
  out_number(&out, ns == 0 ? 0 : total * 1000 / ns);
  out_text(&out, right ? "\n" : " damaged\n");
  out_flush(&out);
  return right ? 0 : 1;
}
