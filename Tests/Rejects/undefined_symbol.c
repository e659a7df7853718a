#include "plugin.h"
extern int council_is_defined_nowhere(void);
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)host, (void)config, (void)self;
  return council_is_defined_nowhere();
}
#undef CREATE
#define CREATE create
EXPORT_PLUGIN
