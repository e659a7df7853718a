/* Says what records answer in a probe. */
#define CREATE create
#define MANIFEST                                                                                  \
  "{\"id\":\"reject\",\"version\":\"1\",\"requires\":[\"council.records/1\"],\"records\":[{\"name\":\"things\"," \
  "\"fields\":[{\"name\":\"name\",\"type\":\"string\"}]}],\"routes\":[{\"method\":\"GET\",\"path\":\"/\",\"operation\":\"look\",\"scope\":\"reject:read\"}]}"
#include <stdio.h>
#include "plugin.h"
static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  const council_records_v1 *records = host->get_extension(host, COUNCIL_RECORDS_V1);
  council_records_result_v1 result;
  uint32_t known = 9, unknown = 9;
  char text[128];
  (void)config, (void)self;
  int found = records->collection(host, view("things"), &known);
  int missed = records->collection(host, view("nothings"), &unknown);
  int called = records->call(host, 0, known, COUNCIL_RECORDS_COUNT, view(""), view("{}"), 0, &result);
  snprintf(text, sizeof text, "%d %u %d %d %u", found, known, missed, called, result.problem_status);
  if (result.json.release) result.json.release(result.json.ctx);
  host->fail(host, COUNCIL_INVALID, view(text));
  return COUNCIL_INVALID;
}
EXPORT_PLUGIN
