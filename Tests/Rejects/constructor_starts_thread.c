#include <pthread.h>
#include <unistd.h>
#include "plugin.h"
static void *work(void *argument) {
  for (;;) pause();
  return argument;
}
__attribute__((constructor)) static void run(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, work, NULL);
}
EXPORT_PLUGIN
