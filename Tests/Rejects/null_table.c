#include "plugin.h"
const council_plugin_v1 *council_plugin_entry_v1(void) { return NULL; }
