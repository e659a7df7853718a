/* Answers every request alike, as it is told when it is compiled: what two versions of one plugin differ in. */
#ifndef ID
#define ID "reject"
#endif
#ifndef VERSION_TEXT
#define VERSION_TEXT "1"
#endif
#ifndef ANSWER_STATUS
#define ANSWER_STATUS 200
#endif
#ifndef ANSWER_VALUE
#define ANSWER_VALUE "1"
#endif
/* Of the route that changes something. */
#ifndef WRITE_VALUE
#define WRITE_VALUE ANSWER_VALUE
#endif
#define MANIFEST                                                                                          \
  "{\"id\":\"" ID "\",\"version\":\"" VERSION_TEXT "\",\"routes\":["                                      \
  "{\"method\":\"GET\",\"path\":\"/\",\"operation\":\"look\",\"scope\":\"" ID ":read\"},"                 \
  "{\"method\":\"POST\",\"path\":\"/\",\"operation\":\"put\",\"scope\":\"" ID ":write\",\"body\":"        \
  "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"pin\":{\"type\":\"string\"," \
  "\"writeOnly\":true}}}}]}"
#define HANDLE handle
#include <unistd.h>
#include "plugin.h"
static council_status handle(void *self, uint32_t route, council_request request) {
  static const char look[] = "{\"version\":\"" VERSION_TEXT "\",\"value\":" ANSWER_VALUE "}";
  static const char put[] = "{\"version\":\"" VERSION_TEXT "\",\"value\":" WRITE_VALUE "}";
  const char *body = route == 0 ? look : put;
  const council_http_v1 *http = the_host->get_extension(the_host, COUNCIL_HTTP_V1);
  council_response_v1 response = {
      .status = ANSWER_STATUS, .body = {(const uint8_t *)body, strlen(body), NULL, NULL}};
  (void)self;
#ifdef ANSWER_DELAY_US
  usleep(ANSWER_DELAY_US);
#endif
  http->respond(request, &response);
  return COUNCIL_OK;
}
EXPORT_PLUGIN
