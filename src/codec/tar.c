/* tar.c - the archive reader. See tar.h.
 *
 * A member is: [x | L | K | g headers with their data]... header [GNU sparse extension blocks] data, padded to 512.
 * `window` holds bytes read from the stream and not consumed yet; headers are parsed and data is handed out in place.
 */
#include "codec/tar.h"
#include "codec/tar_format.h"

#include "base/str.h"

#include <string.h>

#define WINDOW (2 * STREAM_CHUNK)

const struct tar_limits tar_limits_default = {
        .max_entries = 10000000,
        .max_bytes = (uint64_t)1 << 40,
        .max_file = (uint64_t)1 << 43,
        .max_name = 4095,
        .max_xattr_value = 64u << 10,
        .max_xattr_total = 256u << 10,
        .max_pax = 1u << 20,
        .max_map = 100000,
};

struct tar_reader {
        struct stream *below; /* borrowed */
        struct tar_limits limits;
        struct tar_entry entry;
        struct tar_pax pax, global;
        bool have_pax, ended, below_ended;
        char *long_name, *long_link; /* of 'L' and 'K' headers; then of the entry */
        char short_name[sizeof(((struct tar_header *)0)->name) + 1 + 155 + 1];
        char short_link[sizeof(((struct tar_header *)0)->linkname) + 1];
        struct tar_stretch *map; /* of the current sparse entry */
        size_t n_map, piece;     /* the stretch being read */
        uint64_t piece_done;
        uint64_t left;    /* stored data not handed out */
        uint64_t padding; /* behind the data */
        uint64_t entries, headers, bytes, offset;
        err *(*watch)(void *arg, const void *data, size_t size);
        void *watch_arg;
        size_t at, size; /* of the window */
        unsigned char *window;
};

err *tar_reader_new(struct stream *below, const struct tar_limits *limits, struct tar_reader **ret)
{
        struct tar_reader *r = MEM_NEW0(struct tar_reader, 1);

        if (!r)
                return err_nomem();
        r->window = malloc(WINDOW);
        if (!r->window) {
                free(r);
                return err_nomem();
        }
        r->below = below;
        r->limits = limits ? *limits : tar_limits_default;
        *ret = r;
        return NULL;
}

static void forget_entry(struct tar_reader *r)
{
        tar_pax_free(&r->pax);
        r->have_pax = false;
        free(r->long_name);
        free(r->long_link);
        free(r->map);
        r->long_name = r->long_link = NULL;
        r->map = NULL;
        r->n_map = r->piece = 0;
        r->piece_done = 0;
        r->entry = (struct tar_entry){0};
}

void tar_reader_free(struct tar_reader *r)
{
        if (!r)
                return;
        forget_entry(r);
        tar_pax_free(&r->global);
        free(r->window);
        free(r);
}

uint64_t tar_reader_offset(const struct tar_reader *r)
{
        return r->offset;
}

/* Where we are, for messages. */
static err *here(const struct tar_reader *r, err *e)
{
        return err_wrap(e, "tar: entry %llu at byte %llu", (unsigned long long)r->entries + 1,
                        (unsigned long long)r->offset);
}

static err *corrupt(const struct tar_reader *r, const char *what)
{
        return here(r, err_new(ERR_CORRUPT, "%s", what));
}

static err *truncated(const struct tar_reader *r)
{
        return corrupt(r, "the archive is truncated");
}

/* How much to read when @want bytes are missing. From a stream that lends its bytes only to the end of the block, so
 * that a file's data is not taken before it can be lent. */
static size_t read_size(const struct tar_reader *r, size_t want)
{
        size_t room = WINDOW - r->size, n;

        if (!r->below->lend)
                return room;
        n = want + (size_t)(-(r->offset + r->size + want) % TAR_BLOCK_SIZE);
        return n < room ? n : room;
}

/* Make the window hold at least @want (<= WINDOW / 2) bytes, or all that is left of the stream. */
static err *fill(struct tar_reader *r, size_t want)
{
        if (r->size - r->at >= want)
                return NULL;
        if (r->at) {
                memmove(r->window, r->window + r->at, r->size - r->at);
                r->size -= r->at;
                r->at = 0;
        }
        while (r->size < want && !r->below_ended) {
                size_t n;

                TRY(stream_read(r->below, r->window + r->size, read_size(r, want - r->size), &n));
                r->size += n;
                r->below_ended = n == 0;
        }
        return NULL;
}

