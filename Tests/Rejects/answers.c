/* Answers what the path says, from where the route runs: /inline/{how} and /worker/{how} in the handler, /later/{how} from a
 * thread of its own after the handler returned. */
#define CREATE create
#define HANDLE handle
#define CANCEL cancel
#define RESPONSE                                                                                               \
  "\"response\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"object\",\"properties\":{\"secret\":{\"type\":" \
  "\"integer\"}}}},\"required\":[\"n\"]}"
#define ROUTE(name, execution)                                                                    \
  "{\"method\":\"GET\",\"path\":\"/" name "/{how}\",\"operation\":\"" name "\",\"scope\":\"reject:read\"," \
  "\"execution\":\"" execution "\"," RESPONSE "}"
#define MANIFEST                                                                                        \
  "{\"id\":\"reject\",\"version\":\"1\",\"routes\":[" ROUTE("inline", "inline") "," ROUTE("worker", "blocking") "," \
  ROUTE("later", "inline") "]}"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include "plugin.h"

enum { INLINE, WORKER, LATER };

static const council_http_v1 *http;

struct work {
  council_request request;
  char how[16];
};

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  return good_create(host, config, self);
}

static void cancel(void *self, council_request request) {
  (void)self, (void)request;
  say("told that nobody waits");
}

static council_status answer(council_request request, const char *how) {
  static const struct {
    const char *how, *type, *body;
    uint32_t status;
  } answers[] = {
      {"right", "", "{\"n\":{\"secret\":1}}", 200},
      {"wrong", "", "{\"n\":{\"secret\":\"hunter2\"}}", 200},
      {"missing", "", "{}", 201},
      {"twice", "", "{\"n\":{},\"n\":{}}", 200},
      {"notjson", "", "hunter2", 200},
      {"text", "text/plain", "{\"n\":{}}", 200},
      {"empty", "", "", 200},
      {"none", "", "", 204},
      {"moved", "", "", 303},
      {"error", "text/plain", "as it likes", 409},
      {"body204", "", "hunter2", 204},
  };
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    if (strcmp(how, answers[i].how) != 0) continue;
    council_response_v1 response = {.status = answers[i].status,
                                    .content_type = view(answers[i].type),
                                    .body = {(const uint8_t *)answers[i].body, strlen(answers[i].body), NULL, NULL}};
    return http->respond(request, &response);
  }
  return COUNCIL_INVALID;
}

static void *later(void *argument) {
  struct work *work = argument;
  usleep(2000);
  if (answer(work->request, work->how) == COUNCIL_INVALID) http->problem(work->request, 500, view("reject.invalid"), view(""));
  free(work);
  return NULL;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  council_view_v1 how;
  struct work *work = calloc(1, sizeof *work);
  pthread_t thread;
  (void)self;
  http->get(request, COUNCIL_HTTP_PATH_PARAMETER, view("how"), &how);
  snprintf(work->how, sizeof work->how, "%.*s", (int)how.len, (const char *)how.ptr);
  work->request = request;
  if (strcmp(work->how, "never") == 0) return COUNCIL_PENDING;
  if (route == LATER) {
    pthread_create(&thread, NULL, later, work);
    pthread_detach(thread);
    return COUNCIL_PENDING;
  }
  answer(request, work->how);
  free(work);
  return COUNCIL_OK;
}

EXPORT_PLUGIN
