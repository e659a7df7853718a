/* Leaves a child behind, which has a name that the test looks for. */
#include <sys/prctl.h>
#include <unistd.h>
#include "plugin.h"
__attribute__((constructor)) static void run(void) {
  if (fork() == 0) {
    prctl(PR_SET_NAME, "reject-fork");
    for (;;) pause();
  }
}
EXPORT_PLUGIN
