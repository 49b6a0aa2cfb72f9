/* tools NAME [ARGUMENTS]: one of the small tools. A container whose own name is a tool's is that tool. */
#include "tools.h"

char piece[PIECE_BYTES];

static const struct {
  const char* name;
  int (*run)(int argc, char** argv);
} tools[] = {
    {"cat", tool_cat},     {"echo", tool_echo}, {"env", tool_env}, {"false", tool_false},
    {"grep", tool_grep},   {"head", tool_head}, {"ls", tool_ls},   {"sha256", tool_sha256},
    {"sleep", tool_sleep}, {"true", tool_true}, {"wc", tool_wc},   {"yes", tool_yes},
};

int usage(const char* text) {
  write_all(STDERR_FILENO, text, strlen(text));
  return 2;
}

int each_input(const char* tool, int argc, char** argv, int first, int (*each)(int fd, const char* name, void* context),
               void* context) {
  if (first >= argc) return each(STDIN_FILENO, NULL, context);
  int status = 0;
  for (int i = first; i < argc; i++) {
    const bool standard = strcmp(argv[i], "-") == 0;
    const int fd = standard ? STDIN_FILENO : open(argv[i], O_RDONLY);
    int one = 1;
    if (fd < 0) {
      complain(tool, argv[i]);
    } else {
      one = each(fd, argv[i], context);
      if (!standard) close(fd);
    }
    if (one > status) status = one;
  }
  return status;
}

/* -1: no such tool. */
static int run(int argc, char** argv) {
  for (size_t i = 0; argc > 0 && i < sizeof tools / sizeof tools[0]; i++) {
    if (strcmp(argv[0], tools[i].name) == 0) return tools[i].run(argc, argv);
  }
  return -1;
}

int main(int argc, char** argv) {
  int status = run(argc, argv);
  if (status < 0) status = run(argc - 1, argv + 1);
  if (status >= 0) return status;
  struct out err = {.fd = STDERR_FILENO};
  out_text(&err, "usage: tools NAME [ARGUMENTS], NAME one of");
  for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
    out_text(&err, " ");
    out_text(&err, tools[i].name);
  }
  out_text(&err, "\n");
  out_flush(&err);
  return 2;
}
