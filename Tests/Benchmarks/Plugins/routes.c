/* A plugin with as many routes as the manifest says, all answered alike, inline: what is measured is the
 * way to the handler. `routes_manifest.h` is written by plugins.py and defines `manifest_text`. */
#define COUNCIL_PLUGIN
#include "council.h"

#include "routes_manifest.h"

static const council_http_v1 *http;
static const uint8_t body[] = "{\"ok\":true}";

static council_view_v1 manifest(void) {
  return (council_view_v1){(const uint8_t *)manifest_text, sizeof manifest_text - 1};
}

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  *self = (void *)&body;
  return http ? COUNCIL_OK : COUNCIL_UNSUPPORTED;
}

static council_status activate(void *self) {
  (void)self;
  return COUNCIL_OK;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self;
  (void)route;
  const council_response_v1 answer = {
      .status = 200, .body = {.ptr = body, .len = sizeof body - 1, .release = NULL, .ctx = NULL}};
  return http->respond(request, &answer);
}

static void cancel(void *self, council_request request) {
  (void)self;
  (void)request;
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
    .abi_major = COUNCIL_ABI_MAJOR,
    .min_host_minor = 0,
    .manifest = manifest,
    .create = create,
    .activate = activate,
    .handle = handle,
    .cancel = cancel,
    .quiesce = quiesce,
    .stop = stop,
    .destroy = destroy,
    .get_extension = get_extension,
};

const council_plugin_v1 *council_plugin_entry_v1(void) { return &plugin; }
