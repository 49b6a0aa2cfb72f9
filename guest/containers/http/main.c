/* http [-v] SOCKET FOLDER: serves the files of FOLDER to whoever connects to the listening SOCKET, such as /net/web.
 * Many connections at once, all in this one module: none is waited for alone. -v prints a line for each response.
 */
#include <wasi/api.h>

#include "http.h"
#include "timer.h"

#define CONNECTIONS_MAX 100          /* two descriptors each, of the 256 a container has */
#define IDLE_NS 15000000000ull       /* between requests, and for a peer that takes nothing */
#define REQUEST_NS 10000000000ull    /* for a request, from its first byte: no peer holds a place by typing slowly */
#define TURNS_MAX 16                 /* of one connection before the others have theirs */
#define ACCEPT_PAUSE_NS 100000000ull /* after an accept that failed for another reason than that nobody is there */

struct connection {
  int fd;
  bool sending;
  bool close_after;
  bool lingering; /* everything is sent and said: what the peer still sends is dropped until it closes */
  size_t request_size;
  uint64_t deadline_ns;
  struct response response;
  char request[REQUEST_BYTES + 1];
};

static struct connection* connections[CONNECTIONS_MAX];
static size_t connection_count;
static const char* root;
static bool verbose;
static char piece[8192];

static void log_response(const struct connection* connection, const struct request* request) {
  struct out out = {.fd = STDOUT_FILENO};
  if (!verbose) return;
  out_text(&out, request->head_only ? "HEAD " : "GET ");
  out_text(&out, request->target[0] != '\0' ? request->target : "?");
  out_text(&out, " ");
  out_number(&out, (uint64_t)connection->response.status);
  out_text(&out, "\n");
  out_flush(&out);
}

/* The size of the request at the beginning of the buffer, with its empty line; 0: not all of it is there. */
static size_t complete_request(const struct connection* connection) {
  const char* end = strstr(connection->request, "\r\n\r\n");
  return end == NULL ? 0 : (size_t)(end - connection->request) + 4;
}

static void answer(struct connection* connection, size_t size) {
  static struct request request;
  const char behind = connection->request[size];
  connection->request[size] = '\0';
  const bool has_nul = strlen(connection->request) != size;
  const int refused = has_nul ? 400 : parse_request(connection->request, &request);
  connection->request[size] = behind;
  /* Behind other refusals may come a body, which must not be taken for the next request. */
  connection->close_after = !request.keep_alive || (refused != 0 && refused != 404);
  if (refused != 0) {
    respond_with_status(refused, request.head_only, !connection->close_after, NULL, &connection->response);
  } else {
    respond(root, &request, &connection->response);
  }
  log_response(connection, &request);
  connection->request_size -= size;
  memmove(connection->request, connection->request + size, connection->request_size + 1);
  connection->sending = true;
}

/* A request that can no longer become one. */
static void refuse(struct connection* connection, int status) {
  respond_with_status(status, false, false, NULL, &connection->response);
  connection->close_after = true;
  connection->sending = true;
  connection->request_size = 0;
  connection->request[0] = '\0';
}

enum turn { WAIT, GO_ON, CLOSE };

static enum turn receive(struct connection* connection) {
  const size_t size = complete_request(connection);
  if (size != 0) {
    answer(connection, size);
    return GO_ON;
  }
  if (strlen(connection->request) != connection->request_size) { /* a NUL hides what is behind it */
    refuse(connection, 400);
    return GO_ON;
  }
  const size_t room = REQUEST_BYTES - connection->request_size;
  if (room == 0) {
    refuse(connection, strchr(connection->request, '\n') == NULL ? 414 : 431);
    return GO_ON;
  }
  const ssize_t got = read(connection->fd, connection->request + connection->request_size, room);
  if (got < 0 && errno == EAGAIN) return WAIT;
  if (got <= 0) return CLOSE;
  if (connection->request_size == 0) connection->deadline_ns = now_ns() + REQUEST_NS;
  connection->request_size += (size_t)got;
  connection->request[connection->request_size] = '\0';
  return GO_ON;
}

/* Closing while the peer's bytes lie unread would reset the connection and could take the response with it. */
static enum turn linger(struct connection* connection) {
  const ssize_t got = read(connection->fd, piece, sizeof piece);
  if (got < 0 && errno == EAGAIN) return WAIT;
  return got > 0 ? GO_ON : CLOSE;
}

static enum turn send_some(struct connection* connection) {
  const ssize_t ready = fill(&connection->response, piece, sizeof piece);
  if (ready < 0) return CLOSE;
  const ssize_t taken = write(connection->fd, piece, (size_t)ready);
  if (taken < 0) return errno == EAGAIN ? WAIT : CLOSE;
  advance(&connection->response, (size_t)taken);
  connection->deadline_ns = now_ns() + IDLE_NS;
  if (!finished(&connection->response)) return GO_ON;
  end_response(&connection->response);
  connection->sending = false;
  if (connection->close_after) {
    connection->lingering = true;
    if (__wasi_sock_shutdown(connection->fd, __WASI_SDFLAGS_WR) != 0) return CLOSE;
  }
  return GO_ON;
}

