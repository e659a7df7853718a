#include "plugin.h"
__attribute__((constructor)) static void run(void) { exit(0); }
EXPORT_PLUGIN