/* Go on by @n bytes of the window that are no file's data, or not read as such. */
static err *consume(struct tar_reader *r, size_t n)
{
        const void *data = r->window + r->at;

        r->at += n;
        r->offset += n;
        return r->watch && n ? r->watch(r->watch_arg, data, n) : NULL;
}

static err *skip(struct tar_reader *r, uint64_t n)
{
        while (n) {
                size_t step;

                TRY(fill(r, 1));
                step = r->size - r->at;
                if (!step)
                        return truncated(r);
                if (step > n)
                        step = (size_t)n;
                TRY(consume(r, step));
                n -= step;
        }
        return NULL;
}

static uint64_t padding_of(uint64_t size)
{
        return -size % TAR_BLOCK_SIZE;
}

/* The data of an extension header: @size bytes, terminated, and the padding behind it. */
static err *read_extension(struct tar_reader *r, uint64_t size, size_t max, const char *what, char **ret)
{
        _cleanup_free_ char *data = NULL;
        size_t have = 0;

        if (size > max)
                return here(r,
                            err_new(ERR_LIMIT, "%s of %llu bytes (at most %zu)", what, (unsigned long long)size, max));
        data = malloc((size_t)size + 1);
        if (!data)
                return err_nomem();
        while (have < size) {
                size_t n;

                TRY(fill(r, 1));
                n = r->size - r->at;
                if (!n)
                        return truncated(r);
                if (n > size - have)
                        n = (size_t)size - have;
                memcpy(data + have, r->window + r->at, n);
                TRY(consume(r, n));
                have += n;
        }
        data[size] = '\0';
        TRY(skip(r, padding_of(size)));
        *ret = TAKE_PTR(data);
        return NULL;
}

static bool is_zero(const unsigned char *block)
{
        return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK_SIZE - 1) == 0;
}

/* The end of the stream instead of a header: fine only where that was asked for. */
static err *stream_end(struct tar_reader *r)
{
        if (r->have_pax || r->long_name || r->long_link || !r->limits.missing_end_ok)
                return r->offset ? corrupt(r, "the archive is truncated: its end marker is missing")
                                 : err_new(ERR_CORRUPT, "tar: the archive is empty");
        r->ended = true;
        return NULL;
}

/* At a zero block: the end, if another one or nothing follows. */
static err *zero_block(struct tar_reader *r)
{
        TRY(consume(r, TAR_BLOCK_SIZE));
        TRY(fill(r, TAR_BLOCK_SIZE));
        if (r->size - r->at >= TAR_BLOCK_SIZE && !is_zero(r->window + r->at))
                return corrupt(r, "a lone zero block");
        if (r->have_pax || r->long_name || r->long_link)
                return corrupt(r, "an extended header without its entry");
        if (r->size - r->at >= TAR_BLOCK_SIZE)
                TRY(consume(r, TAR_BLOCK_SIZE));
        r->ended = true;
        return NULL;
}

/* Read and check a header block; r->ended when there is none. */
static err *read_header(struct tar_reader *r, struct tar_header *h)
{
        int64_t want;

        TRY(fill(r, TAR_BLOCK_SIZE));
        if (r->size == r->at)
                return stream_end(r);
        if (r->size - r->at < TAR_BLOCK_SIZE)
                return truncated(r);
        if (is_zero(r->window + r->at))
                return zero_block(r);
        memcpy(h, r->window + r->at, TAR_BLOCK_SIZE);
        if (!tar_number(h->checksum, sizeof(h->checksum), &want) ||
            (want != tar_checksum(h, false) && want != tar_checksum(h, true)))
                return corrupt(r, r->headers ? "a header with a wrong checksum" : "this is not a tar archive");
        if (++r->headers > r->limits.max_entries)
                return here(r, err_new(ERR_LIMIT, "more than %llu entries", (unsigned long long)r->limits.max_entries));
        TRY(consume(r, TAR_BLOCK_SIZE));
        return NULL;
}

static bool is_ustar(const struct tar_header *h)
{
        return memcmp(h->magic, "ustar\0", 6) == 0;
}

