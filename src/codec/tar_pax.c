/* tar_pax.c - pax extended headers, numbers and sparse maps. See tar_format.h. */
#include "codec/tar_format.h"

#include "base/str.h"

#include <string.h>

#define XATTRS_MAX 512 /* of one entry: they are compared with each other */

int64_t tar_checksum(const struct tar_header *h, bool as_signed)
{
        const unsigned char *p = (const unsigned char *)h;
        const size_t from = offsetof(struct tar_header, checksum), to = from + sizeof(h->checksum);
        const uint64_t odd = 0x00ff00ff00ff00ff, ones = 0x0101010101010101;
        uint64_t sums = 0, sum = 0, high = 0;

        /* Eight bytes at once: four sums of 16 bits, which hold 128 bytes each. */
        for (size_t i = 0; i < TAR_BLOCK_SIZE; i += sizeof(uint64_t)) {
                uint64_t word;

                memcpy(&word, p + i, sizeof(word));
                sums += (word & odd) + (word >> 8 & odd);
                high += (word >> 7 & ones) * ones >> 56; /* how many of the eight have the highest bit */
        }
        for (; sums; sums >>= 16)
                sum += sums & 0xffff;
        for (size_t i = from; i < to; i++) {
                sum -= p[i];
                high -= p[i] >> 7;
        }
        sum += 8 * ' ';
        return as_signed ? (int64_t)sum - 256 * (int64_t)high : (int64_t)sum;
}

/* Two's complement, big endian; the top bit says "base-256", the next one is the sign. */
static bool base256(const unsigned char *p, size_t size, int64_t *ret)
{
        bool negative = p[0] & 0x40;
        uint64_t n = negative ? UINT64_MAX : 0;

        for (size_t i = 0; i < size; i++) {
                unsigned char c = i ? p[i] : (unsigned char)(negative ? p[0] | 0x80 : p[0] & 0x7f);

                if (n >> 55 != (negative ? 0x1ff : 0)) /* the shift would lose digits or the sign */
                        return false;
                n = n << 8 | c;
        }
        *ret = (int64_t)n;
        return true;
}

bool tar_number(const char *field, size_t size, int64_t *ret)
{
        size_t i = 0;
        uint64_t n = 0;

        if (*field & 0x80)
                return base256((const unsigned char *)field, size, ret);
        while (i < size && (field[i] == ' ' || field[i] == '\0'))
                i++;
        for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
                n = n << 3 | (unsigned)(field[i] - '0'); /* at most 12 digits, 36 bits */
        for (; i < size; i++)
                if (field[i] != ' ' && field[i] != '\0')
                        return false;
        *ret = (int64_t)n;
        return true;
}

bool tar_decimal(const char *text, size_t size, uint64_t *ret)
{
        uint64_t n = 0;

        if (!size)
                return false;
        for (size_t i = 0; i < size; i++)
                if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(n, 10u, &n) ||
                    __builtin_add_overflow(n, (unsigned)(text[i] - '0'), &n))
                        return false;
        if (n > INT64_MAX)
                return false;
        *ret = n;
        return true;
}

err *tar_map_add(struct tar_stretch **map, size_t *n, uint64_t offset, uint64_t size, const struct tar_limits *limits)
{
        if (*n >= limits->max_map)
                return err_new(ERR_LIMIT, "a sparse file of more than %zu pieces", limits->max_map);
        if (mem_grow(map, *n, sizeof(**map)) < 0)
                return err_nomem();
        (*map)[(*n)++] = (struct tar_stretch){offset, size};
        return NULL;
}

bool tar_map_valid(const struct tar_stretch *map, size_t n, uint64_t logical, uint64_t stored)
{
        uint64_t end = 0, sum = 0;

        for (size_t i = 0; i < n; i++) {
                if (map[i].offset < end || map[i].offset > logical || map[i].size > logical - map[i].offset)
                        return false;
                end = map[i].offset + map[i].size;
                sum += map[i].size; /* no overflow: the stretches are disjoint and inside @logical */
        }
        return sum == stored;
}

struct record {
        const char *key;
        size_t key_size;
        const char *value; /* not terminated */
        size_t size;
};

static bool key_is(const struct record *r, const char *key)
{
        return r->key_size == strlen(key) && memcmp(r->key, key, r->key_size) == 0;
}

static bool key_starts(const struct record *r, const char *prefix)
{
        return r->key_size >= strlen(prefix) && memcmp(r->key, prefix, strlen(prefix)) == 0;
}

static err *bad(const struct record *r, const char *what)
{
        return err_new(ERR_CORRUPT, "pax record %.*s: %s", (int)(r->key_size < 60 ? r->key_size : 60), r->key, what);
}

