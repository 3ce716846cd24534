/* tar_write.c - the archive writer. See tar.h.
 *
 * Byte-exact: ustar where it fits; else a pax header with only the records that ustar cannot express, sorted by key. */
#include "codec/tar.h"
#include "codec/tar_format.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define BUFFER STREAM_CHUNK

struct tar_writer {
        struct sink *sink; /* borrowed */
        struct tar_watch watch;
        uint64_t left; /* data of the current file */
        size_t padding;
        size_t used;
        unsigned char buffer[BUFFER];
};

err *tar_writer_new(struct sink *sink, struct tar_writer **ret)
{
        struct tar_writer *w = malloc(sizeof(*w));

        if (!w)
                return err_nomem();
        w->sink = sink;
        w->watch = (struct tar_watch){0};
        w->left = 0;
        w->padding = w->used = 0;
        *ret = w;
        return NULL;
}

void tar_writer_free(struct tar_writer *w)
{
        free(w);
}

void tar_writer_watch(struct tar_writer *w, const struct tar_watch *watch)
{
        w->watch = *watch;
}

static err *flush(struct tar_writer *w)
{
        size_t n = w->used;

        w->used = 0;
        return n ? sink_write(w->sink, w->buffer, n) : NULL;
}

static err *put(struct tar_writer *w, const void *data, size_t size)
{
        if (size > sizeof(w->buffer) - w->used)
                TRY(flush(w));
        if (size >= sizeof(w->buffer))
                return sink_write(w->sink, data, size);
        if (size)
                memcpy(w->buffer + w->used, data, size);
        w->used += size;
        return NULL;
}

static err *put_zeros(struct tar_writer *w, uint64_t size)
{
        static const unsigned char zeros[16384];

        while (size) {
                size_t n = size < sizeof(zeros) ? (size_t)size : sizeof(zeros);

                TRY(put(w, zeros, n));
                size -= n;
        }
        return NULL;
}

/* What is no file's data. */
static err *put_meta(struct tar_writer *w, const void *data, size_t size)
{
        if (w->watch.bytes && size)
                TRY(w->watch.bytes(w->watch.arg, data, size));
        return put(w, data, size);
}

static err *put_padding(struct tar_writer *w, size_t size)
{
        static const unsigned char zeros[2 * TAR_BLOCK_SIZE];

        return put_meta(w, zeros, size);
}

static bool plain_ascii(const char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s >= 0x80)
                        return false;
        return true;
}

/* Octal digits and a NUL; 0 when it does not fit (a pax record tells the value then). */
static void octal(char *field, size_t size, uint64_t n)
{
        if (n >> (3 * (size - 1)))
                n = 0;
        field[--size] = '\0';
        while (size) {
                field[--size] = (char)('0' + (n & 7));
                n >>= 3;
        }
}

static void put_name(char *field, size_t size, const char *name)
{
        memcpy(field, name, strnlen(name, size));
}

/* Put @name into name and prefix; false when it does not fit. */
static bool split_name(struct tar_header *h, const char *name)
{
        size_t n = strlen(name);
        const char *slash;

        if (n <= sizeof(h->name)) {
                memcpy(h->name, name, n);
                return true;
        }
        if (n > sizeof(h->name) + 1 + sizeof(h->prefix))
                return false;
        /* The leftmost slash that leaves little enough behind it. The final slash of a directory is part of the name.
         */
        slash = memchr(name + (n - sizeof(h->name) - 1), '/', sizeof(h->name));
        if (!slash || slash == name || (size_t)(slash - name) > sizeof(h->prefix))
                return false;
        memcpy(h->prefix, name, (size_t)(slash - name));
        memcpy(h->name, slash + 1, strlen(slash + 1));
        return true;
}

static void seal(struct tar_header *h)
{
        memcpy(h->magic,
               "ustar\0"
               "00",
               sizeof(h->magic));
        octal(h->checksum, 7, (uint64_t)tar_checksum(h, false));
        h->checksum[7] = ' ';
}

/* A record counts its own length, whose digits count too. */
static void add_record(struct str *s, const char *key, const void *value, size_t size)
{
        size_t body = strlen(key) + size + 3, digits = 1, all = body + 1;
        char text[24];

        while (snprintf(text, sizeof(text), "%zu", all) > (int)digits) {
                digits++;
                all = body + digits;
        }
        str_printf(s, "%zu %s=", all, key);
        str_add_n(s, value, size);
        str_add_char(s, '\n');
}

static void add_number(struct str *s, const char *key, uint64_t n)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
        add_record(s, key, text, strlen(text));
}

