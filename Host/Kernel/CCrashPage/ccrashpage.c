#define _GNU_SOURCE
#include "ccrashpage.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "cthreads.h"
#include "internal.h"

struct ccrash_page {
  uint32_t entry_count;
  uint32_t route_count;
  uint32_t report_count;
  int32_t closed_descriptor;
  uint32_t unused[12];
  ccrash_slot slots[CCRASH_SLOTS];
  ccrash_report reports[CCRASH_REPORTS];
  ccrash_entry entries[CCRASH_ENTRIES];
  char routes[CCRASH_ROUTES][64];
};

enum { stack_bytes = 64 * 1024 };

_Thread_local ccrash_slot *ccrash_own_slot;
/* For threads without a number, and processes without a page. */
static _Thread_local ccrash_slot spare_slot;
static ccrash_page *page;
static pthread_key_t stack_key;
static uint32_t somebody_reports;

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGTRAP, SIGSYS};
enum { signal_count = sizeof signals / sizeof signals[0] };

/* ---- The page -------------------------------------------------------------------------------------- */

int ccrash_make(void) {
  int fd = memfd_create("council-crash-page", MFD_CLOEXEC);
  if (fd >= 0 && ftruncate(fd, sizeof(ccrash_page)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

const ccrash_page *ccrash_map(int fd) {
  void *mapped = mmap(NULL, sizeof(ccrash_page), PROT_READ, MAP_SHARED, fd, 0);
  return mapped == MAP_FAILED ? NULL : mapped;
}

void ccrash_unmap(const ccrash_page *mapped) { munmap((void *)mapped, sizeof(ccrash_page)); }

const ccrash_slot *ccrash_slot_at(const ccrash_page *from, uint32_t number) {
  return number < CCRASH_SLOTS ? &from->slots[number] : NULL;
}

const ccrash_report *ccrash_report_at(const ccrash_page *from, uint32_t number) {
  if (number >= CCRASH_REPORTS) return NULL;
  return from->reports[number].state ? &from->reports[number] : NULL;
}

const ccrash_frame *ccrash_frame_at(const ccrash_report *report, uint32_t number) {
  return number < CCRASH_FRAMES && number < report->frame_count ? &report->frames[number] : NULL;
}

const ccrash_entry *ccrash_entry_at(const ccrash_page *from, uint32_t number) {
  if (number == 0 || number >= CCRASH_ENTRIES) return NULL;
  return from->entries[number].is_whole == 1 ? &from->entries[number] : NULL;
}

const char *ccrash_route_at(const ccrash_page *from, const ccrash_entry *entry, uint32_t route) {
  uint32_t first = entry->first_route;
  if (route >= entry->route_count || first >= CCRASH_ROUTES || route >= CCRASH_ROUTES - first) return NULL;
  return from->routes[first + route];
}

int ccrash_closed_descriptor(const ccrash_page *from) { return from->closed_descriptor; }

/* ---- The slot and the signal stack of a thread ----------------------------------------------------- */

/* The thread ends: its signal stack goes with it. */
static void drop_stack(void *stack) {
  stack_t none = {.ss_flags = SS_DISABLE};
  sigaltstack(&none, NULL);
  munmap(stack, stack_bytes);
}

static void give_stack(void) {
  stack_t now;
  if (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE)) return;
  void *stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return;
  stack_t mine = {.ss_sp = stack, .ss_size = stack_bytes};
  if (sigaltstack(&mine, NULL) != 0 || pthread_setspecific(stack_key, stack) != 0) drop_stack(stack);
}

ccrash_slot *ccrash_find_slot(void) {
  uint32_t number = cthreads_number();
  if (!page || number >= CCRASH_SLOTS) {
    ccrash_own_slot = &spare_slot;
  } else {
    ccrash_own_slot = &page->slots[number];
    memset(ccrash_own_slot, 0, sizeof *ccrash_own_slot);
    ccrash_own_slot->thread = (uint64_t)syscall(SYS_gettid);
  }
  if (page) give_stack();
  return ccrash_own_slot;
}

/* ---- The handler. Async-signal-safe: no lock, no allocation, nothing of glibc that has either ------ */

/* Copies the end of a text, with a NUL behind it. */
static void copy_end(char *out, size_t room, const char *text) {
  size_t length = strlen(text);
  const char *from = length < room ? text : text + (length - (room - 1));
  size_t kept = length < room ? length : room - 1;
  memcpy(out, from, kept);
  out[kept] = 0;
}

/* _dl_find_object is the one look-up of an image that takes no lock (glibc 2.35). */
static void add_frame(ccrash_report *report, uintptr_t address) {
  uint32_t place = report->frame_count;
  if (place >= CCRASH_FRAMES) return;
  ccrash_frame *frame = &report->frames[place];
  struct dl_find_object found;
  if (_dl_find_object((void *)address, &found) == 0) {
    const struct link_map *map = found.dlfo_link_map;
    frame->offset = address - map->l_addr;
    copy_end(frame->module, sizeof frame->module, map->l_name && map->l_name[0] ? map->l_name : "council");
  } else {
    frame->offset = address;
    frame->module[0] = 0;
  }
  __atomic_store_n(&report->frame_count, place + 1, __ATOMIC_RELEASE);
}

struct walk {
  ccrash_report *report;
  uintptr_t fault;
  bool is_below; /* The frames of the handler itself are behind. */
};

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *argument) {
  struct walk *walk = argument;
  uintptr_t address = _Unwind_GetIP(context);
  if (!walk->is_below) {
    walk->is_below = address == walk->fault;
    return _URC_NO_REASON;
  }
  if (address == 0 || walk->report->frame_count >= CCRASH_FRAMES) return _URC_END_OF_STACK;
  add_frame(walk->report, address - 1);
  return _URC_NO_REASON;
}

static uintptr_t fault_address(const ucontext_t *context, uintptr_t *caller) {
  *caller = 0;
#if defined(__x86_64__)
  uintptr_t at = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  struct dl_find_object found;
  /* A call of something that is no code: who called stands on the stack. */
  if (_dl_find_object((void *)at, &found) != 0) {
    const uintptr_t *stack = (const uintptr_t *)context->uc_mcontext.gregs[REG_RSP];
    *caller = *stack;
  }
  return at;
#elif defined(__aarch64__)
  struct dl_find_object found;
  uintptr_t at = (uintptr_t)context->uc_mcontext.pc;
  if (_dl_find_object((void *)at, &found) != 0) *caller = (uintptr_t)context->uc_mcontext.regs[30];
  return at;
#else
  (void)context;
  return 0;
#endif
}

static void write_report(ccrash_report *report, int number, const siginfo_t *info, const ucontext_t *context) {
  bool is_first = __atomic_exchange_n(&somebody_reports, 1, __ATOMIC_ACQ_REL) == 0;
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  report->signal = number;
  report->code = info->si_code;
  report->address = info->si_code > 0 ? (uint64_t)(uintptr_t)info->si_addr : 0;
  report->time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  if (ccrash_own_slot) report->slot = *ccrash_own_slot;
  report->slot.thread = (uint64_t)syscall(SYS_gettid);
  report->frame_count = 0;
  /* From here on the report counts, also when what follows fails: then the kernel ends the process at once, for
   * these signals are blocked while their handler runs. */
  __atomic_store_n(&report->state, 1, __ATOMIC_RELEASE);
  if (!is_first) {
    /* Another thread was first; its death is everybody's. */
    struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&pause, NULL);
    return;
  }
  uintptr_t caller;
  uintptr_t at = fault_address(context, &caller);
  add_frame(report, at);
  if (caller) {
    add_frame(report, caller - 1);
  } else {
    struct walk walk = {.report = report, .fault = at};
    _Unwind_Backtrace(visit, &walk);
  }
  __atomic_store_n(&report->state, 2, __ATOMIC_RELEASE);
}