/* "<decimal length of all> <key>=<value>\n" */
static err *next_record(const char **at, const char *end, struct record *ret)
{
        const char *start = *at, *space = memchr(start, ' ', (size_t)(end - start)), *equals, *last;
        uint64_t size;

        if (!space || space - start > 10 || !tar_decimal(start, (size_t)(space - start), &size) ||
            size > (uint64_t)(end - start) || size < (uint64_t)(space - start) + 3)
                return err_new(ERR_CORRUPT, "a pax record has a wrong length");
        last = start + size - 1;
        equals = *last == '\n' ? memchr(space + 1, '=', (size_t)(last - space - 1)) : NULL;
        if (!equals || equals == space + 1 || memchr(space + 1, '\0', (size_t)(equals - space - 1)))
                return err_new(ERR_CORRUPT, "a malformed pax record");
        *ret = (struct record){space + 1, (size_t)(equals - space - 1), equals + 1, (size_t)(last - equals - 1)};
        *at = last + 1;
        return NULL;
}

static err *take_text(const struct record *r, const struct tar_limits *limits, char **ret)
{
        if (memchr(r->value, '\0', r->size))
                return bad(r, "contains a NUL byte");
        if (r->size > limits->max_name)
                return err_new(ERR_LIMIT, "a name of %zu bytes (at most %zu)", r->size, limits->max_name);
        *ret = strndup(r->value, r->size);
        return *ret ? NULL : err_nomem();
}

static err *take_number(const struct record *r, uint64_t *ret)
{
        return tar_decimal(r->value, r->size, ret) ? NULL : bad(r, "not a number in range");
}

static err *take_id(const struct record *r, uint32_t *ret)
{
        uint64_t n;

        /* (uint32_t)-1 means "leave as it is" to chown(2) */
        if (!tar_decimal(r->value, r->size, &n) || n >= UINT32_MAX)
                return bad(r, "not a user or group number");
        *ret = (uint32_t)n;
        return NULL;
}

/* [-]seconds[.fraction]; digits behind the nanoseconds are dropped. */
static err *take_time(const struct record *r, int64_t *ret, uint32_t *ret_ns)
{
        bool negative = r->size && *r->value == '-';
        const char *text = r->value + negative, *end = r->value + r->size;
        const char *dot = memchr(text, '.', (size_t)(end - text));
        uint64_t seconds;
        uint32_t ns = 0;

        if (!tar_decimal(text, (size_t)((dot ? dot : end) - text), &seconds) || seconds >= INT64_MAX)
                return bad(r, "not a time");
        for (int i = 1; dot && i <= 9; i++)
                ns = ns * 10 + (uint32_t)(dot + i < end ? dot[i] - '0' : 0);
        for (const char *c = dot ? dot + 1 : end; c < end; c++)
                if (*c < '0' || *c > '9')
                        return bad(r, "not a time");
        *ret = negative ? -(int64_t)seconds - (ns ? 1 : 0) : (int64_t)seconds;
        *ret_ns = negative && ns ? 1000000000u - ns : ns;
        return NULL;
}

static err *take_xattr(const struct record *r, const struct tar_limits *limits, struct tar_pax *p)
{
        const size_t prefix = strlen("SCHILY.xattr.");
        const char *name = r->key + prefix;
        size_t n = r->key_size - prefix;
        struct tar_xattr x = {.size = r->size};

        if (p->n_xattrs == XATTRS_MAX)
                return err_new(ERR_LIMIT, "more than %d xattrs", XATTRS_MAX);
        if (n < 1 || n > 255)
                return bad(r, "an xattr name has 1 to 255 bytes");
        if (r->size > limits->max_xattr_value)
                return err_new(ERR_LIMIT, "xattr %.*s has %zu bytes (at most %zu)", (int)n, name, r->size,
                               limits->max_xattr_value);
        p->xattr_total += n + r->size;
        if (p->xattr_total > limits->max_xattr_total)
                return err_new(ERR_LIMIT, "more than %zu bytes of xattrs", limits->max_xattr_total);
        for (size_t i = 0; i < p->n_xattrs; i++)
                if (strlen(p->xattrs[i].name) == n && memcmp(p->xattrs[i].name, name, n) == 0)
                        return bad(r, "is there twice");
        if (mem_grow(&p->xattrs, p->n_xattrs, sizeof(x)) < 0)
                return err_nomem();
        x.name = strndup(name, n);
        x.value = r->size ? malloc(r->size) : NULL;
        if (!x.name || (r->size && !x.value)) {
                free(x.name);
                free(x.value);
                return err_nomem();
        }
        if (r->size)
                memcpy(x.value, r->value, r->size);
        p->xattrs[p->n_xattrs++] = x;
        return NULL;
}

/* GNU.sparse.map: "offset,size,offset,size..." */
static err *take_map(const struct record *r, const struct tar_limits *limits, struct tar_pax *p)
{
        const char *at = r->value, *end = r->value + r->size;
        uint64_t pair[2];

        while (at < end) {
                for (int i = 0; i < 2; i++) {
                        const char *comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;

                        if (!comma)
                                comma = end;
                        if (!tar_decimal(at, (size_t)(comma - at), &pair[i]) || (i == 1 && comma + 1 == end))
                                return bad(r, "not a list of pairs");
                        at = comma + (comma < end);
                }
                TRY(tar_map_add(&p->map, &p->n_map, pair[0], pair[1], limits));
        }
        return NULL;
}

