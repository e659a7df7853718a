/* Takes the host down, or tries to, in ways that are no crash of its own: over HTTP, one way a route. With a
 * configuration {"at":"quiesce","how":"segv"} it crashes in one of the calls that end it. */
#define CREATE create
#define HANDLE handle
#define CANCEL cancel
#define QUIESCE quiesce
#define ACTIVATE activate
#define DESTROY destroy
#ifndef ID
#define ID "reject"
#endif
#define ROUTE(name, execution)                                                                               \
  "{\"method\":\"GET\",\"path\":\"/" name "\",\"operation\":\"" name "\",\"scope\":\"" ID ":read\","           \
  "\"execution\":\"" execution "\",\"deadline_ms\":" DEADLINE "}"
#ifndef DEADLINE
#define DEADLINE "60000"
#endif
#define MANIFEST                                                                                             \
  "{\"id\":\"" ID "\",\"version\":\"1\",\"requires\":[\"council.http/1\"],\"config\":{\"type\":\"object\"},"          \
  "\"routes\":["                                                                                             \
  ROUTE("fine", "inline") "," ROUTE("close_all", "blocking") "," ROUTE("close_one", "blocking") ","           \
  ROUTE("duplicate", "blocking") "," ROUTE("close_past_the_library", "blocking") ","                          \
  ROUTE("close_in_a_child", "blocking") "," ROUTE("spin", "blocking") "," ROUTE("memory", "blocking") ","      \
  ROUTE("write_constant", "blocking") "," ROUTE("write_manifest", "inline") "," ROUTE("fork", "blocking") ","  \
  ROUTE("pend", "blocking") "," ROUTE("inline_spin", "inline") "," ROUTE("inline_close_all", "inline") ","    \
  ROUTE("sit", "blocking") "," ROUTE("bomb", "blocking") "," ROUTE("write_lent", "inline")                                                                                   \
  "]}"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin.h"

#ifdef OTHER
__attribute__((used)) static const char other[] = "other";
#endif

static const char constant[4096] = "constant";
/* Volatile itself, or the compiler takes a function that writes there for one that does nothing. */
static volatile int *volatile nowhere;
static char where[32], mark[160];
static int has_served;

static council_view_v1 manifest_text(void) { return view(MANIFEST); }

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  the_host = host;
  *self = NULL;
  member(config, "at", where, sizeof where);
  member(config, "while", mark, sizeof mark);
  return COUNCIL_OK;
}

static void at(const char *place) {
  if (!strcmp(where, place)) *nowhere = 1;
}

/* Takes its time for as long as a file is there. */
static council_status activate(void *self) {
  (void)self;
  has_served = 1;
  while (mark[0] && access(mark, F_OK) == 0) usleep(5000);
  return COUNCIL_OK;
}

static void cancel(void *self, council_request request) {
  (void)self, (void)request;
  at("cancel");
}
static void quiesce(void *self) {
  (void)self;
  at("quiesce");
}
/* A probe destroys what it never activated. */
static void destroy(void *self) {
  (void)self;
  if (has_served) at("destroy");
}

static void spin(void) {
  for (volatile int on = 1; on;) continue;
}

static void take_all_memory(void) {
  for (size_t size = 64 << 20; size >= 4096;) {
    char *more = malloc(size);
    if (!more)
      size /= 2;
    else
      for (size_t i = 0; i < size; i += 4096) more[i] = 1;
  }
  *nowhere = 1;
}

/* Every child makes children. It has a bottom for the sake of the machine that runs the test. */
static void bomb(void) {
  _Atomic int *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int is_child = 0;
  while (atomic_fetch_add(made, 1) < 400)
    if (fork() == 0) is_child = 1;
  while (is_child) pause();
}

/* Over what the host lends for one call. */
static void write_lent(council_request request) {
  const council_http_v1 *http = the_host->get_extension(the_host, COUNCIL_HTTP_V1);
  council_view_v1 lent[3];
  http->get(request, COUNCIL_HTTP_PATH, view(""), &lent[0]);
  http->get(request, COUNCIL_HTTP_QUERY_PARAMETER, view("it"), &lent[1]);
  http->get(request, COUNCIL_HTTP_HEADERS, view(""), &lent[2]);
  for (int i = 0; i < 3; i++)
    if (lent[i].len > 0) memset((void *)(uintptr_t)lent[i].ptr, 'X', lent[i].len);
}

static council_status handle(void *self, uint32_t route, council_request request) {
  switch (route) {
    case 1:
    case 13: closefrom(3); break;
    case 2: close(6); break;
    case 3: dup2(2, 3); break;
    case 4:
      // The event thread parks the connection first: else it is the one that stumbles, and nobody knows over whom.
      usleep(200000);
      syscall(SYS_close_range, 3, ~0U, 0);
      for (;;) pause();
    case 5: {
      pid_t child = fork();
      if (child == 0) {
        closefrom(3);
        _exit(0);
      }
      waitpid(child, NULL, 0);
      break;
    }
    case 6:
    case 12: spin(); break;
    case 7: take_all_memory(); break;
    case 8: *(volatile char *)constant = 'x'; break;
    case 9: *(volatile char *)(uintptr_t)manifest_text().ptr = 'x'; break;
    case 10:
      for (int i = 0; i < 40; i++)
        if (fork() == 0)
          for (;;) pause();
      break;
    case 11: return COUNCIL_PENDING;
    case 14:
      for (;;) pause();
    case 15: bomb(); break;
    case 16: write_lent(request); break;
  }
  return good_handle(self, route, request);
}
EXPORT_PLUGIN
