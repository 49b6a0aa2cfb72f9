/* counter [PATH]: keeps a number in PATH (/state/count), one more at every start, and prints it. The new number takes the
 * old one's place by rename: a kill in the middle leaves one of the two. */
#include <stdio.h>

#include "lean.h"

#define PATH_BYTES 512

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "/state/count";
  char next[PATH_BYTES];
  if (strlen(path) + sizeof ".new" > sizeof next) {
    errno = ENAMETOOLONG;
    complain("counter", path);
    return 1;
  }
  strcpy(next, path);
  strcat(next, ".new");

  char text[NUMBER_BYTES + 1] = {0};
  uint64_t count = 0;
  const int old = open(path, O_RDONLY);
  if (old >= 0) {
    const ssize_t got = read(old, text, sizeof text - 1);
    close(old);
    if (got > 0 && text[got - 1] == '\n') text[got - 1] = '\0';
    if (got <= 0 || !parse_number(text, &count)) {
      errno = EINVAL;
      complain("counter", path);
      return 1;
    }
  } else if (errno != ENOENT) {
    complain("counter", path);
    return 1;
  }

  struct out file = {.fd = open(next, O_WRONLY | O_CREAT | O_TRUNC, 0644)};
  if (file.fd < 0) {
    complain("counter", next);
    return 1;
  }
  out_number(&file, count + 1);
  out_text(&file, "\n");
  out_flush(&file);
  if (file.failed || fsync(file.fd) != 0 || close(file.fd) != 0 || rename(next, path) != 0) {
    complain("counter", path);
    return 1;
  }
  struct out out = {.fd = STDOUT_FILENO};
  out_number(&out, count + 1);
  out_text(&out, "\n");
  out_flush(&out);
  return out.failed;
}
