#define MIN_HOST_MINOR 99
#include "plugin.h"
EXPORT_PLUGIN
