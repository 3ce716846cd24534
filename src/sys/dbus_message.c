/* dbus_message.c - see dbus_message.h. */
#include "sys/dbus_message.h"

#include <endian.h>

#define ARRAY_LIMIT (1u << 26) /* the specification's */
#define SIGNATURE_LIMIT 255

enum field {
        FIELD_PATH = 1,
        FIELD_INTERFACE,
        FIELD_MEMBER,
        FIELD_ERROR,
        FIELD_REPLY,
        FIELD_DESTINATION,
        FIELD_SENDER,
        FIELD_SIGNATURE
};

/* ---- reading ---- */

static const uint8_t *take(struct dbus_reader *r, size_t n)
{
        const uint8_t *p;

        if (r->bad || n > r->size - r->at) {
                r->bad = true;
                return NULL;
        }
        p = r->data + r->at;
        r->at += n;
        return p;
}

/* Padding is zeros. */
static void align(struct dbus_reader *r, size_t n)
{
        size_t padding = -r->at & (n - 1);
        const uint8_t *p = take(r, padding);

        for (size_t i = 0; p && i < padding; i++)
                if (p[i])
                        r->bad = true;
}

uint8_t dbus_read_byte(struct dbus_reader *r)
{
        const uint8_t *p = take(r, 1);

        return p ? *p : 0;
}

uint32_t dbus_read_u32(struct dbus_reader *r)
{
        const uint8_t *p;
        uint32_t n;

        align(r, 4);
        p = take(r, 4);
        if (!p)
                return 0;
        memcpy(&n, p, sizeof(n));
        return r->swapped ? __builtin_bswap32(n) : n;
}

uint64_t dbus_read_u64(struct dbus_reader *r)
{
        const uint8_t *p;
        uint64_t n;

        align(r, 8);
        p = take(r, 8);
        if (!p)
                return 0;
        memcpy(&n, p, sizeof(n));
        return r->swapped ? __builtin_bswap64(n) : n;
}

static const char *terminated(struct dbus_reader *r, size_t n)
{
        const uint8_t *p = n < r->size ? take(r, n + 1) : NULL;

        if (!p || p[n] || memchr(p, 0, n)) {
                r->bad = true;
                return "";
        }
        return (const char *)p;
}

const char *dbus_read_string(struct dbus_reader *r)
{
        return terminated(r, dbus_read_u32(r));
}

const char *dbus_read_signature(struct dbus_reader *r)
{
        return terminated(r, dbus_read_byte(r));
}

/* 0 for what is no type. */
static size_t alignment(char type)
{
        switch (type) {
        case 'y':
        case 'g':
        case 'v':
                return 1;
        case 'n':
        case 'q':
                return 2;
        case 'b':
        case 'i':
        case 'u':
        case 'h':
        case 's':
        case 'o':
        case 'a':
                return 4;
        case 'x':
        case 't':
        case 'd':
        case '(':
        case '{':
                return 8;
        default:
                return 0;
        }
}

/* The end of the single complete type at @s, NULL if there is none. */
static const char *type_end(const char *s, int depth)
{
        char close;

        if (depth > DBUS_DEPTH_MAX || !alignment(*s))
                return NULL;
        if (*s == 'a')
                return type_end(s + 1, depth + 1);
        if (*s != '(' && *s != '{')
                return s + 1;
        close = *s == '(' ? ')' : '}';
        s++;
        do
                s = type_end(s, depth + 1);
        while (s && *s != close);
        return s ? s + 1 : NULL;
}

static void skip(struct dbus_reader *r, const char *type, const char *end, int depth);

static void skip_array(struct dbus_reader *r, const char *type, const char *end, int depth)
{
        uint32_t n = dbus_read_u32(r);
        size_t stop;

        align(r, alignment(*type));
        if (r->bad || n > ARRAY_LIMIT || n > r->size - r->at) {
                r->bad = true;
                return;
        }
        stop = r->at + n;
        while (!r->bad && r->at < stop)
                skip(r, type, end, depth + 1);
        if (r->at != stop)
                r->bad = true;
}

