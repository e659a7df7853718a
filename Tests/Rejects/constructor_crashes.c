#include "plugin.h"
__attribute__((constructor)) static void run(void) { *(volatile int *)16 = 1; }
EXPORT_PLUGIN
