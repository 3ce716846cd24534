/* dns.c - see dns.h. */
#include "codec/dns.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LABEL_MAX 63
#define NAME_MAX_WIRE 255
#define JUMPS_MAX 127 /* a name has no more labels */
#define POINTER 0xc0
#define OPT_SIZE 11          /* of an OPT record without options */
#define QUESTION_NAME 0xc00c /* a pointer to the question's name */

/* ---- numbers ---- */

static unsigned get16(const unsigned char *p)
{
        return (unsigned)p[0] << 8 | p[1];
}

static void put16(unsigned char *p, unsigned n)
{
        p[0] = (unsigned char)(n >> 8);
        p[1] = (unsigned char)n;
}

static void put32(unsigned char *p, uint32_t n)
{
        put16(p, n >> 16);
        put16(p + 2, n & 0xffff);
}

uint16_t dns_id(const void *message)
{
        return (uint16_t)get16(message);
}

void dns_set_id(void *message, uint16_t id)
{
        put16(message, id);
}

uint16_t dns_flags(const void *message)
{
        return (uint16_t)get16((const unsigned char *)message + 2);
}

/* ---- names ---- */

/* At most four bytes of text for each of the 255 of a name, which is less than DNS_TEXT_MAX. */
static size_t add_label(char *to, const unsigned char *label, size_t n)
{
        char *p = to;

        for (size_t i = 0; i < n; i++) {
                unsigned char c = label[i];

                if (c > ' ' && c != 0x7f && c != '.' && c != '\\') {
                        *p++ = (char)c;
                        continue;
                }
                *p++ = '\\';
                *p++ = (char)('0' + c / 100);
                *p++ = (char)('0' + c / 10 % 10);
                *p++ = (char)('0' + c % 10);
        }
        return (size_t)(p - to);
}

