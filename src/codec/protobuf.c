/* protobuf.c - see protobuf.h. */
#include "codec/protobuf.h"

#include <string.h>

#define VARINT_MAX 10

/* ---- writing ---- */

static void add_varint(struct str *to, uint64_t n)
{
        char buf[VARINT_MAX];
        size_t size = 0;

        for (; n > 0x7f; n >>= 7)
                buf[size++] = (char)(0x80 | (n & 0x7f));
        buf[size++] = (char)n;
        str_add_n(to, buf, size);
}

static void add_tag(struct str *to, uint32_t field, enum protobuf_type type)
{
        add_varint(to, (uint64_t)field << 3 | type);
}

void protobuf_add_uint(struct str *to, uint32_t field, uint64_t n)
{
        add_tag(to, field, PROTOBUF_VARINT);
        add_varint(to, n);
}

void protobuf_add_int(struct str *to, uint32_t field, int64_t n)
{
        protobuf_add_uint(to, field, (uint64_t)n);
}

void protobuf_add_bool(struct str *to, uint32_t field, bool on)
{
        protobuf_add_uint(to, field, on);
}

void protobuf_add_bytes(struct str *to, uint32_t field, const void *data, size_t size)
{
        add_tag(to, field, PROTOBUF_BYTES);
        add_varint(to, size);
        str_add_n(to, data, size);
}

void protobuf_add_str(struct str *to, uint32_t field, const char *text)
{
        protobuf_add_bytes(to, field, text, strlen(text));
}

void protobuf_add_message(struct str *to, uint32_t field, const struct str *message)
{
        protobuf_add_bytes(to, field, str_text(message), message->len);
        to->failed |= message->failed;
}

/* ---- reading ---- */

static err *cut_off(void)
{
        return err_new(ERR_CORRUPT, "protobuf: the message is cut off");
}

static err *read_varint(struct protobuf *p, uint64_t *ret)
{
        uint64_t n = 0;

        for (unsigned i = 0; i < VARINT_MAX; i++) {
                uint8_t byte;

                if (!p->left)
                        return cut_off();
                byte = *p->at++;
                p->left--;
                if (i == VARINT_MAX - 1 && byte > 1)
                        break;
                n |= (uint64_t)(byte & 0x7f) << (7 * i);
                if (byte < 0x80) {
                        *ret = n;
                        return NULL;
                }
        }
        return err_new(ERR_CORRUPT, "protobuf: a number has more than 64 bits");
}

static err *read_fixed(struct protobuf *p, unsigned size, uint64_t *ret)
{
        uint64_t n = 0;

        if (p->left < size)
                return cut_off();
        for (unsigned i = 0; i < size; i++)
                n |= (uint64_t)p->at[i] << (8 * i);
        p->at += size;
        p->left -= size;
        *ret = n;
        return NULL;
}

static err *read_bytes(struct protobuf *p, struct protobuf_field *f)
{
        uint64_t size;

        TRY(read_varint(p, &size));
        if (size > p->left)
                return cut_off();
        f->data = p->at;
        f->size = (size_t)size;
        p->at += size;
        p->left -= (size_t)size;
        return NULL;
}

err *protobuf_next(struct protobuf *p, struct protobuf_field *ret)
{
        struct protobuf_field f = {0};
        uint64_t tag;

        if (!p->left) {
                *ret = f;
                return NULL;
        }
        TRY(read_varint(p, &tag));
        if (tag >> 3 == 0 || tag >> 3 > PROTOBUF_FIELD_MAX)
                return err_new(ERR_CORRUPT, "protobuf: a field has no valid number");
        f.number = (uint32_t)(tag >> 3);
        f.type = (enum protobuf_type)(tag & 7);
        switch (f.type) {
        case PROTOBUF_VARINT:
                TRY(read_varint(p, &f.n));
                break;
        case PROTOBUF_FIXED64:
                TRY(read_fixed(p, 8, &f.n));
                break;
        case PROTOBUF_BYTES:
                TRY(read_bytes(p, &f));
                break;
        case PROTOBUF_FIXED32:
                TRY(read_fixed(p, 4, &f.n));
                break;
        default:
                return err_new(ERR_CORRUPT, "protobuf: field %u is of the unknown type %u", (unsigned)f.number,
                               (unsigned)(tag & 7));
        }
        *ret = f;
        return NULL;
}

struct protobuf protobuf_message(const struct protobuf_field *f)
{
        return (struct protobuf){f->data, f->size};
}

err *protobuf_text(const struct protobuf_field *f, char **ret)
{
        _cleanup_str_ struct str s = {0};

        if (f->type != PROTOBUF_BYTES)
                return err_new(ERR_CORRUPT, "protobuf: field %u is not a string", (unsigned)f->number);
        if (f->size && memchr(f->data, 0, f->size))
                return err_new(ERR_CORRUPT, "protobuf: field %u has a NUL byte", (unsigned)f->number);
        if (f->size)
                str_add_n(&s, (const char *)f->data, f->size);
        return str_take(&s, ret);
}

int32_t protobuf_int32(const struct protobuf_field *f)
{
        return f->type == PROTOBUF_VARINT ? (int32_t)(uint32_t)f->n : 0;
}
