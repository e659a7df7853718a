/* Processes that the host starts: what Swift cannot say, and what posix_spawn cannot. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CPROCESSES_MOST_FDS 16

typedef struct cprocesses_request {
  const char *path;
  char *const *argv;
  char *const *envp;
  /* fds[i] becomes descriptor i of the child, -1 stands for /dev/null; at least three, at most CPROCESSES_MOST_FDS.
   * Nothing else is inherited. */
  const int *fds;
  size_t fd_count;
  /* Stay in the current folder; otherwise the child begins in /. */
  bool keeps_folder;
  /* Ask for a process-id namespace, in which everything dies with the child. */
  bool isolates;
} cprocesses_request;

/* Starts a program as the leader of a new session, with default signal dispositions, an empty signal mask and no way
 * to gain privileges, that is killed when the calling thread ends. The caller's memory is not copied, and the caller
 * waits until the program was executed. Returns 0, or an errno. `pidfd` becomes readable when the process ends. */
int cprocesses_spawn(const cprocesses_request *request, pid_t *pid, int *pidfd);
