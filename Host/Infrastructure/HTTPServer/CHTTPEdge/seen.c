/* What the library reads and how it closes, seen before it acts on it.
 *
 * It has no hook for two things. A request line without a blank ends the connection without a word; and a chunk
 * of any size up to 2^64 is waited for, however small the limit of the body. Both go through the C library's
 * recv and shutdown, which the library calls through the dynamic linker, so that the definitions below come first:
 * they do what the C library does, and look at the edge's own connections on the way. Others pay one load.
 * Connections with TLS are not seen: there the first ends without an answer, and the second with 408. Goes with
 * interposed.c. The sanitizers have such definitions of their own. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

enum state { CHUNKS_OFF, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END };

/* Of one descriptor. All but `link` is the event thread's that serves it. */
struct seen {
  _Atomic(void *) link;
  /* Behind the last byte received, until the request is over: the library moves its buffer then. */
  const uint8_t *end;
  uint64_t left, room;
  uint8_t state;
  uint8_t is_oversized;
};

/* Beyond this descriptor nothing is seen. Pages are taken as they are written. */
enum { descriptors = 1 << 17 };
static struct seen all[descriptors];

static struct seen *entry(int fd) { return fd >= 0 && fd < descriptors ? &all[fd] : NULL; }

void chttpedge_see(int fd, void *link) {
  struct seen *seen = entry(fd);
  if (!seen) return;
  chttpedge_forget(fd);
  atomic_store_explicit(&seen->link, link, memory_order_release);
}

void chttpedge_forget(int fd) {
  struct seen *seen = entry(fd);
  if (!seen) return;
  seen->end = NULL;
  seen->state = CHUNKS_OFF;
  seen->is_oversized = 0;
}

static int digit(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Follows the chunks (RFC 9112, 7.1) as far as their sizes matter; what is malformed is the library's to refuse. Returns the
 * digit that makes a chunk larger than what is left of the limit, or NULL. */
static uint8_t *follow(struct seen *seen, uint8_t *at, const uint8_t *end) {
  while (at < end) {
    switch (seen->state) {
      case CHUNK_SIZE: {
        int value = digit(*at);
        if (value < 0) {
          seen->state = *at == '\r' || *at == '\n' || *at == ';' ? CHUNK_EXTENSION : CHUNKS_OFF;
          continue;
        }
        seen->left = seen->left << 4 | (uint64_t)value;
        if (seen->left > seen->room) {
          seen->state = CHUNKS_OFF;
          seen->is_oversized = 1;
          return at;
        }
        at++;
        break;
      }
      case CHUNK_EXTENSION:
        if (*at++ == '\n') seen->state = seen->left ? CHUNK_DATA : CHUNKS_OFF;
        break;
      case CHUNK_DATA: {
        uint64_t count = (uint64_t)(end - at) < seen->left ? (uint64_t)(end - at) : seen->left;
        at += count;
        seen->left -= count;
        seen->room -= count;
        if (!seen->left) seen->state = CHUNK_END;
        break;
      }
      case CHUNK_END:
        if (*at != '\r' && *at != '\n') seen->state = CHUNKS_OFF;
        if (*at == '\n') seen->state = CHUNK_SIZE;
        at++;
        break;
      default: return NULL;
    }
  }
  return NULL;
}

int chttpedge_expect_chunks(struct MHD_Connection *connection, const char *method, uint64_t limit) {
  struct seen *seen = entry(chttpedge_fd(connection));
  if (!seen) return 1;
  seen->left = 0;
  seen->room = limit < UINT64_C(1) << 48 ? limit : UINT64_C(1) << 48;
  seen->state = CHUNK_SIZE;
  uint8_t *start = (uint8_t *)(uintptr_t)method + chttpedge_head_bytes(connection);
  /* Bytes that came before the request did, behind another, have been moved: their chunks are not followed. */
  if (!seen->end || seen->end < start) {
    seen->state = CHUNKS_OFF;
    return 1;
  }
  return follow(seen, start, seen->end) == NULL;
}

int chttpedge_is_oversized(struct MHD_Connection *connection) {
  struct seen *seen = entry(chttpedge_fd(connection));
  return seen && seen->is_oversized;
}

void chttpedge_unsee(int fd) {
  struct seen *seen = entry(fd);
  if (seen) atomic_store_explicit(&seen->link, NULL, memory_order_release);
}

#ifndef HAS_SANITIZER
__attribute__((visibility("default"))) ssize_t recv(int fd, void *bytes, size_t count, int flags) {
  ssize_t got = syscall(SYS_recvfrom, fd, bytes, count, flags, NULL, NULL);
  struct seen *seen = got > 0 ? entry(fd) : NULL;
  if (seen && atomic_load_explicit(&seen->link, memory_order_relaxed)) {
    seen->end = (const uint8_t *)bytes + got;
    uint8_t *oversized = seen->state ? follow(seen, bytes, seen->end) : NULL;
    /* No digit: the library refuses the chunk at once, and `faulted` says why. */
    if (oversized) *oversized = 'z';
  }
  return got;
}

__attribute__((visibility("default"))) int shutdown(int fd, int how) {
  struct seen *seen = how == SHUT_WR ? entry(fd) : NULL;
  void *link = seen ? atomic_load_explicit(&seen->link, memory_order_acquire) : NULL;
  if (link) chttpedge_table.closing(link);
  return (int)syscall(SYS_shutdown, fd, how);
}
#endif
