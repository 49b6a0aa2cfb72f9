/* wsh: the debug supervisor, an interactive shell over the control plane's paths (contract 17.4).
 *
 * Commands come a line at a time from standard input, which is read a byte at a time: what a shell has not read stays for
 * the one that is started after it.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "lean.h"
#include "shell.h"

static struct out out = {.fd = STDOUT_FILENO};
static struct out err = {.fd = STDERR_FILENO};

void say(const char* text) {
  out_text(&out, text);
}
void say_error(const char* text) {
  out_text(&err, text);
}
struct out* standard_output(void) {
  return &out;
}
struct out* standard_error(void) {
  return &err;
}

void report(const char* command, const char* what) {
  const int error = errno;
  out_text(&err, command);
  out_text(&err, ": ");
  out_text(&err, what);
  out_text(&err, ": ");
  out_text(&err, strerror(error));
  out_text(&err, "\n");
}

/* False at the end of input. A line without its newline is a line; of one that is too long the end is read and dropped. */
static bool read_line(char line[LINE_BYTES], bool* too_long) {
  size_t length = 0;
  *too_long = false;
  for (;;) {
    char c;
    const ssize_t got = read_some(STDIN_FILENO, &c, 1);
    if (got <= 0 && length == 0 && !*too_long) return false;
    if (got <= 0 || c == '\n') break;
    if (length + 1 < LINE_BYTES) {
      line[length++] = c;
    } else {
      *too_long = true;
    }
  }
  line[length] = '\0';
  return true;
}

int main(void) {
  static char line[LINE_BYTES];
  say_error("Wsh v 0.5.0\n");
  for (bool more = true; more;) {
    bool too_long;
    out_flush(&err);
    say("> ");
    out_flush(&out);
    if (!read_line(line, &too_long)) break;
    if (too_long) {
      say_error("wsh: line too long\n");
      continue;
    }
    more = run_line(line);
    out_flush(&out);
  }
  say_error("Exiting Wsh. Bye\n");
  out_flush(&out);
  out_flush(&err);
  return 0;
}
