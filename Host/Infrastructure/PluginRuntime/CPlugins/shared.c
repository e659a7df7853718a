#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cplugins.h"

void cplugins_shared_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds) {
  struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
  syscall(SYS_futex, word, FUTEX_WAIT, expected, &limit, NULL, 0);
}

void cplugins_shared_wake(const uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); }

int cplugins_shared_file(size_t bytes) {
  int fd = memfd_create("council-runner", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  /* Sealed against shrinking: the other side could turn every page into a SIGBUS of this one. */
  if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    return fd;
  int failure = errno;
  close(fd);
  errno = failure;
  return -1;
}

bool cplugins_reap_measured(pid_t pid, cplugins_end *out) {
  int status = 0;
  struct rusage use;
  pid_t result;
  do result = wait4(pid, &status, 0, &use);
  while (result < 0 && errno == EINTR);
  if (result != pid) return false;
  out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  out->cpu_ns = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000LL +
                (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000LL;
  out->most_resident_bytes = use.ru_maxrss * 1024LL;
  return true;
}

void cplugins_kill(int pidfd, int signal) { syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

static bool read_text(const char *format, pid_t pid, char *text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, format, (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t got = read(fd, text, size - 1);
  close(fd);
  if (got <= 0) return false;
  text[got] = 0;
  return true;
}

bool cplugins_read_facts(pid_t pid, cplugins_facts *out) {
  char text[1024];
  if (!read_text("/proc/%d/stat", pid, text, sizeof text)) return false;
  /* The name may hold blanks and brackets; what follows the last bracket does not: state, then 10 numbers, then
   * utime and stime in ticks, and the number of threads six further on (proc(5)). */
  char *end = strrchr(text, ')');
  unsigned long user, system;
  long threads;
  if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld", &user, &system,
                     &threads) != 3)
    return false;
  long long resident, data;
  if (!read_text("/proc/%d/statm", pid, text, sizeof text) || sscanf(text, "%*d %lld %*d %*d %*d %lld", &resident, &data) != 2)
    return false;
  long ticks = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
  out->cpu_ns = (int64_t)(user + system) * (1000000000LL / ticks);
  out->threads = threads;
  out->resident_bytes = resident * page;
  out->data_bytes = data * page;
  return true;
}
