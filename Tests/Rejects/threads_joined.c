/* Starts a thread in create and ends it in stop: as it should be. */
#define CREATE create
#define STOP stop
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include "plugin.h"
static pthread_t thread;
static atomic_int ends;
static void *work(void *argument) {
  while (!ends) usleep(1000);
  return argument;
}
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  *self = NULL;
  return pthread_create(&thread, NULL, work, NULL) ? COUNCIL_INTERNAL : COUNCIL_OK;
}
static council_status stop(void *self) {
  (void)self;
  ends = 1;
  return pthread_join(thread, NULL) ? COUNCIL_INTERNAL : COUNCIL_OK;
}
EXPORT_PLUGIN
