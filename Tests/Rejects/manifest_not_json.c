#define MANIFEST "once upon a time"
#include "plugin.h"
EXPORT_PLUGIN
