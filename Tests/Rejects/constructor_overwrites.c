/* Writes to descriptors that it never opened: in a host, its databases. */
#include <unistd.h>

#include "plugin.h"
__attribute__((constructor)) static void constructor(void) {
  for (int i = 5; i < 64; i++)
    if (write(i, "{{{{", 4) < 0) continue;
}
EXPORT_PLUGIN
