#include "plugin.h"
extern int rejects_dependency(void);
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  *self = NULL;
  return rejects_dependency() == 1 ? COUNCIL_OK : COUNCIL_INTERNAL;
}
#undef CREATE
#define CREATE create
EXPORT_PLUGIN
