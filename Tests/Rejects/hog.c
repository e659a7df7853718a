/* Handlers that sleep or burn processor time for as many milliseconds as the query parameter `ms` says: nap, spin and
 * doze inline, which they promise not to do, the others on workers. doze has a deadline. */
#include <stdio.h>
#include <time.h>
#ifndef ID
#define ID "hog"
#endif
#ifndef MANIFEST
#define ROUTE(path, execution, more)                                                                    \
  "{\"method\":\"GET\",\"path\":\"/" path "\",\"operation\":\"" path "\",\"execution\":\"" execution \
  "\",\"public\":true" more ",\"limit\":{\"requests\":1000000,\"per_s\":1}}"
#define MANIFEST                                                                                       \
  "{\"id\":\"" ID "\",\"version\":\"1\",\"routes\":[" ROUTE("nap", "inline", "") "," ROUTE("spin", "inline", "") "," \
  ROUTE("sleep", "blocking", "") "," ROUTE("burn", "blocking", "") ","                                  \
  ROUTE("doze", "inline", ",\"deadline_ms\":50") "]}"
#endif
#define HANDLE handle
#include "plugin.h"

static int64_t reading(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  const council_http_v1 *http = the_host->get_extension(the_host, COUNCIL_HTTP_V1);
  char text[32] = "0";
  council_view_v1 ms;
  if (http->get(request, COUNCIL_HTTP_QUERY_PARAMETER, view("ms"), &ms) == COUNCIL_OK && ms.len < sizeof text)
    memcpy(text, ms.ptr, ms.len), text[ms.len] = 0;
  int64_t nanoseconds = atoll(text) * INT64_C(1000000);
  if (route % 2 == 0) {
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    while (nanosleep(&time, &time)) {
    }
  } else {
    int64_t end = reading(CLOCK_THREAD_CPUTIME_ID) + nanoseconds;
    while (reading(CLOCK_THREAD_CPUTIME_ID) < end) {
    }
  }
  return good_handle(self, route, request);
}

EXPORT_PLUGIN
