#include "shell.h"

#include <sys/stat.h>

static char working[PATH_TEXT_BYTES] = "/";

const char* working_directory(void) {
  return working;
}

static bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

char* next_word(char** at) {
  char* start = *at;
  while (blank(*start)) start++;
  if (*start == '\0') return NULL;
  char* end = start;
  while (*end != '\0' && !blank(*end)) end++;
  *at = *end == '\0' ? end : end + 1;
  *end = '\0';
  return start;
}

char* join_rest(char* at) {
  char* to = at;
  char* start = at;
  for (char* word; (word = next_word(&at)) != NULL;) {
    if (to != start) *to++ = ' ';
    const size_t length = strlen(word);
    memmove(to, word, length);
    to += length;
  }
  *to = '\0';
  return start;
}

/* Takes one component off the end; the root stays the root. */
static size_t parent_length(const char* path, size_t length) {
  while (length > 0 && path[length - 1] != '/') length--;
  return length > 0 ? length - 1 : 0;
}

bool resolve(const char* command, const char* path, char absolute[PATH_TEXT_BYTES]) {
  size_t length = 0;
  if (*path != '/' && strcmp(working, "/") != 0) {
    length = strlen(working);
    memcpy(absolute, working, length);
  }
  for (const char* at = path; *at != '\0';) {
    while (*at == '/') at++;
    size_t size = strcspn(at, "/");
    if (size == 2 && at[0] == '.' && at[1] == '.') {
      length = parent_length(absolute, length);
    } else if (size != 0 && !(size == 1 && at[0] == '.')) {
      if (length + 1 + size + 1 > PATH_TEXT_BYTES) {
        errno = ENAMETOOLONG;
        report(command, path);
        return false;
      }
      absolute[length++] = '/';
      memcpy(absolute + length, at, size);
      length += size;
    }
    at += size;
  }
  if (length == 0) absolute[length++] = '/';
  absolute[length] = '\0';
  return true;
}

bool change_directory(const char* path) {
  char absolute[PATH_TEXT_BYTES];
  struct stat info;
  if (!resolve("cd", path, absolute)) return false;
  if (stat(absolute, &info) != 0) {
    report("cd", path);
    return false;
  }
  if (!S_ISDIR(info.st_mode)) {
    errno = ENOTDIR;
    report("cd", path);
    return false;
  }
  strcpy(working, absolute);
  return true;
}

static bool command_cd(char* rest) {
  const char* path = next_word(&rest);
  change_directory(path != NULL ? path : "/");
  return true;
}
static bool command_pwd(char* rest) {
  (void)rest;
  say(working);
  say("\n");
  return true;
}
static bool command_exit(char* rest) {
  (void)rest;
  return false;
}
static bool command_help(char* rest);

/* In the order of help. */
static const struct {
  const char* name;
  bool (*run)(char* rest);
} commands[] = {
    {"help", command_help},     {"exit", command_exit},
    {"cd", command_cd},         {"ls", command_ls},
    {"pwd", command_pwd},       {"cat", command_cat},
    {"write", command_write},   {"cp", command_cp},
    {"rm", command_rm},         {"create", command_create},
    {"delete", command_delete}, {"set_config", command_set_config},
    {"start", command_start},   {"stop", command_stop},
    {"status", command_status}, {"poweroff", command_poweroff},
    {"reboot", command_reboot},
};

static bool command_help(char* rest) {
  (void)rest;
  say("Following commands are available:\n");
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    say("\t");
    say(commands[i].name);
    say("\n");
  }
  return true;
}

bool run_line(char* line) {
  const char* word = next_word(&line);
  if (word == NULL) return true;
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    if (strcmp(word, commands[i].name) == 0) return commands[i].run(line);
  }
  say_error("wsh: ");
  say_error(word);
  say_error(" - command not found!\n");
  return true;
}
