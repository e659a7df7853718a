/* Wrong in the way that WRONG names; loads, and shows it only when it is called. Those from TRIPS_OVER_STRANGE on each fail one
 * check of `council plugin test`, and no other. */
#define CREATE create
#define HANDLE handle
#define CANCEL cancel
#define QUIESCE quiesce
#define DESTROY destroy
#define STOP stop
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef CONFIRMED
#define CONFIRM ",\"confirm\":true"
#else
#define CONFIRM ""
#endif
#ifdef STREAMED
#define REQUIRES "\"council.http/1\",\"council.stream/1\""
#define LOOK "\"stream\":true"
#else
#define REQUIRES "\"council.http/1\""
#define LOOK                                                                                                    \
  "\"response\":{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer\"}},\"required\":[\"count\"]}"
#endif
#define MANIFEST                                                                                                \
  "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[" REQUIRES "],\"routes\":["                                \
  "{\"method\":\"GET\",\"path\":\"/\",\"operation\":\"look\"," LOOK "},"                                         \
  "{\"method\":\"POST\",\"path\":\"/\",\"operation\":\"put\",\"body\":{\"type\":\"object\","             \
  "\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":40}},"                             \
  "\"required\":[\"name\"],\"additionalProperties\":false}" CONFIRM "}]}"
#include "plugin.h"

enum {
  NOTHING,
  CRASHES,
  WRONG_SHAPE,
  HANGS,
  NEVER_ANSWERS,
  LEAKS_STATE,
  CRASHES_ON_LONG,
  FAILS,
  TRIPS_OVER_STRANGE, /* a query parameter that nobody declared: fuzz */
  TRIPS_OVER_LARGE,   /* a good body with a megabyte of blanks behind it: limits */
  TRIPS_OVER_LATE,    /* an answer that comes after the deadline: deadline */
  MIXES_CALLS,        /* two calls at once: concurrency */
  TRIPS_OVER_LEAVING, /* a stream that nobody reads any more: cancel */
  GIVES_UP_CALLS,     /* calls that are under way at quiesce: drain */
  STARTS_ONCE,        /* a start after the last instance was destroyed: restart */
  ENDS_BADLY          /* the stop of the last instance, after it served: stop */
};

static const council_http_v1 *http;
static atomic_int inside, quiesced, served;
static atomic_flag shown = ATOMIC_FLAG_INIT;
static _Atomic council_request cancelled[4096];
static int is_first;

static void crash(void) { *(volatile int *)8 = 1; }

/* The environment is the process's, and outlives the generation. */
static int count(const char *name, int more) {
  const char *before = getenv(name);
  int now = (before ? atoi(before) : 0) + more;
  char text[32];
  snprintf(text, sizeof text, "%d", now);
  setenv(name, text, 1);
  return now;
}

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  *self = NULL;
  is_first = count("REJECT_CREATED", 1) == 1;
  if (WRONG == STARTS_ONCE && !is_first && count("REJECT_ALIVE", 0) == 0) return COUNCIL_INTERNAL;
  count("REJECT_ALIVE", 1);
  return COUNCIL_OK;
}
static void destroy(void *self) { (void)self, count("REJECT_ALIVE", -1); }
static void quiesce(void *self) { (void)self, quiesced = 1; }
static void cancel(void *self, council_request request) { (void)self, cancelled[request % 4096] = request; }
static council_status stop(void *self) {
  (void)self;
  if (WRONG == ENDS_BADLY && served && count("REJECT_ALIVE", 0) == 1) crash();
  return COUNCIL_OK;
}

static int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the check of deadlines they are one millisecond long, and seconds everywhere else. */
static int is_short(council_request request) {
  int64_t left;
  return http->deadline(request, &left) != COUNCIL_OK || left < 1000000000;
}

/* Ten events in fifty milliseconds. */
static council_status look_on(council_request request) {
  const council_stream_v1 *stream = the_host->get_extension(the_host, COUNCIL_STREAM_V1);
  int64_t began = milliseconds();
  if (stream->begin(request, 200, view(""), NULL, 0) != COUNCIL_OK) return COUNCIL_INTERNAL;
  for (int number = 0; number < 10; number++) {
    if (stream->write(request, view("data: 1\n\n")) == COUNCIL_STALE) {
      /* What the host ends is older. */
      if (WRONG == TRIPS_OVER_LEAVING && milliseconds() - began < 400) crash();
      return COUNCIL_OK;
    }
    usleep(5000);
  }
  return COUNCIL_OK;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  char text[64] = "{\"count\":1}";
  council_response_v1 response = {.status = 200};
  council_view_v1 found;
  (void)self;
  served = 1;
#ifdef STREAMED
  if (route == 0) return look_on(request);
#endif
  inside++;
  if (WRONG == CRASHES && route == 0) crash();
  if (WRONG == WRONG_SHAPE && route == 0) strcpy(text, "{\"count\":\"one\"}");
  if (WRONG == HANGS && route == 1)
    for (;;) pause();
  if (WRONG == NEVER_ANSWERS && route == 0) return COUNCIL_PENDING;
  if (WRONG == FAILS && route == 1) return COUNCIL_INTERNAL;
  if (WRONG == LEAKS_STATE) snprintf(text, sizeof text, "{\"count\":%d}", count("REJECT_COUNT", 1));
  if (WRONG == CRASHES_ON_LONG && route == 1) {
    char room[40];
    http->get(request, COUNCIL_HTTP_BODY, view(""), &found);
    /* Fifty bytes of a body are more than its author thought of. */
    if (found.len > 50) crash();
    memcpy(room, found.ptr, found.len < sizeof room ? found.len : sizeof room);
  }
  if (WRONG == TRIPS_OVER_STRANGE && route == 0 &&
      http->get(request, COUNCIL_HTTP_QUERY_PARAMETER, view("unexpected"), &found) == COUNCIL_OK)
    crash();
  if (WRONG == TRIPS_OVER_LARGE && route == 1 &&
      http->get(request, COUNCIL_HTTP_BODY, view(""), &found) == COUNCIL_OK && found.len > 100000)
    crash();
  int is_late = WRONG == TRIPS_OVER_LATE && is_short(request);
  for (int wait = 0; is_late && wait < 2000 && cancelled[request % 4096] != request; wait++) usleep(1000);
  if (WRONG == MIXES_CALLS && route == 0 && is_first && !is_short(request)) {
    for (int wait = 0; wait < 10 && inside < 2; wait++) usleep(1000);
    if (inside > 1 && !atomic_flag_test_and_set(&shown)) strcpy(text, "{\"count\":\"another's\"}");
  }
  /* Long enough that among many callers there is always one whose call is under way. */
  for (int wait = 0; WRONG == GIVES_UP_CALLS && wait < 10 && !quiesced; wait++) usleep(2000);
  /* Before the answer: its caller may call again at once. */
  inside--;
  if (WRONG == GIVES_UP_CALLS && quiesced) return COUNCIL_INTERNAL;
  response.body.ptr = (const uint8_t *)text;
  response.body.len = strlen(text);
  if (http->respond(request, &response) == COUNCIL_STALE && is_late) crash();
  return COUNCIL_OK;
}
EXPORT_PLUGIN
