/* Says what is called, in order, and how often create was called on this image. */
#define CREATE create
#define ACTIVATE activate
#define QUIESCE quiesce
#define STOP stop
#define DESTROY destroy
#define MANIFEST                                                                                       \
  "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.records/1\"],\"records\":[{\"name\":\"things\",\"fields\":[{\"name\":\"name\"," \
  "\"type\":\"string\"}]}],\"routes\":[{\"method\":\"GET\",\"path\":\"/\",\"operation\":\"look\",\"scope\":\"reject:read\"}]}"
#include <stdio.h>
#include "plugin.h"
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  static int times;
  char text[64];
  (void)config;
  the_host = host;
  *self = &times;
  snprintf(text, sizeof text, "create %d", ++times);
  say(text);
  return COUNCIL_OK;
}
static council_status activate(void *self) { return (void)self, say("activate"), COUNCIL_OK; }
static void quiesce(void *self) { (void)self, say("quiesce"); }
static council_status stop(void *self) { return (void)self, say("stop"), COUNCIL_OK; }
static void destroy(void *self) {
  const council_records_v1 *records = the_host->get_extension(the_host, COUNCIL_RECORDS_V1);
  council_records_result_v1 result;
  uint32_t number;
  char text[64];
  (void)self;
  int named = records->collection(the_host, view("things"), &number);
  int called = records->call(the_host, 0, 0, COUNCIL_RECORDS_COUNT, view(""), view("{}"), 0, &result);
  snprintf(text, sizeof text, "destroy %d %d %u", named, called, result.problem_status);
  if (result.json.release) result.json.release(result.json.ctx);
  say(text);
}
EXPORT_PLUGIN
