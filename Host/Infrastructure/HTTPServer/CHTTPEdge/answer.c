#define _GNU_SOURCE
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <time.h>

#include "internal.h"

/* Of GnuTLS, which libmicrohttpd links: the session is the library's. */
extern ssize_t gnutls_record_send(void *session, const void *data, size_t count);

static size_t put(char *to, size_t at, const void *from, size_t count) {
  memcpy(to + at, from, count);
  return at + count;
}

/* Control characters end an answer's head early; whoever wrote one loses that header. Eight bytes at a time
 * where all of them are 0x20 to 0x7e or beyond 0x7f ("Bit Twiddling Hacks", S. E. Anderson). */
static int is_clean(const uint8_t *text, size_t count) {
  const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
  size_t at = 0;
  for (; at + 8 <= count; at += 8) {
    uint64_t word;
    memcpy(&word, text + at, 8);
    uint64_t delete = word ^ (ones * 0x7f);
    if ((((word - ones * 0x20) & ~word) | ((delete - ones) & ~delete)) & highs) break;
  }
  for (; at < count; at++)
    if ((text[at] < 0x20 && text[at] != '\t') || text[at] == 0x7f) return 0;
  return 1;
}

/* The time as RFC 9110, 5.6.7 writes it; made once a second on each thread. */
enum { date_count = 29 };
static const char *date(void) {
  static _Thread_local time_t second = (time_t)-1;
  static _Thread_local char text[date_count + 1];
  static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t now = time(NULL);
  if (now != second) {
    struct tm t;
    gmtime_r(&now, &t);
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday,
             months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    second = now;
  }
  return text;
}

/* Adds every header as one, because the library allocates three times for each and takes 0.3 us: the first is
 * Date, whose value goes on with the lines of the others. The library takes no line breaks in a value;
 * they stand there as two blanks, and are put into its copy afterwards. */
static void add_headers(struct MHD_Response *response, const uint8_t *head, const chttpedge_field *fields,
                        size_t field_count) {
  enum { max_breaks = 64, on_stack = 4096 };
  uint32_t breaks[max_breaks];
  size_t room = date_count + 1, break_count = 0, count;
  for (size_t i = 0; i < field_count; i++) room += fields[i].name.count + fields[i].value.count + 4;
  char stack[on_stack];
  char *text = room <= on_stack ? stack : malloc(room);
  if (!text) return;
  count = put(text, 0, date(), date_count);
  for (size_t i = 0; i < field_count && break_count < max_breaks; i++) {
    const chttpedge_field *f = &fields[i];
    if (!is_clean(head + f->name.offset, f->name.count) || !is_clean(head + f->value.offset, f->value.count))
      continue;
    breaks[break_count++] = (uint32_t)count;
    count = put(text, count, "  ", 2);
    count = put(text, count, head + f->name.offset, f->name.count);
    count = put(text, count, ": ", 2);
    count = put(text, count, head + f->value.offset, f->value.count);
  }
  text[count] = 0;
  if (MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, text) == MHD_YES) {
    char *copy = (char *)(uintptr_t)MHD_get_response_header(response, MHD_HTTP_HEADER_DATE);
    for (size_t i = 0; i < break_count; i++) memcpy(copy + breaks[i], "\r\n", 2);
  }
  if (text != stack) free(text);
}

static int queue(struct MHD_Connection *connection, unsigned int status, struct MHD_Response *response,
                 const uint8_t *head, const chttpedge_field *fields, size_t field_count, int close) {
  if (!response) return 0;
  /* Before Date: adding Connection makes libmicrohttpd 0.9.75 forget that there is one. */
  if (close) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  add_headers(response, head, fields, field_count);
  enum MHD_Result queued = chttpedge_queue(connection, status, response);
  MHD_destroy_response(response);
  return queued == MHD_YES;
}

