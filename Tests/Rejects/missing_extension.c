#define MANIFEST "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.teleport/1\"],\"routes\":[{\"method\":\"GET\",\"path\":\"/\",\"operation\":\"look\",\"scope\":\"reject:read\"}]}"
#include "plugin.h"
EXPORT_PLUGIN
