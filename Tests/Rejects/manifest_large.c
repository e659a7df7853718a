/* SIZE bytes: a document, and blanks behind it. */
#define MANIFEST_FUNCTION large_manifest
#include "plugin.h"
static char text[SIZE];
static council_view_v1 large_manifest(void) {
  if (!text[0]) {
    memset(text, ' ', SIZE);
    memcpy(text, MANIFEST, sizeof MANIFEST - 1);
  }
  council_view_v1 result = {(const uint8_t *)text, SIZE};
  return result;
}
EXPORT_PLUGIN
