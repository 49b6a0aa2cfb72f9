/* cat, head, wc, ls. */
#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "tools.h"

/* 0, or 1 with a message. */
static int failed(const char* tool, const char* name) {
  complain(tool, name != NULL ? name : "standard input");
  return 1;
}

static int cat_one(int fd, const char* name, void* context) {
  (void)context;
  ssize_t got;
  while ((got = read_some(fd, piece, sizeof piece)) > 0) {
    if (write_all(STDOUT_FILENO, piece, (size_t)got) != 0) return failed("cat", "standard output");
  }
  return got == 0 ? 0 : failed("cat", name);
}
int tool_cat(int argc, char** argv) {
  return each_input("cat", argc, argv, 1, cat_one, NULL);
}

struct head {
  uint64_t count;
  bool bytes;
};

static int head_one(int fd, const char* name, void* context) {
  const struct head* head = context;
  uint64_t left = head->count;
  while (left != 0) {
    const ssize_t got = read_some(fd, piece, sizeof piece);
    if (got < 0) return failed("head", name);
    if (got == 0) break;
    size_t take = 0;
    if (head->bytes) {
      take = left < (uint64_t)got ? (size_t)left : (size_t)got;
      left -= take;
    } else {
      while (take < (size_t)got && left != 0) left -= piece[take++] == '\n';
    }
    if (write_all(STDOUT_FILENO, piece, take) != 0) return failed("head", "standard output");
  }
  return 0;
}
int tool_head(int argc, char** argv) {
  struct head head = {.count = 10};
  int first = 1;
  if (argc > 2 && (strcmp(argv[1], "-n") == 0 || strcmp(argv[1], "-c") == 0)) {
    head.bytes = argv[1][1] == 'c';
    if (!parse_number(argv[2], &head.count)) return usage("usage: head [-n LINES | -c BYTES] [FILE...]\n");
    first = 3;
  }
  return each_input("head", argc, argv, first, head_one, &head);
}

struct counts {
  uint64_t lines;
  uint64_t words;
  uint64_t bytes;
  bool show_lines;
  bool show_words;
  bool show_bytes;
};

static void print_counts(const struct counts* shown, const struct counts* counts, const char* name) {
  struct out out = {.fd = STDOUT_FILENO};
  const char* gap = "";
  const struct {
    bool show;
    uint64_t value;
  } columns[] = {
      {shown->show_lines, counts->lines}, {shown->show_words, counts->words}, {shown->show_bytes, counts->bytes}};
  for (size_t i = 0; i < 3; i++) {
    if (!columns[i].show) continue;
    out_text(&out, gap);
    out_number(&out, columns[i].value);
    gap = " ";
  }
  if (name != NULL) {
    out_text(&out, " ");
    out_text(&out, name);
  }
  out_text(&out, "\n");
  out_flush(&out);
}

static int wc_one(int fd, const char* name, void* context) {
  struct counts* total = context;
  struct counts counts = {0};
  bool in_word = false;
  ssize_t got;
  while ((got = read_some(fd, piece, sizeof piece)) > 0) {
    counts.bytes += (uint64_t)got;
    for (ssize_t i = 0; i < got; i++) {
      const char c = piece[i];
      const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
      counts.lines += c == '\n';
      counts.words += !blank && !in_word;
      in_word = !blank;
    }
  }
  if (got < 0) return failed("wc", name);
  print_counts(total, &counts, name);
  total->lines += counts.lines;
  total->words += counts.words;
  total->bytes += counts.bytes;
  return 0;
}
int tool_wc(int argc, char** argv) {
  struct counts total = {0};
  int first = 1;
  if (argc > 1 && argv[1][0] == '-' && argv[1][1] != '\0') {
    for (const char* flag = argv[1] + 1; *flag != '\0'; flag++) {
      if (strchr("lwc", *flag) == NULL) return usage("usage: wc [-lwc] [FILE...]\n");
      total.show_lines |= *flag == 'l';
      total.show_words |= *flag == 'w';
      total.show_bytes |= *flag == 'c';
    }
    first = 2;
  } else {
    total.show_lines = total.show_words = total.show_bytes = true;
  }
  const int status = each_input("wc", argc, argv, first, wc_one, &total);
  if (argc - first > 1) print_counts(&total, &total, "total");
  return status;
}

