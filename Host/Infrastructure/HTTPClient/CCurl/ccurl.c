#include "ccurl.h"

#include <dlfcn.h>
#include <stdio.h>

/* The macros that check the types of curl_easy_setopt take no pointer. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
  __typeof__(&curl_global_init) global_init;
  __typeof__(&curl_easy_init) easy_init;
  __typeof__(&curl_easy_cleanup) easy_cleanup;
  __typeof__(&curl_easy_perform) easy_perform;
  __typeof__(&curl_easy_strerror) easy_strerror;
  __typeof__(&curl_easy_setopt) easy_setopt;
  __typeof__(&curl_easy_getinfo) easy_getinfo;
  __typeof__(&curl_slist_append) slist_append;
  __typeof__(&curl_slist_free_all) slist_free_all;
} curl;

const char *ccurl_load(void) {
  static char failure[256];
  /* The name of its binary interface, which has been the same since 2006. */
  void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(failure, sizeof failure, "libcurl cannot be loaded: %s", dlerror());
    return failure;
  }
  const struct {
    void *place;
    const char *name;
  } parts[] = {
      {&curl.global_init, "curl_global_init"},   {&curl.easy_init, "curl_easy_init"},
      {&curl.easy_cleanup, "curl_easy_cleanup"}, {&curl.easy_perform, "curl_easy_perform"},
      {&curl.easy_strerror, "curl_easy_strerror"}, {&curl.easy_setopt, "curl_easy_setopt"},
      {&curl.easy_getinfo, "curl_easy_getinfo"}, {&curl.slist_append, "curl_slist_append"},
      {&curl.slist_free_all, "curl_slist_free_all"},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!(*(void **)parts[i].place = dlsym(library, parts[i].name))) {
      snprintf(failure, sizeof failure, "libcurl has no %s", parts[i].name);
      return failure;
    }
  CURLcode code = curl.global_init(CURL_GLOBAL_DEFAULT);
  return code == CURLE_OK ? NULL : curl.easy_strerror(code);
}

CURL *ccurl_init(void) { return curl.easy_init(); }
void ccurl_cleanup(CURL *handle) { curl.easy_cleanup(handle); }
CURLcode ccurl_perform(CURL *handle) { return curl.easy_perform(handle); }
const char *ccurl_error(CURLcode code) { return curl.easy_strerror(code); }
struct curl_slist *ccurl_append(struct curl_slist *list, const char *text) { return curl.slist_append(list, text); }
void ccurl_free_list(struct curl_slist *list) { curl.slist_free_all(list); }

CURLcode ccurl_set_text(CURL *handle, CURLoption option, const char *value) {
  return curl.easy_setopt(handle, option, value);
}
CURLcode ccurl_set_number(CURL *handle, CURLoption option, long value) {
  return curl.easy_setopt(handle, option, value);
}
CURLcode ccurl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
  return curl.easy_setopt(handle, option, value);
}
CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl.easy_setopt(handle, option, value);
}
CURLcode ccurl_set_function(CURL *handle, CURLoption option, ccurl_bytes value) {
  return curl.easy_setopt(handle, option, value);
}
long ccurl_status(CURL *handle) {
  long status = 0;
  curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