/* As Go and GNU write it: no zeros at the end of the fraction; -1.5 is -2 s + 0.5 s. */
static void add_time(struct str *s, int64_t seconds, uint32_t ns)
{
        char text[40];
        int n;

        if (seconds < 0 && ns)
                n = snprintf(text, sizeof(text), "-%lld.%09u", -(long long)(seconds + 1), 1000000000u - ns);
        else if (ns)
                n = snprintf(text, sizeof(text), "%lld.%09u", (long long)seconds, ns);
        else
                n = snprintf(text, sizeof(text), "%lld", (long long)seconds);
        while (ns && text[n - 1] == '0')
                n--;
        add_record(s, "mtime", text, (size_t)n);
}

static int by_name(const void *a, const void *b)
{
        const struct tar_xattr *const *x = a, *const *y = b;

        return strcmp((*x)->name, (*y)->name);
}

static err *add_xattrs(struct str *s, const struct tar_entry *t)
{
        _cleanup_free_ const struct tar_xattr **sorted = MEM_NEW0(const struct tar_xattr *, t->n_xattrs + 1);

        if (!sorted)
                return err_nomem();
        for (size_t i = 0; i < t->n_xattrs; i++)
                sorted[i] = &t->xattrs[i];
        if (t->n_xattrs > 1)
                qsort(sorted, t->n_xattrs, sizeof(*sorted), by_name);
        for (size_t i = 0; i < t->n_xattrs; i++) {
                char key[300];

                if (!*sorted[i]->name || strchr(sorted[i]->name, '=') || strlen(sorted[i]->name) > 255)
                        return err_new(ERR_INVALID, "%s: a tar archive cannot hold the xattr \"%.80s\"", t->name,
                                       sorted[i]->name);
                (void)snprintf(key, sizeof(key), "SCHILY.xattr.%s", sorted[i]->name);
                add_record(s, key, sorted[i]->value, sorted[i]->size);
        }
        return NULL;
}

/* The records that ustar cannot express, sorted by key. @fits: the name went into the plain header. */
static err *make_pax(const struct tar_entry *t, const char *name, bool fits, struct str *s)
{
        const uint64_t max7 = 07777777, max11 = 077777777777;
        const char *link = t->type == TAR_HARDLINK || t->type == TAR_SYMLINK ? t->linkname : "";

        TRY(add_xattrs(s, t));
        if (t->gid > max7)
                add_number(s, "gid", t->gid);
        if (strlen(link) > sizeof(((struct tar_header *)0)->linkname) || !plain_ascii(link))
                add_record(s, "linkpath", link, strlen(link));
        if (t->mtime < 0 || (uint64_t)t->mtime > max11 || t->mtime_ns)
                add_time(s, t->mtime, t->mtime_ns);
        if (!fits || !plain_ascii(name))
                add_record(s, "path", name, strlen(name));
        if (t->type == TAR_FILE && t->size > max11)
                add_number(s, "size", t->size);
        if (t->uid > max7)
                add_number(s, "uid", t->uid);
        return str_done(s);
}

static err *put_pax(struct tar_writer *w, const char *name, const struct str *records)
{
        struct tar_header h = {.type = 'x'};
        const char *base = strrchr(name, '/');
        char text[sizeof(h.name) + 1];
        int n;

        base = base && base[1] ? base + 1 : name;
        n = snprintf(text, sizeof(text), "PaxHeaders.0/%.80s", base);
        for (int i = (int)strlen("PaxHeaders.0/"); i < n; i++)
                if ((unsigned char)text[i] >= 0x80 || text[i] == '/')
                        text[i] = '_';
        put_name(h.name, sizeof(h.name), text);
        octal(h.mode, sizeof(h.mode), 0644);
        octal(h.uid, sizeof(h.uid), 0);
        octal(h.gid, sizeof(h.gid), 0);
        octal(h.size, sizeof(h.size), records->len);
        octal(h.mtime, sizeof(h.mtime), 0);
        octal(h.dev_major, sizeof(h.dev_major), 0);
        octal(h.dev_minor, sizeof(h.dev_minor), 0);
        seal(&h);
        TRY(put_meta(w, &h, sizeof(h)));
        TRY(put_meta(w, records->data, records->len));
        return put_padding(w, -records->len % TAR_BLOCK_SIZE);
}

