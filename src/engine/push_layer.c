/* push_layer.c - see push_private.h: one blob, in a worker: there already, mounted, sent, or compressed and sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "codec/gzip.h"
#include "codec/zstd.h"
#include "engine/push_private.h"
#include "engine/workers.h"
#include "store/blob.h"
#include "store/layer_tar.h"

#define GZIP_LEVELS 9
#define ZSTD_LEVELS 19

err *push_compression_parse(const char *text, struct push_compression *ret)
{
        struct push_compression c = {.given = text};
        const char *rest = text ? str_after(text, "gzip") : "";
        int64_t level;

        if (!rest) {
                rest = str_after(text, "zstd");
                c.zstd = rest;
        }
        if (!rest || (*rest && *rest != ':'))
                return err_new(ERR_INVALID, "invalid compression \"%s\": gzip or zstd, with :LEVEL if wanted", text);
        if (*rest == ':') {
                err *e = parse_int(rest + 1, 1, c.zstd ? ZSTD_LEVELS : GZIP_LEVELS, &level);

                if (e) {
                        err_free(e);
                        return err_new(ERR_INVALID, "invalid level in compression \"%s\": %s has 1 to %d", text,
                                       c.zstd ? "zstd" : "gzip", c.zstd ? ZSTD_LEVELS : GZIP_LEVELS);
                }
                c.level = (int)level;
        }
        *ret = c;
        return NULL;
}

struct sending {
        struct push *push;
        const struct push_blob *blob;
        struct push_outcome *outcome;
        int fd;         /* of the blob in the store */
        uint64_t count; /* bytes that the last stream gave */
};

/* ---- what is sent as it is ---- */

static err *open_stored(void *arg, struct stream **ret)
{
        struct sending *s = arg;

        if (lseek(s->fd, 0, SEEK_SET) < 0)
                return err_sys(errno, "reading blob %s", s->blob->stored);
        return stream_open_fd(s->fd, ret);
}

/* ---- what is compressed on the way ---- */

/* In a process of its own, so that reading and compressing go on while bytes are hashed, encrypted and sent. */
static err *compress_to(void *arg, int fd)
{
        const struct sending *s = arg;
        const struct push_compression *c = &s->push->compression;
        const struct store *shared = s->push->engine->store;
        const struct store_options options = {.root = store_root(shared), .state = store_state(shared)};
        _cleanup_store_ struct store *own = NULL; /* one store for each process */
        _cleanup_(sink_freep) struct sink *to = NULL;
        struct sink *packed;

        TRY(store_open(&options, &own));
        TRY(sink_open_fd(fd, &to));
        TRY(c->zstd ? sink_open_zstd(to, c->level, &packed) : sink_open_gzip_wide(to, c->level, -1, &packed));
        to = packed;
        TRY(layer_tar_write(own, s->blob->layer, to)); /* says whether the content is right */
        return sink_finish(to);
}

struct counter {
        struct stream stream; /* first */
        struct stream *below;
        uint64_t *count;
};

static err *counter_read(struct stream *s, void *data, size_t size, size_t *ret)
{
        struct counter *c = (struct counter *)s;

        TRY(stream_read(c->below, data, size, ret));
        *c->count += *ret;
        return NULL;
}

static void counter_free(struct stream *s)
{
        stream_free(((struct counter *)s)->below);
        free(s);
}

static err *open_compressed(void *arg, struct stream **ret)
{
        struct sending *s = arg;
        struct counter *c = MEM_NEW0(struct counter, 1);
        err *e;

        if (!c)
                return err_nomem();
        s->count = 0;
        c->stream = (struct stream){.read = counter_read, .free = counter_free};
        c->count = &s->count;
        e = workers_stream(compress_to, s, &c->below);
        if (e) {
                free(c);
                return e;
        }
        *ret = &c->stream;
        return NULL;
}

/* ---- */

static void on_sent(void *arg, uint64_t sent)
{
        struct sending *s = arg;

        s->outcome->sent = sent;
}

static err *send_blob(struct sending *s)
{
        const struct push_blob *b = s->blob;
        struct registry_upload u = {.open = open_stored, .progress = on_sent, .arg = s};
        struct push_outcome *o = s->outcome;
        uint64_t size = 0;

        if (b->layer) {
                u.open = open_compressed;
        } else {
                TRY(blob_open(s->push->engine->store, b->stored, &s->fd, &size));
                u.size = size;
                u.digest = &b->digest;
        }
        o->state = PUSH_SENDING;
        TRY(registry_blob_put(s->push->registry, &u, &o->digest));
        o->size = b->layer ? s->count : size;
        o->state = PUSH_SENT;
        return NULL;
}

/* What a registry cannot do with other repositories is no failure: the blob is sent then. */
static bool mount_blob(struct push *p, const struct push_blob *b, size_t *ret_source)
{
        for (size_t i = 0; i < b->n_sources; i++) {
                bool mounted = false;
                err *e = registry_blob_mount(p->registry, &b->digest, b->sources[i], &mounted);

                if (e)
                        log_error_free(LOG_LEVEL_DEBUG, e);
                if (!mounted)
                        continue;
                *ret_source = i;
                return true;
        }
        return false;
}

/* Is it there, or can it be mounted? Says so in @o. */
static err *find_blob(struct push *p, const struct push_blob *b, struct push_outcome *o)
{
        bool exists = false;
        err *e = registry_blob_exists(p->registry, &b->digest, &exists);

        /* An answer to HEAD has no words: the one to the upload says why. */
        if (e && err_code(e) == ERR_DENIED && !b->absent) {
                err_free(e);
                return NULL;
        }
        TRY(e);
        o->digest = b->digest;
        o->size = b->size ? b->size : b->stored_size;
        if (exists)
                o->state = PUSH_EXISTS;
        else if (mount_blob(p, b, &o->mounted_from))
                o->state = PUSH_MOUNTED;
        return NULL;
}

err *push_blob_send(struct push *p, size_t i)
{
        const struct push_blob *b = &p->plan.blobs[i];
        struct push_outcome *o = &p->outcomes[i];
        struct sending s = {.push = p, .blob = b, .outcome = o, .fd = -1};
        err *e;

        if (getpid() != p->pid) {
                TRY(registry_after_fork(p->registry));
                p->pid = getpid();
        }
        o->state = PUSH_CHECKING;
        if (b->digest.text[0])
                TRY(find_blob(p, b, o));
        if (o->state != PUSH_CHECKING)
                return NULL;
        if (b->absent)
                return err_new(ERR_NOT_FOUND, "layer %s is not here as it came", b->stored);
        e = send_blob(&s);
        (void)file_close(s.fd);
        return e;
}
