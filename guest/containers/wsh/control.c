/* The commands over the control plane: each writes one text to one node of /dev/wanted, or reads a few. */
#include <dirent.h>

#include "shell.h"

#define ROOT_CONTROL "/dev/wanted/ctl"
#define WAPPS "/dev/wanted/wapps"
#define VALUE_BYTES 128 /* the longest leaf read here is a version of 63 bytes or an id */

static const char* needed_name(const char* command, char** rest) {
  const char* name = next_word(rest);
  if (name == NULL) {
    say_error(command);
    say_error(": missing name\n");
  }
  return name;
}

/* folder/name/leaf. False, with a message, when it does not fit or the name is not one component. */
static bool node_path(const char* command, const char* folder, const char* name, const char* leaf,
                      char path[PATH_TEXT_BYTES]) {
  if (strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
    errno = EINVAL;
    report(command, name);
    return false;
  }
  if (strlen(folder) + 1 + strlen(name) + 1 + strlen(leaf) + 1 > PATH_TEXT_BYTES) {
    errno = ENAMETOOLONG;
    report(command, name);
    return false;
  }
  strcpy(path, folder);
  strcat(path, "/");
  strcat(path, name);
  strcat(path, "/");
  strcat(path, leaf);
  return true;
}

bool write_node(const char* command, const char* path, const char* text) {
  const int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) {
    report(command, path);
    if (fd >= 0) close(fd);
    return false;
  }
  if (close(fd) == 0) return true;
  report(command, path);
  return false;
}

/* A whole small node without its last newline. False: unreadable. */
static bool read_node(const char* path, char value[VALUE_BYTES]) {
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return false;
  const ssize_t got = read(fd, value, VALUE_BYTES - 1);
  close(fd);
  if (got < 0) return false;
  value[got] = '\0';
  if (got > 0 && value[got - 1] == '\n') value[got - 1] = '\0';
  return true;
}

static bool root_verb(const char* command, char* rest) {
  static char text[LINE_BYTES + 16];
  const char* name = needed_name(command, &rest);
  if (name == NULL) return true;
  strcpy(text, command);
  strcat(text, " ");
  strcat(text, name);
  write_node(command, ROOT_CONTROL, text);
  return true;
}
bool command_create(char* rest) {
  return root_verb("create", rest);
}
bool command_delete(char* rest) {
  return root_verb("delete", rest);
}

bool command_set_config(char* rest) {
  char path[PATH_TEXT_BYTES];
  const char* name = needed_name("set_config", &rest);
  if (name == NULL || !node_path("set_config", WAPPS, name, "config", path)) return true;
  const char* text = join_rest(rest);
  if (strlen(text) > CONFIG_BYTES_MAX) {
    say_error("set_config: text too long\n");
    return true;
  }
  write_node("set_config", path, text);
  return true;
}

static bool wapp_verb(const char* command, char* rest) {
  char path[PATH_TEXT_BYTES];
  const char* name = needed_name(command, &rest);
  if (name != NULL && node_path(command, WAPPS, name, "ctl", path)) write_node(command, path, command);
  return true;
}
bool command_start(char* rest) {
  return wapp_verb("start", rest);
}
bool command_stop(char* rest) {
  return wapp_verb("stop", rest);
}

static void print_leaf(const char* label, const char* folder, const char* name, const char* leaf) {
  char path[PATH_TEXT_BYTES];
  char value[VALUE_BYTES];
  say("  ");
  out_column(standard_output(), label, 9);
  say(node_path("status", folder, name, leaf, path) && read_node(path, value) ? value : "<unavailable>");
  say("\n");
}

/* Calls `each` with the name of every instance. */
static void for_each_wapp(const char* command, void (*each)(const char* command, const char* name)) {
  DIR* directory = opendir(WAPPS);
  if (directory == NULL) {
    report(command, WAPPS);
    return;
  }
  const struct dirent* entry;
  while ((entry = readdir(directory)) != NULL) {
    if (entry->d_name[0] != '.') each(command, entry->d_name);
  }
  closedir(directory);
}

static void print_state(const char* command, const char* name) {
  char path[PATH_TEXT_BYTES];
  char state[VALUE_BYTES];
  out_column(standard_output(), name, 15);
  say(" ");
  say(node_path(command, WAPPS, name, "state", path) && read_node(path, state) ? state : "<unavailable>");
  say("\n");
}

bool command_status(char* rest) {
  const char* name = next_word(&rest);
  if (name == NULL) {
    for_each_wapp("status", print_state);
    return true;
  }
  say(name);
  say(":\n");
  print_leaf("state", WAPPS, name, "state");
  print_leaf("version", "/proc/wapps", name, "version");
  print_leaf("id", "/proc/wapps", name, "id");
  return true;
}

/* A child that has already ended has nothing to stop, which is no news; the supervisor is this shell. */
static void stop_child(const char* command, const char* name) {
  char path[PATH_TEXT_BYTES];
  if (strcmp(name, "supervisor") == 0 || !node_path(command, WAPPS, name, "ctl", path)) return;
  const int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  if (write(fd, "stop", 4) < 0 && errno != ENOENT) report(command, path);
  close(fd);
}

static bool power(const char* verb) {
  for_each_wapp(verb, stop_child);
  return !write_node(verb, ROOT_CONTROL, verb);
}
bool command_poweroff(char* rest) {
  (void)rest;
  return power("poweroff");
}
bool command_reboot(char* rest) {
  (void)rest;
  return power("reboot");
}