/* GNU.sparse.offset and GNU.sparse.numbytes take turns. */
static err *take_pair(const struct record *r, bool offset, const struct tar_limits *limits, struct tar_pax *p)
{
        uint64_t n;

        TRY(take_number(r, &n));
        if (offset == p->sparse_half || (p->have & PAX_SPARSE_MAP && !p->sparse_pairs))
                return bad(r, "out of order");
        p->have |= PAX_SPARSE_MAP;
        p->sparse_pairs = true;
        p->sparse_half = offset;
        if (offset)
                return tar_map_add(&p->map, &p->n_map, n, 0, limits);
        p->map[p->n_map - 1].size = n;
        return NULL;
}

static const struct {
        const char *key;
        unsigned have;
        bool global; /* may stand in a global header */
} known[] = {
        {"path", PAX_PATH, false},
        {"linkpath", PAX_LINKPATH, false},
        {"size", PAX_SIZE, false},
        {"uid", PAX_UID, true},
        {"gid", PAX_GID, true},
        {"mtime", PAX_MTIME, true},
        {"GNU.sparse.name", PAX_SPARSE_NAME, false},
        {"GNU.sparse.size", PAX_SPARSE_SIZE, false},
        {"GNU.sparse.realsize", PAX_SPARSE_SIZE, false},
        {"GNU.sparse.numblocks", PAX_SPARSE_COUNT, false},
        {"GNU.sparse.map", PAX_SPARSE_MAP, false},
        {"GNU.sparse.major", PAX_SPARSE_MAJOR, false},
        {"GNU.sparse.minor", PAX_SPARSE_MINOR, false},
};

static err *take_known(const struct record *r, unsigned have, const struct tar_limits *limits, struct tar_pax *p)
{
        if (p->have & have)
                return bad(r, "is there twice");
        p->have |= have;
        switch (have) {
        case PAX_PATH:
                return take_text(r, limits, &p->path);
        case PAX_LINKPATH:
                return take_text(r, limits, &p->linkpath);
        case PAX_SPARSE_NAME:
                return take_text(r, limits, &p->sparse_name);
        case PAX_SIZE:
                return take_number(r, &p->size);
        case PAX_UID:
                return take_id(r, &p->uid);
        case PAX_GID:
                return take_id(r, &p->gid);
        case PAX_MTIME:
                return take_time(r, &p->mtime, &p->mtime_ns);
        case PAX_SPARSE_SIZE:
                return take_number(r, &p->sparse_size);
        case PAX_SPARSE_COUNT:
                return take_number(r, &p->sparse_count);
        case PAX_SPARSE_MAP:
                return take_map(r, limits, p);
        case PAX_SPARSE_MAJOR:
                return take_number(r, &p->sparse_major);
        default:
                return take_number(r, &p->sparse_minor);
        }
}

static err *take_record(const struct record *r, bool global, const struct tar_limits *limits, struct tar_pax *p)
{
        bool offset = key_is(r, "GNU.sparse.offset");

        if (key_starts(r, "SCHILY.xattr."))
                return global ? bad(r, "must not be in a global header") : take_xattr(r, limits, p);
        if (offset || key_is(r, "GNU.sparse.numbytes"))
                return global ? bad(r, "must not be in a global header") : take_pair(r, offset, limits, p);
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                if (!key_is(r, known[i].key))
                        continue;
                if (global && !known[i].global)
                        return bad(r, "must not be in a global header");
                /* POSIX: the record does not count then. GNU tar and libarchive take the empty value, Go does not. */
                if (!r->size && known[i].have != PAX_SPARSE_MAP)
                        return bad(r, "is empty");
                return take_known(r, known[i].have, limits, p);
        }
        if (key_starts(r, "GNU.sparse.") || key_starts(r, "GNU.volume."))
                return err_new(ERR_UNSUPPORTED, "unknown pax record %.*s", (int)(r->key_size < 60 ? r->key_size : 60),
                               r->key);
        return NULL; /* comment, atime, uname, vendor extensions ... */
}

err *tar_pax_parse(const char *data, size_t size, bool global, const struct tar_limits *limits, struct tar_pax *p)
{
        const char *at = data, *end = data + size;

        while (at < end) {
                struct record r;

                TRY(next_record(&at, end, &r));
                TRY(take_record(&r, global, limits, p));
        }
        if (p->sparse_half || (p->have & PAX_SPARSE_COUNT && p->have & PAX_SPARSE_MAP && p->sparse_count != p->n_map))
                return err_new(ERR_CORRUPT, "an incomplete sparse map");
        return NULL;
}

void tar_pax_free(struct tar_pax *p)
{
        for (size_t i = 0; i < p->n_xattrs; i++) {
                free(p->xattrs[i].name);
                free(p->xattrs[i].value);
        }
        free(p->xattrs);
        free(p->map);
        free(p->path);
        free(p->linkpath);
        free(p->sparse_name);
        *p = (struct tar_pax){0};
}
