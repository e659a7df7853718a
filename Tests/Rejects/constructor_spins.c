/* Hangs without a system call, with every signal blocked. */
#include <signal.h>
#include "plugin.h"
__attribute__((constructor)) static void run(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  for (volatile int turn = 0;; turn++) continue;
}
EXPORT_PLUGIN
