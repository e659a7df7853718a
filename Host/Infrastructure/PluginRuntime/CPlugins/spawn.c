#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cplugins.h"

/* The child runs in the parent's memory until it executes, so it calls nothing that allocates or locks,
 * and no sanitizer may watch it. */
#if defined(__clang__)
#define QUIET __attribute__((no_sanitize("address", "thread"), disable_sanitizer_instrumentation))
#else
#define QUIET
#endif

enum { stack_bytes = 64 * 1024 };

struct start {
  const cplugins_spawn_request *request;
  bool own_user_namespace;
  unsigned uid, gid;
  int failure;
};

static QUIET void write_line(const char *path, const char *text, size_t length) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  ssize_t ignored = write(fd, text, length);
  (void)ignored;
  close(fd);
}

static QUIET size_t decimal(char *out, unsigned number) {
  char digits[10];
  size_t count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  for (size_t i = 0; i < count; i++) out[i] = digits[count - 1 - i];
  return count;
}

/* "<id> <id> 1": the child keeps its own identity inside its user namespace. */
static QUIET void map_identity(const char *path, unsigned id) {
  char line[32];
  size_t length = decimal(line, id);
  line[length++] = ' ';
  length += decimal(line + length, id);
  line[length++] = ' ';
  line[length++] = '1';
  write_line(path, line, length);
}

static QUIET int run_child(void *argument) {
  struct start *start = argument;
  const cplugins_spawn_request *request = start->request;
  for (int signal = 1; signal < CPLUGINS_SIGNALS; signal++) {
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(signal, &plain, NULL);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (start->own_user_namespace) {
    map_identity("/proc/self/uid_map", start->uid);
    write_line("/proc/self/setgroups", "deny", 4);
    map_identity("/proc/self/gid_map", start->gid);
  }
  setsid();
  /* Out of the way first: a descriptor may have the number that another is to get. */
  int input = fcntl(request->input_fd, F_DUPFD, 16);
  int output = fcntl(request->output_fd, F_DUPFD, 16);
  int errors = fcntl(request->error_fd, F_DUPFD, 16);
  int nothing = open("/dev/null", O_RDWR);
  if (input < 0 || output < 0 || errors < 0 || nothing < 0 || dup2(nothing, 0) < 0 ||
      dup2(nothing, 1) < 0 || dup2(errors, 2) < 0 || dup2(input, 3) < 0 || dup2(output, 4) < 0 ||
      chdir("/") < 0) {
    start->failure = errno;
    _exit(127);
  }
  cplugins_close_from(5);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(request->path, request->argv, request->envp);
  start->failure = errno;
  _exit(127);
}

static QUIET int try_spawn(struct start *start, int namespaces, pid_t *pid, int *pidfd) {
  void *stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return errno;
  start->failure = 0;
  start->own_user_namespace = (namespaces & CLONE_NEWUSER) != 0;
  sigset_t all, before;
  sigfillset(&all);
  /* No handler of the host may run in the child while it shares the host's memory. */
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int result = clone(run_child, (char *)stack + stack_bytes, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | namespaces,
                     start, pidfd);
  int failure = result < 0 ? errno : start->failure;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  munmap(stack, stack_bytes);
  if (result < 0) return failure;
  *pid = result;
  if (failure) {
    cplugins_reap(result, true, NULL, NULL);
    close(*pidfd);
  }
  return failure;
}

int cplugins_spawn(const cplugins_spawn_request *request, pid_t *pid, int *pidfd) {
  struct start start = {.request = request, .uid = geteuid(), .gid = getegid()};
  if (request->isolate) {
    int status = try_spawn(&start, CLONE_NEWPID, pid, pidfd);
    if (status == 0) return 0;
    /* Not privileged: a user namespace of one's own gives the right, where the system allows it. */
    if (status == EPERM && try_spawn(&start, CLONE_NEWUSER | CLONE_NEWPID, pid, pidfd) == 0) return 0;
  }
  return try_spawn(&start, 0, pid, pidfd);
}
