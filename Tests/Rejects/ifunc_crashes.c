#include "plugin.h"
typedef int function(void);
static function *resolve(void) {
  *(volatile int *)16 = 1;
  return NULL;
}
int council_resolved(void) __attribute__((ifunc("resolve")));
int (*council_use)(void) = council_resolved;
EXPORT_PLUGIN
