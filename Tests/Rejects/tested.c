/* Wrong in the way that WRONG names; loads, and shows it only when it is called. */
#define HANDLE handle
#define STOP stop
#include <stdio.h>
#include <unistd.h>

#ifdef CONFIRMED
#define CONFIRM ",\"confirm\":true"
#else
#define CONFIRM ""
#endif
#define MANIFEST                                                                                                \
  "{\"id\":\"reject\",\"version\":\"1\",\"routes\":[{\"method\":\"GET\",\"path\":\"/\",\"operation\":\"look\"," \
  "\"response\":{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer\"}},\"required\":[\"count\"]}}," \
  "{\"method\":\"POST\",\"path\":\"/\",\"operation\":\"put\",\"body\":{\"type\":\"object\","             \
  "\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":40}},"                             \
  "\"required\":[\"name\"],\"additionalProperties\":false}" CONFIRM "}]}"
#include "plugin.h"

enum { NOTHING, CRASHES, WRONG_SHAPE, HANGS, NEVER_ANSWERS, LEAKS_STATE, CRASHES_ON_LONG, FAILS, STOP_HANGS };

static council_status stop(void *self) {
  (void)self;
  if (WRONG == STOP_HANGS) pause();
  return COUNCIL_OK;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  const council_http_v1 *http = the_host->get_extension(the_host, COUNCIL_HTTP_V1);
  char text[64] = "{\"count\":1}";
  council_response_v1 response = {.status = 200};
  (void)self;
  if (WRONG == CRASHES && route == 0) *(volatile int *)8 = 1;
  if (WRONG == WRONG_SHAPE && route == 0) strcpy(text, "{\"count\":\"one\"}");
  if (WRONG == HANGS && route == 1)
    for (;;) pause();
  if (WRONG == NEVER_ANSWERS && route == 0) return COUNCIL_PENDING;
  if (WRONG == FAILS && route == 1) return COUNCIL_INTERNAL;
  if (WRONG == LEAKS_STATE) {
    /* The environment is the process's, and outlives the generation. */
    const char *before = getenv("REJECT_COUNT");
    snprintf(text, sizeof text, "{\"count\":%d}", (before ? atoi(before) : 0) + 1);
    char count[32];
    snprintf(count, sizeof count, "%d", (before ? atoi(before) : 0) + 1);
    setenv("REJECT_COUNT", count, 1);
  }
  if (WRONG == CRASHES_ON_LONG && route == 1) {
    council_view_v1 body;
    char room[40];
    http->get(request, COUNCIL_HTTP_BODY, view(""), &body);
    /* Fifty bytes of a body are more than its author thought of. */
    if (body.len > 50) *(volatile int *)8 = 1;
    memcpy(room, body.ptr, body.len < sizeof room ? body.len : sizeof room);
  }
  response.body.ptr = (const uint8_t *)text;
  response.body.len = strlen(text);
  http->respond(request, &response);
  return COUNCIL_OK;
}
EXPORT_PLUGIN
