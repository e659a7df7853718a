/* Hands bodies to the records as they come, to show through a whole host what a collection's declaration asks for. */
#define CREATE create
#define HANDLE handle
#define FIELDS                                                                                              \
  "{\"name\":\"text\",\"type\":\"string\",\"searchable\":true},"                                            \
  "{\"name\":\"owner\",\"type\":\"string\",\"encrypted\":true,\"unique\":true},"                            \
  "{\"name\":\"ends_at\",\"type\":\"timestamp\"}"
#define ROUTE(method, path, name, scope, body)                                                              \
  "{\"method\":\"" method "\",\"path\":\"" path "\",\"operation\":\"" name "\",\"scope\":\"reject:" scope "\"" body "}"
#define BODY ",\"body\":{\"type\":\"object\"}"
#define MANIFEST                                                                                            \
  "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.records/1\"],\"records\":[{\"name\":\"notes\",\"fields\":[" FIELDS \
  "],\"expires\":{\"field\":\"ends_at\"}}],\"routes\":[" ROUTE("PUT", "/{id}", "put", "write", BODY) ","       \
  ROUTE("GET", "/{id}", "get", "read", "") "," ROUTE("POST", "/find", "find", "read", BODY) "]}"
#include "plugin.h"

static const council_http_v1 *http;
static const council_records_v1 *records;
static uint32_t notes;

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  records = host->get_extension(host, COUNCIL_RECORDS_V1);
  council_status found = records->collection(host, view("notes"), &notes);
  return found == COUNCIL_OK ? good_create(host, config, self) : found;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self;
  static const uint32_t operations[] = {COUNCIL_RECORDS_PUT, COUNCIL_RECORDS_GET, COUNCIL_RECORDS_FIND};
  council_view_v1 id = {0}, body = {0};
  http->get(request, COUNCIL_HTTP_PATH_PARAMETER, view("id"), &id);
  http->get(request, COUNCIL_HTTP_BODY, view(""), &body);
  council_records_result_v1 result;
  records->call(the_host, request, notes, operations[route], id, body, 0, &result);
  council_response_v1 response = {.status = result.problem_status ? result.problem_status : 200,
                                  .content_type = view(result.problem_status ? "application/problem+json" : ""),
                                  .body = result.json};
  return http->respond(request, &response);
}

EXPORT_PLUGIN
