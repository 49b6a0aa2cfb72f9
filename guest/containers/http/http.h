/* The pieces of the HTTP server: a request is parsed in place, a response is a head and a body that is read from its file
 * only as the peer takes it. */
#ifndef FUSEBOX_HTTP_HTTP_H
#define FUSEBOX_HTTP_HTTP_H

#include "lean.h"

#define REQUEST_BYTES 4096 /* request line and headers; longer ones are refused with 431 or 414 */
#define HEAD_BYTES 1024    /* of a response; the longest holds a redirect to a path of REQUEST_BYTES / 4 */
#define PATH_BYTES 768     /* of a file, with the root before it */
#define LISTING_BYTES_MAX (64u << 10)

/* What is asked for. */
struct request {
  bool head_only;
  bool keep_alive;
  char path[PATH_BYTES];   /* decoded, starts with a slash */
  char target[PATH_BYTES]; /* as it came, without the query: what redirects are made from */
  bool has_range;
  bool range_from_end; /* the last range_first bytes */
  uint64_t range_first;
  uint64_t range_last; /* UINT64_MAX = to the end */
};
/* 0, or the status to refuse it with; the connection is then closed. `text` ends behind the empty line. Changes `text`. */
int parse_request(char* text, struct request* request);

/* What is sent. */
struct response {
  char head[HEAD_BYTES];
  size_t head_size;
  size_t head_sent;
  int file;        /* -1: the body is `text` or nothing */
  char* text;      /* from malloc(); NULL: none */
  uint64_t offset; /* of the next byte of the body */
  uint64_t left;   /* bytes of the body still to send */
  int status;
};
void start_response(struct response* response);
void end_response(struct response* response); /* gives back what it holds */
/* Finds what `request` asks for below `root` and makes the response. */
void respond(const char* root, const struct request* request, struct response* response);
/* One of the server's own short texts. */
void respond_with_status(int status, bool head_only, bool keep_alive, const char* location, struct response* response);
/* Head and beginning of the body as far as `room` goes; -1: the file cannot be read. */
ssize_t fill(const struct response* response, char* to, size_t room);
void advance(struct response* response, size_t taken);
bool finished(const struct response* response);

/* An index of the open directory as HTML, from malloc(); NULL: no memory or more than LISTING_BYTES_MAX. */
char* directory_listing(int directory, const char* path, size_t* size);

const char* content_type(const char* path);

#endif
