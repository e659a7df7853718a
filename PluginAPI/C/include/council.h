/* council.h: the contract between the Council host and a plugin, version 1.
 *
 * A plugin is a shared library that exports one symbol, council_plugin_entry_v1, which returns a
 * table of functions. What the plugin registers (routes, records, configuration) is one JSON
 * document, its manifest, so this file does not grow when a route gains an option.
 *
 * Rules, for both sides:
 *  1. A struct never changes under its name. Growth is a new extension id and a new struct name.
 *  2. Text is UTF-8 with a length, never NUL-terminated, unless a comment says `const char *`.
 *  3. A view is borrowed: it dies when the call that received it returns, unless the comment says
 *     otherwise. An owned value is released once, by its receiver, on any thread. Nobody calls
 *     free() on memory of the other side.
 *     What a view of the host's shows is the host's own memory, and no page of it is read-only: whoever
 *     writes there changes what others read, and nobody notices. Nothing may be written through a view.
 *  4. Nothing throws, panics or longjmps across this boundary.
 *  5. Every pointer argument is non-NULL unless the comment says otherwise. What a call writes through
 *     `out` is written whole, also when it fails: then it is zero, or what the comment says.
 *  6. Thread names in brackets say who calls: [event] an HTTP thread, [worker] a thread that may
 *     block, [control] the thread that changes generations, [any] every thread.
 *
 * The life of a generation: manifest, create, activate, handle…, quiesce, stop, destroy. manifest is
 * also called in the probe, a short-lived child process, before the host itself maps the file; the probe
 * then creates, stops and destroys one instance. PluginAPI/README.md tells the same in more words.
 *
 * In process, a plugin shares everything with the host. Its descriptors are the host's too: closing one that
 * the plugin did not open ends the host and is counted as the plugin's crash, where it is one that no host can do
 * without. A handler that holds an event thread for seconds is taken for a dead host, with the same end. Children
 * that a plugin forks are killed when the host ends; how many there are is bounded by nothing but the system's own
 * limits. Isolated automations are kept from all that.
 *
 * A host process may end at any time, by another plugin's crash or an operator's hand: what must last is in a store.
 * When one host hands over to another, create and activate run in the new process while the instance in the old one
 * still finishes requests; stop comes there when they are done.
 *
 * Where an admin isolates an automation, all this happens in a process of its own, with the same calls and the same
 * outcomes. What differs are limits: no network, no files, no other processes, memory and threads as set by the admin;
 * a body or a record of more than 16 MiB (isolation.arena_bytes) is refused with a problem; a crash ends that process alone.
 */
#ifndef COUNCIL_H
#define COUNCIL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COUNCIL_ABI_MAJOR 1u
#define COUNCIL_ABI_MINOR 0u

/* Bytes of somebody else. `ptr` may be NULL when `len` is 0, and is not read then. */
typedef struct council_view_v1 {
  const uint8_t *ptr;
  size_t len;
} council_view_v1;

/* Bytes that change hands. The receiver calls release(ctx) exactly once, on any thread, when it no
 * longer reads them. A NULL release means there is nothing to release: the bytes are static, or,
 * where a comment says so, copied before the call returns. */
typedef struct council_owned_v1 {
  const uint8_t *ptr;
  size_t len;
  void (*release)(void *ctx);
  void *ctx;
} council_owned_v1;

/* Names one request. A request that was answered, cancelled, or belongs to a generation that is gone
 * is stale: calls that name it return COUNCIL_STALE and do nothing else. 0 names no request. */
typedef uint64_t council_request;

/* Zero: done. Above zero: accepted, not done yet. Below zero: it did not work, and nothing was changed.
 * A receiver takes a negative status that it does not know for COUNCIL_INTERNAL. */
