/* Archives: what the reader accepts, the writer can write, and the reader then sees the same. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "codec/tar.h"

#define MAX_DATA (256u << 10)

struct memory_sink {
        struct sink sink;
        struct str *out;
};

static err *memory_write(struct sink *s, const void *data, size_t size)
{
        str_add_n(((struct memory_sink *)s)->out, data, size);
        return NULL;
}

static err *memory_finish(struct sink *s)
{
        return NULL;
}

static void memory_free(struct sink *s)
{
}

/* Read the data of a file in order; holes are counted, not written out. Writes it to @w when that is not NULL. */
static err *pump(struct tar_reader *r, const struct tar_entry *t, struct tar_writer *w)
{
        uint64_t at = 0;

        for (;;) {
                const void *data;
                uint64_t offset;
                size_t n;

                TRY(tar_read_data(r, &data, &n, &offset));
                if (offset < at || offset > t->size || n > t->size - offset)
                        abort();
                if (w && (tar_write_zeros(w, offset - at) || (n && tar_write_data(w, data, n))))
                        abort();
                at = offset + n;
                if (!n)
                        return NULL;
        }
}

static void describe(const struct tar_entry *t, struct str *out)
{
        str_printf(out, "%d %s|%s %o %u:%u %llu %lld.%u %u:%u\n", t->type, t->name, t->linkname, t->mode, t->uid,
                   t->gid, (unsigned long long)t->size, (long long)t->mtime, t->mtime_ns, t->dev_major, t->dev_minor);
        for (size_t i = 0; i < t->n_xattrs; i++)
                str_printf(out, "%s %zu\n", t->xattrs[i].name, t->xattrs[i].size);
}

/* @w: copy to it whatever it can hold. */
static err *walk(const void *data, size_t size, struct str *names, struct tar_writer *w)
{
        _cleanup_(stream_freep) struct stream *s = NULL;
        _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
        struct tar_limits limits = tar_limits_default;
        const struct tar_entry *t;

        limits.max_entries = 1000;
        limits.max_map = 1000;
        TRY(stream_open_memory(data, size, &s));
        TRY(tar_reader_new(s, &limits, &r));
        for (;;) {
                bool skip;

                TRY(tar_next(r, &t));
                if (!t)
                        return NULL;
                skip = t->dev_major > 07777777 || t->dev_minor > 07777777 || (w && t->size > MAX_DATA);
                if (!skip) {
                        describe(t, names);
                        if (w && tar_write_entry(w, t))
                                abort();
                }
                TRY(pump(r, t, skip ? NULL : w));
        }
}

/* Bytes that are lent where they lie, few at a time. */
struct lender {
        struct stream stream;
        const unsigned char *data;
        size_t left, step;
};

static err *lender_lend(struct stream *stream, size_t max, const void **ret, size_t *ret_size)
{
        struct lender *l = (struct lender *)stream;
        size_t n = l->left < l->step ? l->left : l->step;

        n = n < max ? n : max;
        *ret = l->data;
        *ret_size = n;
        l->data += n;
        l->left -= n;
        return NULL;
}

static err *lender_read(struct stream *stream, void *data, size_t size, size_t *ret)
{
        const void *from;

        TRY(lender_lend(stream, size, &from, ret));
        if (*ret)
                memcpy(data, from, *ret);
        return NULL;
}

static err *collect(void *arg, const void *data, size_t size)
{
        str_add_n(arg, data, size);
        return NULL;
}

/* The same from such a stream. @all: every byte of the archive, by way of the watcher or as data. */
static err *walk_lent(const void *data, size_t size, struct str *names, struct str *all)
{
        struct lender l = {{.read = lender_read, .lend = lender_lend}, data, size, 1 + size % 1500};
        _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
        struct tar_limits limits = tar_limits_default;
        const struct tar_entry *t;

        limits.max_entries = 1000;
        limits.max_map = 1000;
        TRY(tar_reader_new(&l.stream, &limits, &r));
        tar_reader_watch(r, collect, all);
        for (;;) {
                TRY(tar_next(r, &t));
                if (!t)
                        return tar_drain(r);
                if (t->dev_major <= 07777777 && t->dev_minor <= 07777777)
                        describe(t, names);
                for (;;) {
                        const void *piece;
                        uint64_t offset;
                        size_t n;

                        TRY(tar_read_data(r, &piece, &n, &offset));
                        if (!n)
                                break;
                        str_add_n(all, piece, n);
                }
        }
}

static void check_lent(const uint8_t *data, size_t size, const err *want, const char *names_want)
{
        _cleanup_str_ struct str names = {0}, all = {0};
        err *e = walk_lent(data, size, &names, &all);

        if (err_code(e) != err_code(want) || strcmp(str_text(&names), names_want) != 0)
                abort();
        if (!e && (all.len != size || (size && memcmp(all.data, data, size) != 0)))
                abort();
        err_free(e);
}

#ifdef HOD_FUZZING
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* Random damage seldom gets past the checksum: mend it in every block that looks like a header, mostly. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        size = LLVMFuzzerMutate(data, size, max);
        for (size_t at = 0; at + 512 <= size && seed % 16; at += 512) {
                uint8_t *block = data + at;
                unsigned sum = 8 * ' ';

                if (memcmp(block + 257, "ustar", 5) != 0)
                        continue;
                for (size_t i = 0; i < 512; i++)
                        sum += i < 148 || i >= 156 ? block[i] : 0u;
                for (int i = 5; i >= 0; i--, sum >>= 3)
                        block[148 + i] = (uint8_t)('0' + (sum & 7));
                block[154] = '\0';
                block[155] = ' ';
        }
        return size;
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_str_ struct str first = {0}, second = {0}, archive = {0};
        struct memory_sink m = {{memory_write, memory_finish, memory_free}, &archive};
        _cleanup_(tar_writer_freep) struct tar_writer *w = NULL;
        _cleanup_str_ struct str plain = {0};
        err *e = walk(data, size, &plain, NULL);

        check_lent(data, size, e, str_text(&plain));
        err_free(e);
        if (tar_writer_new(&m.sink, &w))
                abort();
        e = walk(data, size, &first, w);
        if (e) {
                err_free(e);
                return 0;
        }
        if (tar_write_end(w) || walk(archive.data, archive.len, &second, NULL))
                abort();
        if (strcmp(str_text(&first), str_text(&second)) != 0)
                abort();
        return 0;
}
