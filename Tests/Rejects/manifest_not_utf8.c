#define MANIFEST "{\"id\":\"reject\xff\"}"
#include "plugin.h"
EXPORT_PLUGIN
