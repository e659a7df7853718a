#define _GNU_SOURCE
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>

#include "internal.h"

/* Of GnuTLS, which libmicrohttpd links: the session is the library's. */
extern ssize_t gnutls_record_send(void *session, const void *data, size_t count);

int chttpedge_answer(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                     const chttpedge_field *fields, size_t field_count, const uint8_t *body,
                     size_t body_count, int close) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(body_count, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
  if (!response) return 0;
  for (size_t i = 0; i < field_count; i++) {
    /* The library takes no header without a value; it says nothing then. */
    if (fields[i].value.count == 0) continue;
    MHD_add_response_header(response, (const char *)head + fields[i].name.offset,
                            (const char *)head + fields[i].value.offset);
  }
  if (close) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  enum MHD_Result queued = chttpedge_queue(connection, status, response);
  MHD_destroy_response(response);
  return queued == MHD_YES;
}

static size_t put(char *to, size_t at, const void *from, size_t count) {
  memcpy(to + at, from, count);
  return at + count;
}

int chttpedge_answer_directly(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                              const chttpedge_field *fields, size_t field_count, const uint8_t *body,
                              size_t body_count) {
  size_t room = 128 + body_count;
  for (size_t i = 0; i < field_count; i++) room += fields[i].name.count + fields[i].value.count + 4;
  char *text = malloc(room);
  if (!text) return 0;
  size_t count = (size_t)snprintf(text, room, "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
                                  status, MHD_get_reason_phrase_for(status), body_count);
  for (size_t i = 0; i < field_count; i++) {
    count = put(text, count, head + fields[i].name.offset, fields[i].name.count);
    count = put(text, count, ": ", 2);
    count = put(text, count, head + fields[i].value.offset, fields[i].value.count);
    count = put(text, count, "\r\n", 2);
  }
  count = put(text, count, "\r\n", 2);
  if (body_count) count = put(text, count, body, body_count);
  const union MHD_ConnectionInfo *tls =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  ssize_t sent = tls ? gnutls_record_send(tls->tls_session, text, count)
                     : send(chttpedge_fd(connection), text, count, MSG_NOSIGNAL | MSG_DONTWAIT);
  free(text);
  return sent >= 0 && (size_t)sent == count;
}

int chttpedge_accept(int fd, struct sockaddr *peer, socklen_t *length) {
  return accept4(fd, peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int chttpedge_bell(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

/* TCP_ESTABLISHED is an enumerator of netinet/tcp.h, which clashes with linux/tcp.h. */
enum { tcp_established = 1 };

int64_t chttpedge_bytes_received(int fd, int *peer_closed) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -1;
  if (length < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) return -1;
  *peer_closed = info.tcpi_state != tcp_established;
  return (int64_t)info.tcpi_bytes_received;
}