static bool is_gnu(const struct tar_header *h)
{
        return memcmp(h->magic, "ustar  \0", 8) == 0;
}

static err *number(const struct tar_reader *r, const char *field, size_t size, const char *what, int64_t min,
                   int64_t max, int64_t *ret)
{
        if (!tar_number(field, size, ret))
                return here(r, err_new(ERR_CORRUPT, "the %s is not a number of 64 bits", what));
        if (*ret < min || *ret > max)
                return here(r, err_new(ERR_CORRUPT, "the %s %lld is out of range", what, (long long)*ret));
        return NULL;
}
#define NUMBER(r, field, what, min, max, ret) number(r, field, sizeof(field), what, min, max, ret)

/* 'L' and 'K': the data is the name of the next entry. */
static err *read_long(struct tar_reader *r, uint64_t size, char **name)
{
        if (*name)
                return corrupt(r, "two long names for one entry");
        return read_extension(r, size, r->limits.max_name + 1, "a name", name);
}

static err *read_pax(struct tar_reader *r, uint64_t size, bool global)
{
        _cleanup_free_ char *data = NULL;
        struct tar_pax fresh = {0};
        err *e;

        if (r->have_pax)
                return corrupt(r, "two extended headers for one entry");
        TRY(read_extension(r, size, r->limits.max_pax, "an extended header", &data));
        e = tar_pax_parse(data, (size_t)size, global, &r->limits, &fresh);
        if (e) {
                tar_pax_free(&fresh);
                return here(r, e);
        }
        if (!global) {
                r->pax = fresh;
                r->have_pax = true;
                return NULL;
        }
        if (fresh.have & PAX_UID)
                r->global.uid = fresh.uid;
        if (fresh.have & PAX_GID)
                r->global.gid = fresh.gid;
        if (fresh.have & PAX_MTIME) {
                r->global.mtime = fresh.mtime;
                r->global.mtime_ns = fresh.mtime_ns;
        }
        r->global.have |= fresh.have;
        tar_pax_free(&fresh);
        return NULL;
}

/* Consume an extension header; *@ret is false when @h is an entry's own. */
static err *read_extension_header(struct tar_reader *r, const struct tar_header *h, bool *ret)
{
        int64_t size;

        *ret = h->type == 'x' || h->type == 'g' || h->type == 'L' || h->type == 'K';
        if (!*ret)
                return NULL;
        TRY(NUMBER(r, h->size, "size", 0, INT64_MAX, &size));
        if (h->type == 'L')
                return read_long(r, (uint64_t)size, &r->long_name);
        if (h->type == 'K')
                return read_long(r, (uint64_t)size, &r->long_link);
        return read_pax(r, (uint64_t)size, h->type == 'g');
}

static void short_name(struct tar_reader *r, const struct tar_header *h)
{
        size_t n = 0;

        if (is_ustar(h)) {
                size_t max = memcmp(h->tail + 8, "tar\0", 4) == 0 ? sizeof(h->star.prefix) : sizeof(h->prefix);

                n = strnlen(h->prefix, max);
                memcpy(r->short_name, h->prefix, n);
                if (n)
                        r->short_name[n++] = '/';
        }
        memcpy(r->short_name + n, h->name, sizeof(h->name));
        n += strnlen(h->name, sizeof(h->name));
        r->short_name[n] = '\0';
        n = strnlen(h->linkname, sizeof(h->linkname));
        memcpy(r->short_link, h->linkname, n);
        r->short_link[n] = '\0';
}

/* One of the up to three places where a name can be. */
static err *choose(struct tar_reader *r, char *pax, char *gnu, char *header, char **ret)
{
        char *name = pax ? pax : gnu ? gnu : header;

        if (pax && gnu && !str_eq(pax, gnu))
                return corrupt(r, "two different names for one entry");
        if (strlen(name) > r->limits.max_name)
                return here(r,
                            err_new(ERR_LIMIT, "a name of %zu bytes (at most %zu)", strlen(name), r->limits.max_name));
        *ret = name;
        return NULL;
}

