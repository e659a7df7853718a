#define MANIFEST_FUNCTION bad_pointer
#include "plugin.h"
static council_view_v1 bad_pointer(void) {
  council_view_v1 result = {(const uint8_t *)16, 100};
  return result;
}
EXPORT_PLUGIN
