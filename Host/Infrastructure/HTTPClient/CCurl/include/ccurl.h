#pragma once
#include <curl/curl.h>

/* libcurl, loaded when a command first sends a request. Linked, it and the twenty libraries it needs (Kerberos, LDAP, SSH)
 * would stand in every host and runner process, which send none: 2.5 MB of memory, and code to attack.
 *
 * curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call: one function per kind of value. */

/* Once, before anything else here, while no other thread is in it. NULL, or why the library cannot be used. */
const char *ccurl_load(void);

typedef size_t (*ccurl_bytes)(char *bytes, size_t size, size_t count, void *context);

CURL *ccurl_init(void);
void ccurl_cleanup(CURL *handle);
CURLcode ccurl_perform(CURL *handle);
const char *ccurl_error(CURLcode code);
struct curl_slist *ccurl_append(struct curl_slist *list, const char *text);
void ccurl_free_list(struct curl_slist *list);

CURLcode ccurl_set_text(CURL *handle, CURLoption option, const char *value);
CURLcode ccurl_set_number(CURL *handle, CURLoption option, long value);
CURLcode ccurl_set_size(CURL *handle, CURLoption option, curl_off_t value);
CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode ccurl_set_function(CURL *handle, CURLoption option, ccurl_bytes value);
long ccurl_status(CURL *handle);
