/* Handlers by route, each of which tries one thing and answers, or says, what came of it. */
#define CREATE create
#define HANDLE handle
#define CANCEL cancel
#define STOP stop
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "plugin.h"

enum {
  HELLO,
  ANSWERS_TWICE,
  NEVER_ANSWERS,
  FAILS,
  PENDS,
  KEEPS_REQUEST,
  USES_KEPT_REQUEST,
  RELEASES,
  ARGUMENTS,
  READS_EVERYTHING,
  PROBLEM,
  HEADERS,
  RECORDS,
  WAITS,
  UNKNOWN_STATUS,
  OTHER_THREAD_READS,
  DEADLINE,
  LOGS,
  ANSWERS_AND_PENDS,
  ECHOES,
  OPENS,
  CLOSES,
  WAITERS,
};

static const council_http_v1 *http;
static const council_records_v1 *records;
static const council_log_v1 *logger;
static council_request kept;
static atomic_int released, gate, cancelled, waiters;

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  records = host->get_extension(host, COUNCIL_RECORDS_V1);
  logger = host->get_extension(host, COUNCIL_LOG_V1);
  *self = NULL;
  return http && records && logger && !host->get_extension(host, "council.teleport/1") ? COUNCIL_OK : COUNCIL_INTERNAL;
}

static council_status stop(void *self) { return (void)self, COUNCIL_OK; }

static void cancel(void *self, council_request request) {
  char text[64];
  (void)self;
  atomic_fetch_add(&cancelled, 1);
  snprintf(text, sizeof text, "cancelled %d", http->problem(request, 500, view("late"), view("")));
  say(text);
}

static void release(void *context) { atomic_fetch_add((atomic_int *)context, 1); }

static council_status answer(council_request request, uint32_t status, const char *text) {
  council_response_v1 response = {.status = status, .body = {(const uint8_t *)text, strlen(text), NULL, NULL}};
  return http->respond(request, &response);
}

static council_owned_v1 owned(const char *text) {
  council_owned_v1 body = {(const uint8_t *)text, strlen(text), release, &released};
  return body;
}

static void *answer_later(void *argument) {
  council_request request = (council_request)(uintptr_t)argument;
  while (!gate) usleep(200);
  answer(request, 200, "{\"later\":true}");
  return NULL;
}

struct reading {
  council_request request;
  council_status status;
};

static void *read_elsewhere(void *argument) {
  struct reading *reading = argument;
  council_view_v1 out;
  reading->status = http->get(reading->request, COUNCIL_HTTP_PATH, view(""), &out);
  return NULL;
}

static council_status arguments(council_request request) {
  char text[512];
  council_view_v1 out = {(const uint8_t *)"x", 1}, hollow = {NULL, 3};
  int64_t left = 5;
  council_header_v1 header = {view("X-A"), view("b")};
  council_header_v1 hollow_header = {{NULL, 2}, view("b")};
  council_response_v1 hollow_body = {.status = 200, .body = {NULL, 4, release, &released}};
  council_response_v1 low = {.status = 199}, high = {.status = 600}, no_headers = {.status = 200, .header_count = 1};
  council_response_v1 hollow_headers = {.status = 200, .headers = &hollow_header, .header_count = 1};
  council_response_v1 type = {.status = 200, .content_type = view("a\r\nb: c")};
  council_response_v1 body204 = {.status = 204, .body = {(const uint8_t *)"x", 1, NULL, NULL}};
  council_response_v1 body205 = {.status = 205, .body = {(const uint8_t *)"x", 1, NULL, NULL}};
  council_response_v1 huge = {.status = 200, .body = {(const uint8_t *)"x", SIZE_MAX, NULL, NULL}};
  int before = released;
  int s[24], n = 0;
  s[n++] = http->get(request, 999, view(""), &out);
  s[n++] = http->get(request, COUNCIL_HTTP_PATH, view(""), NULL);
  s[n++] = http->get(request, COUNCIL_HTTP_HEADER, hollow, &out);
  s[n++] = out.ptr == NULL && out.len == 0;
  s[n++] = http->get(0, COUNCIL_HTTP_PATH, view(""), &out);
  s[n++] = http->deadline(request, NULL);
  s[n++] = http->deadline(0xFFFFFFFFFFFFFFFFu, &left);
  s[n++] = http->respond(request, NULL);
  s[n++] = http->respond(request, &hollow_body);
  s[n++] = released - before;
  s[n++] = http->respond(request, &low);
  s[n++] = http->respond(request, &high);
  s[n++] = http->respond(request, &no_headers);
  s[n++] = http->respond(request, &hollow_headers);
  s[n++] = http->respond(request, &type);
  s[n++] = http->respond(request, &body204);
  s[n++] = http->respond(request, &body205);
  s[n++] = http->respond(request, &huge);
  huge = (council_response_v1){.status = 200, .headers = &header, .header_count = SIZE_MAX};
  s[n++] = http->respond(request, &huge);
  s[n++] = http->problem(request, 399, view("a"), view(""));
  s[n++] = http->problem(request, 400, view("A b"), view(""));
  s[n++] = http->problem(request, 400, view("a"), hollow);
  int used = 0;
  for (int i = 0; i < n; i++) used += snprintf(text + used, sizeof text - used, "%s%d", i ? "," : "[", s[i]);
  snprintf(text + used, sizeof text - used, "]");
  return answer(request, 200, text), COUNCIL_OK;
}

