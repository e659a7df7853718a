#include <signal.h>
#include "plugin.h"
static void handler(int signal) { (void)signal; }
__attribute__((constructor)) static void run(void) { signal(SIGTERM, handler); }
EXPORT_PLUGIN
