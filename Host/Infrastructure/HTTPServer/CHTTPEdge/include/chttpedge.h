/* libmicrohttpd as the edge uses it: one daemon, plain calls, no variadics, no macros.
 *
 * "Link" is the edge's own pointer for one connection. Every function says which thread may call it:
 * [event] the thread that serves the connection, [any] every thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct MHD_Daemon;
struct MHD_Connection;

enum {
  /* Nothing yet; the connection was suspended in the call. */
  CHTTPEDGE_MORE_LATER = 0,
  CHTTPEDGE_MORE_NONE = -1,
  /* The connection is to end, so that the client sees that the answer is not whole. */
  CHTTPEDGE_MORE_BROKEN = -2
};

/* What the edge does at each turn of a connection. All are [event]. */
typedef struct chttpedge_calls {
  /* A connection begins; returns its link, or NULL to close it. `fd` stays open until `closed`. */
  void *(*opened)(void *server, struct MHD_Connection *connection, int fd, const struct sockaddr *peer);
  void (*closed)(void *link);
  /* The request line is complete. `target` is NUL-terminated and stays in place until `request` is first
   * called for this request. */
  void (*targeted)(void *link, const char *target);
  /* The head is complete (first call), bytes of the body came (count > 0), the request is complete or
   * its connection was resumed (count == 0). Returns 0 to end the connection without an answer. */
  int (*request)(void *link, const char *method, const char *version, const uint8_t *bytes, size_t count);
  /* The request is over; `sent` says whether its answer was handed to the kernel completely. */
  void (*completed)(void *link, int sent);
  /* The next bytes of an answer that is a stream, at most `room` of them: how many, or one of CHTTPEDGE_MORE_…. */
  ptrdiff_t (*more)(void *link, char *bytes, size_t room);
  /* The library refuses a request by itself; returns 1 after chttpedge_answer, 0 to leave it to the library. */
  int (*faulted)(void *link, unsigned int status);
  /* The event thread that chttpedge_nudge named has come round. */
  void (*came_round)(void *server, unsigned int thread);
  /* A message of the library: one line. [any] */
  void (*logged)(void *server, const char *text);
} chttpedge_calls;

typedef struct chttpedge_options {
  unsigned int threads;
  /* Upper bound of connections that are open at a time, over all threads. */
  unsigned int connections;
  /* Bytes per connection for the head, the answer's head and pieces of the body. */
  size_t connection_memory;
  size_t stack_bytes;
  /* PEM text, NUL-terminated, kept by the caller until chttpedge_stop; NULL for plain TCP. */
  const char *certificate;
  const char *key;
  /* GnuTLS priority string. */
  const char *priorities;
} chttpedge_options;

/* Starts a daemon that listens nowhere: connections come by chttpedge_add. NULL: see `logged`. [any] */
struct MHD_Daemon *chttpedge_start(const chttpedge_options *options, const chttpedge_calls *calls,
                                   void *server);
/* Closes every connection and joins the threads. No connection may be suspended. Once. [not event] */
void chttpedge_stop(struct MHD_Daemon *daemon);
/* Hands over an accepted, non-blocking socket, which is closed in every case. 1 when it was taken. [any] */
int chttpedge_add(struct MHD_Daemon *daemon, int fd, const struct sockaddr *peer, socklen_t length);

/* Makes event thread number `thread` of `threads` call `came_round` as soon as it takes up new connections. 0 when the
 * system has no descriptors for it. Never waits for the thread. [any] */
int chttpedge_nudge(struct MHD_Daemon *daemon, unsigned int thread, unsigned int threads);

/* Takes the connection out of its event loop until it is resumed. [event] in `request` and `more` */
void chttpedge_suspend(struct MHD_Connection *connection);
/* [any] once per suspension */
void chttpedge_resume(struct MHD_Connection *connection);

/* A place in a block of bytes; the layout of Field and ByteRange in Application. */
typedef struct chttpedge_range {
  uint32_t offset, count;
} chttpedge_range;
typedef struct chttpedge_field {
  chttpedge_range name, value;
} chttpedge_field;

/* Queues the answer. Names and values are copied, and a header with a control character is left out, as is what
 * comes after the 64th; `body` must stay in place until `completed`. Date, Content-Length and, where it is due,
 * Connection are added. 0 when the library does not take the answer. [event] */
int chttpedge_answer(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                     const chttpedge_field *fields, size_t field_count, const uint8_t *body,
                     size_t body_count, int close);

/* Queues an answer whose body comes from `more`: in chunks, or to a client of HTTP/1.0 until the connection closes. With
 * `head_only` there is no body, and the connection closes. The rest as chttpedge_answer. [event] */
int chttpedge_answer_stream(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                            const chttpedge_field *fields, size_t field_count, int head_only, int close);

/* Writes an answer past the library, for a request whose body it would insist on reading first. Best
 * effort, one attempt; the connection must be closed afterwards. 1 when all of it was taken. [event] */
int chttpedge_answer_directly(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                              const chttpedge_field *fields, size_t field_count, const uint8_t *body,
                              size_t body_count);

/* The same on a bare socket without TLS, by whoever keeps it open. [any] */
int chttpedge_answer_socket(int fd, unsigned int status, const uint8_t *head, const chttpedge_field *fields,
                            size_t field_count, const uint8_t *body, size_t body_count);

/* ---- The head of a request ---------------------------------------------------------------------- */

enum {
  CHTTPEDGE_HEAD_OK = 0,
  /* A control character, a folded line, a bare line feed, a name that is no token, extra spaces. */
  CHTTPEDGE_HEAD_MALFORMED = 1,
  CHTTPEDGE_HEAD_TOO_MANY = 2
};

typedef struct chttpedge_head {
  size_t field_count;
  size_t byte_count;
  size_t method_count;
  int version_1_0;
  /* 0: no Expect header; 1: 100-continue; 2: anything else. */
  int expect;
} chttpedge_head;

/* An upper bound of the bytes that chttpedge_read_head writes. [event] in `request` */
size_t chttpedge_head_bytes(struct MHD_Connection *connection);

/* Copies the headers: names in lower case, values without surrounding blanks. `bytes` has room for
 * chttpedge_head_bytes; offsets in `fields` count from `base`. `method`, `version` and `target` are what the
 * callbacks received for this request, `target_count` the length of `target` then. [event] in `request` */
int chttpedge_read_head(struct MHD_Connection *connection, const char *method, const char *version,
                        const char *target, size_t target_count, uint8_t *bytes, size_t base,
                        chttpedge_field *fields, size_t max_fields, chttpedge_head *out);

/* ---- Sockets -------------------------------------------------------------------------------------- */

/* accept4 and eventfd, which Swift's Glibc does not show; non-blocking, closed on exec. [any] */
int chttpedge_accept(int fd, struct sockaddr *peer, socklen_t *length);
int chttpedge_bell(void);

/* Bytes that arrived on a TCP socket since it was opened, and whether the peer has closed its side; -1 when
 * the kernel does not say. [any] */
int64_t chttpedge_bytes_received(int fd, int *peer_closed);

/* Looks at `count` sockets, at most CHTTPEDGE_LOOKS, without waiting, and sets `gone` to 1 for each whose peer has
 * closed its side or reset the connection, else to 0. Returns how many. [any] */
enum { CHTTPEDGE_LOOKS = 1024 };
int chttpedge_deserted(const int *fds, size_t count, uint8_t *gone);

/* Whether the library's refusals reach `faulted`: see interposed.c. [any] after chttpedge_start */
int chttpedge_interposed(void);
