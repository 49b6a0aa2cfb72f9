/* One line of wsh, split and run. */
#ifndef FUSEBOX_WSH_SHELL_H
#define FUSEBOX_WSH_SHELL_H

#include "lean.h"

#define LINE_BYTES 1024      /* a set_config with its 511 bytes of text, the name and blanks to spare */
#define PATH_TEXT_BYTES 512  /* an absolute path and its NUL: max_path of the profile small */
#define WRITE_BYTES_MAX 255  /* contract 17.4 */
#define CONFIG_BYTES_MAX 511 /* the same */

/* False when the shell is to be left. Changes `line`. */
bool run_line(char* line);

/* Absolute and normalised, from the working folder. False, with a message, when it does not fit. */
bool resolve(const char* command, const char* path, char absolute[PATH_TEXT_BYTES]);
bool change_directory(const char* path);
const char* working_directory(void);

/* The next word, or NULL. `*at` moves behind it. */
char* next_word(char** at);
/* The rest, its words joined with single blanks. */
char* join_rest(char* at);

/* Output is collected and goes out before the next prompt. */
struct out* standard_output(void);
struct out* standard_error(void);
void say(const char* text);
void say_error(const char* text);
void report(const char* command, const char* what); /* "command: what: <error of errno>" on standard error */

/* One write of `text` to `path`; reports what fails. */
bool write_node(const char* command, const char* path, const char* text);

/* The commands; `rest` is what follows the command's word. False when the shell is to be left. */
bool command_ls(char* rest);
bool command_cat(char* rest);
bool command_write(char* rest);
bool command_cp(char* rest);
bool command_rm(char* rest);
bool command_create(char* rest);
bool command_delete(char* rest);
bool command_set_config(char* rest);
bool command_start(char* rest);
bool command_stop(char* rest);
bool command_status(char* rest);
bool command_poweroff(char* rest);
bool command_reboot(char* rest);

#endif