/* Names and type, which depend on each other in old archives: there a directory is a file with a final slash. */
static err *read_names(struct tar_reader *r, const struct tar_header *h)
{
        static const char types[] = {'0', '1', '2', '3', '4', '5', '6'}; /* in the order of enum tar_type */
        const char *found =
                h->type == '\0' || h->type == '7' || h->type == 'S' ? types : memchr(types, h->type, sizeof(types));
        struct tar_entry *t = &r->entry;
        char *name, *link;
        size_t n;

        if (!found || (h->type == 'S' && !is_gnu(h)))
                return here(r,
                            err_new(ERR_UNSUPPORTED, "an entry of unknown type (byte 0x%02x)", (unsigned char)h->type));
        t->type = (enum tar_type)(found - types);
        short_name(r, h);
        TRY(choose(r, r->pax.sparse_name ? r->pax.sparse_name : r->pax.path, r->pax.sparse_name ? NULL : r->long_name,
                   r->short_name, &name));
        TRY(choose(r, r->pax.linkpath, r->long_link, r->short_link, &link));
        n = strlen(name);
        if (!n)
                return corrupt(r, "an entry without a name");
        if (t->type == TAR_FILE && name[n - 1] == '/' && h->type != 'S')
                t->type = TAR_DIR;
        while (n > 1 && name[n - 1] == '/')
                name[--n] = '\0';
        t->name = name;
        t->linkname = t->type == TAR_HARDLINK || t->type == TAR_SYMLINK ? link : "";
        if ((t->type == TAR_HARDLINK || t->type == TAR_SYMLINK) && !*link)
                return corrupt(r, "a link without a target");
        return NULL;
}

static err *read_metadata(struct tar_reader *r, const struct tar_header *h)
{
        const struct tar_pax *p = &r->pax, *g = &r->global;
        struct tar_entry *t = &r->entry;
        int64_t n;

        TRY(NUMBER(r, h->mode, "mode", 0, INT64_MAX, &n));
        t->mode = (mode_t)(n & 07777);
        if (p->have & PAX_UID || g->have & PAX_UID) {
                t->uid = p->have & PAX_UID ? p->uid : g->uid;
        } else {
                TRY(NUMBER(r, h->uid, "uid", 0, UINT32_MAX - 1, &n));
                t->uid = (uint32_t)n;
        }
        if (p->have & PAX_GID || g->have & PAX_GID) {
                t->gid = p->have & PAX_GID ? p->gid : g->gid;
        } else {
                TRY(NUMBER(r, h->gid, "gid", 0, UINT32_MAX - 1, &n));
                t->gid = (uint32_t)n;
        }
        if (p->have & PAX_MTIME || g->have & PAX_MTIME) {
                t->mtime = p->have & PAX_MTIME ? p->mtime : g->mtime;
                t->mtime_ns = p->have & PAX_MTIME ? p->mtime_ns : g->mtime_ns;
        } else {
                TRY(NUMBER(r, h->mtime, "mtime", INT64_MIN, INT64_MAX, &t->mtime));
        }
        if (t->type == TAR_CHAR || t->type == TAR_BLOCK) {
                TRY(NUMBER(r, h->dev_major, "device number", 0, UINT32_MAX, &n));
                t->dev_major = (uint32_t)n;
                TRY(NUMBER(r, h->dev_minor, "device number", 0, UINT32_MAX, &n));
                t->dev_minor = (uint32_t)n;
        }
        t->xattrs = p->xattrs;
        t->n_xattrs = p->n_xattrs;
        return NULL;
}

static err *add_gnu_map(struct tar_reader *r, const struct tar_gnu_stretch *from, size_t n)
{
        for (size_t i = 0; i < n && from[i].size[0]; i++) {
                int64_t offset, size;

                TRY(NUMBER(r, from[i].offset, "sparse offset", 0, INT64_MAX, &offset));
                TRY(NUMBER(r, from[i].size, "sparse size", 0, INT64_MAX, &size));
                TRY(here(r, tar_map_add(&r->map, &r->n_map, (uint64_t)offset, (uint64_t)size, &r->limits)));
        }
        return NULL;
}

