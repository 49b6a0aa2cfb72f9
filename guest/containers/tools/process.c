/* echo, env, sleep, yes, true, false. */
#include <time.h>

#include "tools.h"

extern char** environ;

int tool_echo(int argc, char** argv) {
  struct out out = {.fd = STDOUT_FILENO};
  const bool no_newline = argc > 1 && strcmp(argv[1], "-n") == 0;
  for (int i = no_newline ? 2 : 1; i < argc; i++) {
    out_text(&out, argv[i]);
    if (i + 1 < argc) out_char(&out, ' ');
  }
  if (!no_newline) out_char(&out, '\n');
  out_flush(&out);
  return out.failed;
}

int tool_env(int argc, char** argv) {
  (void)argc;
  (void)argv;
  struct out out = {.fd = STDOUT_FILENO};
  for (char** entry = environ; *entry != NULL; entry++) {
    out_text(&out, *entry);
    out_char(&out, '\n');
  }
  out_flush(&out);
  return out.failed;
}

/* Whole seconds, or with a decimal point up to nine digits. */
static bool parse_seconds(char* text, struct timespec* time) {
  char* point = strchr(text, '.');
  uint64_t seconds = 0;
  uint64_t part = 0;
  if (point != NULL) *point = '\0';
  bool good = parse_number(text, &seconds) || (point == text && point[1] != '\0');
  if (good && point != NULL && point[1] != '\0') {
    size_t digits = strlen(point + 1);
    good = digits <= 9 && parse_number(point + 1, &part);
    for (; digits < 9; digits++) part *= 10;
  }
  if (point != NULL) *point = '.';
  time->tv_sec = (time_t)seconds;
  time->tv_nsec = (long)part;
  return good;
}

int tool_sleep(int argc, char** argv) {
  struct timespec time;
  if (argc != 2 || !parse_seconds(argv[1], &time)) return usage("usage: sleep SECONDS\n");
  return nanosleep(&time, NULL) == 0 ? 0 : 1;
}

int tool_yes(int argc, char** argv) {
  const char* text = argc > 1 ? argv[1] : "y";
  const size_t line = strlen(text) + 1;
  size_t used = 0;
  if (line > PIECE_BYTES) return usage("yes: text too long\n");
  while (used + line <= PIECE_BYTES) {
    memcpy(piece + used, text, line - 1);
    piece[used + line - 1] = '\n';
    used += line;
  }
  while (write_all(STDOUT_FILENO, piece, used) == 0) {
  }
  complain("yes", "standard output");
  return 1;
}

int tool_true(int argc, char** argv) {
  (void)argc;
  (void)argv;
  return 0;
}
int tool_false(int argc, char** argv) {
  (void)argc;
  (void)argv;
  return 1;
}
