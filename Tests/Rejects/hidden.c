/* Records with a field that no answer has: the handler sets `shadow_code` itself and asks for the other fields only. `whole`
 * answers with all of a record, which its response does not allow. */
#define CREATE create
#define HANDLE handle
#define SHOWN                                                                                              \
  "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"}},"      \
  "\"required\":[\"id\",\"name\"],\"additionalProperties\":false}"
#define ROUTE(method, path, name, rest)                                                                    \
  "{\"method\":\"" method "\",\"path\":\"" path "\",\"operation\":\"" name "\",\"summary\":\"" name "\"" rest "}"
#define MANIFEST                                                                                           \
  "{\"id\":\"hidden\",\"version\":\"1\",\"requires\":[\"council.records/1\"],\"records\":[{\"name\":\"things\"," \
  "\"fields\":[{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"shadow_code\",\"type\":\"string\"}],"   \
  "\"resource_fields\":[\"name\"]}],\"routes\":["                                                          \
  ROUTE("POST", "/", "make", ",\"body\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"," \
        "\"pattern\":\"^[a-z]*$\"}},\"required\":[\"name\"],\"additionalProperties\":false},\"response\":" SHOWN) "," \
  ROUTE("GET", "/", "list", ",\"query\":{\"type\":\"object\",\"properties\":{\"after\":{\"type\":\"string\"}}}," \
        "\"response\":{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":" SHOWN "}," \
        "\"next\":{\"type\":[\"string\",\"null\"]}},\"required\":[\"items\",\"next\"]}") ","               \
  ROUTE("GET", "/{id}", "look", ",\"response\":" SHOWN) ","                                                \
  ROUTE("GET", "/{id}/whole", "whole", ",\"response\":" SHOWN) ","                                         \
  ROUTE("GET", "/count", "count", "") "]}"
#include "plugin.h"

enum { MAKE, LIST, LOOK, WHOLE, COUNT };

static const council_http_v1 *http;
static const council_records_v1 *records;
static uint32_t things;

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  records = host->get_extension(host, COUNCIL_RECORDS_V1);
  council_status found = records->collection(host, view("things"), &things);
  return found == COUNCIL_OK ? good_create(host, config, self) : found;
}

static council_status run(council_request request, uint32_t operation, council_view_v1 key, const char *input) {
  council_records_result_v1 result;
  records->call(the_host, request, things, operation, key, view(input), 0, &result);
  council_response_v1 response = {.status = result.problem_status ? result.problem_status : 200,
                                  .content_type = view(result.problem_status ? "application/problem+json" : ""),
                                  .body = result.json};
  return http->respond(request, &response);
}

static council_status make(council_request request) {
  council_view_v1 body = {0};
  council_records_result_v1 result;
  char text[512], id[64] = "";
  http->get(request, COUNCIL_HTTP_BODY, view(""), &body);
  /* The body without its last brace, and the field that is nobody's business. */
  snprintf(text, sizeof text, "%.*s,\"shadow_code\":\"0pen-s3same\"}", (int)(body.len ? body.len - 1 : 0),
           (const char *)body.ptr);
  records->call(the_host, request, things, COUNCIL_RECORDS_INSERT, view(""), view(text), 0, &result);
  snprintf(text, sizeof text, "%.*s", (int)result.json.len, (const char *)result.json.ptr);
  result.json.release(result.json.ctx);
  member(view(text), "id", id, sizeof id);
  return run(request, COUNCIL_RECORDS_GET, view(id), "{\"fields\":[\"id\",\"name\"]}");
}

static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self;
  council_view_v1 id = {0};
  http->get(request, COUNCIL_HTTP_PATH_PARAMETER, view("id"), &id);
  switch (route) {
    case MAKE: return make(request);
    case LIST: return run(request, COUNCIL_RECORDS_FIND, view(""), "{\"fields\":[\"id\",\"name\"]}");
    case LOOK: return run(request, COUNCIL_RECORDS_GET, id, "{\"fields\":[\"id\",\"name\"]}");
    case WHOLE: return run(request, COUNCIL_RECORDS_GET, id, "");
    default:
      return run(request, COUNCIL_RECORDS_COUNT, view(""), "{\"where\":{\"shadow_code\":{\"eq\":\"0pen-s3same\"}}}");
  }
}

EXPORT_PLUGIN
