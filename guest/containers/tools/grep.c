/* grep [-EFcinqv] PATTERN [FILE...]: POSIX regular expressions. */
#include <regex.h>

#include "tools.h"

struct search {
  const char* pattern;
  regex_t compiled;
  bool fixed;
  bool count;
  bool ignore_case;
  bool numbered;
  bool quiet;
  bool inverted;
  bool named; /* several files: each line says whose it is */
  bool found;
  struct out out;
};

/* A line of any length, without its newline. */
struct line {
  char* text;
  size_t size;
  size_t room;
};

static bool add_bytes(struct line* line, const char* bytes, size_t size) {
  if (line->size + size + 1 > line->room) {
    const size_t room = (line->size + size + 1) * 2;
    char* larger = realloc(line->text, room);
    if (larger == NULL) return false;
    line->text = larger;
    line->room = room;
  }
  memcpy(line->text + line->size, bytes, size);
  line->size += size;
  line->text[line->size] = '\0';
  return true;
}

static bool same_letter(char a, char b, bool ignore_case) {
  if (a == b) return true;
  if (!ignore_case) return false;
  const char low_a = a >= 'A' && a <= 'Z' ? (char)(a | 32) : a;
  const char low_b = b >= 'A' && b <= 'Z' ? (char)(b | 32) : b;
  return low_a == low_b;
}

static bool contains(const char* text, const char* wanted, bool ignore_case) {
  for (;; text++) {
    size_t i = 0;
    while (wanted[i] != '\0' && same_letter(text[i], wanted[i], ignore_case)) i++;
    if (wanted[i] == '\0') return true;
    if (*text == '\0') return false;
  }
}

static bool matches(const struct search* search, const char* text) {
  const bool match = search->fixed ? contains(text, search->pattern, search->ignore_case)
                                   : regexec(&search->compiled, text, 0, NULL, 0) == 0;
  return match != search->inverted;
}

static void print_line(struct search* search, const char* name, uint64_t number, const struct line* line) {
  struct out* out = &search->out;
  if (search->named) {
    out_text(out, name);
    out_char(out, ':');
  }
  if (search->numbered) {
    out_number(out, number);
    out_char(out, ':');
  }
  out_bytes(out, line->text, line->size);
  out_char(out, '\n');
}

struct position {
  uint64_t number;
  uint64_t matches;
};

static void take_line(struct search* search, const char* name, struct position* at, struct line* line) {
  at->number++;
  if (matches(search, line->text)) {
    search->found = true;
    at->matches++;
    if (!search->count && !search->quiet) print_line(search, name, at->number, line);
  }
  line->size = 0;
}

static int grep_lines(int fd, const char* name, struct search* search, struct position* at, struct line* line) {
  ssize_t got;
  while ((got = read_some(fd, piece, sizeof piece)) > 0) {
    for (const char* from = piece; from < piece + got;) {
      const char* end = memchr(from, '\n', (size_t)(piece + got - from));
      const size_t size = (size_t)((end != NULL ? end : piece + got) - from);
      if (!add_bytes(line, from, size)) {
        errno = ENOMEM;
        return -1;
      }
      if (end != NULL) take_line(search, name, at, line);
      from += size + (end != NULL);
    }
    if (search->quiet && search->found) return 0;
    out_flush(&search->out);
  }
  if (got == 0 && line->size != 0) take_line(search, name, at, line);
  return (int)got;
}

static int grep_one(int fd, const char* name, void* context) {
  struct search* search = context;
  struct position at = {0};
  struct line line = {0};
  const char* shown = name != NULL ? name : "(standard input)";
  const int result = grep_lines(fd, shown, search, &at, &line);
  free(line.text);
  if (result < 0) {
    complain("grep", shown);
    return 2;
  }
  if (search->count && !search->quiet) {
    if (search->named) {
      out_text(&search->out, shown);
      out_char(&search->out, ':');
    }
    out_number(&search->out, at.matches);
    out_char(&search->out, '\n');
  }
  return 0;
}

int tool_grep(int argc, char** argv) {
  static const char how[] = "usage: grep [-EFcinqv] PATTERN [FILE...]\n";
  struct search search = {.out = {.fd = STDOUT_FILENO}};
  int flags = REG_NOSUB;
  int first = 1;
  for (; first < argc && argv[first][0] == '-' && argv[first][1] != '\0'; first++) {
    for (const char* flag = argv[first] + 1; *flag != '\0'; flag++) {
      switch (*flag) {
        case 'E':
          flags |= REG_EXTENDED;
          break;
        case 'F':
          search.fixed = true;
          break;
        case 'c':
          search.count = true;
          break;
        case 'i':
          search.ignore_case = true;
          break;
        case 'n':
          search.numbered = true;
          break;
        case 'q':
          search.quiet = true;
          break;
        case 'v':
          search.inverted = true;
          break;
        default:
          return usage(how);
      }
    }
  }
  if (first >= argc) return usage(how);
  search.pattern = argv[first];
  if (search.ignore_case) flags |= REG_ICASE;
  if (!search.fixed && regcomp(&search.compiled, search.pattern, flags) != 0) {
    errno = EINVAL;
    complain("grep", search.pattern);
    return 2;
  }
  search.named = argc - first > 2;
  const int status = each_input("grep", argc, argv, first + 1, grep_one, &search);
  out_flush(&search.out);
  return status != 0 ? 2 : search.found ? 0 : 1;
}