typedef int32_t council_status;
enum {
  COUNCIL_OK = 0,
  COUNCIL_PENDING = 1,       /* handle: the answer comes later, from any thread */
  COUNCIL_AGAIN = 2,         /* streams: there is no room now, offer it again later */
  COUNCIL_INVALID = -1,      /* an argument is not what the comment asks for */
  COUNCIL_STALE = -2,        /* the request or the generation is over */
  COUNCIL_BUSY = -3,         /* a limit was reached; the caller may retry */
  COUNCIL_DENIED = -4,       /* the manifest did not ask for this */
  COUNCIL_UNSUPPORTED = -5,  /* this host or this store cannot do it */
  COUNCIL_CANCELLED = -6,
  COUNCIL_TIMEOUT = -7,
  COUNCIL_CONFLICT = -8,     /* a unique field has this value already */
  COUNCIL_NOT_FOUND = -9,
  COUNCIL_INTERNAL = -10,
  COUNCIL_PRECONDITION = -11 /* the record has another version than the one expected */
};

/* ---- The host, as a plugin sees it ------------------------------------------------------------ */

/* One per generation. Valid from the start of create to the end of destroy, or of a create that failed.
 * Pass this very pointer back where a function asks for it: a copy of the struct is not a host. */
typedef struct council_host_v1 council_host_v1;
struct council_host_v1 {
  uint32_t abi_major;
  uint32_t abi_minor;
  /* Returns the table of an extension, or NULL when this host does not have it. `id` is
   * NUL-terminated, "council.http/1". The table lives as long as the process. An extension that the
   * manifest requires is there. [any] */
  const void *(*get_extension)(const council_host_v1 *host, const char *id);
  /* Says why create or activate is about to return a negative status; the text reaches the admin.
   * At most 1,024 bytes are kept, of the last call. [control] during create and activate only; ignored
   * at other times. */
  void (*fail)(const council_host_v1 *host, council_status status, council_view_v1 text);
};

/* ---- The plugin, as the host sees it ---------------------------------------------------------- */

/* Frozen once returned: the host reads it without copying. Every member must be set. */
typedef struct council_plugin_v1 {
  uint32_t abi_major;      /* COUNCIL_ABI_MAJOR of the header this was compiled with */
  uint32_t min_host_minor; /* the least COUNCIL_ABI_MINOR this plugin can live with */
  /* The manifest, JSON, at most 1 MiB, the same bytes at each call, valid while the image is
   * mapped. Pure: no I/O, no threads, no host calls. [any] */
  council_view_v1 (*manifest)(void);
  /* Makes one instance. `config` is the automation's configuration, JSON, already valid under the
   * manifest's `config` schema ("{}" when there is none), borrowed. On COUNCIL_OK *self, which may be
   * NULL, is passed to every call that follows; more than one instance may exist at a time. Any other
   * status refuses the generation; nothing else is then called. [control] */
  council_status (*create)(const council_host_v1 *host, council_view_v1 config, void **self);
  /* The last step before requests arrive. Only COUNCIL_OK lets them; after any other status stop and
   * destroy follow. An instance of the same generation may still be at work in the process of a host that is
   * handing over to this one. [control] */
  council_status (*activate)(void *self);
  /* Handles one request; `route` is the index into the manifest's `routes`. Returns COUNCIL_OK after
   * answering, or COUNCIL_PENDING and answers later from any thread, even before handle returned. Any
   * other status, or COUNCIL_OK without an answer, becomes a 500 with the reason in the log.
   * [event] for routes whose `execution` is "inline", which promise not to block; [worker] otherwise.
   * Concurrent, between activate and the end of the drain.
   * When the route's deadline passes, the host answers 504 in the handler's place, `cancel` is called, and
   * what the handler answers later is COUNCIL_STALE. That holds for "inline" too, but nobody can interrupt a
   * handler, and the thread that it keeps is the one that sends: there the 504 leaves when handle returns. */
  council_status (*handle)(void *self, uint32_t route, council_request request);
  /* The deadline passed, or the generation goes: an answer to `request` is no longer wanted, and the host
   * has answered in its place. May arrive while handle still runs, and for a request that was answered a
   * moment ago: a name that the plugin does not know is ignored. At most once per request, never after
   * stop began. Must not block. [any] */
  void (*cancel)(void *self, council_request request);
  /* The generation was replaced. Requests that had come in before, whose bodies are still on their way, are
   * handed over yet; no others come, and those in flight go on. [control] */
  void (*quiesce)(void *self);
  /* Ends timers, threads and tasks of the plugin: when it returns COUNCIL_OK, none of the plugin's code
   * runs but what the host calls. Any other status: something of it may still run, so destroy is not
   * called and the instance is left alone for good. Comes without activate in the probe.
   * [control] nothing in flight */
  council_status (*stop)(void *self);
  /* Frees the instance. The image stays mapped. [control] after stop */
  void (*destroy)(void *self);
  /* Returns the plugin's side of an extension, or NULL. `id` is NUL-terminated. [any] after create */
  const void *(*get_extension)(void *self, const char *id);
} council_plugin_v1;

