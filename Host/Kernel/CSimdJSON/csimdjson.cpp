#include "csimdjson.h"

#include <simdjson.h>

#include <cstring>
#include <new>
#include <vector>

struct csimdjson_parser {
  simdjson::dom::parser parser;
  std::vector<uint8_t> padded;
  size_t max_depth;
};

// Memory for a document far larger than the usual is given back after it.
static constexpr size_t kept_bytes = 256 * 1024;

csimdjson_parser *csimdjson_new(size_t max_depth) {
  auto *parser = new (std::nothrow) csimdjson_parser();
  if (parser) parser->max_depth = max_depth;
  return parser;
}

void csimdjson_free(csimdjson_parser *parser) { delete parser; }

static csimdjson_error translate(simdjson::error_code code) {
  switch (code) {
    case simdjson::SUCCESS: return CSIMDJSON_OK;
    case simdjson::EMPTY: return CSIMDJSON_EMPTY;
    case simdjson::UTF8_ERROR: return CSIMDJSON_UTF8;
    case simdjson::DEPTH_ERROR: return CSIMDJSON_DEPTH;
    case simdjson::NUMBER_ERROR: return CSIMDJSON_NUMBER;
    case simdjson::STRING_ERROR:
    case simdjson::UNCLOSED_STRING:
    case simdjson::UNESCAPED_CHARS: return CSIMDJSON_STRING;
    case simdjson::CAPACITY: return CSIMDJSON_SIZE;
    case simdjson::MEMALLOC: return CSIMDJSON_MEMORY;
    default: return CSIMDJSON_SYNTAX;
  }
}

csimdjson_error csimdjson_parse(csimdjson_parser *self, const uint8_t *bytes, size_t count,
                                csimdjson_document *out) {
  *out = {};
  try {
    if (self->parser.capacity() > kept_bytes && count <= kept_bytes) {
      self->parser = simdjson::dom::parser();
      std::vector<uint8_t>().swap(self->padded);
    }
    if (self->parser.capacity() < count || self->parser.max_depth() != self->max_depth) {
      size_t wanted = count < 4096 ? 4096 : count;
      auto error = self->parser.allocate(wanted, self->max_depth);
      if (error) return translate(error);
    }
    if (self->padded.size() < count + simdjson::SIMDJSON_PADDING) {
      self->padded.resize((count < 4096 ? 4096 : count) + simdjson::SIMDJSON_PADDING);
    }
    if (count) std::memcpy(self->padded.data(), bytes, count);
    std::memset(self->padded.data() + count, 0, simdjson::SIMDJSON_PADDING);
    auto result = self->parser.parse(self->padded.data(), count, false);
    if (result.error()) return translate(result.error());
    const auto &document = self->parser.doc;
    out->tape = document.tape.get();
    // The root word's payload is the index after the last word.
    out->tape_count = size_t(document.tape[0] & 0x00FFFFFFFFFFFFFFull);
    out->strings = document.string_buf.get();
    // simdjson sizes the buffer for the worst case of its capacity (document::allocate).
    out->strings_count = 5 * document.capacity() / 3 + simdjson::SIMDJSON_PADDING;
    return CSIMDJSON_OK;
  } catch (...) {
    return CSIMDJSON_MEMORY;
  }
}
