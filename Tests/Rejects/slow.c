/* Blocks for a while before it answers, as a handler does that waits for something else. */
#define HANDLE handle
#include <unistd.h>
#include "plugin.h"
static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self, (void)route;
  const council_http_v1 *http = the_host->get_extension(the_host, COUNCIL_HTTP_V1);
  council_response_v1 response = {.status = 200, .body = {(const uint8_t *)"{\"slow\":true}", 13, NULL, NULL}};
  usleep(3000000);
  http->respond(request, &response);
  return COUNCIL_OK;
}
EXPORT_PLUGIN