static council_status read_everything(council_request request) {
  static char text[8192];
  struct {
    uint32_t field;
    const char *name;
  } parts[] = {
      {COUNCIL_HTTP_METHOD, ""},
      {COUNCIL_HTTP_PATH, ""},
      {COUNCIL_HTTP_QUERY_STRING, ""},
      {COUNCIL_HTTP_BODY, ""},
      {COUNCIL_HTTP_PATH_PARAMETER, "id"},
      {COUNCIL_HTTP_PATH_PARAMETER, "other"},
      {COUNCIL_HTTP_QUERY_PARAMETER, "q"},
      {COUNCIL_HTTP_QUERY_PARAMETER, "none"},
      {COUNCIL_HTTP_HEADER, "X-Color"},
      {COUNCIL_HTTP_HEADER, "Authorization"},
      {COUNCIL_HTTP_HEADER, "x-api-key"},
      {COUNCIL_HTTP_PRINCIPAL, ""},
      {COUNCIL_HTTP_REQUEST_ID, ""},
      {COUNCIL_HTTP_TRACEPARENT, ""},
      {COUNCIL_HTTP_HEADERS, ""},
      {COUNCIL_HTTP_HEADERS, ""},
  };
  int used = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    council_view_v1 out;
    council_status status = http->get(request, parts[i].field, view(parts[i].name), &out);
    used += snprintf(text + used, sizeof text - used, "%d:%.*s|", status, (int)out.len, out.ptr ? (const char *)out.ptr : "");
  }
  return answer(request, 200, text), COUNCIL_OK;
}

static council_status headers(council_request request) {
  char text[256];
  static council_header_v1 many[33];
  for (int i = 0; i < 33; i++) many[i] = (council_header_v1){view("X-Many"), view("1")};
  council_header_v1 injected = {view("X-A"), view("a\r\nSet-Cookie: b")}, nul = {view("X-A"), {(const uint8_t *)"a\0b", 3}};
  council_header_v1 blank = {view("X A"), view("b")}, empty = {view(""), view("b")};
  council_response_v1 response = {.status = 200, .headers = many, .header_count = 33};
  int too_many = http->respond(request, &response);
  response.header_count = 1;
  response.headers = &injected;
  int injection = http->respond(request, &response);
  response.headers = &nul;
  int zero = http->respond(request, &response);
  response.headers = &blank;
  int space = http->respond(request, &response);
  response.headers = &empty;
  int nameless = http->respond(request, &response);
  const char *owned_names[] = {"Date",        "content-length", "Connection",        "Transfer-Encoding", "X-Request-Id",
                               "traceparent", "RateLimit",      "RateLimit-Policy", "Keep-Alive",        "X-RateLimit-Remaining"};
  for (int i = 0; i < 10; i++) many[i].name = view(owned_names[i]);
  many[10] = (council_header_v1){view("Content-Type"), view("text/plain")};
  many[11] = (council_header_v1){view("ETag"), view("\"1\"")};
  snprintf(text, sizeof text, "%d,%d,%d,%d,%d", too_many, injection, zero, space, nameless);
  response = (council_response_v1){.status = 201, .headers = many, .header_count = 32, .body = {(const uint8_t *)text, strlen(text), NULL, NULL}};
  return http->respond(request, &response), COUNCIL_OK;
}

