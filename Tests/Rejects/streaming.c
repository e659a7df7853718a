/* Routes that stream, each in its own way. VERSION is in every event. */
#ifndef VERSION
#define VERSION 1
#endif
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define ROUTE(path, name, execution, more)                                                                  \
  "{\"method\":\"GET\",\"path\":\"" path "\",\"operation\":\"" name "\",\"execution\":\"" execution          \
  "\",\"public\":true,\"limit\":{\"requests\":1000000,\"per_s\":1}" more "}"
#define STREAMS ",\"stream\":true"
#define MANIFEST                                                                                             \
  "{\"id\":\"streaming\",\"version\":\"" TEXT(VERSION) "\",\"requires\":[\"council.http/1\",\"council.stream/1\"],"  \
  "\"routes\":[" ROUTE("/count/{n}", "count", "blocking", STREAMS) "," ROUTE("/follow", "follow", "inline", STREAMS) \
  "," ROUTE("/plain", "plain", "blocking", "") "," ROUTE("/rules", "rules", "blocking", STREAMS) ","         \
  ROUTE("/fails", "fails", "blocking", STREAMS) "," ROUTE("/flood", "flood", "blocking", STREAMS) ","        \
  ROUTE("/inline", "inline_stream", "inline", STREAMS) "," ROUTE("/state", "state", "inline", "") ","         \
  ROUTE("/bytes", "bytes", "inline", STREAMS) "," ROUTE("/busy", "busy", "inline", STREAMS) ","              \
  ROUTE("/crash", "crash", "blocking", STREAMS) ","                                                          \
  ROUTE("/stubborn", "stubborn", "blocking", ",\"deadline_ms\":300" STREAMS) ","                             \
  "{\"method\":\"POST\",\"path\":\"/write\",\"operation\":\"write\",\"public\":true" STREAMS "}]}"
#define CREATE create
#define HANDLE handle
#define CANCEL cancel
#define STOP stop
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "plugin.h"

enum { COUNT, FOLLOW, PLAIN, RULES, FAILS, FLOOD, INLINE, STATE, BYTES, BUSY, CRASH, STUBBORN, WRITE };

static const council_http_v1 *http;
static const council_stream_v1 *stream;
static atomic_int active, cancelled, stopping, crashing, written;

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  stream = host->get_extension(host, COUNCIL_STREAM_V1);
  *self = NULL;
  return http && stream ? COUNCIL_OK : COUNCIL_INTERNAL;
}

static council_status stop(void *self) {
  (void)self;
  stopping = 1;
  for (int round = 0; active && round < 5000; round++) usleep(1000);
  return active ? COUNCIL_TIMEOUT : COUNCIL_OK;
}

static void cancel(void *self, council_request request) {
  (void)self, (void)request;
  cancelled++;
}

static council_status answer(council_request request, uint32_t status, const char *text) {
  council_response_v1 response = {.status = status, .body = {(const uint8_t *)text, strlen(text), NULL, NULL}};
  return http->respond(request, &response);
}

static council_status patiently(council_request request, const char *text) {
  council_status status;
  while ((status = stream->write(request, view(text))) == COUNCIL_AGAIN) stream->wait(request, 100000000);
  return status;
}

static void *follow(void *argument) {
  council_request request = (council_request)(uintptr_t)argument;
  char text[64];
  for (int number = 0; !stopping; number++) {
    snprintf(text, sizeof text, "data: v" TEXT(VERSION) " %d;\n\n", number);
    if (patiently(request, text) != COUNCIL_OK) break;
    usleep(2000);
  }
  active--;
  return NULL;
}

