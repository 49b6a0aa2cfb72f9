// Tries to get at what it was not given, and says what it was told each time.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char* what, int failed) {
  printf("  %-46s %s\n", what, failed ? strerror(errno) : "ALLOWED");
}

static void try_open(const char* path, int flags) {
  const int fd = open(path, flags, 0644);
  say(path, fd < 0);
  if (fd >= 0) close(fd);
}

int main(void) {
  printf("reading what lies outside its namespace:\n");
  try_open("/etc/passwd", O_RDONLY);
  try_open("/srv/../../../../etc/passwd", O_RDONLY);
  try_open("/srv/outside", O_RDONLY);  // a link on the host that leads to /etc
  try_open("/proc/self/environ", O_RDONLY);
  try_open("/proc/wapps/web/state", O_RDONLY);
  try_open("/dev/wanted/ctl", O_WRONLY);
  try_open("/net/bank", O_RDWR);
  printf("changing what it may only read:\n");
  try_open("/app.wasm", O_WRONLY);
  try_open("/srv/new.txt", O_WRONLY | O_CREAT);
  say("unlink /srv/index.html", unlink("/srv/index.html"));
  say("rename /srv/index.html to /state/index.html", rename("/srv/index.html", "/state/index.html"));
  say("symlink /etc/passwd to /state/link", symlink("/etc/passwd", "/state/link"));
  printf("taking more than it may:\n");
  const size_t page = 65536;
  size_t pages = 0;
  for (char* volatile block = NULL; pages < 1024 && (block = malloc(page)) != NULL; ++pages) memset(block, 1, page);
  printf("  %-46s %zu KiB, then no more\n", "memory", pages * 64);
  FILE* full = fopen("/state/full", "w");
  size_t written = 0;
  static char block[4096];
  while (full != NULL && written < (8u << 20) && fwrite(block, sizeof block, 1, full) == 1 && fflush(full) == 0)
    written += sizeof block;
  printf("  %-46s %zu KiB, then: %s\n", "its volume", written / 1024, strerror(errno));
  if (full != NULL) fclose(full);
  unlink("/state/full");
  printf("  and now it computes for ever\n");
  fflush(stdout);
  for (volatile unsigned long i = 0;; ++i) {
  }
}
