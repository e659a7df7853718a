/* simdjson behind C: one parser, its tape and its strings (simdjson doc/tape.md). */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct csimdjson_parser csimdjson_parser;

/* NULL when memory is out. One thread at a time. */
csimdjson_parser *csimdjson_new(size_t max_depth);
void csimdjson_free(csimdjson_parser *parser);

typedef enum {
  CSIMDJSON_OK = 0,
  CSIMDJSON_SYNTAX,
  CSIMDJSON_EMPTY,
  CSIMDJSON_UTF8,
  CSIMDJSON_DEPTH,
  CSIMDJSON_NUMBER,
  CSIMDJSON_STRING,
  CSIMDJSON_SIZE,
  CSIMDJSON_MEMORY
} csimdjson_error;

/* What one parse left behind: valid until the next parse or free. */
typedef struct {
  const uint64_t *tape;
  size_t tape_count;
  const uint8_t *strings;
  size_t strings_count;
} csimdjson_document;

csimdjson_error csimdjson_parse(csimdjson_parser *parser, const uint8_t *bytes, size_t count,
                                csimdjson_document *out);

#ifdef __cplusplus
}
#endif