/* The old GNU format, type 'S'. */
static err *read_gnu_map(struct tar_reader *r, const struct tar_header *h)
{
        bool extended = h->gnu.extended;
        int64_t size;

        TRY(NUMBER(r, h->gnu.real_size, "sparse size", 0, INT64_MAX, &size));
        r->entry.size = (uint64_t)size;
        TRY(add_gnu_map(r, h->gnu.map, ARRAY_SIZE(h->gnu.map)));
        for (size_t blocks = 0; extended; blocks++) {
                struct tar_gnu_more more;

                if (blocks > r->limits.max_map) /* blocks without stretches */
                        return here(r, err_new(ERR_LIMIT, "a sparse file of too many pieces"));
                TRY(fill(r, TAR_BLOCK_SIZE));
                if (r->size - r->at < TAR_BLOCK_SIZE)
                        return truncated(r);
                memcpy(&more, r->window + r->at, sizeof(more));
                TRY(consume(r, TAR_BLOCK_SIZE));
                TRY(add_gnu_map(r, more.map, ARRAY_SIZE(more.map)));
                extended = more.extended;
        }
        return NULL;
}

/* A decimal line of pax 1.0's map, which stands before the data; counts what it consumes in @used. */
static err *read_map_line(struct tar_reader *r, uint64_t *used, uint64_t *ret)
{
        char digits[20];
        size_t n = 0;

        for (;;) {
                char c;

                TRY(fill(r, 1));
                if (r->size == r->at)
                        return truncated(r);
                if (*used >= r->left)
                        return corrupt(r, "a sparse map longer than its data");
                if (*used >= r->limits.max_map * 2 * sizeof(digits))
                        return here(r, err_new(ERR_LIMIT, "a sparse map of too many bytes"));
                c = (char)r->window[r->at];
                TRY(consume(r, 1));
                (*used)++;
                if (c == '\n')
                        break;
                if (n == sizeof(digits))
                        return corrupt(r, "a malformed sparse map");
                digits[n++] = c;
        }
        return tar_decimal(digits, n, ret) ? NULL : corrupt(r, "a malformed sparse map");
}

static err *read_pax_map_1_0(struct tar_reader *r)
{
        uint64_t used = 0, count, pair[2];

        TRY(read_map_line(r, &used, &count));
        for (uint64_t i = 0; i < count; i++) {
                TRY(read_map_line(r, &used, &pair[0]));
                TRY(read_map_line(r, &used, &pair[1]));
                TRY(here(r, tar_map_add(&r->map, &r->n_map, pair[0], pair[1], &r->limits)));
        }
        if (used + padding_of(used) > r->left)
                return corrupt(r, "a sparse map longer than its data");
        TRY(skip(r, padding_of(used)));
        r->left -= used + padding_of(used);
        return NULL;
}

static err *read_pax_map(struct tar_reader *r)
{
        const struct tar_pax *p = &r->pax;

        if (!(p->have & PAX_SPARSE_SIZE))
                return corrupt(r, "a sparse file without its size");
        r->entry.size = p->sparse_size;
        if (p->have & PAX_SPARSE_MAJOR && !(p->sparse_major == 0 && p->have & PAX_SPARSE_MAP)) {
                if (p->sparse_major != 1 || p->sparse_minor != 0)
                        return here(r,
                                    err_new(ERR_UNSUPPORTED, "sparse format %llu.%llu",
                                            (unsigned long long)p->sparse_major, (unsigned long long)p->sparse_minor));
                return read_pax_map_1_0(r);
        }
        if (!(p->have & PAX_SPARSE_MAP))
                return corrupt(r, "a sparse file without its map");
        r->map = TAKE_PTR(r->pax.map);
        r->n_map = p->n_map;
        r->pax.n_map = 0;
        return NULL;
}

