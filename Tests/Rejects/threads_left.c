#define CREATE create
#include <pthread.h>
#include <unistd.h>
#include "plugin.h"
static void *work(void *argument) {
  for (;;) pause();
  return argument;
}
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  pthread_t thread;
  (void)config;
  the_host = host;
  *self = NULL;
  return pthread_create(&thread, NULL, work, NULL) ? COUNCIL_INTERNAL : COUNCIL_OK;
}
EXPORT_PLUGIN
