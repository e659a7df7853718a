/* Handlers by route, each of which does the worst it can to its own process, to the host, or to the machine. What a route
 * answers says how far it came. AT makes `create`, `activate`, `stop` or the
 * route of that name do it instead. */
#define CREATE create
#define ACTIVATE activate
#define HANDLE handle
#define STOP stop
#include "plugin.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const council_http_v1 *http;

static council_status answer(council_request request, const char *text) {
  council_response_v1 response = {.status = 200, .body = {(const uint8_t *)text, strlen(text), NULL, NULL}};
  return http->respond(request, &response);
}

static council_status number(council_request request, long value) {
  char text[64];
  snprintf(text, sizeof text, "{\"value\":%ld}", value);
  return answer(request, text);
}

/* -1 when it is there, else errno. */
static long outcome(long result) { return result >= 0 ? -1 : errno; }

static __attribute__((noinline)) int deeper(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return deeper(depth + 1) + frame[0];
}

static void *sleep_for_ever(void *unused) {
  for (;;) pause();
  return unused;
}

static void die(const char *how) {
  volatile int zero = 0;
  if (!strcmp(how, "segv")) *(volatile int *)16 = 1;
  if (!strcmp(how, "bus")) raise(SIGBUS);
  if (!strcmp(how, "ill")) __builtin_trap();
  if (!strcmp(how, "abrt")) abort();
  if (!strcmp(how, "fpe")) zero = 1 / zero, raise(SIGFPE);
  if (!strcmp(how, "exit")) _exit(3);
  if (!strcmp(how, "overflow")) deeper(0);
  if (!strcmp(how, "spin"))
    for (;;) zero++;
}

#ifndef HOW
#define HOW ""
#endif
#ifndef AT
#define AT ""
#endif

static const char plugin_manifest_text[] = MANIFEST;

static const char *const ways[] = {"segv", "bus", "ill", "abrt", "fpe", "exit", "overflow", "spin"};

