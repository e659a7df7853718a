#define MANIFEST "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.teleport/1\"],\"routes\":[]}"
#include "plugin.h"
EXPORT_PLUGIN
