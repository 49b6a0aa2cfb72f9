/* The small tools in one module. Each takes its own argc and argv, argv[0] being its name, and answers its exit status:
 * 0, 1 when something failed, 2 for a use it does not know. */
#ifndef FUSEBOX_TOOLS_TOOLS_H
#define FUSEBOX_TOOLS_TOOLS_H

#include "lean.h"

#define PIECE_BYTES 8192

int tool_cat(int argc, char** argv);
int tool_ls(int argc, char** argv);
int tool_head(int argc, char** argv);
int tool_wc(int argc, char** argv);
int tool_grep(int argc, char** argv);
int tool_sha256(int argc, char** argv);
int tool_echo(int argc, char** argv);
int tool_env(int argc, char** argv);
int tool_sleep(int argc, char** argv);
int tool_yes(int argc, char** argv);
int tool_true(int argc, char** argv);
int tool_false(int argc, char** argv);

/* One piece of input for whoever reads; no two tools run at once. */
extern char piece[PIECE_BYTES];

/* Calls `each` with every file named from argv[first] on, "-" being standard input, or with standard input alone. `name` is
 * NULL when nothing was named. Answers the worst status. */
int each_input(const char* tool, int argc, char** argv, int first, int (*each)(int fd, const char* name, void* context),
               void* context);

int usage(const char* text); /* prints it, answers 2 */

#endif
