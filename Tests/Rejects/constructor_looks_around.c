/* Crashes if the host's environment or descriptors can be seen. What stands in for them is one empty file. */
#include <fcntl.h>
#include <sys/stat.h>
#include "plugin.h"
__attribute__((constructor)) static void run(void) {
  struct stat first = {0}, facts;
  if (getenv("COUNCIL_REJECTS_SECRET")) __builtin_trap();
  for (int fd = 3; fd < 1024; fd++) {
    if (fstat(fd, &facts) != 0) continue;
    if (!first.st_ino) first = facts;
    if (facts.st_ino != first.st_ino || facts.st_dev != first.st_dev || facts.st_size != 0) __builtin_trap();
  }
}
EXPORT_PLUGIN
