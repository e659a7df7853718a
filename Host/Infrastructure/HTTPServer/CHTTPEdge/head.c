#include <string.h>

#include "internal.h"

/* RFC 9110, 5.6.2: what a name may be made of, as its lower case; 0 for the rest. */
static const uint8_t token[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*', ['+'] = '+',
    ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|', ['~'] = '~', ['0'] = '0',
    ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8',
    ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g',
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o',
    ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',
    ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm',
    ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u',
    ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

typedef struct walk {
  uint8_t *bytes;
  size_t used, room, base;
  chttpedge_field *fields;
  size_t count, max;
  /* Where the line before ended: at the NULs that the library wrote over CR and LF. */
  const char *line_end;
  int fault;
  int expect;
} walk;

/* The library keeps the head where it was received and cuts it with NULs. Lines that do not follow each
 * other without a gap hold a NUL of the client's, are folded (RFC 9112, 5.2), or end in a bare line feed. */
static enum MHD_Result read_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                  const char *value, size_t value_size) {
  (void)kind;
  walk *w = context;
  w->fault = CHTTPEDGE_HEAD_MALFORMED;
  if (name != w->line_end + 2 || w->line_end[1] != 0 || name_size == 0 || value < name) return MHD_NO;
  w->line_end = value + value_size;
  if (w->count == w->max || name_size + value_size > w->room - w->used) {
    w->fault = CHTTPEDGE_HEAD_TOO_MANY;
    return MHD_NO;
  }
  chttpedge_field *field = &w->fields[w->count++];
  uint8_t *to = w->bytes + w->used;
  for (size_t i = 0; i < name_size; i++) {
    to[i] = token[(uint8_t)name[i]];
    if (!to[i]) return MHD_NO;
  }
  field->name = (chttpedge_range){(uint32_t)(w->base + w->used), (uint32_t)name_size};
  while (value_size && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t')) value_size--;
  uint8_t *value_to = to + name_size;
  for (size_t i = 0; i < value_size; i++) {
    uint8_t byte = (uint8_t)value[i];
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return MHD_NO;
    value_to[i] = byte;
  }
  field->value = (chttpedge_range){(uint32_t)(w->base + w->used + name_size), (uint32_t)value_size};
  w->used += name_size + value_size;
  if (name_size == 6 && memcmp(to, "expect", 6) == 0) {
    int known = value_size == 12;
    for (size_t i = 0; known && i < 12; i++) known = (token[value_to[i]] == "100-continue"[i]);
    w->expect = known && w->expect != 2 ? 1 : 2;
  }
  w->fault = CHTTPEDGE_HEAD_OK;
  return MHD_YES;
}

size_t chttpedge_head_bytes(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  return info ? info->header_size : 0;
}

int chttpedge_read_head(struct MHD_Connection *connection, const char *method, const char *version,
                        const char *target, size_t target_count, uint8_t *bytes, size_t base,
                        chttpedge_field *fields, size_t max_fields, chttpedge_head *out) {
  size_t whole = chttpedge_head_bytes(connection);
  size_t method_count = strlen(method);
  for (size_t i = 0; i < method_count; i++)
    if (!token[(uint8_t)method[i]]) return CHTTPEDGE_HEAD_MALFORMED;
  /* One space each, and no NUL that would have cut a part short. */
  if (target != method + method_count + 1 || version != target + target_count + 1)
    return CHTTPEDGE_HEAD_MALFORMED;
  walk w = {bytes, 0, whole, base, fields, 0, max_fields, version + 8, CHTTPEDGE_HEAD_OK, 0};
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, read_field, &w);
  if (w.fault) return w.fault;
  /* The head ends with the last line's CRLF and the empty line's: four NULs by now. */
  if (w.line_end + 4 != method + whole || w.line_end[1] || w.line_end[2] || w.line_end[3])
    return CHTTPEDGE_HEAD_MALFORMED;
  *out = (chttpedge_head){w.count, w.used, method_count, version[7] == '0', w.expect};
  return CHTTPEDGE_HEAD_OK;
}
