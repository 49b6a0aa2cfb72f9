/* The commands over files. */
#include <dirent.h>
#include <sys/stat.h>

#include "shell.h"

#define PIECE_BYTES 1024 /* contract 17.4: cat reads in such pieces */

static char piece[PIECE_BYTES];

static const char* needed(const char* command, const char* what, char** rest) {
  const char* word = next_word(rest);
  if (word == NULL) {
    say_error(command);
    say_error(": missing ");
    say_error(what);
    say_error("\n");
  }
  return word;
}

/* First four bytes of the device number in memory order; what does not print is left blank. */
static void device_text(uint64_t device, char text[5]) {
  for (int i = 0; i < 4; i++) {
    const char c = (char)(device >> (8 * i) & 0xff);
    text[i] = c > ' ' && c < 127 ? c : ' ';
  }
  text[4] = '\0';
}

/* The number of preview1; stat's mode does not tell the two kinds of sockets apart. */
static unsigned wasi_type(const struct stat* info) {
  if (S_ISBLK(info->st_mode)) return 1;
  if (S_ISCHR(info->st_mode)) return 2;
  if (S_ISDIR(info->st_mode)) return 3;
  if (S_ISREG(info->st_mode)) return 4;
  if (S_ISSOCK(info->st_mode)) return 6;
  if (S_ISLNK(info->st_mode)) return 7;
  return 0;
}

static void print_entry(const char* name, unsigned type, const struct stat* info) {
  struct out* out = standard_output();
  char number[NUMBER_BYTES];
  char device[5];
  device_text(info->st_dev, device);
  out_char(out, type == 3 ? '/' : type == 5 || type == 6 ? '@' : ' ');
  out_column(out, name, 19);
  out_char(out, ' ');
  out_column(out, number_text(type, number), 4);
  out_char(out, ' ');
  out_column(out, number_text((uint64_t)info->st_size, number), 8);
  out_char(out, ' ');
  out_column(out, device, 8);
  out_char(out, ' ');
  out_text(out, number_text(info->st_ino, number));
  out_char(out, '\n');
}

/* readdir() gives the type of preview1 itself. */
static unsigned entry_type(const struct dirent* entry, const struct stat* info) {
  return entry->d_type != DT_UNKNOWN ? entry->d_type : wasi_type(info);
}

bool command_ls(char* rest) {
  const char* path = next_word(&rest);
  char absolute[PATH_TEXT_BYTES];
  if (path == NULL) path = working_directory();
  if (!resolve("ls", path, absolute)) return true;
  DIR* directory = opendir(absolute);
  if (directory == NULL) {
    report("ls", path);
    return true;
  }
  struct out* out = standard_output();
  out_column(out, "[Name]", 20);
  out_text(out, " [Type] ");
  out_column(out, "[Size]", 8);
  out_char(out, ' ');
  out_column(out, "[Dev]", 8);
  out_text(out, " [Ino]\n");
  const struct dirent* entry;
  while ((entry = readdir(directory)) != NULL) {
    struct stat info;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      report("ls", entry->d_name);
      break;
    }
    print_entry(entry->d_name, entry_type(entry, &info), &info);
  }
  closedir(directory);
  return true;
}

bool command_cat(char* rest) {
  const char* path = needed("cat", "file", &rest);
  char absolute[PATH_TEXT_BYTES];
  if (path == NULL || !resolve("cat", path, absolute)) return true;
  const int fd = open(absolute, O_RDONLY);
  if (fd < 0) {
    report("cat", path);
    return true;
  }
  ssize_t got;
  while ((got = read(fd, piece, sizeof piece)) > 0) {
    out_bytes(standard_output(), piece, (size_t)got);
    out_flush(standard_output()); /* a node that goes on, such as events, shows what it has */
  }
  if (got < 0) report("cat", path);
  close(fd);
  return true;
}

bool command_write(char* rest) {
  const char* path = needed("write", "file", &rest);
  char absolute[PATH_TEXT_BYTES];
  if (path == NULL || !resolve("write", path, absolute)) return true;
  const char* text = join_rest(rest);
  const size_t size = strlen(text);
  if (size > WRITE_BYTES_MAX) {
    say_error("write: text too long\n");
    return true;
  }
  const int fd = open(absolute, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const ssize_t written = fd < 0 ? -1 : write(fd, text, size);
  if (written < 0) report("write", path);
  if (fd >= 0 && close(fd) != 0 && written >= 0) report("write", path);
  if (written < 0) return true;
  out_text(standard_error(), "write: written ");
  out_number(standard_error(), (uint64_t)written);
  out_text(standard_error(), "\n");
  return true;
}

/* Reports what fails, also at close: that is where an install says that the image is bad. */
static void copy(int from, const char* from_name, int to, const char* to_name) {
  ssize_t got;
  while ((got = read(from, piece, sizeof piece)) > 0) {
    if (write_all(to, piece, (size_t)got) != 0) {
      report("cp", to_name);
      close(to);
      return;
    }
  }
  if (got < 0) report("cp", from_name);
  if (close(to) != 0) report("cp", to_name);
}

bool command_cp(char* rest) {
  const char* from_name = needed("cp", "source", &rest);
  const char* to_name = from_name == NULL ? NULL : needed("cp", "destination", &rest);
  char from_path[PATH_TEXT_BYTES];
  char to_path[PATH_TEXT_BYTES];
  if (to_name == NULL || !resolve("cp", from_name, from_path) || !resolve("cp", to_name, to_path)) return true;
  const int from = open(from_path, O_RDONLY);
  if (from < 0) {
    report("cp", from_name);
    return true;
  }
  const int to = open(to_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (to < 0) {
    report("cp", to_name);
  } else {
    copy(from, from_name, to, to_name);
  }
  close(from);
  return true;
}

bool command_rm(char* rest) {
  const char* path = needed("rm", "file", &rest);
  char absolute[PATH_TEXT_BYTES];
  if (path != NULL && resolve("rm", path, absolute) && unlink(absolute) != 0) report("rm", path);
  return true;
}