/* How much data follows, and where it goes. */
static err *read_sizes(struct tar_reader *r, const struct tar_header *h)
{
        const unsigned sparse =
                PAX_SPARSE_SIZE | PAX_SPARSE_MAP | PAX_SPARSE_MAJOR | PAX_SPARSE_COUNT | PAX_SPARSE_NAME;
        struct tar_entry *t = &r->entry;
        int64_t size;

        if (t->type != TAR_FILE) {
                TRY(NUMBER(r, h->size, "size", 0, INT64_MAX, &size)); /* checked, though no data follows */
                if (t->type == TAR_DIR && h->type != '5' && (size || (r->pax.have & PAX_SIZE && r->pax.size)))
                        return corrupt(r, "a directory with data");
                return NULL;
        }
        if (r->pax.have & PAX_SIZE)
                size = (int64_t)r->pax.size;
        else
                TRY(NUMBER(r, h->size, "size", 0, INT64_MAX, &size));
        t->size = r->left = (uint64_t)size;
        if (r->left > r->limits.max_bytes - r->bytes)
                return here(
                        r, err_new(ERR_LIMIT, "more than %llu bytes of data", (unsigned long long)r->limits.max_bytes));
        r->bytes += r->left;
        r->padding = padding_of(r->left);
        t->sparse = h->type == 'S' || r->pax.have & sparse;
        if (t->sparse) {
                if (h->type == 'S' && r->pax.have & sparse)
                        return corrupt(r, "two sparse maps");
                TRY(h->type == 'S' ? read_gnu_map(r, h) : read_pax_map(r));
                if (!tar_map_valid(r->map, r->n_map, t->size, r->left))
                        return corrupt(r, "a sparse map that does not fit its data");
                t->map = r->map;
                t->n_map = r->n_map;
        }
        if (t->size > r->limits.max_file)
                return here(r, err_new(ERR_LIMIT, "a file of %llu bytes (at most %llu)", (unsigned long long)t->size,
                                       (unsigned long long)r->limits.max_file));
        return NULL;
}

/* Writers that leave the end marker out (Go's, not closed) leave out what rounds up the last file, too. */
static err *skip_padding(struct tar_reader *r)
{
        while (r->padding) {
                size_t n;

                TRY(fill(r, 1));
                n = r->size - r->at;
                if (n > r->padding)
                        n = (size_t)r->padding;
                if (!n && !r->limits.missing_end_ok)
                        return truncated(r);
                if (!n)
                        r->padding = 0;
                r->padding -= n;
                TRY(consume(r, n));
        }
        return NULL;
}

err *tar_next(struct tar_reader *r, const struct tar_entry **ret)
{
        struct tar_header h;
        bool extension = true;

        TRY(skip(r, r->left));
        r->left = 0;
        TRY(skip_padding(r));
        forget_entry(r);
        while (extension && !r->ended) {
                TRY(read_header(r, &h));
                if (!r->ended)
                        TRY(read_extension_header(r, &h, &extension));
        }
        if (r->ended) {
                *ret = NULL;
                return NULL;
        }
        TRY(read_names(r, &h));
        TRY(read_metadata(r, &h));
        TRY(read_sizes(r, &h));
        r->entries++;
        *ret = &r->entry;
        return NULL;
}

err *tar_read_data(struct tar_reader *r, const void **ret, size_t *ret_size, uint64_t *ret_offset)
{
        uint64_t max = r->left;
        size_t n;

        while (r->entry.sparse && r->piece < r->n_map && r->piece_done == r->map[r->piece].size) {
                r->piece++;
                r->piece_done = 0;
        }
        *ret_offset = r->entry.size - r->left;
        if (r->entry.sparse && r->piece < r->n_map) {
                max = r->map[r->piece].size - r->piece_done;
                *ret_offset = r->map[r->piece].offset + r->piece_done;
        }
        if (!r->left) {
                *ret_size = 0;
                *ret_offset = r->entry.size;
                return NULL;
        }
        if (r->at == r->size && r->below->lend) {
                TRY(r->below->lend(r->below, max < SIZE_MAX ? (size_t)max : SIZE_MAX, ret, &n));
                if (!n)
                        return truncated(r);
        } else {
                TRY(fill(r, 1));
                n = r->size - r->at;
                if (!n)
                        return truncated(r);
                if (n > max)
                        n = (size_t)max;
                *ret = r->window + r->at;
                r->at += n;
        }
        *ret_size = n;
        r->offset += n;
        r->left -= n;
        r->piece_done += n;
        return NULL;
}

void tar_reader_watch(struct tar_reader *r, err *(*watch)(void *arg, const void *data, size_t size), void *arg)
{
        r->watch = watch;
        r->watch_arg = arg;
}

err *tar_drain(struct tar_reader *r)
{
        for (;;) {
                TRY(fill(r, 1));
                if (r->at == r->size)
                        return NULL;
                TRY(consume(r, r->size - r->at));
        }
}
