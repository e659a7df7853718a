#define MANIFEST_FUNCTION unstable
#include "plugin.h"
static council_view_v1 unstable(void) {
  static int calls;
  return view(calls++ % 2 ? MANIFEST " " : MANIFEST);
}
EXPORT_PLUGIN
