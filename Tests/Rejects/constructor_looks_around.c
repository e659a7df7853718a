/* Crashes if the host's environment or descriptors can be seen. */
#include <fcntl.h>
#include "plugin.h"
__attribute__((constructor)) static void run(void) {
  if (getenv("COUNCIL_REJECTS_SECRET")) __builtin_trap();
  for (int fd = 3; fd < 1024; fd++)
    if (fcntl(fd, F_GETFD) >= 0) __builtin_trap();
}
EXPORT_PLUGIN
