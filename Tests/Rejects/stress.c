/* Every way to answer, for the stress test: at once, on a worker, later from a thread of its own, too late, never. */
#ifndef VERSION
#define VERSION "1"
#endif
#define MANIFEST                                                                                               \
  "{\"id\":\"stress\",\"version\":\"" VERSION "\",\"requires\":[\"council.records/1\"],"                        \
  "\"records\":[{\"name\":\"things\",\"fields\":[{\"name\":\"label\",\"type\":\"string\"}]}],\"routes\":["      \
  "{\"method\":\"GET\",\"path\":\"/now\",\"operation\":\"now\",\"execution\":\"inline\"},"                     \
  "{\"method\":\"GET\",\"path\":\"/work\",\"operation\":\"work\"},"                                            \
  "{\"method\":\"GET\",\"path\":\"/later\",\"operation\":\"later\",\"execution\":\"inline\"},"                 \
  "{\"method\":\"GET\",\"path\":\"/never\",\"operation\":\"never\",\"deadline_ms\":20},"                       \
  "{\"method\":\"GET\",\"path\":\"/until-cancelled\",\"operation\":\"until_cancelled\",\"deadline_ms\":60000}," \
  "{\"method\":\"GET\",\"path\":\"/overruns\",\"operation\":\"overruns\",\"execution\":\"inline\","            \
  "\"deadline_ms\":1},"                                                                                        \
  "{\"method\":\"POST\",\"path\":\"/things\",\"operation\":\"write\"},"                                        \
  "{\"method\":\"GET\",\"path\":\"/things\",\"operation\":\"read\",\"execution\":\"inline\"}]}"
#define CREATE create
#define ACTIVATE activate
#define HANDLE handle
#define STOP stop
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include "plugin.h"

enum { NOW, WORK, LATER, NEVER, UNTIL_CANCELLED, OVERRUNS, WRITE, READ };
enum { ROOM = 4096 };

static const council_http_v1 *http;
static const council_records_v1 *records;
static uint32_t things;
static pthread_t answerer;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static council_request waiting[ROOM];
static int count, ended;

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  records = host->get_extension(host, COUNCIL_RECORDS_V1);
  *self = NULL;
  return records->collection(host, view("things"), &things);
}

static council_status answer(council_request request, const char *text) {
  council_response_v1 response = {.status = 200, .body = {(const uint8_t *)text, strlen(text), NULL, NULL}};
  return http->respond(request, &response);
}

static void *answer_later(void *argument) {
  (void)argument;
  pthread_mutex_lock(&lock);
  while (!ended || count > 0) {
    if (count == 0) {
      pthread_cond_wait(&more, &lock);
      continue;
    }
    council_request next = waiting[--count];
    pthread_mutex_unlock(&lock);
    answer(next, "{\"later\":true}");
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}

static council_status activate(void *self) {
  (void)self;
  return pthread_create(&answerer, NULL, answer_later, NULL) == 0 ? COUNCIL_OK : COUNCIL_INTERNAL;
}

static council_status stop(void *self) {
  (void)self;
  pthread_mutex_lock(&lock);
  ended = 1;
  pthread_cond_signal(&more);
  pthread_mutex_unlock(&lock);
  pthread_join(answerer, NULL);
  return COUNCIL_OK;
}

static council_status call(council_request request, uint32_t operation, const char *input) {
  council_records_result_v1 result;
  council_status status = records->call(the_host, request, things, operation, view(""), view(input), 0, &result);
  council_response_v1 response = {
      .status = status == COUNCIL_OK ? 200 : result.problem_status, .body = result.json};
  http->respond(request, &response);
  return COUNCIL_OK;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self;
  switch (route) {
    case NOW: return answer(request, "{\"now\":true}"), COUNCIL_OK;
    case WORK: return say("works"), answer(request, "{\"work\":true}"), COUNCIL_OK;
    case LATER:
      pthread_mutex_lock(&lock);
      int fits = count < ROOM;
      if (fits) waiting[count++] = request;
      pthread_cond_signal(&more);
      pthread_mutex_unlock(&lock);
      return fits ? COUNCIL_PENDING : COUNCIL_BUSY;
    case NEVER:
    case UNTIL_CANCELLED: return COUNCIL_PENDING;
    case OVERRUNS: {
      /* Long after its deadline: until the host says that the request is over, or, should it not, for ten seconds. */
      int64_t left = 0;
      for (int turn = 0; turn < 50000 && http->deadline(request, &left) == COUNCIL_OK; turn++) usleep(200);
      return answer(request, "{\"late\":true}") == COUNCIL_STALE ? COUNCIL_OK : COUNCIL_INTERNAL;
    }
    case WRITE: return call(request, COUNCIL_RECORDS_INSERT, "{\"label\":\"x\"}");
    case READ: return call(request, COUNCIL_RECORDS_FIND, "{\"limit\":2}");
    default: return COUNCIL_INVALID;
  }
}

EXPORT_PLUGIN