static err *check(const struct tar_writer *w, const struct tar_entry *t)
{
        bool device = t->type == TAR_CHAR || t->type == TAR_BLOCK;

        if (w->left)
                return err_new(ERR_INVALID, "tar: %llu bytes of the last file are missing",
                               (unsigned long long)w->left);
        if (str_empty(t->name))
                return err_new(ERR_INVALID, "tar: an entry without a name");
        if ((t->type == TAR_HARDLINK || t->type == TAR_SYMLINK) && str_empty(t->linkname))
                return err_new(ERR_INVALID, "tar: %s: a link without a target", t->name);
        if (t->mtime_ns > 999999999 || t->mode > 07777 || t->size > INT64_MAX)
                return err_new(ERR_INVALID, "tar: %s: a number out of range", t->name);
        if (device && (t->dev_major > 07777777 || t->dev_minor > 07777777))
                return err_new(ERR_INVALID, "tar: %s: a device number that the format cannot hold", t->name);
        return NULL;
}

err *tar_write_entry(struct tar_writer *w, const struct tar_entry *t)
{
        bool device = t->type == TAR_CHAR || t->type == TAR_BLOCK, file = t->type == TAR_FILE, fits;
        _cleanup_free_ char *with_slash = NULL;
        _cleanup_str_ struct str records = {0};
        struct tar_header h = {0};
        const char *name = t->name;

        TRY(check(w, t));
        if (t->type == TAR_DIR && !str_ends(name, "/")) {
                with_slash = str_format("%s/", name);
                if (!with_slash)
                        return err_nomem();
                name = with_slash;
        }
        h.type = "0123456"[t->type];
        fits = split_name(&h, name);
        TRY(make_pax(t, name, fits, &records));
        if (records.len)
                TRY(put_pax(w, name, &records));
        if (!fits)
                put_name(h.name, sizeof(h.name), name);
        if (t->type == TAR_HARDLINK || t->type == TAR_SYMLINK)
                put_name(h.linkname, sizeof(h.linkname), t->linkname);
        octal(h.mode, sizeof(h.mode), t->mode);
        octal(h.uid, sizeof(h.uid), t->uid);
        octal(h.gid, sizeof(h.gid), t->gid);
        octal(h.size, sizeof(h.size), file ? t->size : 0);
        octal(h.mtime, sizeof(h.mtime), t->mtime < 0 ? 0 : (uint64_t)t->mtime);
        octal(h.dev_major, sizeof(h.dev_major), device ? t->dev_major : 0);
        octal(h.dev_minor, sizeof(h.dev_minor), device ? t->dev_minor : 0);
        seal(&h);
        TRY(put_meta(w, &h, sizeof(h)));
        if (w->watch.content && file && t->size)
                TRY(w->watch.content(w->watch.arg, t->name, t->size));
        w->left = file ? t->size : 0;
        w->padding = (size_t)(-w->left % TAR_BLOCK_SIZE);
        return NULL;
}

/* Count @size bytes of data. */
static err *account(struct tar_writer *w, uint64_t size)
{
        if (size > w->left)
                return err_new(ERR_INVALID, "tar: more data than the entry announced");
        w->left -= size;
        return NULL;
}

static err *pad(struct tar_writer *w)
{
        size_t n = w->padding;

        if (w->left)
                return NULL;
        w->padding = 0;
        return put_padding(w, n);
}

err *tar_write_data(struct tar_writer *w, const void *data, size_t size)
{
        TRY(account(w, size));
        TRY(put(w, data, size));
        return pad(w);
}

err *tar_write_place(struct tar_writer *w, void **ret, size_t *ret_size)
{
        size_t n;

        if (w->sink->lend) {
                TRY(flush(w));
                TRY(w->sink->lend(w->sink, ret, &n));
        } else {
                if (w->used == sizeof(w->buffer))
                        TRY(flush(w));
                *ret = w->buffer + w->used;
                n = sizeof(w->buffer) - w->used;
        }
        *ret_size = n < w->left ? n : (size_t)w->left;
        return NULL;
}

err *tar_write_placed(struct tar_writer *w, size_t size)
{
        TRY(account(w, size));
        if (w->sink->lend)
                TRY(w->sink->filled(w->sink, size));
        else
                w->used += size;
        return pad(w);
}

err *tar_write_flush(struct tar_writer *w)
{
        return flush(w);
}

err *tar_write_copied(struct tar_writer *w, uint64_t size)
{
        TRY(account(w, size));
        return pad(w);
}

err *tar_write_zeros(struct tar_writer *w, uint64_t size)
{
        TRY(account(w, size));
        TRY(put_zeros(w, size));
        return pad(w);
}

err *tar_write_end(struct tar_writer *w)
{
        if (w->left)
                return err_new(ERR_INVALID, "tar: %llu bytes of the last file are missing",
                               (unsigned long long)w->left);
        TRY(put_padding(w, 2 * TAR_BLOCK_SIZE));
        return flush(w);
}