static void on_signal(int number, siginfo_t *info, void *context) {
  uint32_t place = __atomic_fetch_add(&page->report_count, 1, __ATOMIC_ACQ_REL);
  if (place < CCRASH_REPORTS) write_report(&page->reports[place], number, info, context);
  struct sigaction plain = {.sa_handler = SIG_DFL};
  sigaction(number, &plain, NULL);
  /* What an instruction caused happens again when this returns; what somebody sent must be sent again. */
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

static _Unwind_Reason_Code stop_at_once(struct _Unwind_Context *context, void *argument) {
  (void)context, (void)argument;
  return _URC_END_OF_STACK;
}

static int arm(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < signal_count; i++) sigaddset(&action.sa_mask, signals[i]);
  int taken = 0;
  for (int i = 0; i < signal_count; i++) {
    struct sigaction now;
    if (sigaction(signals[i], NULL, &now) != 0 || now.sa_sigaction == on_signal) continue;
    /* One whose report is being written is on its default by then. */
    if (__atomic_load_n(&somebody_reports, __ATOMIC_ACQUIRE)) return taken;
    if (sigaction(signals[i], &action, NULL) == 0) taken++;
  }
  return taken;
}

bool ccrash_attach(int fd) {
  void *mapped = mmap(NULL, sizeof(ccrash_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return false;
  if (pthread_key_create(&stack_key, drop_stack) != 0) {
    munmap(mapped, sizeof(ccrash_page));
    return false;
  }
  page = mapped;
  /* The unwinder sets itself up on its first use, which must not be in a handler. */
  _Unwind_Backtrace(stop_at_once, NULL);
  arm();
  ccrash_own_slot = NULL;
  ccrash_find_slot();
  return true;
}

int ccrash_rearm(void) { return page ? arm() : 0; }

void ccrash_hold(uint32_t number, bool is_held) {
  if (page && number < CCRASH_SLOTS) __atomic_store_n(&page->slots[number].held, is_held, __ATOMIC_RELAXED);
}

/* ---- Guarded descriptors: see interposed.c ----------------------------------------------------------- */

static int guarded_first = 0, guarded_last = -1;
static pid_t guarded_process;

void ccrash_guard_descriptors(int first, int last) {
  guarded_process = getpid();
  guarded_first = first;
  guarded_last = last;
}

void ccrash_closes(unsigned first, unsigned last) {
  if (guarded_last < 0 || first > (unsigned)guarded_last || last < (unsigned)guarded_first) return;
  /* A child that was forked has copies of its own. */
  if (getpid() != guarded_process) return;
  if (page) page->closed_descriptor = first > (unsigned)guarded_first ? (int)first : guarded_first;
  abort();
}

/* ---- Names ----------------------------------------------------------------------------------------- */

static void copy_start(char *out, size_t room, const char *text) {
  size_t length = strnlen(text, room);
  memcpy(out, text, length);
  if (length < room) out[length] = 0;
}

uint32_t ccrash_register(const char *automation, uint32_t generation, const char *sha256) {
  if (!page) return 0;
  uint32_t place = __atomic_add_fetch(&page->entry_count, 1, __ATOMIC_ACQ_REL);
  if (place >= CCRASH_ENTRIES) {
    __atomic_store_n(&page->entry_count, CCRASH_ENTRIES, __ATOMIC_RELEASE);
    return 0;
  }
  ccrash_entry *entry = &page->entries[place];
  copy_start(entry->automation, sizeof entry->automation, automation);
  copy_start(entry->sha256, sizeof entry->sha256, sha256);
  entry->generation = generation;
  __atomic_store_n(&entry->is_whole, 1, __ATOMIC_RELEASE);
  return place;
}

bool ccrash_reserve_routes(uint32_t number, uint32_t count) {
  if (!page || number == 0 || number >= CCRASH_ENTRIES || count == 0 || count > CCRASH_ROUTES) return false;
  ccrash_entry *entry = &page->entries[number];
  if (entry->route_count) return false;
  uint32_t first = __atomic_load_n(&page->route_count, __ATOMIC_ACQUIRE);
  do {
    if (first + count > CCRASH_ROUTES) return false;
  } while (!__atomic_compare_exchange_n(&page->route_count, &first, first + count, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE));
  entry->first_route = first;
  __atomic_store_n(&entry->route_count, count, __ATOMIC_RELEASE);
  return true;
}

void ccrash_name_route(uint32_t number, uint32_t route, const char *name) {
  ccrash_entry *entry = &page->entries[number];
  if (route < entry->route_count) copy_start(page->routes[entry->first_route + route], 64, name);
}
