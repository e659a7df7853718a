#include <unistd.h>
#include "plugin.h"
__attribute__((constructor)) static void run(void) {
  for (;;) pause();
}
EXPORT_PLUGIN
