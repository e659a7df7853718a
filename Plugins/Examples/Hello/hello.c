/* hello: the least that a plugin in C needs. GET /hello/{name} answers {"message":"Hello, <name>!"}.
 *
 *   cc -std=c11 -shared -fPIC -fvisibility=hidden -IPluginAPI/C/include \
 *      -Wl,-Bsymbolic -Wl,-z,now -Wl,--version-script=PluginAPI/Recipes/plugin.map \
 *      Plugins/Examples/Hello/hello.c -o libHello.so
 */
#include "council.h"

#include <stdlib.h>
#include <string.h>

static const char manifest_json[] =
    "{\"id\":\"hello\",\"version\":\"1.0.0\",\"title\":\"Hello\","
    "\"summary\":\"Greets by name: the smallest plugin in C.\","
    "\"requires\":[\"council.http/1\"],"
    "\"routes\":[{\"method\":\"GET\",\"path\":\"/{name}\",\"operation\":\"greet\","
    "\"summary\":\"Greet somebody by name\",\"execution\":\"inline\",\"scope\":\"hello:read\","
    "\"path_parameters\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\","
    "\"minLength\":1,\"maxLength\":100,\"description\":\"Who is greeted\",\"examples\":[\"Ada\"]}},"
    "\"required\":[\"name\"],\"additionalProperties\":false},"
    "\"response\":{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\","
    "\"description\":\"The greeting\"}},"
    "\"required\":[\"message\"]}}]}";

/* 100 characters of at most four bytes, each of which takes at most six as an escape. */
enum { NAME_BYTES = 400, BODY_BYTES = 6 * NAME_BYTES + 32 };

struct hello {
  const council_http_v1 *http;
};

static council_view_v1 view(const char *text) {
  council_view_v1 view = {(const uint8_t *)text, strlen(text)};
  return view;
}

static council_view_v1 manifest(void) {
  council_view_v1 view = {(const uint8_t *)manifest_json, sizeof manifest_json - 1};
  return view;
}

static council_status create(const council_host_v1 *host, council_view_v1 config, void **self) {
  struct hello *hello = malloc(sizeof *hello);
  (void)config;
  *self = NULL;
  if (hello == NULL) {
    host->fail(host, COUNCIL_INTERNAL, view("out of memory"));
    return COUNCIL_INTERNAL;
  }
  hello->http = host->get_extension(host, COUNCIL_HTTP_V1);
  if (hello->http == NULL) {
    host->fail(host, COUNCIL_UNSUPPORTED, view("the host has no council.http/1"));
    free(hello);
    return COUNCIL_UNSUPPORTED;
  }
  *self = hello;
  return COUNCIL_OK;
}

static council_status activate(void *self) {
  (void)self;
  return COUNCIL_OK;
}

static size_t append(uint8_t *out, const char *text) {
  size_t length = strlen(text);
  memcpy(out, text, length);
  return length;
}

/* Writes text as the inside of a JSON string (RFC 8259, section 7). The host has checked that it is UTF-8. */
static size_t escape(uint8_t *out, council_view_v1 text) {
  static const char hex[] = "0123456789abcdef";
  size_t used = 0;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = text.ptr[i];
    if (byte == '"' || byte == '\\') {
      out[used++] = '\\';
      out[used++] = byte;
    } else if (byte < 0x20) {
      used += append(out + used, "\\u00");
      out[used++] = (uint8_t)hex[byte >> 4];
      out[used++] = (uint8_t)hex[byte & 15];
    } else {
      out[used++] = byte;
    }
  }
  return used;
}

static council_status handle(void *self, uint32_t route, council_request request) {
  const council_http_v1 *http = ((struct hello *)self)->http;
  council_view_v1 name;
  uint8_t body[BODY_BYTES];
  size_t used;
  council_response_v1 response;

  if (route != 0) return COUNCIL_INVALID;
  if (http->get(request, COUNCIL_HTTP_PATH_PARAMETER, view("name"), &name) != COUNCIL_OK) {
    return COUNCIL_INTERNAL;
  }
  if (name.len > NAME_BYTES) {
    http->problem(request, 400, view("hello.name_too_long"), view("The name is over 400 bytes."));
    return COUNCIL_OK;
  }
  used = append(body, "{\"message\":\"Hello, ");
  used += escape(body + used, name);
  used += append(body + used, "!\"}");
  memset(&response, 0, sizeof response);
  response.status = 200;
  response.body.ptr = body;
  response.body.len = used; /* no release: the host copies before respond returns */
  /* A stale request needs no answer: the host has given one. */
  (void)http->respond(request, &response);
  return COUNCIL_OK;
}

static void cancel(void *self, council_request request) {
  (void)self;
  (void)request;
}

static void quiesce(void *self) { (void)self; }

static council_status stop(void *self) {
  (void)self;
  return COUNCIL_OK;
}

static void destroy(void *self) { free(self); }

static const void *get_extension(void *self, const char *id) {
  (void)self;
  (void)id;
  return NULL;
}

static const council_plugin_v1 plugin = {
    .abi_major = COUNCIL_ABI_MAJOR,
    .min_host_minor = 0,
    .manifest = manifest,
    .create = create,
    .activate = activate,
    .handle = handle,
    .cancel = cancel,
    .quiesce = quiesce,
    .stop = stop,
    .destroy = destroy,
    .get_extension = get_extension,
};

const council_plugin_v1 *council_plugin_entry_v1(void) { return &plugin; }
