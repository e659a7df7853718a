/* What a runner is told of its own threads: open() in front of the C library's.
 *
 * libdispatch, on which Swift's tasks run, counts once a second which of its threads run by reading /proc/<thread>/stat, and
 * ends the process where it cannot (workqueue.c, _dispatch_workq_count_runnable_workers). A runner has no right to
 * /proc: also a thread's own folder there tells of others, of every connection of the machine for one. So libdispatch reads
 * that each of them runs, and starts no more than it has cores. The dynamic linker finds the executable's functions
 * before the library's. A sanitizer has an open of its own, and no runner. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cplugins.h"

static atomic_bool has_no_proc;

void cplugins_answer_for_threads(void) { has_no_proc = true; }

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define COUNCIL_SANITIZED
#endif
#endif

#ifndef COUNCIL_SANITIZED
/* Whether a path is /proc/<thread>/stat of this process. */
static bool is_of_own_thread(const char *path) {
  if (strncmp(path, "/proc/", 6) != 0) return false;
  char *end;
  long thread = strtol(path + 6, &end, 10);
  return thread > 0 && strcmp(end, "/stat") == 0 && syscall(SYS_tgkill, getpid(), thread, 0) == 0;
}

/* A descriptor from which the fields of proc(5) are read that libdispatch looks at. */
static int running(void) {
  static const char text[] = "0 (thread) R ";
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  ssize_t written = write(ends[1], text, sizeof text - 1);
  close(ends[1]);
  if (written == sizeof text - 1) return ends[0];
  close(ends[0]);
  return -1;
}

__attribute__((visibility("default"))) int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & (O_CREAT | __O_TMPFILE)) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  if (atomic_load_explicit(&has_no_proc, memory_order_relaxed) && is_of_own_thread(path)) return running();
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
#endif
