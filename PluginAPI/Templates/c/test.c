/* A host of one request, to test handlers without a server: `make test`. */
#include "council.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *parameter;
static uint32_t answered_status;
static char answered_body[4096];

static council_view_v1 view(const char *text) {
  council_view_v1 view = {(const uint8_t *)text, strlen(text)};
  return view;
}

static council_status get(council_request request, uint32_t field, council_view_v1 name, council_view_v1 *out) {
  (void)request;
  (void)name;
  *out = view("");
  if (field != COUNCIL_HTTP_PATH_PARAMETER || parameter == NULL) return COUNCIL_NOT_FOUND;
  *out = view(parameter);
  return COUNCIL_OK;
}

static council_status deadline(council_request request, int64_t *remaining_ns) {
  (void)request;
  *remaining_ns = 1000000000;
  return COUNCIL_OK;
}

static council_status respond(council_request request, const council_response_v1 *response) {
  (void)request;
  assert(response->body.len < sizeof answered_body);
  answered_status = response->status;
  memcpy(answered_body, response->body.ptr, response->body.len);
  answered_body[response->body.len] = '\0';
  if (response->body.release != NULL) response->body.release(response->body.ctx);
  return COUNCIL_OK;
}

static council_status problem(council_request request, uint32_t status, council_view_v1 code,
                              council_view_v1 detail) {
  (void)request;
  (void)detail;
  answered_status = status;
  snprintf(answered_body, sizeof answered_body, "%.*s", (int)code.len, (const char *)code.ptr);
  return COUNCIL_OK;
}

static const council_http_v1 http = {get, deadline, respond, problem};

static const void *get_extension(const council_host_v1 *host, const char *id) {
  (void)host;
  return strcmp(id, COUNCIL_HTTP_V1) == 0 ? &http : NULL;
}

static void fail(const council_host_v1 *host, council_status status, council_view_v1 text) {
  (void)host;
  fprintf(stderr, "create failed (%d): %.*s\n", (int)status, (int)text.len, (const char *)text.ptr);
}

static const council_host_v1 host = {COUNCIL_ABI_MAJOR, COUNCIL_ABI_MINOR, get_extension, fail};

int main(void) {
  const council_plugin_v1 *plugin = council_plugin_entry_v1();
  void *self = NULL;
  assert(plugin->abi_major == COUNCIL_ABI_MAJOR);
  assert(plugin->manifest().ptr == plugin->manifest().ptr);
  assert(plugin->create(&host, view("{}"), &self) == COUNCIL_OK);
  assert(plugin->activate(self) == COUNCIL_OK);

  parameter = "Ada";
  assert(plugin->handle(self, 0, 1) == COUNCIL_OK);
  assert(answered_status == 200);
  assert(strcmp(answered_body, "{\"message\":\"Hello, Ada!\"}") == 0);

  parameter = "a\"b\\c\n";
  assert(plugin->handle(self, 0, 2) == COUNCIL_OK);
  assert(strcmp(answered_body, "{\"message\":\"Hello, a\\\"b\\\\c\\u000a!\"}") == 0);

  parameter = NULL;
  assert(plugin->handle(self, 0, 3) < 0);

  plugin->quiesce(self);
  assert(plugin->stop(self) == COUNCIL_OK);
  plugin->destroy(self);
  puts("all tests passed");
  return 0;
}