static council_status use_records(council_request request) {
  char text[512];
  uint32_t things = 9, nothing = 9;
  council_records_result_v1 r[6];
  council_view_v1 hollow = {NULL, 3};
  int named = records->collection(the_host, view("things"), &things);
  int unnamed = records->collection(the_host, view("nothing"), &nothing);
  int no_host = records->collection(NULL, view("things"), &nothing);
  int get = records->call(the_host, request, things, COUNCIL_RECORDS_GET, view("a"), view(""), 0, &r[0]);
  int miss = records->call(the_host, request, things, COUNCIL_RECORDS_GET, view("b"), view(""), 0, &r[1]);
  int insert = records->call(the_host, request, things, COUNCIL_RECORDS_INSERT, view(""), view("{}"), 0, &r[2]);
  int unknown = records->call(the_host, request, things, 77, view(""), view(""), 0, &r[3]);
  int bad = records->call(the_host, request, things, COUNCIL_RECORDS_GET, hollow, view(""), 0, &r[4]);
  int stale = records->call(the_host, kept, things, COUNCIL_RECORDS_GET, view("a"), view(""), 0, &r[5]);
  int used = snprintf(text, sizeof text, "%d %u %d %d|%d %d %.*s|%d %u|%d %u|%d|%d|%d", named, things, unnamed, no_host, get,
                      (int)r[0].version, (int)r[0].json.len, r[0].json.ptr, miss, r[1].problem_status, insert,
                      r[2].problem_status, unknown, bad, stale);
  (void)used;
  for (int i = 0; i < 6; i++)
    if (r[i].json.release) r[i].json.release(r[i].json.ctx);
  return answer(request, 200, text), COUNCIL_OK;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  char text[256];
  pthread_t thread;
  (void)self;
  switch (route) {
    case HELLO: return answer(request, 200, "{\"message\":\"hello\"}"), COUNCIL_OK;
    case ANSWERS_TWICE:
      answer(request, 200, "{\"first\":true}");
      snprintf(text, sizeof text, "second %d", answer(request, 500, "{}"));
      say(text);
      return COUNCIL_OK;
    case NEVER_ANSWERS: return COUNCIL_OK;
    case FAILS: return COUNCIL_INTERNAL;
    case UNKNOWN_STATUS: return 4711;
    case PENDS:
      pthread_create(&thread, NULL, answer_later, (void *)(uintptr_t)request);
      pthread_detach(thread);
      return COUNCIL_PENDING;
    case KEEPS_REQUEST: kept = request; return answer(request, 200, "{}"), COUNCIL_OK;
    case USES_KEPT_REQUEST: {
      council_view_v1 out;
      int64_t left;
      snprintf(text, sizeof text, "%d %d %d", answer(kept, 200, "{\"forged\":true}"),
               http->get(kept, COUNCIL_HTTP_PATH, view(""), &out), http->deadline(kept, &left));
      return answer(request, 200, text), COUNCIL_OK;
    }
    case RELEASES: {
      council_response_v1 response = {.status = 99, .body = owned("{}")};
      released = 0;
      int invalid = http->respond(request, &response);
      int after_invalid = released;
      response.status = 200;
      int good = http->respond(request, &response);
      int after_good = released;
      int stale = http->respond(request, &response);
      snprintf(text, sizeof text, "%d:%d %d:%d %d:%d", invalid, after_invalid, good, after_good, stale, released);
      say(text);
      return COUNCIL_OK;
    }
    case ARGUMENTS: return arguments(request);
    case READS_EVERYTHING: return read_everything(request);
    case PROBLEM: return http->problem(request, 409, view("reject.problem"), view("a \"quoted\"\nline")), COUNCIL_OK;
    case HEADERS: return headers(request);
    case RECORDS: return use_records(request);
    case WAITS:
      waiters++;
      while (!gate) usleep(200);
      waiters--;
      return answer(request, 200, "{}"), COUNCIL_OK;
    case WAITERS: return snprintf(text, sizeof text, "%d", waiters), answer(request, 200, text), COUNCIL_OK;
    case OTHER_THREAD_READS: {
      struct reading reading = {request, 0};
      pthread_create(&thread, NULL, read_elsewhere, &reading);
      pthread_join(thread, NULL);
      snprintf(text, sizeof text, "%d", reading.status);
      return answer(request, 200, text), COUNCIL_OK;
    }
    case DEADLINE: {
      int64_t left = -1;
      council_status status = http->deadline(request, &left);
      snprintf(text, sizeof text, "%d %d", status, left > 0 && left <= 30000000000);
      return answer(request, 200, text), COUNCIL_OK;
    }
    case LOGS: {
      static char line[9000];
      memset(line, 'x', sizeof line);
      memcpy(line + 8191, "\xC3\xA9", 2);
      council_view_v1 whole = {(const uint8_t *)line, sizeof line}, hollow = {NULL, 3};
      logger->write(the_host, request, COUNCIL_LOG_WARNING, whole);
      logger->write(the_host, request, 99, view("no such level"));
      logger->write(the_host, request, COUNCIL_LOG_ERROR, hollow);
      logger->write(NULL, request, COUNCIL_LOG_ERROR, view("no host"));
      return answer(request, 200, "{}"), COUNCIL_OK;
    }
    case ANSWERS_AND_PENDS: return answer(request, 200, "{}"), COUNCIL_PENDING;
    case OPENS: gate = 1; return answer(request, 200, "{}"), COUNCIL_OK;
    case CLOSES: gate = 0; return answer(request, 200, "{}"), COUNCIL_OK;
    case ECHOES: {
      council_view_v1 body;
      http->get(request, COUNCIL_HTTP_BODY, view(""), &body);
      council_response_v1 response = {.status = 200, .body = {body.ptr, body.len, NULL, NULL}};
      return http->respond(request, &response), COUNCIL_OK;
    }
  }
  return COUNCIL_INVALID;
}

EXPORT_PLUGIN
