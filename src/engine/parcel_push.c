/* parcel_push.c - a parcel into a registry. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/parcel_private.h"
#include "engine/progress.h"
#include "engine/workers.h"
#include "registry/client.h"

#define PARALLEL 4

enum state { WAITING, SENDING, SENT, EXISTS, MOUNTED };
struct outcome {
        enum state state;
        uint64_t sent;
};

struct delivery {
        struct parcel *parcel;
        struct registry *registry;
        const struct reference *at;
        const struct progress *progress;
        struct outcome *outcomes; /* one a blob; shared with the workers */
        unsigned char *told;
        pid_t pid;
};

struct sending {
        struct parcel_blob *blob;
        struct outcome *outcome;
};

static err *open_blob(void *arg, struct stream **ret)
{
        struct source *s = ((struct sending *)arg)->blob->source;
        uint64_t offset = 0;

        return s->ops->open(s, &((struct sending *)arg)->blob->what, &offset, ret);
}

static void on_sent(void *arg, uint64_t sent)
{
        ((struct sending *)arg)->outcome->sent = sent;
}

/* Another repository of the same registry has it. */
static bool mount_blob(struct delivery *d, const struct parcel_blob *b)
{
        const struct reference *from = b->source->at;
        bool mounted = false;
        err *e;

        if (!from || strcmp(from->domain, d->at->domain) != 0 || strcmp(from->path, d->at->path) == 0)
                return false;
        e = registry_blob_mount(d->registry, &b->what.digest, from->path, &mounted);
        if (e)
                log_error_free(LOG_LEVEL_DEBUG, e);
        return mounted;
}

static err *send_blob(void *arg, size_t i)
{
        struct delivery *d = arg;
        struct parcel_blob *b = &d->parcel->blobs[i];
        struct sending s = {b, &d->outcomes[i]};
        const struct registry_upload u = {open_blob, on_sent, &s, b->what.size, &b->what.digest};
        struct digest got;
        bool exists;

        if (b->document.data) /* a manifest: later */
                return NULL;
        if (getpid() != d->pid) {
                TRY(registry_after_fork(d->registry));
                d->pid = getpid();
        }
        TRY(registry_blob_exists(d->registry, &b->what.digest, &exists));
        if (exists) {
                s.outcome->state = EXISTS;
        } else if (mount_blob(d, b)) {
                s.outcome->state = MOUNTED;
        } else {
                s.outcome->state = SENDING;
                TRY(registry_blob_put(d->registry, &u, &got));
                s.outcome->state = SENT;
        }
        return NULL;
}

static err *tell(struct delivery *d, size_t i)
{
        static const char *const words[] = {"Waiting", "Copying", "Copied", "Already exists", "Mounted"};
        const struct parcel_blob *b = &d->parcel->blobs[i];
        const struct outcome *o = &d->outcomes[i];
        enum state state = o->state;
        char id[13];

        if (b->document.data || state == WAITING)
                return NULL;
        (void)snprintf(id, sizeof(id), "%.12s", digest_hex(&b->what.digest));
        if (state == SENDING)
                return progress_amount(d->progress, id, words[state], o->sent, b->what.size);
        if (d->told[i])
                return NULL;
        d->told[i] = 1;
        return progress_done(d->progress, id, words[state]);
}

static err *on_tick(void *arg)
{
        struct delivery *d = arg;

        for (size_t i = 0; i < d->parcel->n_blobs; i++)
                TRY(tell(d, i));
        return progress_check(d->progress);
}

/* Members before the indexes that name them: they were collected after them. */
static err *put_manifests(const struct delivery *d, const char *tag)
{
        const struct parcel *p = d->parcel;
        const struct document *top = &p->images[0].top;

        for (size_t i = p->n_blobs; i-- > 0;) {
                const struct document *doc = &p->blobs[i].document;

                if (!doc->data || digest_equal(&doc->digest, &top->digest))
                        continue;
                TRY(registry_manifest_put(d->registry, doc->digest.text, doc->media_type, doc->data, doc->size));
        }
        return registry_manifest_put(d->registry, tag ? tag : top->digest.text, top->media_type, top->data, top->size);
}

static err *deliver(struct delivery *d, const char *tag)
{
        const struct workers_task task = {
                .n = d->parcel->n_blobs, .parallel = PARALLEL, .work = send_blob, .tick = on_tick, .arg = d};

        TRY(workers_run(&task));
        TRY(on_tick(d));
        return put_manifests(d, tag);
}

err *parcel_push(struct parcel *p, struct registry *registry, const struct reference *at, const char *tag,
                 const struct progress *progress)
{
        _cleanup_free_ unsigned char *told = MEM_NEW0(unsigned char, p->n_blobs + 1);
        struct delivery d = {p, registry, at, progress, NULL, told, getpid()};
        size_t memory = (p->n_blobs + 1) * sizeof(struct outcome);
        void *shared;
        err *e;

        if (!told)
                return err_nomem();
        TRY(workers_memory(memory, &shared));
        d.outcomes = shared;
        e = deliver(&d, tag);
        workers_memory_free(shared, memory);
        return e;
}
