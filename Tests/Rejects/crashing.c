/* Crashes where its configuration says, {"at":"create","how":"segv","when":"/a/file/that/exists"}, and, over HTTP, where it
 * is asked to. */
#define CREATE create
#define ACTIVATE activate
#define STOP stop
#define HANDLE handle
#ifndef MANIFEST
#define ROUTE(name, execution)                                                                               \
  "{\"method\":\"GET\",\"path\":\"/" name "\",\"operation\":\"" name "\",\"scope\":\"reject:read\","           \
  "\"execution\":\"" execution "\"}"
#define MANIFEST                                                                                             \
  "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.http/1\"],\"config\":{\"type\":\"object\"},"          \
  "\"routes\":["                                                                                             \
  ROUTE("fine", "inline") "," ROUTE("segv", "blocking") "," ROUTE("bus", "blocking") ","                      \
  ROUTE("ill", "blocking") "," ROUTE("abrt", "blocking") "," ROUTE("fpe", "blocking") ","                     \
  ROUTE("overflow", "blocking") "," ROUTE("exit", "blocking") "," ROUTE("thief", "blocking") ","              \
  ROUTE("thread", "blocking") "," ROUTE("jump", "blocking") ","                                               \
  ROUTE("inline_segv", "inline") "," ROUTE("inline_bus", "inline") "," ROUTE("inline_ill", "inline") ","      \
  ROUTE("inline_abrt", "inline") "," ROUTE("inline_fpe", "inline") "," ROUTE("inline_overflow", "inline")     \
  "]}"
#endif
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "plugin.h"

#ifdef SWIFT_TRAP
extern void trap_now(int);
#endif
static char where[32], how[32], when[128];

static volatile int *nowhere;
static volatile int zero, number = 7;
#ifdef OTHER
/* The same code in another file. */
__attribute__((used)) static const char other[] = "other";
#endif

static __attribute__((noinline)) int deep(volatile char *above) {
  volatile char here[4096];
  here[0] = above ? above[0] : 0;
  return deep(here) + here[0];
}

static void on_bus(void) {
  char path[] = "/tmp/council-crash-XXXXXX";
  int file = mkstemp(path);
  /* A runner may write no file. */
  if (file < 0) raise(SIGBUS);
  unlink(path);
  ftruncate(file, 4096);
  volatile char *bytes = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
  ftruncate(file, 0);
  zero += bytes[0];
}

static void *own_thread(void *argument) {
  say("a thread of its own");
  *nowhere = 1;
  return argument;
}

static void crash(const char *kind) {
  if (!strcmp(kind, "segv")) *nowhere = 1;
  if (!strcmp(kind, "bus")) on_bus();
#ifdef SWIFT_TRAP
  if (!strcmp(kind, "ill")) trap_now(number);
#endif
  if (!strcmp(kind, "ill")) __builtin_trap();
  if (!strcmp(kind, "abrt")) abort();
  if (!strcmp(kind, "fpe")) zero = number / zero;
  if (!strcmp(kind, "overflow")) deep(NULL);
  if (!strcmp(kind, "exit")) exit(3);
  if (!strcmp(kind, "jump")) ((void (*)(void))(uintptr_t)zero)();
  if (!strcmp(kind, "thief")) {
    signal(SIGSEGV, SIG_DFL);
    *nowhere = 1;
  }
  if (!strcmp(kind, "thread")) {
    pthread_t thread;
    pthread_create(&thread, NULL, own_thread, NULL);
    pthread_join(thread, NULL);
  }
}

/* The probe creates and stops an instance in a process that serves nobody: what is to crash in a host or in a runner
 * alone asks. Of the three, a runner has a seccomp filter. */
static int serves(void) {
  if (prctl(PR_GET_SECCOMP)) return 1;
  char name[64] = "";
  int file = open("/proc/self/cmdline", O_RDONLY);
  read(file, name, sizeof name - 1);
  close(file);
  return strcmp(name + strlen(name) + 1, "__host") == 0;
}

static void at(const char *place) {
  if (!strcmp(where, place) && serves() && (!when[0] || access(when, F_OK) == 0)) crash(how);
}

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  the_host = host;
  *self = NULL;
  member(config, "at", where, sizeof where);
  member(config, "how", how, sizeof how);
  member(config, "when", when, sizeof when);
  at("create");
  return COUNCIL_OK;
}

static council_status activate(void *self) {
  (void)self;
  at("activate");
  return COUNCIL_OK;
}

static council_status stop(void *self) {
  (void)self;
  at("stop");
  return COUNCIL_OK;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  static const char *const kinds[] = {"",     "segv",   "bus",  "ill",  "abrt", "fpe", "overflow", "exit", "thief",
                                      "thread", "jump", "segv", "bus",  "ill",  "abrt", "fpe",    "overflow"};
#ifdef TELLS_REQUEST
  /* Past the host's log, which goes with the host. */
  char line[128];
  council_view_v1 id = {NULL, 0};
  const council_http_v1 *http = the_host->get_extension(the_host, COUNCIL_HTTP_V1);
  if (route && http->get(request, COUNCIL_HTTP_REQUEST_ID, view(""), &id) == COUNCIL_OK)
    write(2, line, snprintf(line, sizeof line, "crashing in %.*s\n", (int)id.len, (const char *)id.ptr));
#endif
  if (route) crash(kinds[route]);
  return good_handle(self, route, request);
}
EXPORT_PLUGIN
