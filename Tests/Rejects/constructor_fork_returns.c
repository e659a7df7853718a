/* The child returns into the loader, as if it were the probe itself. */
#include <unistd.h>
#include "plugin.h"
__attribute__((constructor)) static void run(void) { fork(); }
EXPORT_PLUGIN
