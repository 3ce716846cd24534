/* sink.c - the ends of pushed pipelines. See stream.h. */
#include "codec/stream.h"

#include "base/file.h"

struct fd_sink {
        struct sink sink;
        int fd;
};

struct hash_sink {
        struct sink sink, *below;
        struct digest_hasher *hasher;
};

static void plain_sink_free(struct sink *sink)
{
        free(sink);
}

static err *no_finish(struct sink *sink)
{
        return NULL;
}

static err *fd_write(struct sink *sink, const void *data, size_t size)
{
        int r = file_write_all(((struct fd_sink *)sink)->fd, data, size);

        return r < 0 ? err_sys(r, "writing") : NULL;
}

err *sink_open_fd(int fd, struct sink **ret)
{
        struct fd_sink *f = MEM_NEW0(struct fd_sink, 1);

        if (!f)
                return err_nomem();
        f->sink = (struct sink){fd_write, no_finish, plain_sink_free};
        f->fd = fd;
        *ret = &f->sink;
        return NULL;
}

static err *null_write(struct sink *sink, const void *data, size_t size)
{
        return NULL;
}

err *sink_open_null(struct sink **ret)
{
        struct sink *s = MEM_NEW0(struct sink, 1);

        if (!s)
                return err_nomem();
        *s = (struct sink){null_write, no_finish, plain_sink_free};
        *ret = s;
        return NULL;
}

static err *hash_write(struct sink *sink, const void *data, size_t size)
{
        struct hash_sink *h = (struct hash_sink *)sink;

        digest_hasher_update(h->hasher, data, size);
        return sink_write(h->below, data, size);
}

static err *hash_finish(struct sink *sink)
{
        return sink_finish(((struct hash_sink *)sink)->below);
}

static void hash_sink_free(struct sink *sink)
{
        sink_free(((struct hash_sink *)sink)->below);
        free(sink);
}

err *sink_open_hash(struct sink *below, struct digest_hasher *hasher, struct sink **ret)
{
        struct hash_sink *h = MEM_NEW0(struct hash_sink, 1);

        if (!h)
                return err_nomem();
        h->sink = (struct sink){hash_write, hash_finish, hash_sink_free};
        h->below = below;
        h->hasher = hasher;
        *ret = &h->sink;
        return NULL;
}
