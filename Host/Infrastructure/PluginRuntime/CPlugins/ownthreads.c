/* A runner's view of its own threads, and open() in front of the C library's.
 *
 * libdispatch, on which Swift's tasks run, counts which of its threads run by reading /proc/<thread>/stat, and ends the
 * process where it cannot (workqueue.c, _dispatch_workq_count_runnable_workers). A runner has no right to /proc, where
 * the other processes are; /proc/self/task says the same of its own threads, and nothing of anybody else. The dynamic
 * linker finds the executable's functions before the library's. Goes when libdispatch reads /proc/self/task itself. A
 * sanitizer has an open of its own, and no runner. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cplugins.h"

/* Kept open: the rule for these files is one for this very folder, which the kernel may otherwise make anew. */
static atomic_int own_threads = -1;

void cplugins_see_own_threads(void) {
  own_threads = open("/proc/self/task", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define COUNCIL_SANITIZED
#endif
#endif

#ifndef COUNCIL_SANITIZED
/* `<thread>/stat` of a path that is /proc/<thread>/stat; NULL for any other. */
static const char *of_a_thread(const char *path) {
  if (strncmp(path, "/proc/", 6) != 0) return NULL;
  size_t digits = strspn(path + 6, "0123456789");
  return digits > 0 && strcmp(path + 6 + digits, "/stat") == 0 ? path + 6 : NULL;
}

__attribute__((visibility("default"))) int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & (O_CREAT | __O_TMPFILE)) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  int threads = own_threads;
  if (threads >= 0) {
    const char *own = of_a_thread(path);
    if (own) return (int)syscall(SYS_openat, threads, own, flags, mode);
  }
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
#endif
