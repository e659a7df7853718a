#pragma once

/* These descriptors are about to be closed in this process: aborts when one of them is guarded. */
void ccrash_closes(unsigned first, unsigned last);
