/* Answers that libmicrohttpd makes by itself become the edge's.
 *
 * The library answers a malformed request line, a bad chunk or a head beyond its memory with a page of
 * HTML, and has no hook for it. It does call its own exported functions through the dynamic linker, so
 * that a definition in the executable comes before the library's: the two functions below. Where the
 * library was linked with -Bsymbolic they are never called, and everything works with pages of HTML;
 * chttpedge_interposed tells. Goes when the library offers a hook (libmicrohttpd 2 plans one). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "internal.h"

typedef enum MHD_Result (*queue_function)(struct MHD_Connection *, unsigned int, struct MHD_Response *);
typedef enum MHD_Result (*lookup_function)(struct MHD_Connection *, enum MHD_ValueKind, const char *, size_t,
                                           const char **, size_t *);

static queue_function library_queue;
static lookup_function library_lookup;

static void bind_once(void) {
  *(void **)&library_lookup = dlsym(RTLD_NEXT, "MHD_lookup_connection_value_n");
  *(void **)&library_queue = dlsym(RTLD_NEXT, "MHD_queue_response");
}

void chttpedge_bind(const chttpedge_calls *calls) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  pthread_once(&once, bind_once);
  pthread_mutex_lock(&lock);
  if (!chttpedge_table.opened) chttpedge_table = *calls;
  pthread_mutex_unlock(&lock);
}

int chttpedge_interposed(void) {
  return dlsym(RTLD_DEFAULT, "MHD_queue_response") == (void *)MHD_queue_response &&
         library_queue != MHD_queue_response;
}

enum MHD_Result chttpedge_queue(struct MHD_Connection *connection, unsigned int status,
                                struct MHD_Response *response) {
  return library_queue(connection, status, response);
}

/* The edge queues through chttpedge_queue: whoever comes here is the library with a page of its own. */
__attribute__((visibility("default"))) enum MHD_Result MHD_queue_response(
    struct MHD_Connection *connection, unsigned int status, struct MHD_Response *response) {
  if (!library_queue) return MHD_NO;
  void *link = chttpedge_link(connection);
  if (link && chttpedge_table.faulted(link, status)) return MHD_YES;
  return library_queue(connection, status, response);
}

/* Cookies are not parsed: nobody reads them. A Content-Length that is no number is hidden from the
 * library, which would otherwise send the head of its refusal twice; the edge refuses the request. */
__attribute__((visibility("default"))) enum MHD_Result MHD_lookup_connection_value_n(
    struct MHD_Connection *connection, enum MHD_ValueKind kind, const char *key, size_t key_size,
    const char **value, size_t *value_size) {
  if (!library_lookup) return MHD_NO;
  if (kind != MHD_HEADER_KIND || !key) return library_lookup(connection, kind, key, key_size, value, value_size);
  if (key_size == 6 && memcmp(key, MHD_HTTP_HEADER_COOKIE, 6) == 0) return MHD_NO;
  enum MHD_Result found = library_lookup(connection, kind, key, key_size, value, value_size);
  if (found == MHD_YES && key_size == 14 && value && value_size &&
      memcmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH, 14) == 0) {
    if (*value_size == 0 || *value_size > 18) return MHD_NO;
    for (size_t i = 0; i < *value_size; i++)
      if ((*value)[i] < '0' || (*value)[i] > '9') return MHD_NO;
  }
  return found;
}
