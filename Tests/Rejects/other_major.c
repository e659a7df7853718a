#define ABI_MAJOR 7
#include "plugin.h"
EXPORT_PLUGIN