/* The one exported symbol, defined by the plugin. Returns the same pointer at each call. Pure. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const council_plugin_v1 *council_plugin_entry_v1(void);

typedef const council_plugin_v1 *(*council_plugin_entry_fn_v1)(void);

/* A sealed plugin carries its manifest, byte for byte, in this ELF section, so that it can be read
 * without running anything. `council plugin seal` writes it. */
#define COUNCIL_MANIFEST_SECTION ".council.manifest"

/* ---- council.http/1: the request and its answer ------------------------------------------------ */

#define COUNCIL_HTTP_V1 "council.http/1"

/* What `get` reads. `name` is ignored unless stated. */
enum {
  COUNCIL_HTTP_METHOD = 1,          /* "GET"; "HEAD" where the host asks a GET route for its headers */
  COUNCIL_HTTP_PATH = 2,            /* the path below the automation's root, percent-decoded */
  COUNCIL_HTTP_QUERY_STRING = 3,    /* as received, without '?' */
  COUNCIL_HTTP_BODY = 4,            /* already valid under the route's body schema */
  COUNCIL_HTTP_PATH_PARAMETER = 5,  /* by name, percent-decoded */
  COUNCIL_HTTP_QUERY_PARAMETER = 6, /* by name, percent-decoded; the first, where it repeats */
  COUNCIL_HTTP_HEADER = 7,          /* by name, any case; Authorization and X-API-Key are withheld.
                                     * "prefer" holds the preference dry-run in a dry run, which only
                                     * routes with "dry_run" in the manifest get: see council.records/1 */
  COUNCIL_HTTP_PRINCIPAL = 8,       /* the caller's id, stable across key rotations; empty if public */
  COUNCIL_HTTP_REQUEST_ID = 9,
  COUNCIL_HTTP_TRACEPARENT = 10,    /* W3C trace context of this request, to be sent onwards */
  COUNCIL_HTTP_HEADERS = 11         /* every header in order, "name: value\r\n" each, names in lower
                                     * case, the withheld ones left out */
};

typedef struct council_header_v1 {
  council_view_v1 name;
  council_view_v1 value;
} council_header_v1;

/* An answer. Status 200 to 599; 204, 205 and 304 have no body. The host adds Date, Content-Length,
 * X-Request-Id, traceparent and the rate-limit headers, and drops them here, as it does Connection and
 * Transfer-Encoding. A header's name is an RFC 9110 token, its value has no control characters. */
typedef struct council_response_v1 {
  uint32_t status;
  council_view_v1 content_type; /* empty: application/json */
  const council_header_v1 *headers;
  size_t header_count; /* at most 32 */
  council_owned_v1 body; /* a NULL release: copied before respond returns */
} council_response_v1;