static council_status rules(council_request request) {
  char text[256];
  int s[24], n = 0;
  int64_t left = 0;
  council_view_v1 hollow = {NULL, 3};
  council_header_v1 bad = {view("X A"), view("b")}, good = {view("X-A"), view("b")};
  static uint8_t large[COUNCIL_STREAM_WRITE_MAX + 1];
  council_view_v1 too_large = {large, sizeof large};
  s[n++] = stream->write(request, view("x"));
  s[n++] = stream->wait(request, 0);
  s[n++] = stream->end(request);
  s[n++] = stream->begin(request, 204, view(""), NULL, 0);
  s[n++] = stream->begin(request, 199, view(""), NULL, 0);
  s[n++] = stream->begin(request, 200, hollow, NULL, 0);
  s[n++] = stream->begin(request, 200, view(""), &bad, 1);
  s[n++] = stream->begin(request, 200, view(""), NULL, 1);
  s[n++] = stream->begin(request, 200, view(""), &good, 33);
  s[n++] = stream->begin(0, 200, view(""), NULL, 0);
  s[n++] = stream->begin(request, 201, view(""), &good, 1);
  s[n++] = stream->begin(request, 200, view(""), NULL, 0);
  s[n++] = answer(request, 200, "{}");
  s[n++] = stream->write(request, too_large);
  s[n++] = stream->write(request, hollow);
  s[n++] = stream->write(request, view(""));
  s[n++] = http->deadline(request, &left);
  s[n++] = left > 1000000000;
  s[n++] = stream->wait(request, 0);
  s[n++] = stream->write(request + (1ull << 32), view("x"));
  size_t used = (size_t)snprintf(text, sizeof text, "data:");
  for (int i = 0; i < n; i++) used += (size_t)snprintf(text + used, sizeof text - used, " %d", s[i]);
  snprintf(text + used, sizeof text - used, "\n\n");
  stream->write(request, view(text));
  if (stream->end(request) != COUNCIL_OK || stream->end(request) != COUNCIL_STALE ||
      stream->write(request, view("x")) != COUNCIL_STALE || stream->abort(request) != COUNCIL_STALE)
    say("the end is not the end");
  return COUNCIL_OK;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  char text[128];
  (void)self;
  switch (route) {
    case COUNT: {
      council_view_v1 n;
      http->get(request, COUNCIL_HTTP_PATH_PARAMETER, view("n"), &n);
      int count = atoi((char *)memcpy(memset(text, 0, sizeof text), n.ptr, n.len < 9 ? n.len : 9));
      stream->begin(request, 200, view(""), NULL, 0);
      for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "data: %d\n\n", i);
        if (patiently(request, text) != COUNCIL_OK) break;
      }
      return COUNCIL_OK;
    }
    case FOLLOW: {
      pthread_t thread;
      pthread_attr_t small;
      if (stream->begin(request, 200, view(""), NULL, 0) != COUNCIL_OK) return COUNCIL_INTERNAL;
      active++;
      pthread_attr_init(&small);
      pthread_attr_setstacksize(&small, 65536);
      pthread_create(&thread, &small, follow, (void *)(uintptr_t)request);
      pthread_detach(thread);
      return COUNCIL_PENDING;
    }
    case PLAIN:
      crashing = 1;
      snprintf(text, sizeof text, "{\"begin\":%d}", stream->begin(request, 200, view(""), NULL, 0));
      answer(request, 200, text);
      return COUNCIL_OK;
    case RULES: return rules(request);
    case FAILS:
      stream->begin(request, 200, view(""), NULL, 0);
      stream->write(request, view("data: half\n\n"));
      return COUNCIL_INTERNAL;
    case FLOOD: {
      static char piece[60000];
      memset(piece, 'x', sizeof piece - 1);
      stream->begin(request, 200, view("text/plain"), NULL, 0);
      active++;
      while (!stopping) {
        council_status status = stream->write(request, view(piece));
        if (status == COUNCIL_AGAIN) status = stream->wait(request, 10000000);
        if (status == COUNCIL_STALE) break;
      }
      active--;
      return COUNCIL_OK;
    }
    case INLINE:
      stream->begin(request, 200, view(""), NULL, 0);
      snprintf(text, sizeof text, "data: inline %d\n\n", stream->wait(request, 0));
      stream->write(request, view(text));
      return COUNCIL_OK;
    case BYTES:
      stream->begin(request, 200, view("text/plain"), NULL, 0);
      stream->write(request, view("half"));
      return COUNCIL_PENDING;
    case BUSY:
      if (stream->begin(request, 200, view(""), NULL, 0) == COUNCIL_OK) return COUNCIL_PENDING;
      http->problem(request, 503, view("streaming.busy"), view("No room for another stream."));
      return COUNCIL_OK;
    case CRASH:
      stream->begin(request, 200, view(""), NULL, 0);
      patiently(request, "data: half\n\n");
      /* Until its client has heard the half, and asks for plain. */
      while (!crashing) usleep(1000);
      abort();
    case STUBBORN:
      stream->begin(request, 200, view(""), NULL, 0);
      patiently(request, "data: half\n\n");
      sleep(600);
      return COUNCIL_OK;
    case WRITE:
      written++;
      stream->begin(request, 200, view(""), NULL, 0);
      patiently(request, "data: written\n\n");
      return COUNCIL_OK;
    default:
      snprintf(text, sizeof text, "{\"active\":%d,\"cancelled\":%d,\"written\":%d}", active, cancelled, written);
      answer(request, 200, text);
      return COUNCIL_OK;
  }
}

EXPORT_PLUGIN
