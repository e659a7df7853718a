/* What Swift cannot say about the processes and threads of plugins: signal dispositions, a variable of one thread, a futex. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- The request that the calling thread handles now ------------------------------------------- */

typedef struct cplugins_frame {
  uint64_t request; /* 0: this thread is in no handler */
  void *exchange;   /* borrowed while the handler runs */
  void *scratch; /* from malloc; freed when the handler returned */
  size_t scratch_bytes;
  uint8_t is_inline;
  uint8_t answered;
  uint8_t refused; /* an answer from this thread broke a rule */
} cplugins_frame;

/* The calling thread's own frame; lives as long as the thread. */
cplugins_frame *cplugins_current_frame(void);

/* ---- Waiting for work --------------------------------------------------------------------------- */

/* Sleeps while *word is `expected`, at most until somebody wakes; returns early at times. */
void cplugins_futex_wait(const uint32_t *word, uint32_t expected);
/* Returns how many threads it woke. */
int cplugins_futex_wake(const uint32_t *word, int threads);
/* A hint to the processor inside a short spin. */
void cplugins_pause(void);

/* ---- Processes ---------------------------------------------------------------------------------- */

/* A pipe and a file in memory, which no other program that is started inherits; the pipe's reader does not
 * block. 0 or an errno; the file's descriptor or -1. */
int cplugins_pipe(int *reader, int *writer);
int cplugins_memory_file(void);

/* Copies the process; for a process of one thread. */
pid_t cplugins_fork(void);

typedef struct cplugins_limits {
  uint64_t cpu_seconds;
  uint64_t address_space_bytes; /* 0: as inherited */
  uint64_t data_bytes;          /* 0: as inherited */
  uint64_t file_bytes;
  uint64_t open_files;
} cplugins_limits;

/* Limits this process, for good, and forbids core dumps. */
void cplugins_limit(const cplugins_limits *limits);

/* The calling process is killed when its parent ends. */
void cplugins_die_with_parent(void);
/* Orphans of the calling process become its children. */
void cplugins_adopt_orphans(void);
/* Closes every descriptor from `first` on. */
void cplugins_close_from(int first);
/* A descriptor that becomes readable when the process ends, or -1. */
int cplugins_pidfd(pid_t pid);

/* Waits for a child that has ended; >0 its id, 0 children live, -1 there is no child. */
pid_t cplugins_reap(pid_t pid, bool wait, int *signal, int *exit_code);

/* A name such as "SIGSEGV", or "signal 99". Static or thread-local text. */
const char *cplugins_signal_name(int signal);

/* ---- Signal dispositions ------------------------------------------------------------------------ */

#define CPLUGINS_SIGNALS 65

typedef struct cplugins_signals {
  void *handlers[CPLUGINS_SIGNALS];
} cplugins_signals;

void cplugins_signals_read(cplugins_signals *out);
/* The first signal whose handler differs, or 0. */
int cplugins_signals_differ(const cplugins_signals *a, const cplugins_signals *b);

/* ---- Loading ------------------------------------------------------------------------------------ */

/* Whether an image with this name or path is mapped already; runs none of its code. */
bool cplugins_is_mapped(const char *name);
/* The path of the image that holds an address, as the loader knows it, or NULL. */
const char *cplugins_image_of(const void *address);
/* Where the read-only segments of the image that holds `address` are mapped: the file's own bytes. Returns how many
 * ranges were written. */
typedef struct cplugins_range {
  uintptr_t start;
  size_t bytes;
} cplugins_range;
size_t cplugins_clean_ranges(const void *address, cplugins_range *ranges, size_t capacity);
/* Lets go of the memory of such a range; it comes back from the file when something reads it. */
void cplugins_drop(cplugins_range range);
/* The path under which the loader keeps an image, or NULL. */
const char *cplugins_path_of(void *image);

/* ---- What a probed plugin left behind ------------------------------------------------------------ */

/* How many threads this process has, libdispatch's not counted: every Swift image shares those, and they
 * outlive what started them. */
int cplugins_thread_count(void);
/* Kills every child of this process, and what becomes its child by that, until none is left or `rounds` passed. */
void cplugins_kill_descendants(int rounds);

/* ---- Runners: processes that share memory with the host, and are not trusted ---------------------- */

/* Sleeps while the word, which processes share, is `expected`; at most so long. Returns early at times. */
void cplugins_shared_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds);
/* Wakes one sleeper, in any process. */
void cplugins_shared_wake(const uint32_t *word);
/* A file in memory of a size that nobody can change, or -1 and errno. Its pages come as they are touched. */
int cplugins_shared_file(size_t bytes);

typedef struct cplugins_end {
  int signal;
  int exit_code;
  int64_t cpu_ns;
  int64_t most_resident_bytes;
} cplugins_end;

/* Waits for a child that ends, and says what it used. False: there is no such child. */
bool cplugins_reap_measured(pid_t pid, cplugins_end *out);

/* Sends a signal to the process that a descriptor of cplugins_pidfd names, and to no other. */
void cplugins_kill(int pidfd, int signal);

typedef struct cplugins_facts {
  int64_t cpu_ns;
  int64_t threads;
  int64_t resident_bytes;
  int64_t data_bytes; /* what RLIMIT_DATA counts, and stacks that grow */
} cplugins_facts;

/* What /proc says of a process. */
bool cplugins_read_facts(pid_t pid, cplugins_facts *out);

/* From now on who opens /proc/<thread>/stat of a thread of this process reads that it runs, for the file itself is out of
 * reach. */
void cplugins_answer_for_threads(void);

/* The next three are for a process of one thread, for good, in this order. 0 or an errno. */

/* No rights of root, and none by executing anything. */
int cplugins_drop_privileges(void);
/* The version of Landlock that the kernel has; 0 for none. */
int cplugins_landlock_abi(void);
/* Files can be opened, for reading, below `paths` (the list ends with NULL) and in the folders of the libraries that
 * this process has. No TCP, and no signals to others, where the kernel can. ENOSYS without Landlock. */
int cplugins_hide_files(const char *const *paths);
/* Which system calls this process may make: sandbox.c lists them. */
int cplugins_limit_calls(void);
