/* A plugin whose every route breaks one rule of council.h. */
#include "council.h"

#include <pthread.h>
#include <string.h>

#define ROUTE(operation, execution)                                                                         \
  "{\"method\":\"GET\",\"path\":\"/" operation "\",\"operation\":\"" operation "\",\"execution\":\"" execution \
  "\"}"

static const char manifest_json[] =
    "{\"id\":\"misbehaving\",\"version\":\"1\",\"requires\":[\"council.http/1\",\"council.records/1\"],"
    "\"records\":[{\"name\":\"things\",\"fields\":[{\"name\":\"label\",\"type\":\"string\"}]}],\"routes\":["
    ROUTE("nothing", "blocking") "," ROUTE("twice", "blocking") "," ROUTE("negative", "blocking") ","
    ROUTE("late_read", "blocking") "," ROUTE("bad_header", "blocking") "," ROUTE("body_with_204", "blocking") ","
    ROUTE("write_inline", "inline") "," ROUTE("leak", "blocking") "," ROUTE("from_thread", "blocking") ","
    ROUTE("undeclared", "blocking") "," ROUTE("bad_status", "blocking") "," ROUTE("never", "blocking") "]}";

static const council_host_v1 *host;
static const council_http_v1 *http;
static const council_records_v1 *records;
static uint32_t things;
static council_view_v1 kept;
static council_request pending;
static int released;

static council_view_v1 view(const char *text) {
  council_view_v1 view = {(const uint8_t *)text, strlen(text)};
  return view;
}

static council_view_v1 manifest(void) {
  council_view_v1 view = {(const uint8_t *)manifest_json, sizeof manifest_json - 1};
  return view;
}

static council_status create(const council_host_v1 *made_in, council_view_v1 config, void **self) {
  (void)config;
  *self = NULL;
  host = made_in;
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  records = host->get_extension(host, COUNCIL_RECORDS_V1);
  return records->collection(host, view("things"), &things);
}

static council_status activate(void *self) {
  (void)self;
  return COUNCIL_OK;
}

static void count_release(void *context) {
  (void)context;
  released++;
}

/* Answers with a number as text, and with one header when a name is given. */
static council_status answer(council_request request, uint32_t status, long number, const char *header) {
  char text[32];
  size_t used = sizeof text;
  unsigned long rest = number < 0 ? (unsigned long)-number : (unsigned long)number;
  council_header_v1 headers[1];
  council_response_v1 response;
  do {
    text[--used] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (number < 0) text[--used] = '-';
  memset(&response, 0, sizeof response);
  response.status = status;
  response.body.ptr = (const uint8_t *)text + used;
  response.body.len = sizeof text - used;
  response.body.release = count_release;
  if (header != NULL) {
    headers[0].name = view(header);
    headers[0].value = view("x");
    response.headers = headers;
    response.header_count = 1;
  }
  return http->respond(request, &response);
}

static council_status call(council_request request, uint32_t operation, const char *input) {
  council_records_result_v1 result;
  council_status status =
      records->call(host, request, things, operation, view(""), view(input), 0, &result);
  if (result.json.release != NULL) result.json.release(result.json.ctx);
  return status;
}

static void *answer_from_thread(void *unused) {
  (void)unused;
  answer(pending, 200, 7, NULL);
  return NULL;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  council_view_v1 found;
  council_records_result_v1 result;
  pthread_t thread;
  uint32_t number;
  int before = released;
  (void)self;
  switch (route) {
  case 0: return COUNCIL_OK;
  case 1:
    answer(request, 200, 1, NULL);
    call(0, COUNCIL_RECORDS_INSERT, answer(request, 200, 2, NULL) == COUNCIL_STALE
                                        ? "{\"label\":\"second answer was stale\"}"
                                        : "{\"label\":\"second answer was taken\"}");
    return COUNCIL_OK;
  case 2: return COUNCIL_BUSY;
  case 3: /* what the request before left is read in this one */
    if (kept.ptr == NULL) {
      http->get(request, COUNCIL_HTTP_PATH, view(""), &kept);
      answer(request, 200, kept.ptr[0], NULL);
    } else {
      answer(request, 200, kept.ptr[0], NULL);
    }
    return COUNCIL_OK;
  case 4: /* the answer is refused, its body released, and the request still open */
    answer(request, 200, 0, "bad header");
    answer(request, 200, released - before, NULL);
    return COUNCIL_OK;
  case 5:
    answer(request, 200, answer(request, 204, 0, NULL), NULL);
    return COUNCIL_OK;
  case 6:
    answer(request, 200, call(request, COUNCIL_RECORDS_INSERT, "{}"), NULL);
    return COUNCIL_OK;
  case 7:
    records->call(host, request, things, COUNCIL_RECORDS_FIND, view(""), view(""), 0, &result);
    answer(request, 200, (long)(result.json.ptr != NULL), NULL);
    return COUNCIL_OK;
  case 8:
    pending = request;
    pthread_create(&thread, NULL, answer_from_thread, NULL);
    pthread_detach(thread);
    return COUNCIL_PENDING;
  case 9:
    answer(request, 200, records->collection(host, view("others"), &number), NULL);
    return COUNCIL_OK;
  case 10:
    answer(request, 200, answer(request, 100, 0, NULL), NULL);
    return COUNCIL_OK;
  case 11:
    found = view("");
    (void)found;
    pending = request;
    return COUNCIL_PENDING;
  default: return COUNCIL_INVALID;
  }
}

/* The host has answered: an answer now is stale, and so is every other call with this name. */
static void cancel(void *self, council_request request) {
  int64_t remaining;
  council_view_v1 found;
  (void)self;
  if (request == pending && answer(request, 200, 0, NULL) == COUNCIL_STALE &&
      http->deadline(request, &remaining) == COUNCIL_STALE &&
      http->get(request, COUNCIL_HTTP_PATH, view(""), &found) == COUNCIL_STALE &&
      call(request, COUNCIL_RECORDS_INSERT, "{}") == COUNCIL_STALE) {
    const council_log_v1 *logging = host->get_extension(host, COUNCIL_LOG_V1);
    logging->write(host, 0, COUNCIL_LOG_INFO, view("everything was stale"));
  }
}

static void quiesce(void *self) { (void)self; }

static council_status stop(void *self) {
  (void)self;
  return COUNCIL_OK;
}

static void destroy(void *self) { (void)self; }

static const void *get_extension(void *self, const char *id) {
  (void)self;
  (void)id;
  return NULL;
}

static const council_plugin_v1 plugin = {
#ifdef OTHER_MAJOR
    2,
#else
    COUNCIL_ABI_MAJOR,
#endif
#ifdef NEWER_MINOR
    COUNCIL_ABI_MINOR + 1,
#else
    0,
#endif
    manifest, create, activate, handle, cancel, quiesce, stop,
#ifdef NULL_MEMBER
    NULL,
#else
    destroy,
#endif
    get_extension,
};

const council_plugin_v1 *council_plugin_entry_v1(void) {
#ifdef NULL_TABLE
  (void)plugin;
  return NULL;
#else
  return &plugin;
#endif
}
