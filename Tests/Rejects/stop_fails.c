#define STOP stop
#define DESTROY destroy
#include "plugin.h"
static council_status stop(void *self) { return (void)self, COUNCIL_INTERNAL; }
static void destroy(void *self) {
  (void)self;
  abort();
}
EXPORT_PLUGIN
