/* Writes that are confirmed, tried, and sent twice. */
#define CREATE create
#define HANDLE handle
#define BODY "\"body\":{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},\"additionalProperties\":false}"
#define ROUTE(method, path, name, rest)                                                                     \
  "{\"method\":\"" method "\",\"path\":\"" path "\",\"operation\":\"" name "\",\"summary\":\"" name "\"" rest "}"
#define MANIFEST                                                                                            \
  "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.records/1\"],"                               \
  "\"records\":[{\"name\":\"things\",\"fields\":[{\"name\":\"text\",\"type\":\"string\"}]}],\"routes\":["     \
  ROUTE("POST", "/", "create", ",\"dry_run\":true," BODY) ","                                               \
  ROUTE("POST", "/slow", "slow", ",\"query\":{\"type\":\"object\",\"properties\":{\"wait_ms\":{\"type\":\"integer\"}},\"additionalProperties\":false}," BODY) "," \
  ROUTE("DELETE", "/{id}", "remove", ",\"confirm\":true,\"dry_run\":true") ","                              \
  ROUTE("GET", "/", "list", "") ","                                                                         \
  ROUTE("POST", "/strict", "strict", ",\"idempotency\":\"required\"," BODY) ","                             \
  ROUTE("POST", "/thread", "thread", ",\"dry_run\":true," BODY) ","                                         \
  ROUTE("POST", "/echo", "echo", ",\"dry_run\":true," BODY) ","                                             \
  ROUTE("POST", "/busy", "busy", "") ","                                                                    \
  ROUTE("POST", "/fails", "fails", "") ","                                                                  \
  ROUTE("POST", "/other/{id}", "clear", ",\"confirm\":true") ","                                          \
  ROUTE("POST", "/half", "half", "," BODY) "]}"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "plugin.h"

enum { MAKE, SLOW, REMOVE, LIST, STRICT, THREAD, ECHO, BUSY, FAILS, CLEAR, HALF };

static const council_http_v1 *http;
static const council_records_v1 *records;
static uint32_t things;
static atomic_int busy, failures;

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  records = host->get_extension(host, COUNCIL_RECORDS_V1);
  council_status found = records->collection(host, view("things"), &things);
  return found == COUNCIL_OK ? good_create(host, config, self) : found;
}

static council_status pass_on(council_request request, council_records_result_v1 *result) {
  council_response_v1 response = {.status = result->problem_status ? result->problem_status : result->json.len ? 200 : 204,
                                  .content_type = view(result->problem_status ? "application/problem+json" : ""),
                                  .body = result->json};
  return http->respond(request, &response);
}

/* `named`: on behalf of a request that the host is told of; 0 where it has to know. */
static council_status run(council_request request, council_request named, uint32_t operation, council_view_v1 key,
                          council_view_v1 input, int wait_ms) {
  council_records_result_v1 result;
  records->call(the_host, named, things, operation, key, input, 0, &result);
  for (int left = wait_ms; left > 0; left -= 10) usleep(10000);
  return pass_on(request, &result);
}

struct job {
  council_request request;
  char body[1024];
};

static void *elsewhere(void *argument) {
  struct job *job = argument;
  run(job->request, job->request, COUNCIL_RECORDS_INSERT, view(""), view(job->body), 0);
  free(job);
  return NULL;
}

static council_status tell(council_request request, uint32_t status, const char *text) {
  council_response_v1 response = {.status = status, .body = {.ptr = (const uint8_t *)text, .len = strlen(text)}};
  return http->respond(request, &response);
}

static council_status echo(council_request request, council_view_v1 body) {
  council_view_v1 query = {0}, prefer = {0};
  char text[4096];
  http->get(request, COUNCIL_HTTP_QUERY_STRING, view(""), &query);
  http->get(request, COUNCIL_HTTP_HEADER, view("prefer"), &prefer);
  snprintf(text, sizeof text, "{\"query\":\"%.*s\",\"prefer\":\"%.*s\",\"body\":%.*s}", (int)query.len,
           query.len ? (const char *)query.ptr : "", (int)prefer.len, prefer.len ? (const char *)prefer.ptr : "",
           (int)body.len, (const char *)body.ptr);
  return tell(request, 200, text);
}

static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self;
  council_view_v1 id = {0}, body = {0}, wait = {0};
  char text[64];
  http->get(request, COUNCIL_HTTP_PATH_PARAMETER, view("id"), &id);
  http->get(request, COUNCIL_HTTP_BODY, view(""), &body);
  switch (route) {
    case SLOW:
      http->get(request, COUNCIL_HTTP_QUERY_PARAMETER, view("wait_ms"), &wait);
      snprintf(text, sizeof text, "%.*s", (int)wait.len, wait.len ? (const char *)wait.ptr : "");
      return run(request, 0, COUNCIL_RECORDS_INSERT, view(""), body, atoi(text));
    case REMOVE: return run(request, 0, COUNCIL_RECORDS_DELETE, id, view(""), 0);
    case LIST: return run(request, 0, COUNCIL_RECORDS_FIND, view(""), view("{\"limit\":100}"), 0);
    case THREAD: {
      struct job *job = calloc(1, sizeof *job);
      pthread_t thread;
      job->request = request;
      memcpy(job->body, body.ptr, body.len < sizeof job->body ? body.len : 0);
      pthread_create(&thread, NULL, elsewhere, job);
      pthread_detach(thread);
      return COUNCIL_PENDING;
    }
    case ECHO: return echo(request, body);
    case BUSY: return atomic_fetch_add(&busy, 1) == 0 ? tell(request, 503, "{}") : tell(request, 200, "{}");
    case FAILS:
      snprintf(text, sizeof text, "{\"calls\":%d}", atomic_fetch_add(&failures, 1) + 1);
      return tell(request, 500, text);
    case HALF: {
      council_records_result_v1 result;
      records->call(the_host, 0, things, COUNCIL_RECORDS_INSERT, view(""), body, 0, &result);
      result.json.release(result.json.ctx);
      return tell(request, 503, "{}");
    }
    case CLEAR: return tell(request, 200, "{}");
    default: return run(request, 0, COUNCIL_RECORDS_INSERT, view(""), body, 0);
  }
}

EXPORT_PLUGIN