static council_status handle(void *self, uint32_t route, council_request request) {
  (void)self;
  council_view_v1 way = {0};
  http->get(request, COUNCIL_HTTP_PATH_PARAMETER, view("way"), &way);
  char what[32] = {0};
  memcpy(what, way.ptr, way.len < 31 ? way.len : 31);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    if (!strcmp(what, ways[i])) die(what);
  (void)route;
  if (!strcmp(what, AT)) abort();
  if (!strcmp(what, "hello")) return answer(request, "{\"message\":\"hello\"}");
  if (!strcmp(what, "pid")) return number(request, getpid());
  if (!strcmp(what, "memory")) {
    /* Until there is no more, each page touched. */
    long got = 0;
    char *block;
    while ((block = malloc(1 << 20))) memset(block, 1, 1 << 20), got++;
    return number(request, got);
  }
  if (!strcmp(what, "hoard")) {
    char *block;
    while ((block = malloc(1 << 16))) memset(block, 1, 1 << 16);
    for (;;) pause();
  }
  if (!strcmp(what, "uncounted")) {
    void *a = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void *b = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
    return number(request, (a == MAP_FAILED) + 2 * (b == MAP_FAILED) + 4 * (memfd_create("x", 0) < 0));
  }
  if (!strcmp(what, "forks"))
    for (;;) fork();
  if (!strcmp(what, "threads")) {
    pthread_attr_t small;
    pthread_t thread;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
    while (pthread_create(&thread, &small, sleep_for_ever, NULL) == 0) usleep(200);
    return number(request, 0);
  }
  if (!strcmp(what, "closes")) {
    for (int fd = 0; fd < 4096; fd++) close(fd);
    return answer(request, "{\"closed\":true}");
  }
  if (!strcmp(what, "writes_view")) {
    council_view_v1 path;
    http->get(request, COUNCIL_HTTP_PATH, view(""), &path);
    *(volatile char *)path.ptr = 'X';
    return answer(request, "{}");
  }
  if (!strcmp(what, "writes_constant")) {
    *(volatile char *)plugin_manifest_text = 'X';
    return answer(request, "{}");
  }
  if (!strcmp(what, "passwd")) return number(request, outcome(open("/etc/passwd", O_RDONLY)));
  if (!strcmp(what, "proc")) return number(request, outcome(open("/proc/self/maps", O_RDONLY)));
  if (!strcmp(what, "others")) return number(request, outcome(open("/proc/1/stat", O_RDONLY)));
  if (!strcmp(what, "opens")) {
    council_view_v1 path = {0};
    http->get(request, COUNCIL_HTTP_QUERY_PARAMETER, view("path"), &path);
    char text[1024] = {0};
    memcpy(text, path.ptr, path.len < sizeof text ? path.len : sizeof text - 1);
    return number(request, outcome(open(text, O_RDONLY)));
  }
  if (!strcmp(what, "thread")) {
    /* As libdispatch looks at its threads. */
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", gettid());
    return number(request, outcome(open(path, O_RDONLY)));
  }
  if (!strcmp(what, "tmp")) return number(request, outcome(open("/tmp/council-hostile", O_WRONLY | O_CREAT, 0600)));
  if (!strcmp(what, "unix")) return number(request, outcome(socket(AF_UNIX, SOCK_STREAM, 0)));
  if (!strcmp(what, "limits")) {
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    return number(request, outcome(setrlimit(RLIMIT_DATA, &all)));
  }
  if (!strcmp(what, "privileges")) return number(request, prctl(PR_GET_NO_NEW_PRIVS) < 0 && setuid(0) < 0 && nice(-5) < 0);
  if (!strcmp(what, "connects")) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return number(request, outcome(connect(fd, (struct sockaddr *)&peer, sizeof peer)));
  }
  if (!strcmp(what, "executes")) {
    char *const arguments[] = {"true", NULL};
    return number(request, execve("/bin/true", arguments, arguments));
  }
  if (!strcmp(what, "kills_host")) return number(request, kill(getppid(), SIGKILL));
  if (!strcmp(what, "traces")) return number(request, syscall(SYS_ptrace, 16, getppid(), 0, 0));
  if (!strcmp(what, "mounts")) return number(request, syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL));
  if (!strcmp(what, "uring")) return number(request, syscall(425, 8, NULL));
  if (!strcmp(what, "complains")) {
    fprintf(stderr, "the reason is here\n");
    abort();
  }
  if (!strcmp(what, "floods")) {
    for (int i = 0; i < 100000; i++) fprintf(stderr, "a line that nobody reads\n");
    return answer(request, "{}");
  }
  if (!strcmp(what, "large")) {
    static uint8_t bytes[32 << 20];
    memset(bytes, 'x', sizeof bytes);
    council_view_v1 size = {0};
    http->get(request, COUNCIL_HTTP_QUERY_PARAMETER, view("bytes"), &size);
    char digits[32] = {0};
    memcpy(digits, size.ptr, size.len < 31 ? size.len : 31);
    council_response_v1 response = {.status = 200, .content_type = view("text/plain"), .body = {bytes, (size_t)atol(digits), NULL, NULL}};
    return http->respond(request, &response);
  }
  if (!strcmp(what, "echo")) {
    council_view_v1 body;
    http->get(request, COUNCIL_HTTP_BODY, view(""), &body);
    council_response_v1 response = {.status = 200, .body = {body.ptr, body.len, NULL, NULL}};
    return http->respond(request, &response);
  }
  if (!strcmp(what, "headers")) {
    council_view_v1 all;
    http->get(request, COUNCIL_HTTP_HEADERS, view(""), &all);
    council_response_v1 response = {.status = 200, .content_type = view("text/plain"), .body = {all.ptr, all.len, NULL, NULL}};
    return http->respond(request, &response);
  }
  if (!strcmp(what, "sleeps")) {
    say("sleeps now");
    sleep(20);
    return answer(request, "{}");
  }
  return COUNCIL_INVALID;
}

/* The probe, which comes before a runner, is left alone: its process has no seccomp filter. */
static int in_runner(void) { return prctl(PR_GET_SECCOMP) != 0; }

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  http = host->get_extension(host, COUNCIL_HTTP_V1);
  *self = NULL;
  if (!strcmp(AT, "create") && in_runner()) die(HOW);
  return COUNCIL_OK;
}
static council_status activate(void *self) {
  (void)self;
  if (!strcmp(AT, "activate") && in_runner()) die(HOW);
  return COUNCIL_OK;
}
static council_status stop(void *self) {
  (void)self;
  if (!strcmp(AT, "stop") && in_runner()) die(HOW);
  return COUNCIL_OK;
}

EXPORT_PLUGIN
