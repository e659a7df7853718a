/* What g++ makes of an inline static, which generations would share. */
#include "plugin.h"
__asm__(
    ".data\n.globl rejects_unique\n.type rejects_unique, @gnu_unique_object\n.size rejects_unique, 4\n"
    "rejects_unique: .long 0\n.text\n");
EXPORT_PLUGIN