typedef struct council_http_v1 {
  /* Reads one part of a request. The view is valid until `handle` returns, also when it returns
   * COUNCIL_PENDING, and also after the request was answered: copy what is needed later.
   * COUNCIL_NOT_FOUND: no such parameter or header. COUNCIL_STALE: handle has returned.
   * COUNCIL_INVALID: no such field. [the thread in handle] */
  council_status (*get)(council_request request, uint32_t field, council_view_v1 name,
                        council_view_v1 *out);
  /* Nanoseconds until the host answers 504 in the plugin's place. COUNCIL_STALE: the request is over.
   * [any] */
  council_status (*deadline)(council_request request, int64_t *remaining_ns);
  /* Answers. The first answer counts; a second gets COUNCIL_STALE. COUNCIL_INVALID: the response breaks
   * a rule above; nothing was sent, and the request still waits for an answer. The body is released in
   * every case, maybe before this returns; all else is borrowed. [any] */
  council_status (*respond)(council_request request, const council_response_v1 *response);
  /* Answers with application/problem+json (RFC 9457); `status` is 400 to 599, `code` is stable and made
   * of [a-z0-9._-], at most 64 bytes; `detail` is for people and models, at most 4 KiB are kept. A
   * problem with further members is sent with `respond`. Statuses as `respond`. [any] */
  council_status (*problem)(council_request request, uint32_t status, council_view_v1 code,
                            council_view_v1 detail);
} council_http_v1;

/* ---- council.records/1: the records that the manifest declares ---------------------------------- */

#define COUNCIL_RECORDS_V1 "council.records/1"

/* What `call` does: what `key` and `input` are, and what comes back. Records are JSON objects with the
 * host's own members id, version, created_at and updated_at. */
enum {
  COUNCIL_RECORDS_GET = 1,       /* key: id; input: empty or {"fields":[…]}       -> the record */
  COUNCIL_RECORDS_FIND = 2,      /* input: a query                                -> {"items":[…],"next":cursor|null} */
  COUNCIL_RECORDS_COUNT = 3,     /* input: a query, of which `where` counts        -> {"count":n} */
  COUNCIL_RECORDS_INSERT = 4,    /* input: a document; key: empty, or the id       -> the record */
  COUNCIL_RECORDS_REPLACE = 5,   /* key: id; input: a document                    -> the record */
  COUNCIL_RECORDS_PATCH = 6,     /* key: id; input: a merge patch (RFC 7396)      -> the record */
  COUNCIL_RECORDS_DELETE = 7,    /* key: id                                       -> empty */
  COUNCIL_RECORDS_INCREMENT = 8, /* key: id; input: {"balance":-5}                -> the record */
  COUNCIL_RECORDS_BATCH = 9,     /* input: {"operations":[…]}, all or none        -> {"results":[…]} */
  COUNCIL_RECORDS_QUERY = 10,    /* key: a named query; input: its parameters     -> {"items":[…],"next":cursor|null} */
  COUNCIL_RECORDS_PUT = 11       /* key: id; input: a document: inserts, or replaces what is there -> the record */
};

/* `json` is always to be released by the caller, also when the status is negative: it then holds a whole
 * problem document (RFC 9457: type, title, status, code, detail, and where it applies `field`) that can
 * be sent as it is, as application/problem+json with the status `problem_status`. */
typedef struct council_records_result_v1 {
  council_owned_v1 json;
  int64_t version;         /* of the one record returned; 0 where there is none */
  uint32_t problem_status; /* 400 to 599 when the call failed, else 0 */
} council_records_result_v1;

typedef struct council_records_v1 {
  /* Finds a collection that the manifest declares. COUNCIL_DENIED: it does not. [any] after create began,
   * also in the probe */
  council_status (*collection)(const council_host_v1 *host, council_view_v1 name, uint32_t *out);
  /* Runs one operation and waits for it; a write is durable when it returns. `request` is the request
   * on whose behalf this is, or 0; one that is over gets COUNCIL_STALE. In a dry run each write gets the
   * result that it would have and is undone, by itself: what the handler reads or writes after it does not
   * see it. What belongs together is one batch, which is tried and undone as a whole. That holds for calls
   * from the handler's own thread while it runs, and for those that name the request; a call from elsewhere
   * that names none is kept. `expected_version` above 0 makes a replace, patch, delete or increment
   * conditional (COUNCIL_PRECONDITION). `out` is written in every case. [any]; COUNCIL_DENIED for a write on [event]; COUNCIL_UNSUPPORTED in the probe. */
  council_status (*call)(const council_host_v1 *host, council_request request, uint32_t collection,
                         uint32_t operation, council_view_v1 key, council_view_v1 input,
                         int64_t expected_version, council_records_result_v1 *out);
} council_records_v1;

