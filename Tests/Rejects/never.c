/* Leaves every request without an answer. */
#define HANDLE handle
#include "plugin.h"
static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self, (void)route, (void)request;
  return COUNCIL_PENDING;
}
EXPORT_PLUGIN