static void skip_variant(struct dbus_reader *r, int depth)
{
        const char *type = dbus_read_signature(r), *end = r->bad ? NULL : type_end(type, depth);

        if (!end || *end)
                r->bad = true;
        else
                skip(r, type, end, depth + 1);
}

static void skip(struct dbus_reader *r, const char *type, const char *end, int depth)
{
        if (depth > 2 * DBUS_DEPTH_MAX)
                r->bad = true;
        if (r->bad)
                return;
        switch (*type) {
        case 'a':
                skip_array(r, type + 1, end, depth);
                return;
        case 'v':
                skip_variant(r, depth);
                return;
        case 'g':
                (void)dbus_read_signature(r);
                return;
        case 's':
        case 'o':
                (void)dbus_read_string(r);
                return;
        case '(':
        case '{':
                align(r, 8);
                for (const char *next; ++type < end - 1 && !r->bad; type = next - 1) {
                        next = type_end(type, depth);
                        skip(r, type, next, depth + 1);
                }
                return;
        default:
                align(r, alignment(*type));
                (void)take(r, alignment(*type));
        }
}

void dbus_skip(struct dbus_reader *r, const char **signature)
{
        const char *end = type_end(*signature, 0);

        if (!end) {
                r->bad = true;
                return;
        }
        skip(r, *signature, end, 0);
        *signature = end;
}

/* ---- whole messages ---- */

static bool order(uint8_t byte, bool *ret_swapped)
{
        *ret_swapped = byte != (BYTE_ORDER == LITTLE_ENDIAN ? 'l' : 'B');
        return byte == 'l' || byte == 'B';
}

size_t dbus_message_size(const uint8_t *data)
{
        struct dbus_reader r = {.data = data, .size = DBUS_HEADER_SIZE, .at = 4};
        uint32_t body, fields;

        if (!order(data[0], &r.swapped) || data[3] != 1)
                return 0;
        body = dbus_read_u32(&r);
        r.at = 12;
        fields = dbus_read_u32(&r);
        if (body > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX)
                return 0;
        fields = (fields + 7) & ~7u;
        return DBUS_HEADER_SIZE + fields + body <= DBUS_MESSAGE_MAX ? DBUS_HEADER_SIZE + fields + body : 0;
}

static void read_field(struct dbus_reader *r, struct dbus_message *m)
{
        uint8_t code;
        const char *type;
        const char **place[] = {
                [FIELD_PATH] = &m->path,   [FIELD_INTERFACE] = &m->interface, [FIELD_MEMBER] = &m->member,
                [FIELD_ERROR] = &m->error, [FIELD_DESTINATION] = NULL,        [FIELD_SENDER] = &m->sender,
        };

        align(r, 8);
        code = dbus_read_byte(r);
        type = dbus_read_signature(r);
        if (code == FIELD_REPLY && str_eq(type, "u"))
                m->reply_serial = dbus_read_u32(r);
        else if (code == FIELD_SIGNATURE && str_eq(type, "g"))
                m->signature = dbus_read_signature(r);
        else if (code < ARRAY_SIZE(place) && place[code] && str_eq(type, code == FIELD_PATH ? "o" : "s"))
                *place[code] = dbus_read_string(r);
        else if (code == FIELD_DESTINATION || code > FIELD_SIGNATURE) /* not ours to know */
                dbus_skip(r, &type);
        else
                r->bad = true;
        if (*type && code > FIELD_SIGNATURE)
                r->bad = true;
}

/* What each type of message must have. */
static bool complete(const struct dbus_message *m)
{
        switch (m->type) {
        case DBUS_CALL:
                return m->path && m->member;
        case DBUS_RETURN:
                return m->reply_serial;
        case DBUS_ERROR:
                return m->reply_serial && m->error;
        case DBUS_SIGNAL:
                return m->path && m->interface && m->member;
        default:
                return true; /* unknown types are passed over */
        }
}