bool dns_read_name(const void *message, size_t size, size_t *at, char ret[DNS_TEXT_MAX])
{
        size_t here = *at, end = 0, lowest = *at, wire = 1, text = 0;
        const unsigned char *m = message;
        unsigned jumps = 0;

        for (;;) {
                size_t n;

                if (here >= size)
                        return false;
                n = m[here];
                if (n >= POINTER) {
                        if (here + 2 > size)
                                return false;
                        end = end ? end : here + 2;
                        here = get16(m + here) & 0x3fff;
                        /* Each jump goes further back: there is an end; and no long chain for each of many records. */
                        if (here >= lowest || here < DNS_HEADER || ++jumps > JUMPS_MAX)
                                return false;
                        lowest = here;
                        continue;
                }
                if (n > LABEL_MAX || here + 1 + n > size)
                        return false;
                here += 1 + n;
                if (n == 0)
                        break;
                wire += 1 + n;
                if (wire > NAME_MAX_WIRE)
                        return false;
                if (text)
                        ret[text++] = '.';
                text += add_label(ret + text, m + here - n, n);
        }
        ret[text] = '\0';
        *at = end ? end : here;
        return true;
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* One character of a label's text; *@p moves. -1: a bad escape. */
static int read_char(const char **p)
{
        const char *s = *p;
        int c;

        if (*s != '\\') {
                *p = s + 1;
                return (unsigned char)*s;
        }
        if (!is_digit(s[1]) || !is_digit(s[2]) || !is_digit(s[3]))
                return -1;
        c = (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0');
        *p = s + 4;
        return c > 255 ? -1 : c;
}

size_t dns_write_name(void *data, size_t room, const char *name)
{
        unsigned char *d = data, wire[NAME_MAX_WIRE + 1];
        size_t n = 0;

        while (*name) {
                size_t label = n++;

                while (*name && *name != '.') {
                        int c = read_char(&name);

                        if (c < 0 || n - label > LABEL_MAX || n >= NAME_MAX_WIRE)
                                return 0;
                        wire[n++] = (unsigned char)c;
                }
                if (n - label == 1 || n >= NAME_MAX_WIRE)
                        return 0;
                wire[label] = (unsigned char)(n - label - 1);
                name += *name == '.';
        }
        wire[n++] = 0;
        if (n > room)
                return 0;
        memcpy(d, wire, n);
        return n;
}

static int hex_digit(char c)
{
        return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool reverse4(const char *name, unsigned char ret[16])
{
        for (int i = 3; i >= 0; i--) {
                unsigned n = 0;
                int digits = 0;

                for (; is_digit(*name) && digits < 3; name++, digits++)
                        n = n * 10 + (unsigned)(*name - '0');
                if (!digits || n > 255 || *name++ != '.')
                        return false;
                ret[i] = (unsigned char)n;
        }
        return strcasecmp(name, "in-addr.arpa") == 0;
}

static bool reverse6(const char *name, unsigned char ret[16])
{
        for (int i = 15; i >= 0; i--, name += 4) {
                int low = hex_digit(name[0]), high = low < 0 || name[1] != '.' ? -1 : hex_digit(name[2]);

                if (high < 0 || name[3] != '.')
                        return false;
                ret[i] = (unsigned char)(high << 4 | low);
        }
        return strcasecmp(name, "ip6.arpa") == 0;
}

bool dns_reverse(const char *name, int *ret_family, unsigned char ret[16])
{
        unsigned char a[16] = {0};
        int family = reverse4(name, a) ? AF_INET : reverse6(name, a) ? AF_INET6 : 0;

        if (!family)
                return false;
        memcpy(ret, a, 16);
        *ret_family = family;
        return true;
}

/* ---- messages ---- */

bool dns_read_record(const void *message, size_t size, size_t *at, struct dns_record *ret)
{
        const unsigned char *m = message;
        size_t here = *at;

        if (!dns_read_name(message, size, &here, ret->name) || size - here < 10)
                return false;
        ret->type = (uint16_t)get16(m + here);
        ret->class = (uint16_t)get16(m + here + 2);
        ret->ttl = (uint32_t)get16(m + here + 4) << 16 | get16(m + here + 6);
        ret->size = get16(m + here + 8);
        ret->data = here + 10;
        if (ret->size > size - ret->data)
                return false;
        *at = ret->data + ret->size;
        return true;
}

/* The question of a message that has one, and one only; *@ret is behind it. */
static bool read_question(const unsigned char *m, size_t size, char name[DNS_TEXT_MAX], size_t *ret)
{
        size_t at = DNS_HEADER;

        if (size < DNS_HEADER || get16(m + 4) != 1 || !dns_read_name(m, size, &at, name) || size - at < 4)
                return false;
        *ret = at + 4;
        return true;
}

static void read_opt(const struct dns_record *r, struct dns_query *q)
{
        q->edns = true;
        q->version = (uint8_t)(r->ttl >> 16);
        q->room = r->class < DNS_UDP_MIN ? DNS_UDP_MIN : r->class;
}

bool dns_read_query(const void *message, size_t size, struct dns_query *ret)
{
        const unsigned char *m = message;
        struct dns_record r;
        size_t at, left;

        if (size < DNS_HEADER || dns_flags(m) & DNS_FLAG_QR || !read_question(m, size, ret->name, &at))
                return false;
        ret->id = dns_id(m);
        ret->flags = dns_flags(m);
        ret->question = at;
        ret->type = (uint16_t)get16(m + at - 4);
        ret->class = (uint16_t)get16(m + at - 2);
        ret->edns = false;
        ret->version = 0;
        ret->room = DNS_UDP_MIN;
        left = get16(m + 6) + get16(m + 8) + get16(m + 10);
        for (size_t additional = get16(m + 10); left; left--) {
                if (!dns_read_record(m, size, &at, &r))
                        return false;
                if (r.type != DNS_OPT)
                        continue;
                if (ret->edns || left > additional || r.name[0]) /* one at most, of the root, at the end */
                        return false;
                read_opt(&r, ret);
        }
        return at == size;
}

bool dns_is_reply(const void *message, size_t size, const void *query, size_t query_size, uint16_t id)
{
        const unsigned char *m = message, *q = query;
        char asked[DNS_TEXT_MAX], answered[DNS_TEXT_MAX];
        size_t at, query_at;

        if (size < DNS_HEADER || query_size < DNS_HEADER || dns_id(m) != id || !(dns_flags(m) & DNS_FLAG_QR) ||
            DNS_OPCODE(dns_flags(m)) != DNS_OPCODE(dns_flags(q)))
                return false;
        return read_question(m, size, answered, &at) && read_question(q, query_size, asked, &query_at) &&
               strcasecmp(asked, answered) == 0 && memcmp(m + at - 4, q + query_at - 4, 4) == 0;
}

bool dns_read_addresses(const void *message, size_t size, dns_address_fn *fn, void *arg)
{
        char wanted[DNS_TEXT_MAX], target[DNS_TEXT_MAX];
        const unsigned char *m = message;
        struct dns_record r;
        size_t at;

        if (!read_question(m, size, wanted, &at))
                return false;
        for (unsigned n = get16(m + 6); n; n--) {
                size_t data;

                if (!dns_read_record(m, size, &at, &r))
                        return false;
                if (r.class != DNS_IN || strcasecmp(r.name, wanted) != 0)
                        continue;
                data = r.data;
                if (r.type == DNS_CNAME) {
                        if (!dns_read_name(m, size, &data, target))
                                return false;
                        memcpy(wanted, target, sizeof(wanted));
                } else if (r.type == DNS_A && r.size == 4) {
                        fn(arg, AF_INET, m + r.data, r.ttl);
                } else if (r.type == DNS_AAAA && r.size == 16) {
                        fn(arg, AF_INET6, m + r.data, r.ttl);
                }
        }
        return true;
}

/* ---- writing ---- */

void dns_reply_begin(struct dns_reply *r, void *data, size_t room, const void *message, const struct dns_query *query)
{
        *r = (struct dns_reply){
                .data = data,
                .size = query->question,
                .room = query->edns ? room - OPT_SIZE : room,
                .query = query,
                .flags = (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RA | (query->flags & (DNS_FLAG_RD | DNS_FLAG_CD | 0x7800))),
        };
        memcpy(data, message, query->question);
        memset(r->data + 6, 0, 6);
}

/* Header of a record for the question's name; where its data goes, or NULL. */
static unsigned char *add_record(struct dns_reply *r, unsigned type, uint32_t ttl, size_t size)
{
        unsigned char *p = r->data + r->size;

        if (r->truncated || r->room - r->size < 12 + size || r->answers == UINT16_MAX) {
                r->truncated = true;
                return NULL;
        }
        put16(p, QUESTION_NAME);
        put16(p + 2, type);
        put16(p + 4, DNS_IN);
        put32(p + 6, ttl);
        put16(p + 10, (unsigned)size);
        r->size += 12 + size;
        r->answers++;
        return p + 12;
}

bool dns_reply_address(struct dns_reply *r, int family, const unsigned char *address, uint32_t ttl)
{
        size_t size = family == AF_INET ? 4 : 16;
        unsigned char *p = add_record(r, family == AF_INET ? DNS_A : DNS_AAAA, ttl, size);

        if (!p)
                return false;
        memcpy(p, address, size);
        return true;
}

bool dns_reply_ptr(struct dns_reply *r, const char *name, uint32_t ttl)
{
        unsigned char wire[NAME_MAX_WIRE + 1], *p;
        size_t n = dns_write_name(wire, sizeof(wire), name);

        p = n ? add_record(r, DNS_PTR, ttl, n) : NULL;
        if (!p)
                return false;
        memcpy(p, wire, n);
        return true;
}

size_t dns_reply_end(struct dns_reply *r)
{
        unsigned char *p = r->data + r->size;

        put16(r->data + 2, r->flags | (r->rcode & 15) | (r->truncated ? DNS_FLAG_TC : 0));
        put16(r->data + 6, r->answers);
        if (!r->query->edns)
                return r->size;
        put16(r->data + 10, 1);
        memset(p, 0, OPT_SIZE);
        put16(p + 1, DNS_OPT);
        put16(p + 3, DNS_UDP_OURS);
        p[5] = (unsigned char)(r->rcode >> 4);
        r->size += OPT_SIZE;
        return r->size;
}

size_t dns_truncate(void *message, size_t size)
{
        char name[DNS_TEXT_MAX];
        unsigned char *m = message;
        size_t at;

        if (!read_question(m, size, name, &at))
                return 0;
        put16(m + 2, dns_flags(m) | DNS_FLAG_TC);
        memset(m + 6, 0, 6);
        return at;
}

size_t dns_write_query(void *data, size_t room, uint16_t id, const char *name, uint16_t type)
{
        unsigned char *d = data;
        size_t n;

        if (room < DNS_HEADER + 5)
                return 0;
        memset(d, 0, DNS_HEADER);
        put16(d, id);
        put16(d + 2, DNS_FLAG_RD);
        put16(d + 4, 1);
        n = dns_write_name(d + DNS_HEADER, room - DNS_HEADER - 4, name);
        if (!n)
                return 0;
        put16(d + DNS_HEADER + n, type);
        put16(d + DNS_HEADER + n + 2, DNS_IN);
        return DNS_HEADER + n + 4;
}
