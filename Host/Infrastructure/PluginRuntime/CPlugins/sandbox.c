#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cplugins.h"

/* ---- Files: Landlock ---------------------------------------------------------------------------- */

/* The kernel's numbers, which newer headers have too: linux/landlock.h of Debian 12 stops at ABI 3. */
enum {
  landlock_read_file = 1 << 2,
  landlock_create_ruleset = 444,
  landlock_add_rule = 445,
  landlock_restrict_self = 446,
};

struct landlock_ruleset {
  uint64_t files, network, scopes;
};

struct landlock_beneath {
  uint64_t allowed;
  int32_t parent;
} __attribute__((packed));

static void allow_reading(int ruleset, const char *path) {
  int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return; /* what is not there needs no right */
  struct landlock_beneath rule = {landlock_read_file, fd};
  syscall(landlock_add_rule, ruleset, 1, &rule, 0);
  close(fd);
}

/* The folder of each library that this process has: the plugin's own needs are beside them. */
static int allow_folder_of(struct dl_phdr_info *image, size_t size, void *ruleset) {
  (void)size;
  char path[PATH_MAX];
  if (image->dlpi_name[0] == '/' && realpath(image->dlpi_name, path)) allow_reading(*(int *)ruleset, dirname(path));
  return 0;
}

int cplugins_landlock_abi(void) {
  long abi = syscall(landlock_create_ruleset, NULL, 0, 1);
  return abi < 0 ? 0 : (int)abi;
}

int cplugins_hide_files(const char *const *paths) {
  int abi = cplugins_landlock_abi();
  if (abi < 1) return ENOSYS;
  struct landlock_ruleset rules = {.files = (1u << 13) - 1};
  if (abi >= 2) rules.files |= 1u << 13; /* links and renames between folders */
  if (abi >= 3) rules.files |= 1u << 14; /* truncate */
  if (abi >= 5) rules.files |= 1u << 15; /* ioctl on devices */
  if (abi >= 4) rules.network = 3;       /* TCP: bind, connect */
  if (abi >= 6) rules.scopes = 3;        /* abstract sockets of others, signals to others */
  size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  int ruleset = (int)syscall(landlock_create_ruleset, &rules, size, 0);
  if (ruleset < 0) return errno;
  for (; *paths; paths++) allow_reading(ruleset, *paths);
  dl_iterate_phdr(allow_folder_of, &ruleset);
  int status = syscall(landlock_restrict_self, ruleset, 0) == 0 ? 0 : errno;
  close(ruleset);
  return status;
}

/* ---- Privileges --------------------------------------------------------------------------------- */

int cplugins_drop_privileges(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  for (int capability = 0; capability < 64; capability++) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {0};
  return syscall(SYS_capset, &head, none) == 0 ? 0 : errno;
}

/* ---- System calls: seccomp ---------------------------------------------------------------------- */

/* What a library needs to compute, to wait, to have memory and threads, and to read the files it may open. */
static const int allowed[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(preadv),
    SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat),
    SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(dup), SCMP_SYS(dup2),
    SCMP_SYS(dup3), SCMP_SYS(fadvise64), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
    SCMP_SYS(brk), SCMP_SYS(membarrier), SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq), SCMP_SYS(set_tid_address), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigpending), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(getpid), SCMP_SYS(gettid),
    SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getresuid),
    SCMP_SYS(getresgid), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getcpu), SCMP_SYS(getrusage), SCMP_SYS(times),
    SCMP_SYS(getrlimit), SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(poll),
    SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(arch_prctl),
};

/* What nobody does by accident: the process ends at once. Whatever stands in neither list gets EPERM, for libraries try
 * things (priorities, terminals, caches on disk) and live without them. */
static const int fatal[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(tkill), SCMP_SYS(connect),
    SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(mount), SCMP_SYS(umount2),
    SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
    SCMP_SYS(fspick), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(userfaultfd),
    SCMP_SYS(perf_event_open), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
    SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(iopl),
    SCMP_SYS(ioperm), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname), SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at), SCMP_SYS(fanotify_init),
};

static int each(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count) {
  int status = 0;
  for (size_t i = 0; i < count && status == 0; i++) status = seccomp_rule_add(filter, action, calls[i], 0);
  return status;
}

static int with_conditions(scmp_filter_ctx filter) {
  const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE;
  const uint64_t self = (uint64_t)getpid();
  const uint32_t kill_it = SCMP_ACT_KILL_PROCESS;
  /* A shared mapping is no data to RLIMIT_DATA, nor is one that grows downwards: memory without a limit. */
  const uint64_t uncounted = MAP_SHARED | MAP_GROWSDOWN;
  static const int commands[] = {F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC};
  int status = 0;
#define RULE(action, call, ...)                                                                              \
  do {                                                                                                       \
    struct scmp_arg_cmp all[] = {__VA_ARGS__};                                                               \
    if (status == 0)                                                                                         \
      status = seccomp_rule_add_array(filter, (action), SCMP_SYS(call), sizeof all / sizeof *all, all);      \
  } while (0)
  RULE(SCMP_ACT_ALLOW, openat, SCMP_A2(SCMP_CMP_MASKED_EQ, writes, 0));
  RULE(SCMP_ACT_ALLOW, open, SCMP_A1(SCMP_CMP_MASKED_EQ, writes, 0));
  RULE(SCMP_ACT_ALLOW, mmap, SCMP_A3(SCMP_CMP_MASKED_EQ, uncounted, 0));
  /* Threads, and no processes. clone3 hides its flags in memory: glibc goes back to clone when there is none. */
  RULE(SCMP_ACT_ALLOW, clone, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  RULE(kill_it, clone, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  if (status == 0) status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (status == 0) status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
  /* abort() and raise() are allowed, signals to others are not. */
  RULE(SCMP_ACT_ALLOW, tgkill, SCMP_A0(SCMP_CMP_EQ, self));
  RULE(kill_it, tgkill, SCMP_A0(SCMP_CMP_NE, self));
  RULE(SCMP_ACT_ALLOW, kill, SCMP_A0(SCMP_CMP_EQ, self));
  RULE(kill_it, kill, SCMP_A0(SCMP_CMP_NE, self));
  /* The C library asks its cache daemon (AF_UNIX) and the kernel's routes (AF_NETLINK): EPERM, and it goes on. */
  RULE(kill_it, socket, SCMP_A0(SCMP_CMP_GT, 16));
  RULE(kill_it, socket, SCMP_A0(SCMP_CMP_EQ, 2));
  RULE(kill_it, socket, SCMP_A0(SCMP_CMP_EQ, 10));
  /* Limits may be read. */
  RULE(SCMP_ACT_ALLOW, prlimit64, SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
  RULE(SCMP_ACT_ALLOW, prctl, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
  RULE(SCMP_ACT_ALLOW, prctl, SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME));
  /* Not F_SETOWN and F_SETSIG, by which a descriptor sends signals to anybody. */
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    RULE(SCMP_ACT_ALLOW, fcntl, SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
#undef RULE
  return status;
}

int cplugins_limit_calls(void) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (!filter) return ENOMEM;
  int status = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  /* A tree: a call costs the depth of it, not the length of the lists. */
  if (status == 0) status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (status == 0) status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  if (status == 0) status = each(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed);
  if (status == 0) status = each(filter, SCMP_ACT_KILL_PROCESS, fatal, sizeof fatal / sizeof *fatal);
  if (status == 0) status = with_conditions(filter);
  if (status == 0) status = seccomp_load(filter);
  seccomp_release(filter);
  return -status;
}
