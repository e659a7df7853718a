#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cprocesses.h"

/* The child runs in the parent's memory until it executes, so it calls nothing that allocates or locks. It makes its
 * system calls itself, and no sanitizer watches it: their versions of these functions keep records, which are the
 * parent's, and an _exit of theirs reports the parent's threads. */
#if defined(__clang__)
#define QUIET __attribute__((no_sanitize("address", "thread"), disable_sanitizer_instrumentation))
#else
#define QUIET
#endif

/* glibc's clone under its other name: the thread sanitizer takes the first for a fork, and would set itself up anew in
 * a child that runs in its parent's memory. */
extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

enum { stack_bytes = 64 * 1024 };

struct start {
  const cprocesses_request *request;
  pid_t parent; /* 0: in another namespace, where it has no number */
  bool own_user_namespace;
  unsigned uid, gid;
  int failure;
};

static QUIET void write_line(const char *path, const char *text, size_t length) {
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  syscall(SYS_write, fd, text, length);
  syscall(SYS_close, fd);
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

/* What the kernel calls struct sigaction; all of it zero means SIG_DFL. */
struct kernel_action {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

static QUIET int move(long from, int to) { return from >= 0 && syscall(SYS_dup3, from, to, 0) >= 0; }

static QUIET void close_from(int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  /* A kernel before 5.9. */
  for (int fd = first; fd < 65536; fd++) syscall(SYS_close, fd);
}

static QUIET int run_child(void *argument) {
  struct start *start = argument;
  const cprocesses_request *request = start->request;
  static const struct kernel_action plain;
  for (int signal = 1; signal < 65; signal++)
    syscall(SYS_rt_sigaction, signal, &plain, NULL, sizeof plain.mask);
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  /* A parent that died before sends nothing. */
  if (start->parent && syscall(SYS_getppid) != start->parent) syscall(SYS_exit_group, 127);
  syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (start->own_user_namespace) {
    map_identity("/proc/self/uid_map", start->uid);
    write_line("/proc/self/setgroups", "deny", 4);
    map_identity("/proc/self/gid_map", start->gid);
  }
  syscall(SYS_setsid);
  /* Out of the way first: a descriptor may have the number that another is to get. */
  long moved[CPROCESSES_MOST_FDS];
  long nothing = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
  bool all = nothing >= 0;
  for (size_t i = 0; all && i < request->fd_count; i++) {
    moved[i] = syscall(SYS_fcntl, request->fds[i] < 0 ? nothing : request->fds[i], F_DUPFD, CPROCESSES_MOST_FDS);
    all = moved[i] >= 0;
  }
  for (size_t i = 0; all && i < request->fd_count; i++) all = move(moved[i], (int)i);
  if (all && (request->keeps_folder || syscall(SYS_chdir, "/") == 0)) {
    close_from((int)request->fd_count);
    uint64_t none = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
    syscall(SYS_execve, request->path, request->argv, request->envp);
  }
  start->failure = errno;
  syscall(SYS_exit_group, 127);
  return 127;
}

static QUIET int try_spawn(struct start *start, int namespaces, pid_t *pid, int *pidfd) {
  void *stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return errno;
  start->failure = 0;
  start->own_user_namespace = (namespaces & CLONE_NEWUSER) != 0;
  start->parent = namespaces ? 0 : getpid();
  sigset_t all, before;
  sigfillset(&all);
  /* No handler of the host may run in the child while it shares the host's memory. */
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int result = __clone(run_child, (char *)stack + stack_bytes,
                       CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | namespaces, start, pidfd);
  int failure = result < 0 ? errno : start->failure;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  munmap(stack, stack_bytes);
  if (result < 0) return failure;
  *pid = result;
  if (failure) {
    while (waitpid(result, NULL, 0) < 0 && errno == EINTR) continue;
    close(*pidfd);
  }
  return failure;
}

int cprocesses_spawn(const cprocesses_request *request, pid_t *pid, int *pidfd) {
  if (request->fd_count < 3 || request->fd_count > CPROCESSES_MOST_FDS) return EINVAL;
  struct start start = {.request = request, .uid = geteuid(), .gid = getegid()};
  if (request->isolates) {
    int status = try_spawn(&start, CLONE_NEWPID, pid, pidfd);
    if (status == 0) return 0;
    /* Not privileged: a user namespace of one's own gives the right, where the system allows it. */
    if (status == EPERM && try_spawn(&start, CLONE_NEWUSER | CLONE_NEWPID, pid, pidfd) == 0) return 0;
  }
  return try_spawn(&start, 0, pid, pidfd);
}
