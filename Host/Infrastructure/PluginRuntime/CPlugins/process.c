#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cplugins.h"

cplugins_frame *cplugins_current_frame(void) {
  static _Thread_local cplugins_frame frame;
  return &frame;
}

void cplugins_futex_wait(const uint32_t *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

int cplugins_futex_wake(const uint32_t *word, int threads) {
  long woken = syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
  return woken > 0 ? (int)woken : 0;
}

void cplugins_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

int cplugins_pipe(int *reader, int *writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  *reader = ends[0];
  *writer = ends[1];
  return 0;
}

int cplugins_memory_file(void) { return memfd_create("council", MFD_CLOEXEC); }

pid_t cplugins_fork(void) { return fork(); }

static void limit(int what, uint64_t value) {
  struct rlimit now;
  if (getrlimit(what, &now) != 0) return;
  if (now.rlim_max != RLIM_INFINITY && value > now.rlim_max) value = now.rlim_max;
  /* The processor's soft limit says SIGXCPU, which names the cause; its hard one SIGKILL. */
  struct rlimit next = {value, what == RLIMIT_CPU && value < now.rlim_max ? value + 1 : value};
  setrlimit(what, &next);
}

void cplugins_limit(const cplugins_limits *limits) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, limits->cpu_seconds);
  if (limits->address_space_bytes) limit(RLIMIT_AS, limits->address_space_bytes);
  if (limits->data_bytes) limit(RLIMIT_DATA, limits->data_bytes);
  limit(RLIMIT_FSIZE, limits->file_bytes);
  limit(RLIMIT_NOFILE, limits->open_files);
  /* RLIMIT_NPROC is left alone: it counts every thread of the user, those of the host too, so that any
   * number is either useless or refuses a good plugin. */
}

void cplugins_die_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

void cplugins_adopt_orphans(void) { prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

void cplugins_close_from(int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  long last = sysconf(_SC_OPEN_MAX);
  for (int fd = first; fd < (last < 0 ? 65536 : last); fd++) close(fd);
}

int cplugins_pidfd(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

pid_t cplugins_reap(pid_t pid, bool wait, int *signal, int *exit_code) {
  int status = 0;
  pid_t result;
  do result = waitpid(pid, &status, wait ? 0 : WNOHANG);
  while (result < 0 && errno == EINTR);
  if (result > 0) {
    if (signal) *signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (exit_code) *exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  }
  return result;
}

const char *cplugins_signal_name(int signal) {
  static _Thread_local char name[24];
  const char *known = sigabbrev_np(signal);
  if (known)
    snprintf(name, sizeof name, "SIG%s", known);
  else
    snprintf(name, sizeof name, "signal %d", signal);
  return name;
}

void cplugins_signals_read(cplugins_signals *out) {
  memset(out, 0, sizeof *out);
  for (int signal = 1; signal < CPLUGINS_SIGNALS; signal++) {
    struct sigaction now;
    if (sigaction(signal, NULL, &now) != 0) continue;
    out->handlers[signal] = (void *)now.sa_sigaction;
  }
}

int cplugins_signals_differ(const cplugins_signals *a, const cplugins_signals *b) {
  for (int signal = 1; signal < CPLUGINS_SIGNALS; signal++)
    if (a->handlers[signal] != b->handlers[signal]) return signal;
  return 0;
}

bool cplugins_is_mapped(const char *name) {
  void *image = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
  if (!image) {
    dlerror();
    return false;
  }
  dlclose(image);
  return true;
}

const char *cplugins_image_of(const void *address) {
  Dl_info info;
  struct link_map *map = NULL;
  if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map) return NULL;
  return map->l_name;
}

const char *cplugins_path_of(void *image) {
  struct link_map *map = NULL;
  if (dlinfo(image, RTLD_DI_LINKMAP, &map) != 0 || !map) return NULL;
  return map->l_name;
}

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* libdispatch names its threads after their queue, of which the last 15 bytes are kept:
 * "com.apple.root.default-qos", "…-qos.overcommit", "com.apple.libdispatch-manager". */
static bool is_of_dispatch(const char *name) {
  return ends_with(name, "-qos") || ends_with(name, "qos.overcommit") || ends_with(name, "dispatch-manager") ||
         ends_with(name, "ispatch-manager");
}

int cplugins_thread_count(void) {
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks) return 0;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(tasks));) {
    if (entry->d_name[0] == '.') continue;
    char path[64], name[32] = {0};
    snprintf(path, sizeof path, "/proc/self/task/%.16s/comm", entry->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, name, sizeof name - 1);
    if (fd >= 0) close(fd);
    if (got < 0) continue; /* ended meanwhile */
    if (got > 0 && name[got - 1] == '\n') name[got - 1] = 0;
    if (!is_of_dispatch(name)) count++;
  }
  closedir(tasks);
  return count;
}

/* The parent of a process, out of /proc/<pid>/stat: the second number after the name's ')'. */
static long parent_of(const char *pid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return -1;
  text[got] = 0;
  char *name_end = strrchr(text, ')');
  long parent = -1;
  if (!name_end || sscanf(name_end + 1, " %*c %ld", &parent) != 1) return -1;
  return parent;
}

void cplugins_kill_descendants(int rounds) {
  for (int round = 0; round < rounds; round++) {
    pid_t reaped;
    while ((reaped = cplugins_reap(-1, false, NULL, NULL)) > 0) continue;
    if (reaped < 0) return;
    if (getpid() == 1) {
      /* The first process of a namespace: this reaches everybody else in it. */
      kill(-1, SIGKILL);
    } else {
      DIR *all = opendir("/proc");
      for (struct dirent *entry; all && (entry = readdir(all));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if (parent_of(entry->d_name) == getpid()) kill(atoi(entry->d_name), SIGKILL);
      }
      if (all) closedir(all);
    }
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
  }
}
