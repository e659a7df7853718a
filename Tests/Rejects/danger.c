/* What agents are careful with: the first route answers, the second leaves its callers waiting. */
#define HANDLE handle
#include "plugin.h"
static council_status handle(void *self, uint32_t route, council_request request) {
  return route == 0 ? good_handle(self, route, request) : COUNCIL_PENDING;
}
EXPORT_PLUGIN