bool dbus_message_parse(const uint8_t *data, size_t size, struct dbus_message *ret)
{
        struct dbus_message m = {.signature = ""};
        struct dbus_reader r = {.data = data, .size = size, .at = 4};
        uint32_t body, fields;
        size_t end;

        if (size < DBUS_HEADER_SIZE || dbus_message_size(data) != size || !order(data[0], &r.swapped))
                return false;
        m.type = data[1];
        m.flags = data[2];
        body = dbus_read_u32(&r);
        m.serial = dbus_read_u32(&r);
        fields = dbus_read_u32(&r);
        end = r.at + fields;
        r.size = size - body; /* fields end where the body begins */
        while (!r.bad && r.at < end)
                read_field(&r, &m);
        if (r.bad || r.at != end || !m.type || !m.serial || !complete(&m))
                return false;
        align(&r, 8);
        if (r.bad || r.at != r.size)
                return false;
        m.body = (struct dbus_reader){.data = data + size - body, .size = body, .swapped = r.swapped};
        *ret = m;
        return true;
}

/* ---- writing ---- */

void dbus_write_align(struct str *s, size_t n)
{
        while (s->len & (n - 1) && !s->failed)
                str_add_char(s, '\0');
}

void dbus_write_u32(struct str *s, uint32_t n)
{
        uint32_t le = htole32(n);

        dbus_write_align(s, 4);
        str_add_n(s, (const char *)&le, sizeof(le));
}

void dbus_write_u64(struct str *s, uint64_t n)
{
        uint64_t le = htole64(n);

        dbus_write_align(s, 8);
        str_add_n(s, (const char *)&le, sizeof(le));
}

void dbus_write_string(struct str *s, const char *text)
{
        size_t n = strlen(text);

        dbus_write_u32(s, (uint32_t)n);
        str_add_n(s, text, n + 1);
}

void dbus_write_signature(struct str *s, const char *text)
{
        size_t n = strlen(text);

        str_add_char(s, (char)n);
        str_add_n(s, text, n + 1);
}

struct dbus_array dbus_write_array(struct str *s, size_t element_alignment)
{
        struct dbus_array a;

        dbus_write_u32(s, 0);
        a.length_at = s->len - 4;
        dbus_write_align(s, element_alignment);
        a.start = s->len;
        return a;
}

void dbus_write_array_end(struct str *s, struct dbus_array a)
{
        uint32_t le = htole32((uint32_t)(s->len - a.start));

        if (!s->failed)
                memcpy(s->data + a.length_at, &le, sizeof(le));
}

static void write_field(struct str *s, enum field code, const char *type, const char *value)
{
        if (str_empty(value))
                return;
        dbus_write_align(s, 8);
        str_add_char(s, (char)code);
        dbus_write_signature(s, type);
        if (code == FIELD_SIGNATURE)
                dbus_write_signature(s, value);
        else
                dbus_write_string(s, value);
}

err *dbus_call_write(const struct dbus_call *c, struct str *ret)
{
        struct str *s = ret;
        struct dbus_array fields;

        if (strlen(c->signature) > SIGNATURE_LIMIT || (c->body && c->body->len > DBUS_MESSAGE_MAX / 2))
                return err_new(ERR_LIMIT, "D-Bus: a call of %s is too large", c->member);
        str_add_char(s, 'l');
        str_add_char(s, DBUS_CALL);
        str_add_char(s, (char)c->flags);
        str_add_char(s, 1);
        dbus_write_u32(s, c->body ? (uint32_t)c->body->len : 0);
        dbus_write_u32(s, c->serial);
        fields = dbus_write_array(s, 8);
        write_field(s, FIELD_PATH, "o", c->path);
        write_field(s, FIELD_DESTINATION, "s", c->destination);
        write_field(s, FIELD_INTERFACE, "s", c->interface);
        write_field(s, FIELD_MEMBER, "s", c->member);
        write_field(s, FIELD_SIGNATURE, "g", c->signature);
        dbus_write_array_end(s, fields);
        dbus_write_align(s, 8);
        if (c->body)
                str_add_n(s, c->body->data, c->body->len);
        return str_done(s);
}
