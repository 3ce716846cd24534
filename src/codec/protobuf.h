/* protobuf.h - protocol buffers' wire format (proto2, proto3), as much of it as a small peer protocol needs.
 *
 * Writing appends to a `struct str`, which remembers that memory ran out: ask once with str_done(). Reading walks a
 * buffer field by field and copies nothing; nested messages are walked with a reader of their own, so that depth is the
 * caller's code, never the input's. Groups, which nobody has used since 2008, are refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define PROTOBUF_FIELD_MAX 0x1fffffffu

/* ---- writing; @field is 1 to PROTOBUF_FIELD_MAX ---- */

/* uint32 and uint64. */
void protobuf_add_uint(struct str *to, uint32_t field, uint64_t n);
/* int32, int64 and enums: a negative number takes ten bytes, as the format demands. */
void protobuf_add_int(struct str *to, uint32_t field, int64_t n);
void protobuf_add_bool(struct str *to, uint32_t field, bool on);
void protobuf_add_bytes(struct str *to, uint32_t field, const void *data, size_t size);
void protobuf_add_str(struct str *to, uint32_t field, const char *text);
/* A nested message; that @message ran out of memory makes @to fail. */
void protobuf_add_message(struct str *to, uint32_t field, const struct str *message);

/* ---- reading ---- */

enum protobuf_type {
        PROTOBUF_VARINT = 0,
        PROTOBUF_FIXED64 = 1,
        PROTOBUF_BYTES = 2, /* strings, messages, packed lists */
        PROTOBUF_FIXED32 = 5,
};

struct protobuf {
        const uint8_t *at;
        size_t left;
};

struct protobuf_field {
        uint32_t number; /* 0: the end of the message */
        enum protobuf_type type;
        uint64_t n;          /* VARINT, FIXED64, FIXED32 */
        const uint8_t *data; /* BYTES: borrowed from the buffer, not terminated */
        size_t size;
};

/* The next field. ERR_CORRUPT: cut off, a number of more than 64 bits, a field 0, a group. */
MUST_USE err *protobuf_next(struct protobuf *p, struct protobuf_field *ret);
/* A reader for the nested message in @f; empty for other types. */
struct protobuf protobuf_message(const struct protobuf_field *f);
/* A string without NUL bytes in fresh memory. ERR_CORRUPT for other types and for NUL bytes. */
MUST_USE err *protobuf_text(const struct protobuf_field *f, char **ret);
/* An int32 as the format cuts it; 0 for other types than VARINT. */
int32_t protobuf_int32(const struct protobuf_field *f);
