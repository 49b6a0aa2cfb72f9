/* Requests: strict about everything that two servers could read differently. */
#include "http.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool same_word(const char* a, const char* b) {
  for (; *a != '\0' && *b != '\0'; a++, b++) {
    if ((*a >= 'A' && *a <= 'Z' ? *a | 32 : *a) != *b) return false;
  }
  return *a == *b;
}

/* No component of dots: nothing of a path may mean another one. Hidden files are not served. */
static int check_components(const char* path) {
  for (const char* at = path; *at != '\0';) {
    at++; /* the slash */
    const size_t size = strcspn(at, "/");
    if ((size == 1 && at[0] == '.') || (size == 2 && at[0] == '.' && at[1] == '.')) return 400;
    if (size > 1 && at[0] == '.') return 404;
    if (size == 0 && at[0] == '/') return 404;
    at += size;
  }
  return 0;
}

static int decode_path(const char* target, char path[PATH_BYTES]) {
  size_t size = 0;
  for (const char* at = target; *at != '\0'; at++) {
    char c = *at;
    if (c == '%') {
      const int high = hex_digit(at[1]);
      const int low = high < 0 ? -1 : hex_digit(at[2]);
      if (low < 0) return 400;
      c = (char)(high << 4 | low);
      /* An encoded slash is part of a name, which no file has; NUL would cut the path. */
      if (c == '\0') return 400;
      if (c == '/') return 404;
      at += 2;
    }
    if (size + 1 >= PATH_BYTES) return 414;
    path[size++] = c;
  }
  path[size] = '\0';
  return check_components(path);
}

static int parse_target(char* target, struct request* request) {
  if (strncmp(target, "http://", 7) == 0) { /* as sent to proxies, and to be understood by every server */
    target += 7;
    const size_t authority = strcspn(target, "/?");
    if (authority == 0) return 400;
    target += authority;
    if (*target != '/') return 400;
  }
  if (*target != '/') return 400;
  for (const char* at = target; *at != '\0'; at++) {
    if (*at <= ' ' || *at == 127 || *at == '#' || *at == '\\') return 400;
  }
  target[strcspn(target, "?")] = '\0';
  if (strlen(target) >= sizeof request->target) return 414;
  strcpy(request->target, target);
  return decode_path(target, request->path);
}

/* "GET /path HTTP/1.1" */
static int parse_request_line(char* line, struct request* request, bool* version_1_1) {
  char* target = strchr(line, ' ');
  char* version = target == NULL ? NULL : strchr(target + 1, ' ');
  if (version == NULL || target == line) return 400;
  *target++ = '\0';
  *version++ = '\0';
  for (const char* at = line; *at != '\0'; at++) {
    if (!token_char(*at)) return 400;
  }
  if (strncmp(version, "HTTP/", 5) != 0 || version[5] < '0' || version[5] > '9' || version[6] != '.' ||
      version[7] < '0' || version[7] > '9' || version[8] != '\0') {
    return 400;
  }
  if (version[5] != '1') return 505;
  *version_1_1 = version[7] != '0';
  request->head_only = strcmp(line, "HEAD") == 0;
  if (!request->head_only && strcmp(line, "GET") != 0) return 405;
  return parse_target(target, request);
}

/* "bytes=a-b", "bytes=a-", "bytes=-n". Anything else is no range for this server, which then sends the whole. */
static void parse_range(char* value, struct request* request) {
  if (strncmp(value, "bytes=", 6) != 0) return;
  char* first = value + 6;
  char* dash = strchr(first, '-');
  if (dash == NULL) return;
  *dash = '\0';
  const char* last = dash + 1;
  uint64_t from = 0;
  uint64_t to = UINT64_MAX;
  if (*first == '\0') {
    if (!parse_number(last, &from)) return;
    request->range_from_end = true;
  } else if (!parse_number(first, &from) || (*last != '\0' && !parse_number(last, &to)) || to < from) {
    return;
  }
  request->has_range = true;
  request->range_first = from;
  request->range_last = to;
}

static bool has_word(char* list, const char* word) {
  for (char* item = strtok(list, ", \t"); item != NULL; item = strtok(NULL, ", \t")) {
    if (same_word(item, word)) return true;
  }
  return false;
}

struct seen {
  bool host;
  bool length;
};

static int parse_header(char* name, char* value, struct request* request, struct seen* seen) {
  if (same_word(name, "host")) {
    if (seen->host) return 400;
    seen->host = true;
  } else if (same_word(name, "content-length")) {
    uint64_t length;
    if (seen->length || !parse_number(value, &length)) return 400;
    seen->length = true;
    if (length != 0) return 413; /* neither GET nor HEAD brings a body that would mean anything here */
  } else if (same_word(name, "transfer-encoding")) {
    return 413;
  } else if (same_word(name, "connection")) {
    char copy[64];
    if (strlen(value) >= sizeof copy) return 400;
    strcpy(copy, value);
    if (has_word(copy, "close")) {
      request->keep_alive = false;
    } else {
      strcpy(copy, value);
      if (has_word(copy, "keep-alive")) request->keep_alive = true;
    }
  } else if (same_word(name, "range")) {
    parse_range(value, request);
  }
  return 0;
}

/* "Name: value" in place. */
static int split_header(char* line, char** value) {
  char* colon = line;
  while (token_char(*colon)) colon++;
  if (*colon != ':' || colon == line) return 400;
  *colon = '\0';
  char* start = colon + 1;
  while (*start == ' ' || *start == '\t') start++;
  char* end = start + strlen(start);
  while (end > start && (end[-1] == ' ' || end[-1] == '\t')) end--;
  *end = '\0';
  for (const char* at = start; *at != '\0'; at++) {
    if ((unsigned char)*at < ' ' && *at != '\t') return 400;
  }
  *value = start;
  return 0;
}

int parse_request(char* text, struct request* request) {
  bool version_1_1 = false;
  struct seen seen = {0};
  int status = 0;
  memset(request, 0, sizeof *request);
  for (char* line = text;;) {
    char* end = strchr(line, '\n');
    if (end == NULL || end == line || end[-1] != '\r') return 400;
    end[-1] = '\0';
    if (line == text) {
      status = parse_request_line(line, request, &version_1_1);
      if (status == 400 || status == 505) return status;
      request->keep_alive = version_1_1;
    } else if (*line == '\0') {
      break;
    } else {
      char* value;
      int refused = split_header(line, &value);
      if (refused == 0) refused = parse_header(line, value, request, &seen);
      if (refused != 0) return refused == 413 && status != 0 ? status : refused;
    }
    line = end + 1;
  }
  return version_1_1 && !seen.host ? 400 : status;
}
