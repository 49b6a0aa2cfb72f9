/* pipe_source PATH BYTES [CHUNK]: writes that many bytes, in pieces of CHUNK (16384), to a pipe. A full pipe is waited
 * for. */
#include <poll.h>

#include "pattern.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    static const char usage[] = "usage: pipe_source PATH BYTES [CHUNK]\n";
    write_all(STDERR_FILENO, usage, sizeof usage - 1);
    return 2;
  }
  const uint64_t bytes = number_argument(argc, argv, 2, 0);
  const uint64_t chunk = number_argument(argc, argv, 3, CHUNK_MAX);
  if (chunk == 0 || chunk > CHUNK_MAX) {
    errno = EINVAL;
    complain("pipe_source", argv[3]);
    return 2;
  }
  const int fd = open(argv[1], O_WRONLY);
  if (fd < 0) {
    complain("pipe_source", argv[1]);
    return 1;
  }
  make_pattern();
  for (uint64_t sent = 0; sent < bytes;) {
    const uint64_t part = bytes - sent < chunk ? bytes - sent : chunk;
    const ssize_t taken = write(fd, pattern_at(sent), (size_t)part);
    if (taken >= 0) {
      sent += (uint64_t)taken;
      continue;
    }
    struct pollfd space = {.fd = fd, .events = POLLOUT};
    if (errno != EAGAIN || poll(&space, 1, -1) < 0) {
      complain("pipe_source", argv[1]);
      return 1;
    }
  }
  return close(fd) == 0 ? 0 : 1;
}
