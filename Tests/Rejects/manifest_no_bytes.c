#define MANIFEST_FUNCTION no_bytes
#include "plugin.h"
static council_view_v1 no_bytes(void) {
  council_view_v1 result = {NULL, 100};
  return result;
}
EXPORT_PLUGIN
