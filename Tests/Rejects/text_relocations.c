#include "plugin.h"
__asm__(".text\n.globl rejects_place\nrejects_place: .quad council_plugin_entry_v1\n");
EXPORT_PLUGIN