int chttpedge_answer(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                     const chttpedge_field *fields, size_t field_count, const uint8_t *body,
                     size_t body_count, int close) {
  return queue(connection, status,
               MHD_create_response_from_buffer(body_count, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT), head,
               fields, field_count, close);
}

/* The library calls again at once after a 0 but where the connection was suspended meanwhile, and then when it is
 * resumed. */
static ssize_t read_more(void *link, uint64_t position, char *bytes, size_t room) {
  (void)position;
  ptrdiff_t count = chttpedge_table.more(link, bytes, room);
  return count >= 0                      ? count
         : count == CHTTPEDGE_MORE_NONE ? MHD_CONTENT_READER_END_OF_STREAM
                                        : MHD_CONTENT_READER_END_WITH_ERROR;
}

int chttpedge_answer_stream(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                            const chttpedge_field *fields, size_t field_count, int head_only, int close) {
  /* The block is used for HTTP/1.0 alone: chunks are made in the connection's own memory. */
  enum { block = 2048 };
  struct MHD_Response *response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block, read_more, chttpedge_link(connection), NULL);
  /* libmicrohttpd 0.9.75 ends the answer to HEAD with the last chunk of a body that it does not send, and the client takes
   * that for the next answer. Without chunks the connection closes. */
  if (response && head_only) MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
  return queue(connection, status, response, head, fields, field_count, close);
}

/* A whole answer in one block from malloc, or NULL. */
static char *render(unsigned int status, const uint8_t *head, const chttpedge_field *fields, size_t field_count,
                    const uint8_t *body, size_t body_count, size_t *out_count) {
  size_t room = 192 + body_count;
  for (size_t i = 0; i < field_count; i++) room += fields[i].name.count + fields[i].value.count + 4;
  char *text = malloc(room);
  if (!text) return NULL;
  size_t count = (size_t)snprintf(text, room, "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\nContent-Length: %zu\r\n",
                                  status, MHD_get_reason_phrase_for(status), date(), body_count);
  for (size_t i = 0; i < field_count; i++) {
    if (!is_clean(head + fields[i].name.offset, fields[i].name.count) ||
        !is_clean(head + fields[i].value.offset, fields[i].value.count))
      continue;
    count = put(text, count, head + fields[i].name.offset, fields[i].name.count);
    count = put(text, count, ": ", 2);
    count = put(text, count, head + fields[i].value.offset, fields[i].value.count);
    count = put(text, count, "\r\n", 2);
  }
  count = put(text, count, "\r\n", 2);
  if (body_count) count = put(text, count, body, body_count);
  *out_count = count;
  return text;
}

int chttpedge_answer_socket(int fd, unsigned int status, const uint8_t *head, const chttpedge_field *fields,
                            size_t field_count, const uint8_t *body, size_t body_count) {
  size_t count;
  char *text = render(status, head, fields, field_count, body, body_count, &count);
  if (!text) return 0;
  ssize_t sent = send(fd, text, count, MSG_NOSIGNAL | MSG_DONTWAIT);
  free(text);
  return sent >= 0 && (size_t)sent == count;
}

int chttpedge_answer_directly(struct MHD_Connection *connection, unsigned int status, const uint8_t *head,
                              const chttpedge_field *fields, size_t field_count, const uint8_t *body,
                              size_t body_count) {
  size_t count;
  char *text = render(status, head, fields, field_count, body, body_count, &count);
  if (!text) return 0;
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

int chttpedge_deserted(const int *fds, size_t count, uint8_t *gone) {
  struct pollfd set[CHTTPEDGE_LOOKS];
  int found = 0;
  if (count > CHTTPEDGE_LOOKS) count = CHTTPEDGE_LOOKS;
  /* A negative descriptor is passed over. */
  for (size_t i = 0; i < count; i++) set[i] = (struct pollfd){fds[i], POLLRDHUP, 0};
  if (poll(set, count, 0) < 0) count = 0;
  for (size_t i = 0; i < count; i++) {
    gone[i] = (set[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    found += gone[i];
  }
  return found;
}

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
