#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

chttpedge_calls chttpedge_table;

/* The peer of a connection that is none: see chttpedge_nudge. No socket of the listener's has this family. */
struct nudge {
  sa_family_t family;
  unsigned int thread;
};
enum { nudge_family = AF_UNSPEC };

static void notify_connection(void *server, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (*context) chttpedge_table.closed(*context);
    *context = NULL;
    return;
  }
  const union MHD_ConnectionInfo *peer =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  int fd = chttpedge_fd(connection);
  if (peer && peer->client_addr && peer->client_addr->sa_family == nudge_family) {
    chttpedge_table.came_round(server, ((const struct nudge *)peer->client_addr)->thread);
    *context = NULL;
    shutdown(fd, SHUT_RDWR);
    return;
  }
  *context = chttpedge_table.opened(server, connection, fd, peer ? peer->client_addr : NULL);
  if (!*context) shutdown(fd, SHUT_RDWR);
}

static void *note_target(void *server, const char *target, struct MHD_Connection *connection) {
  (void)server;
  void *link = chttpedge_link(connection);
  if (link) chttpedge_table.targeted(link, target);
  /* The target was copied. The library would go on to split the query into its own small memory, and run out of it
   * over a few hundred parameters: the text, which is the library's own buffer, ends behind the '?' for it. */
  char *query = target ? strchr((char *)target, '?') : NULL;
  if (query) query[1] = '\0';
  return link;
}

static enum MHD_Result handle(void *server, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *count,
                              void **context) {
  (void)server, (void)connection, (void)url;
  if (!*context) return MHD_NO;
  size_t length = *count;
  *count = 0;
  return chttpedge_table.request(*context, method, version, (const uint8_t *)data, length) ? MHD_YES : MHD_NO;
}

static void notify_completed(void *server, struct MHD_Connection *connection, void **context,
                             enum MHD_RequestTerminationCode code) {
  (void)server, (void)connection;
  if (*context) chttpedge_table.completed(*context, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
  *context = NULL;
}

/* Targets are decoded once, by the gateway. */
static size_t keep_escapes(void *server, struct MHD_Connection *connection, char *text) {
  (void)server, (void)connection;
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

static void log_line(void *server, const char *format, va_list arguments) {
  char text[512];
  int length = vsnprintf(text, sizeof text, format, arguments);
  if (length < 0) return;
  if ((size_t)length >= sizeof text) length = sizeof text - 1;
  while (length > 0 && text[length - 1] == '\n') text[--length] = 0;
  chttpedge_table.logged(server, text);
}

/* MHD_start_daemon is variadic, which Swift cannot call. */
struct MHD_Daemon *chttpedge_start(const chttpedge_options *options, const chttpedge_calls *calls,
                                   void *server) {
  chttpedge_bind(calls);
  unsigned int flags = MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_NO_LISTEN_SOCKET |
                       MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  struct MHD_OptionItem tls[4] = {{MHD_OPTION_END, 0, NULL}};
  if (options->certificate) {
    flags |= MHD_USE_TLS;
    tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate};
    tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key};
    tls[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)options->priorities};
    tls[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
  }
  /* The library divides its limit among its threads; the edge counts over all of them, so each thread may
   * hold every connection. Time-outs are the edge's too: the library's cost two locks a request. */
  unsigned int threads = options->threads > 1 ? options->threads : 1;
  unsigned int limit = options->connections > UINT32_MAX / threads ? UINT32_MAX : options->connections * threads;
  /* clang-format off */
  return MHD_start_daemon(
      flags, 0, NULL, NULL, handle, server,
      MHD_OPTION_EXTERNAL_LOGGER, log_line, server,
      MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0,
      MHD_OPTION_CONNECTION_LIMIT, limit,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->connection_memory,
      MHD_OPTION_CONNECTION_TIMEOUT, 0u,
      MHD_OPTION_THREAD_STACK_SIZE, options->stack_bytes,
      MHD_OPTION_NOTIFY_CONNECTION, notify_connection, server,
      MHD_OPTION_NOTIFY_COMPLETED, notify_completed, server,
      MHD_OPTION_URI_LOG_CALLBACK, note_target, server,
      MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, server,
      MHD_OPTION_ARRAY, tls,
      MHD_OPTION_END);
  /* clang-format on */
}

void chttpedge_stop(struct MHD_Daemon *daemon) { MHD_stop_daemon(daemon); }

int chttpedge_add(struct MHD_Daemon *daemon, int fd, const struct sockaddr *peer, socklen_t length) {
  return MHD_add_connection(daemon, fd, peer, length) == MHD_YES;
}

/* The library has no queue of work for a thread of its own but that of new connections. It chooses the thread by the
 * number of the descriptor. */
int chttpedge_nudge(struct MHD_Daemon *daemon, unsigned int thread, unsigned int threads) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return 0;
  close(ends[1]);
  int fd = ends[0];
  for (int attempt = 0; attempt < 64 && (unsigned)fd % threads != thread; attempt++) {
    int next = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
    close(fd);
    if (next < 0) return 0;
    fd = next;
  }
  struct sockaddr_storage peer = {.ss_family = nudge_family};
  ((struct nudge *)&peer)->thread = thread;
  if ((unsigned)fd % threads != thread) return close(fd), 0;
  return chttpedge_add(daemon, fd, (struct sockaddr *)&peer, sizeof peer);
}

void chttpedge_suspend(struct MHD_Connection *connection) { MHD_suspend_connection(connection); }

void chttpedge_resume(struct MHD_Connection *connection) { MHD_resume_connection(connection); }
