/* A plugin that does everything right, for fixtures that do one thing wrong: each names its own function in a macro
 * before it includes this. */
#ifndef REJECTS_PLUGIN_H
#define REJECTS_PLUGIN_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "council.h"

static const council_host_v1 *the_host;

static inline council_view_v1 view(const char *text) {
  council_view_v1 result = {(const uint8_t *)text, strlen(text)};
  return result;
}

static inline void say(const char *text) {
  const council_log_v1 *log = the_host->get_extension(the_host, COUNCIL_LOG_V1);
  log->write(the_host, 0, COUNCIL_LOG_INFO, view(text));
}

/* Copies the text that a member of the configuration holds; empty when there is none. */
static inline void member(council_view_v1 config, const char *name, char *out, size_t room) {
  char text[512] = "", key[40], value[160] = "";
  size_t length = config.len < sizeof text ? config.len : sizeof text - 1;
  memcpy(text, config.ptr, length);
  snprintf(key, sizeof key, "\"%s\":\"", name);
  const char *found = strstr(text, key);
  if (found) sscanf(found + strlen(key), "%159[^\"]", value);
  snprintf(out, room, "%s", value);
}

#ifndef MANIFEST
#define MANIFEST                                                             \
  "{\"id\":\"reject\",\"version\":\"1\",\"routes\":[{\"method\":\"GET\"," \
  "\"path\":\"/\",\"operation\":\"look\",\"scope\":\"reject:read\"}]}"
#endif

static inline council_view_v1 good_manifest(void) { return view(MANIFEST); }
static inline council_status good_create(const council_host_v1 *host, council_view_v1 config, void **self) {
  (void)config;
  the_host = host;
  *self = NULL;
  return COUNCIL_OK;
}
static inline council_status good_activate(void *self) { return (void)self, COUNCIL_OK; }
static inline council_status good_handle(void *self, uint32_t route, council_request request) {
  (void)self, (void)route;
  const council_http_v1 *http = the_host->get_extension(the_host, COUNCIL_HTTP_V1);
  council_response_v1 response = {.status = 200, .body = {(const uint8_t *)"{}", 2, NULL, NULL}};
  http->respond(request, &response);
  return COUNCIL_OK;
}
static inline void good_cancel(void *self, council_request request) { (void)self, (void)request; }
static inline void good_quiesce(void *self) { (void)self; }
static inline council_status good_stop(void *self) { return (void)self, COUNCIL_OK; }
static inline void good_destroy(void *self) { (void)self; }
static inline const void *good_get_extension(void *self, const char *id) { return (void)self, (void)id, NULL; }

#ifndef ABI_MAJOR
#define ABI_MAJOR COUNCIL_ABI_MAJOR
#endif
#ifndef MIN_HOST_MINOR
#define MIN_HOST_MINOR 0
#endif
#ifndef MANIFEST_FUNCTION
#define MANIFEST_FUNCTION good_manifest
#endif
#ifndef CREATE
#define CREATE good_create
#endif
#ifndef ACTIVATE
#define ACTIVATE good_activate
#endif
#ifndef HANDLE
#define HANDLE good_handle
#endif
#ifndef CANCEL
#define CANCEL good_cancel
#endif
#ifndef QUIESCE
#define QUIESCE good_quiesce
#endif
#ifndef STOP
#define STOP good_stop
#endif
#ifndef DESTROY
#define DESTROY good_destroy
#endif
#ifndef GET_EXTENSION
#define GET_EXTENSION good_get_extension
#endif

/* At the end of a fixture, after its own functions. */
#define EXPORT_PLUGIN                                                                                        \
  static const council_plugin_v1 plugin = {                                                                  \
      ABI_MAJOR, MIN_HOST_MINOR, MANIFEST_FUNCTION, CREATE, ACTIVATE, HANDLE, CANCEL, QUIESCE, STOP,         \
      DESTROY,   GET_EXTENSION};                                                                             \
  const council_plugin_v1 *council_plugin_entry_v1(void) { return &plugin; }

#endif
