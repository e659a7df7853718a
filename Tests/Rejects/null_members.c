#define CANCEL NULL
#define DESTROY NULL
#include "plugin.h"
EXPORT_PLUGIN
