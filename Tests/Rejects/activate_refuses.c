#define ACTIVATE activate
#include "plugin.h"
static council_status activate(void *self) {
  (void)self;
  the_host->fail(the_host, COUNCIL_BUSY, view("not today"));
  return COUNCIL_BUSY;
}
EXPORT_PLUGIN
