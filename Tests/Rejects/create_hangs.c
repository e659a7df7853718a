/* Hangs until the file that its configuration names exists. */
#define CREATE create
#include <unistd.h>
#include "plugin.h"
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  char path[512] = {0};
  (void)self;
  the_host = host;
  memcpy(path, config.ptr, config.len < sizeof path - 1 ? config.len : sizeof path - 1);
  while (access(path, F_OK) != 0) usleep(1000);
  say("create came back");
  return COUNCIL_OK;
}
EXPORT_PLUGIN
