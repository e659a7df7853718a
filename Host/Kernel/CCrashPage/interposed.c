/* What closes descriptors, in front of the C library's.
 *
 * A plugin shares the host's table of descriptors, and the commonest way to take a host down with it is to close one
 * too many: twice the same number, or all of them before an exec that does not come. The dynamic linker finds the
 * executable's functions before the library's, for plugins too. A plugin that makes the system call itself goes past
 * them: the supervisor then misses the host's end of the channel. A sanitizer has functions of its own here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define COUNCIL_SANITIZED
#endif
#endif

#ifndef COUNCIL_SANITIZED
#define EXPORTED __attribute__((visibility("default")))

/* Cancellation points, as the C library's are, they are not: nobody cancels threads of a host. */
EXPORTED int close(int fd) {
  ccrash_closes((unsigned)fd, (unsigned)fd);
  return (int)syscall(SYS_close, fd);
}

EXPORTED int close_range(unsigned first, unsigned last, int flags) {
  if (!(flags & 4 /* CLOSE_RANGE_CLOEXEC */)) ccrash_closes(first, last);
  return (int)syscall(SYS_close_range, first, last, flags);
}

EXPORTED void closefrom(int first) {
  if (first < 0) first = 0;
  ccrash_closes((unsigned)first, UINT_MAX);
  if (syscall(SYS_close_range, first, UINT_MAX, 0) == 0) return;
  for (long fd = first, end = sysconf(_SC_OPEN_MAX); fd < end; fd++) syscall(SYS_close, fd);
}

EXPORTED int dup3(int from, int to, int flags) {
  if (from != to) ccrash_closes((unsigned)to, (unsigned)to);
  return (int)syscall(SYS_dup3, from, to, flags);
}

EXPORTED int dup2(int from, int to) {
  if (from == to) return fcntl(from, F_GETFD) < 0 ? -1 : to;
  return dup3(from, to, 0);
}
#endif
