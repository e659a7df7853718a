/* The crash page: memory that a host shares with its supervisor, in which each thread notes whose code it is about to
 * enter, and in which a signal handler writes down how the process ended. Whoever maps it after the host is gone
 * needs nothing else to say who did it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CCRASH_SLOTS 1024u
#define CCRASH_ENTRIES 4096u
#define CCRASH_ROUTES 16384u
#define CCRASH_REPORTS 16u
#define CCRASH_FRAMES 32u

/* What of a plugin a thread is in. */
enum {
  CCRASH_OUTSIDE = 0,
  CCRASH_LOAD = 1,
  CCRASH_CREATE = 2,
  CCRASH_ACTIVATE = 3,
  CCRASH_HANDLE_INLINE = 4,
  CCRASH_HANDLE = 5,
  CCRASH_CANCEL = 6,
  CCRASH_QUIESCE = 7,
  CCRASH_STOP = 8,
  CCRASH_DESTROY = 9,
  CCRASH_OWN_THREAD = 10
};

/* One thread's cache line. */
typedef struct ccrash_slot {
  uint64_t inside;     /* entry << 32 | route << 8 | call; 0: in no plugin */
  uint64_t request[4]; /* the request's id, 32 characters, or zeros */
  uint64_t seen;       /* the entry that called the host from this thread without having been called on it */
  uint64_t thread;     /* the kernel's id of the thread */
  uint64_t held;       /* not 0: an event thread that does not come round */
} ccrash_slot;

/* One generation of one automation, under the number that slots name. Texts end with a NUL or fill their place. */
typedef struct ccrash_entry {
  char automation[64];
  char sha256[64];
  uint32_t generation;
  uint32_t first_route; /* index into the routes' names */
  uint32_t route_count; /* 0 until they are known, or where there was no room */
  uint32_t is_whole;
} ccrash_entry;

typedef struct ccrash_frame {
  uint64_t offset;  /* in the module, or the address itself where that is none */
  char module[120]; /* the end of its path */
} ccrash_frame;

typedef struct ccrash_report {
  uint32_t state; /* 0 none, 1 the frames are being written, 2 whole */
  int32_t signal;
  int32_t code;
  uint32_t frame_count;
  uint64_t address;
  int64_t time_ns;
  ccrash_slot slot;
  ccrash_frame frames[CCRASH_FRAMES];
} ccrash_report;

typedef struct ccrash_page ccrash_page;

/* ---- The supervisor's side ------------------------------------------------------------------------ */

/* Makes a page in a file in memory that no program inherits; the descriptor, or -1. */
int ccrash_make(void);
/* Maps a page; NULL when that fails. Nothing of it is in memory before it is looked at. */
const ccrash_page *ccrash_map(int fd);
void ccrash_unmap(const ccrash_page *page);

/* What a mapped page holds. Whoever wrote it may have been anybody: a number out of range gives NULL. */
const ccrash_slot *ccrash_slot_at(const ccrash_page *page, uint32_t number);
const ccrash_report *ccrash_report_at(const ccrash_page *page, uint32_t number); /* NULL: there is none */
const ccrash_frame *ccrash_frame_at(const ccrash_report *report, uint32_t number);
const ccrash_entry *ccrash_entry_at(const ccrash_page *page, uint32_t number); /* from 1 on */
/* The host's own descriptor that somebody closed, 0 when nobody did. */
int ccrash_closed_descriptor(const ccrash_page *page);
/* 64 characters, or fewer and a NUL. */
const char *ccrash_route_at(const ccrash_page *page, const ccrash_entry *entry, uint32_t route);

/* ---- The host's side ------------------------------------------------------------------------------ */

/* Maps the page and catches SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGTRAP and SIGSYS from now on: each is written
 * down, and then ends the process as it would have. False: nothing was changed. Once per process, before the second
 * thread. Without it, everything below works and notes nothing. */
bool ccrash_attach(int fd);
/* Catches the signals again where somebody else does by now; how many that were. [any] */
int ccrash_rearm(void);

/* Whoever closes one of these descriptors in this process, through the C library, ends it with SIGABRT from now on, and
 * the page says which it was: without them a host is nobody's. Children may close them. */
void ccrash_guard_descriptors(int first, int last);

/* Says whether the thread with this number, an event thread, does not come round. [any] */
void ccrash_hold(uint32_t thread_number, bool is_held);

/* The number of a generation, or 0 when the page is full or there is none. The same one may be registered again. */
uint32_t ccrash_register(const char *automation, uint32_t generation, const char *sha256);
/* Reserves places for the names of a generation's routes; false when there is no room. */
bool ccrash_reserve_routes(uint32_t entry, uint32_t count);
void ccrash_name_route(uint32_t entry, uint32_t route, const char *name);

/* The calling thread's slot. The first call on a thread gives it a stack for the signal handler. */
extern _Thread_local ccrash_slot *ccrash_own_slot;
ccrash_slot *ccrash_find_slot(void);

/* The calling thread enters a plugin; returns what to pass to `ccrash_leave`. `request_id` is 32 characters, or NULL. */
static inline uint64_t ccrash_enter(uint32_t entry, uint32_t route, uint32_t call, const uint8_t *request_id) {
  ccrash_slot *slot = ccrash_own_slot;
  if (__builtin_expect(slot == NULL, 0)) slot = ccrash_find_slot();
  uint64_t before = slot->inside;
  if (request_id)
    __builtin_memcpy(slot->request, request_id, sizeof slot->request);
  else
    __builtin_memset(slot->request, 0, sizeof slot->request);
  /* A signal handler on this thread, or a reader after this process: the compiler alone must keep the order. */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  __atomic_store_n(&slot->inside, (uint64_t)entry << 32 | (uint64_t)(route & 0xFFFFFF) << 8 | call, __ATOMIC_RELAXED);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return before;
}

static inline void ccrash_leave(uint64_t before) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  __atomic_store_n(&ccrash_own_slot->inside, before, __ATOMIC_RELAXED);
}

/* Code of this generation called the host: if it was not called on this thread, the thread is its own. */
static inline void ccrash_see(uint32_t entry) {
  ccrash_slot *slot = ccrash_own_slot;
  if (__builtin_expect(slot == NULL, 0)) slot = ccrash_find_slot();
  if (slot->inside == 0) __atomic_store_n(&slot->seen, entry, __ATOMIC_RELAXED);
}