/* ---- council.stream/1: an answer that leaves while it is written ------------------------------------ */

#define COUNCIL_STREAM_V1 "council.stream/1"

/* Bytes of one write. */
#define COUNCIL_STREAM_WRITE_MAX 65536u

/* For routes whose manifest says "stream": true; the manifest's `requires` names this extension. begin takes the place of
 * respond. After it handle may go on writing and return COUNCIL_OK, which ends the stream, or return COUNCIL_PENDING and
 * write from any thread; a negative status cuts the stream off. The route's deadline is that of begin; from there on the
 * host's limits of streams hold, and `deadline` tells the time that is left. A client that leaves, a limit, and a
 * generation that goes when its drain is over end the stream: calls get COUNCIL_STALE, and `cancel` comes. A stream does
 * not end with its handler: a worker thread is free for others only when handle returns. */
typedef struct council_stream_v1 {
  /* Sends status and headers. `status` is one that has a body, 200 to 599 but not 204, 205 and 304; an empty
   * `content_type` stands for text/event-stream, and such a stream gets comments from the host while it is quiet, and ends
   * well when the host ends it; any other is cut off then. Headers as of respond; the host adds X-Accel-Buffering: no and,
   * where there is no Cache-Control, Cache-Control: no-cache. COUNCIL_BUSY: too many streams are open; answer with a
   * problem. COUNCIL_DENIED: the route does not say that it streams. COUNCIL_STALE: answered before, or over.
   * COUNCIL_INVALID: breaks a rule; the request still waits for an answer. Everything is borrowed. [any] */
  council_status (*begin)(council_request request, uint32_t status, council_view_v1 content_type,
                          const council_header_v1 *headers, size_t header_count);
  /* Appends bytes, all or none: of text/event-stream, best one whole event. Never blocks. COUNCIL_AGAIN: the client is
   * slow and the buffer full; `wait`, or try again later. COUNCIL_STALE: nobody listens, or begin was not called.
   * COUNCIL_INVALID: more than COUNCIL_STREAM_WRITE_MAX bytes. [any] */
  council_status (*write)(council_request request, council_view_v1 bytes);
  /* Waits until there is room, at most so long. COUNCIL_TIMEOUT: there is none yet. COUNCIL_STALE as write. COUNCIL_DENIED
   * on [event]. [any thread that may block] */
  council_status (*wait)(council_request request, int64_t timeout_ns);
  /* The answer is complete. COUNCIL_STALE: it is over. [any] */
  council_status (*end)(council_request request);
  /* The answer cannot be completed: the connection closes, so that the client sees that. COUNCIL_STALE as end. [any] */
  council_status (*abort)(council_request request);
} council_stream_v1;

/* ---- council.log/1: one line in the host's log ------------------------------------------------- */

#define COUNCIL_LOG_V1 "council.log/1"

enum {
  COUNCIL_LOG_DEBUG = 0,
  COUNCIL_LOG_INFO = 1,
  COUNCIL_LOG_WARNING = 2,
  COUNCIL_LOG_ERROR = 3,
  COUNCIL_LOG_CRITICAL = 4
};

typedef struct council_log_v1 {
  /* Writes one line; at most 8 KiB of text are kept. `request` ties it to a request and its trace, 0 to
   * none. Never blocks: lines that find the queue full are counted and dropped. [any] */
  void (*write)(const council_host_v1 *host, council_request request, uint32_t level,
                council_view_v1 text);
} council_log_v1;

#ifdef __cplusplus
}
#endif

#endif /* COUNCIL_H */
