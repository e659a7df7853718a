/* Asks for 16 GiB and refuses when there is none. */
#define CREATE create
#include "plugin.h"
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  *self = malloc((size_t)16 << 30);
  if (*self) return COUNCIL_OK;
  host->fail(host, COUNCIL_INTERNAL, view("out of memory"));
  return COUNCIL_INTERNAL;
}
EXPORT_PLUGIN
