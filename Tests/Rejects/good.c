/* Everything right. */
#include "plugin.h"
EXPORT_PLUGIN
