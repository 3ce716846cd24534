/* dbus_message.h - messages of D-Bus as bytes: writing what systemd's interface needs, reading what anybody sends.
 *
 * What is read comes from another process: every length is checked against what is there, containers nest at most
 * DBUS_DEPTH_MAX deep, strings are terminated and without NUL inside. Reading allocates nothing: strings point into the
 * message. Both byte orders are understood, little endian is written. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define DBUS_MESSAGE_MAX (4u << 20) /* bytes; the specification allows 128 MiB, nothing that we ask for is near */
#define DBUS_HEADER_SIZE 16         /* what has to be read to know a message's size */
#define DBUS_DEPTH_MAX 16

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN, DBUS_ERROR, DBUS_SIGNAL };
#define DBUS_NO_REPLY 1u /* flag: nobody waits for an answer */

/* ---- reading ---- */

/* A place in a message. After a failure `bad` is set and every further read gives 0, "" or false. */
struct dbus_reader {
        const uint8_t *data;
        size_t size, at;
        bool swapped, bad; /* other byte order than ours; malformed */
};
uint8_t dbus_read_byte(struct dbus_reader *r);
uint32_t dbus_read_u32(struct dbus_reader *r);
uint64_t dbus_read_u64(struct dbus_reader *r);
const char *dbus_read_string(struct dbus_reader *r); /* also an object path */
const char *dbus_read_signature(struct dbus_reader *r);
/* Pass over one complete value whose type begins at *@signature, which is moved behind it. */
void dbus_skip(struct dbus_reader *r, const char **signature);

struct dbus_message {
        enum dbus_type type;
        uint32_t flags, serial, reply_serial;
        const char *path, *interface, *member, *error, *sender, *signature; /* NULL = absent; signature is never NULL */
        struct dbus_reader body;
};

/* Size of the whole message that begins with these DBUS_HEADER_SIZE bytes; 0 if they are no beginning of a message or
 * it would be larger than DBUS_MESSAGE_MAX. */
size_t dbus_message_size(const uint8_t *data);
/* @data has exactly dbus_message_size() bytes and must outlive @ret. False for a malformed one. */
bool dbus_message_parse(const uint8_t *data, size_t size, struct dbus_message *ret);

/* ---- writing: values are appended to a `struct str`, aligned from its beginning ---- */

/* Zeros up to a multiple of @n, a power of two; the values that follow align themselves. */
void dbus_write_align(struct str *s, size_t n);
void dbus_write_u32(struct str *s, uint32_t n);
void dbus_write_u64(struct str *s, uint64_t n);
void dbus_write_string(struct str *s, const char *text);
void dbus_write_signature(struct str *s, const char *text);
/* An array: begin, its elements (each written with its own alignment), end with what begin returned. */
struct dbus_array {
        size_t length_at, start;
};
struct dbus_array dbus_write_array(struct str *s, size_t element_alignment);
void dbus_write_array_end(struct str *s, struct dbus_array a);

/* A whole method call. @body is written after the header; @signature "" = none. */
struct dbus_call {
        const char *destination; /* NULL on a connection without a bus */
        const char *path, *interface, *member, *signature;
        uint32_t flags, serial;
        const struct str *body; /* NULL = empty */
};
MUST_USE err *dbus_call_write(const struct dbus_call *c, struct str *ret);
