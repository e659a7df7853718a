#define CREATE create
#include "plugin.h"
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)self;
  if (config.len > 2) host->fail(host, COUNCIL_INVALID, config);
  return COUNCIL_INVALID;
}
EXPORT_PLUGIN