/* False: it has ended. */
static bool serve(struct connection* connection) {
  for (int turns = 0; turns < TURNS_MAX; turns++) {
    const enum turn turn = connection->sending     ? send_some(connection)
                           : connection->lingering ? linger(connection)
                                                   : receive(connection);
    if (turn == CLOSE) return false;
    if (turn == WAIT) return true;
  }
  return true;
}

static void drop(size_t index) {
  struct connection* connection = connections[index];
  end_response(&connection->response);
  close(connection->fd);
  free(connection);
  connections[index] = connections[--connection_count];
}

/* 0: nobody is there or there is no place; else the time at which to try again. */
static uint64_t accept_all(int listener) {
  while (connection_count < CONNECTIONS_MAX) {
    struct connection* connection = malloc(sizeof *connection);
    if (connection == NULL) return connection_count == 0 ? now_ns() + ACCEPT_PAUSE_NS : 0;
    const __wasi_errno_t error = __wasi_sock_accept(listener, __WASI_FDFLAGS_NONBLOCK, &connection->fd);
    if (error != 0) {
      free(connection);
      return error == __WASI_ERRNO_AGAIN ? 0 : now_ns() + ACCEPT_PAUSE_NS;
    }
    connection->sending = connection->close_after = connection->lingering = false;
    connection->request_size = 0;
    connection->request[0] = '\0';
    connection->deadline_ns = now_ns() + IDLE_NS;
    start_response(&connection->response);
    connections[connection_count++] = connection;
    if (!serve(connection)) drop(connection_count - 1);
  }
  return 0;
}

static void drop_late(uint64_t now) {
  for (size_t i = 0; i < connection_count;) {
    struct connection* connection = connections[i];
    if (connection->deadline_ns > now) {
      i++;
    } else if (connection->request_size != 0 && !connection->sending && !connection->lingering) {
      refuse(connection, 408); /* it has begun a request */
      connection->deadline_ns = now + IDLE_NS;
      if (!serve(connection)) drop(i);
    } else {
      drop(i);
    }
  }
}

#define LISTENER_TAG UINT64_MAX

static __wasi_subscription_t subscriptions[CONNECTIONS_MAX + 2];
static __wasi_event_t events[CONNECTIONS_MAX + 2];

/* Places are not freed between this and the events' use of their numbers. */
static size_t subscribe(int listener, uint64_t accept_at_ns) {
  size_t count = 0;
  uint64_t wake_ns = accept_at_ns != 0 ? accept_at_ns : UINT64_MAX;
  for (size_t i = 0; i < connection_count; i++) {
    const struct connection* connection = connections[i];
    __wasi_subscription_t* subscription = &subscriptions[count++];
    memset(subscription, 0, sizeof *subscription);
    subscription->userdata = i;
    subscription->u.tag = connection->sending ? __WASI_EVENTTYPE_FD_WRITE : __WASI_EVENTTYPE_FD_READ;
    subscription->u.u.fd_read.file_descriptor = connection->fd;
    if (connection->deadline_ns < wake_ns) wake_ns = connection->deadline_ns;
  }
  if (connection_count < CONNECTIONS_MAX && accept_at_ns == 0) {
    __wasi_subscription_t* subscription = &subscriptions[count++];
    memset(subscription, 0, sizeof *subscription);
    subscription->userdata = LISTENER_TAG;
    subscription->u.tag = __WASI_EVENTTYPE_FD_READ;
    subscription->u.u.fd_read.file_descriptor = listener;
  }
  if (wake_ns != UINT64_MAX) {
    __wasi_subscription_t* subscription = &subscriptions[count++];
    memset(subscription, 0, sizeof *subscription);
    subscription->userdata = LISTENER_TAG;
    subscription->u.tag = __WASI_EVENTTYPE_CLOCK;
    subscription->u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    subscription->u.u.clock.timeout = wake_ns;
    subscription->u.u.clock.flags = __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;
  }
  return count;
}

static int run(int listener) {
  uint64_t accept_at_ns = 0;
  for (;;) {
    size_t ready;
    const size_t count = subscribe(listener, accept_at_ns);
    const __wasi_errno_t error = __wasi_poll_oneoff(subscriptions, events, count, &ready);
    if (error != 0) {
      errno = error;
      complain("http", "poll");
      return 1;
    }
    static bool ended[CONNECTIONS_MAX];
    memset(ended, 0, sizeof ended);
    for (size_t i = 0; i < ready; i++) {
      if (events[i].userdata != LISTENER_TAG) ended[events[i].userdata] = !serve(connections[events[i].userdata]);
    }
    for (size_t i = connection_count; i-- > 0;) { /* from behind: drop() moves only what has been looked at */
      if (ended[i]) drop(i);
    }
    const uint64_t now = now_ns();
    drop_late(now);
    if (accept_at_ns <= now) accept_at_ns = accept_all(listener);
  }
}

int main(int argc, char** argv) {
  verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
  if (argc - verbose != 3) {
    static const char usage[] = "usage: http [-v] SOCKET FOLDER\n";
    write_all(STDERR_FILENO, usage, sizeof usage - 1);
    return 2;
  }
  root = argv[2 + verbose];
  const size_t length = strlen(root);
  if (length > 1 && root[length - 1] == '/') argv[2 + verbose][length - 1] = '\0';
  const int listener = open(argv[1 + verbose], O_RDWR | O_NONBLOCK);
  if (listener < 0) {
    complain("http", argv[1 + verbose]);
    return 1;
  }
  return run(listener);
}