struct listing {
  char** names;
  size_t count;
  size_t room;
};

static int by_name(const void* a, const void* b) {
  return strcmp(*(char* const*)a, *(char* const*)b);
}

static bool add_name(struct listing* listing, const char* name) {
  if (listing->count == listing->room) {
    const size_t room = listing->room == 0 ? 32 : listing->room * 2;
    char** names = realloc(listing->names, room * sizeof *names);
    if (names == NULL) return false;
    listing->names = names;
    listing->room = room;
  }
  listing->names[listing->count] = strdup(name);
  return listing->names[listing->count] != NULL && ++listing->count != 0;
}

static char type_letter(const struct stat* info) {
  if (S_ISDIR(info->st_mode)) return 'd';
  if (S_ISLNK(info->st_mode)) return 'l';
  if (S_ISCHR(info->st_mode)) return 'c';
  if (S_ISBLK(info->st_mode)) return 'b';
  if (S_ISSOCK(info->st_mode)) return 's';
  return '-';
}

static void out_time(struct out* out, time_t seconds) {
  struct tm parts;
  char text[24];
  gmtime_r(&seconds, &parts);
  strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  out_text(out, text);
}

/* Of the directory open as `directory`, or AT_FDCWD's. False: it cannot be looked at. */
static bool print_entry(struct out* out, int directory, const char* name, bool details) {
  if (details) {
    struct stat info;
    char number[NUMBER_BYTES];
    if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      complain("ls", name);
      return false;
    }
    const char* size = number_text((uint64_t)info.st_size, number);
    out_char(out, type_letter(&info));
    out_spaces(out, strlen(size) < 11 ? 11 - strlen(size) : 1);
    out_text(out, size);
    out_char(out, ' ');
    out_time(out, info.st_mtim.tv_sec);
    out_char(out, ' ');
  }
  out_text(out, name);
  out_char(out, '\n');
  return true;
}

static int list_directory(struct out* out, DIR* directory, bool all, bool details) {
  struct listing listing = {0};
  int status = 0;
  const struct dirent* entry;
  while ((entry = readdir(directory)) != NULL) {
    const char* name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (name[0] == '.' && !all)) continue;
    if (!add_name(&listing, name)) {
      errno = ENOMEM;
      complain("ls", NULL);
      status = 1;
      break;
    }
  }
  if (listing.count != 0) qsort(listing.names, listing.count, sizeof *listing.names, by_name);
  for (size_t i = 0; i < listing.count; i++) {
    if (!print_entry(out, dirfd(directory), listing.names[i], details)) status = 1;
    free(listing.names[i]);
  }
  free(listing.names);
  return status;
}

static int list(struct out* out, const char* path, bool all, bool details, bool headed) {
  DIR* directory = opendir(path);
  if (directory == NULL) {
    struct stat info;
    if (errno != ENOTDIR || lstat(path, &info) != 0) {
      complain("ls", path);
      return 1;
    }
    return print_entry(out, AT_FDCWD, path, details) ? 0 : 1;
  }
  if (headed) {
    out_text(out, path);
    out_text(out, ":\n");
  }
  const int status = list_directory(out, directory, all, details);
  closedir(directory);
  return status;
}

int tool_ls(int argc, char** argv) {
  bool all = false;
  bool details = false;
  int first = 1;
  for (; first < argc && argv[first][0] == '-' && argv[first][1] != '\0'; first++) {
    for (const char* flag = argv[first] + 1; *flag != '\0'; flag++) {
      if (*flag != 'a' && *flag != 'l') return usage("usage: ls [-al] [PATH...]\n");
      all |= *flag == 'a';
      details |= *flag == 'l';
    }
  }
  struct out out = {.fd = STDOUT_FILENO};
  int status = 0;
  if (first == argc) status = list(&out, "/", all, details, false);
  for (int i = first; i < argc; i++) status |= list(&out, argv[i], all, details, argc - first > 1);
  out_flush(&out);
  return status;
}
