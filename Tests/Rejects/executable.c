#include "plugin.h"
EXPORT_PLUGIN
int main(void) { return 0; }
