/* Leaves a process behind that has no tie to it left: another session, another parent. */
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "plugin.h"
__attribute__((constructor)) static void run(void) {
  pid_t first = fork();
  if (first == 0) {
    setsid();
    if (fork() == 0) {
      prctl(PR_SET_NAME, "reject-daemon");
      prctl(PR_SET_PDEATHSIG, 0);
      for (;;) pause();
    }
    _exit(0);
  }
  waitpid(first, NULL, 0);
}
EXPORT_PLUGIN
