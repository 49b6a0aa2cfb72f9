/* Content types, and the index of a directory. */
#include <dirent.h>

#include "http.h"

const char* content_type(const char* path) {
  static const struct {
    const char* ending;
    const char* type;
  } types[] = {
      {".html", "text/html; charset=utf-8"},
      {".htm", "text/html; charset=utf-8"},
      {".txt", "text/plain; charset=utf-8"},
      {".md", "text/plain; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".jpeg", "image/jpeg"},
      {".gif", "image/gif"},
      {".webp", "image/webp"},
      {".ico", "image/x-icon"},
      {".wasm", "application/wasm"},
      {".xml", "application/xml"},
      {".pdf", "application/pdf"},
      {".woff2", "font/woff2"},
      {".csv", "text/csv; charset=utf-8"},
      {".gz", "application/gzip"},
      {".tar", "application/x-tar"},
  };
  const char* name = strrchr(path, '/');
  const char* ending = strrchr(name != NULL ? name : path, '.');
  for (size_t i = 0; ending != NULL && i < sizeof types / sizeof types[0]; i++) {
    if (strcmp(ending, types[i].ending) == 0) return types[i].type;
  }
  return "application/octet-stream";
}

struct text {
  char* bytes;
  size_t size;
  size_t room;
  bool failed;
};

static void add(struct text* text, const char* more) {
  const size_t size = strlen(more);
  if (text->failed) return;
  if (text->size + size > text->room) {
    const size_t room = (text->size + size) * 2;
    char* larger = room > LISTING_BYTES_MAX ? NULL : realloc(text->bytes, room);
    if (larger == NULL) {
      text->failed = true;
      return;
    }
    text->bytes = larger;
    text->room = room;
  }
  memcpy(text->bytes + text->size, more, size);
  text->size += size;
}

static void add_html(struct text* text, const char* raw) {
  for (; *raw != '\0'; raw++) {
    const char one[2] = {*raw, '\0'};
    add(text, *raw == '<' ? "&lt;" : *raw == '>' ? "&gt;" : *raw == '&' ? "&amp;" : *raw == '"' ? "&quot;" : one);
  }
}

static void add_encoded(struct text* text, const char* raw) {
  for (; *raw != '\0'; raw++) {
    const unsigned char c = (unsigned char)*raw;
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", (char)c) != NULL;
    const char coded[4] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15], '\0'};
    const char one[2] = {(char)c, '\0'};
    add(text, plain ? one : coded);
  }
}

static void add_link(struct text* text, const char* name, bool directory) {
  add(text, "<li><a href=\"./");
  add_encoded(text, name);
  add(text, directory ? "/\">" : "\">");
  add_html(text, name);
  add(text, directory ? "/</a></li>\n" : "</a></li>\n");
}

char* directory_listing(int directory, const char* path, size_t* size) {
  struct text text = {0};
  DIR* listing = fdopendir(directory);
  if (listing == NULL) {
    close(directory);
    return NULL;
  }
  add(&text, "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>");
  add_html(&text, path);
  add(&text, "</title>\n<h1>");
  add_html(&text, path);
  add(&text, "</h1>\n<ul>\n");
  const struct dirent* entry;
  while ((entry = readdir(listing)) != NULL) {
    if (entry->d_name[0] != '.') add_link(&text, entry->d_name, entry->d_type == DT_DIR);
  }
  add(&text, "</ul>\n");
  closedir(listing);
  if (text.failed) {
    free(text.bytes);
    return NULL;
  }
  *size = text.size;
  return text.bytes;
}
