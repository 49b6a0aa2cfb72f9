/* Responses: files, indexes of directories, and the server's own short texts. */
#include <sys/stat.h>

#include "http.h"

static const char* reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

void start_response(struct response* response) {
  memset(response, 0, sizeof *response);
  response->file = -1;
}
void end_response(struct response* response) {
  if (response->file >= 0) close(response->file);
  free(response->text);
  start_response(response);
}

/* What does not fit is left out; parse_request() bounds everything that comes from outside. */
static void add(struct response* response, const char* text) {
  const size_t size = strlen(text);
  if (response->head_size + size > sizeof response->head) return;
  memcpy(response->head + response->head_size, text, size);
  response->head_size += size;
}
static void add_number(struct response* response, uint64_t value) {
  char text[NUMBER_BYTES];
  add(response, number_text(value, text));
}

static void begin_head(struct response* response, int status, bool keep_alive) {
  response->status = status;
  add(response, "HTTP/1.1 ");
  add_number(response, (uint64_t)status);
  add(response, " ");
  add(response, reason(status));
  add(response, "\r\nServer: nanocontainer\r\nX-Content-Type-Options: nosniff\r\n");
  if (!keep_alive) add(response, "Connection: close\r\n");
}
static void end_head(struct response* response, const char* type, uint64_t length, bool head_only) {
  add(response, "Content-Type: ");
  add(response, type);
  add(response, "\r\nContent-Length: ");
  add_number(response, length);
  add(response, "\r\n\r\n");
  response->left = head_only ? 0 : length;
}

void respond_with_status(int status, bool head_only, bool keep_alive, const char* location, struct response* response) {
  char* text = malloc(96);
  size_t size = 0;
  if (text != NULL) {
    char number[NUMBER_BYTES];
    strcpy(text, number_text((uint64_t)status, number));
    strcat(text, " ");
    strcat(text, reason(status));
    strcat(text, "\n");
    size = strlen(text);
  }
  begin_head(response, status, keep_alive);
  if (status == 405) add(response, "Allow: GET, HEAD\r\n");
  if (location != NULL) {
    add(response, "Location: ");
    add(response, location);
    add(response, "/\r\n");
  }
  response->text = text;
  end_head(response, "text/plain; charset=utf-8", size, head_only);
}

/* The part of `size` bytes that is asked for. False: it lies outside. */
static bool choose_range(const struct request* request, uint64_t size, uint64_t* first, uint64_t* length) {
  if (request->range_from_end) {
    const uint64_t last_bytes = request->range_first < size ? request->range_first : size;
    *first = size - last_bytes;
    *length = last_bytes;
    return last_bytes != 0;
  }
  if (request->range_first >= size) return false;
  const uint64_t last = request->range_last < size ? request->range_last : size - 1;
  *first = request->range_first;
  *length = last - request->range_first + 1;
  return true;
}

static void respond_with_file(const struct request* request, const char* path, int file, uint64_t size,
                              struct response* response) {
  uint64_t first = 0;
  uint64_t length = size;
  if (request->has_range && !choose_range(request, size, &first, &length)) {
    close(file);
    begin_head(response, 416, request->keep_alive);
    add(response, "Content-Range: bytes */");
    add_number(response, size);
    add(response, "\r\n");
    end_head(response, "text/plain; charset=utf-8", 0, true);
    return;
  }
  begin_head(response, request->has_range ? 206 : 200, request->keep_alive);
  add(response, "Accept-Ranges: bytes\r\n");
  if (request->has_range) {
    add(response, "Content-Range: bytes ");
    add_number(response, first);
    add(response, "-");
    add_number(response, first + length - 1);
    add(response, "/");
    add_number(response, size);
    add(response, "\r\n");
  }
  response->file = file;
  response->offset = first;
  end_head(response, content_type(path), length, request->head_only);
}

static int status_of_error(void) {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return 404;
    case EACCES:
    case EPERM:
    case ENOTCAPABLE:
      return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return 503;
    default:
      return 500;
  }
}

static void respond_with_directory(char path[PATH_BYTES], size_t length, int directory, const struct request* request,
                                   struct response* response) {
  if (request->path[strlen(request->path) - 1] != '/') {
    close(directory);
    respond_with_status(301, request->head_only, request->keep_alive, request->target, response);
    return;
  }
  if (length + sizeof "index.html" <= PATH_BYTES) {
    struct stat info;
    strcpy(path + length, "index.html");
    const int file = open(path, O_RDONLY);
    if (file >= 0 && fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
      close(directory);
      respond_with_file(request, path, file, (uint64_t)info.st_size, response);
      return;
    }
    if (file >= 0) close(file);
  }
  size_t size;
  response->text = directory_listing(directory, request->path, &size); /* closes it */
  if (response->text == NULL) {
    respond_with_status(503, request->head_only, request->keep_alive, NULL, response);
    return;
  }
  begin_head(response, 200, request->keep_alive);
  end_head(response, "text/html; charset=utf-8", size, request->head_only);
}

void respond(const char* root, const struct request* request, struct response* response) {
  char path[PATH_BYTES];
  struct stat info;
  const size_t root_size = strcmp(root, "/") == 0 ? 0 : strlen(root);
  const size_t length = root_size + strlen(request->path);
  if (length >= sizeof path) {
    respond_with_status(404, request->head_only, request->keep_alive, NULL, response);
    return;
  }
  memcpy(path, root, root_size);
  strcpy(path + root_size, request->path);
  const int file = open(path, O_RDONLY);
  if (file < 0 || fstat(file, &info) != 0) {
    const int status = status_of_error();
    if (file >= 0) close(file);
    respond_with_status(status, request->head_only, request->keep_alive, NULL, response);
  } else if (S_ISDIR(info.st_mode)) {
    respond_with_directory(path, length, file, request, response);
  } else if (S_ISREG(info.st_mode) && path[length - 1] != '/') {
    respond_with_file(request, path, file, (uint64_t)info.st_size, response);
  } else { /* devices, pipes and sockets are not documents */
    close(file);
    respond_with_status(404, request->head_only, request->keep_alive, NULL, response);
  }
}

ssize_t fill(const struct response* response, char* to, size_t room) {
  size_t used = response->head_size - response->head_sent;
  if (used > room) used = room;
  memcpy(to, response->head + response->head_sent, used);
  room -= used;
  if ((uint64_t)room > response->left) room = (size_t)response->left;
  if (room == 0) return (ssize_t)used;
  if (response->file < 0) {
    memcpy(to + used, response->text + response->offset, room);
    return (ssize_t)(used + room);
  }
  const ssize_t got = pread(response->file, to + used, room, (off_t)response->offset);
  if (got > 0) return (ssize_t)used + got;
  return used != 0 && got >= 0 ? (ssize_t)used : -1; /* a file that has become shorter breaks the promised length */
}

void advance(struct response* response, size_t taken) {
  const size_t head = response->head_size - response->head_sent;
  const size_t of_head = taken < head ? taken : head;
  response->head_sent += of_head;
  response->offset += taken - of_head;
  response->left -= taken - of_head;
}

bool finished(const struct response* response) {
  return response->head_sent == response->head_size && response->left == 0;
}
