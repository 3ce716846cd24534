/* push.c - see push.h: plan, blobs by workers, documents, and what is said. */
#include "engine/push.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/push_private.h"
#include "engine/workers.h"
#include "oci/image.h"
#include "oci/reference.h"

#define PARALLEL 4

static err *announce(const struct push *p)
{
        for (size_t i = 0; i < p->plan.n_blobs; i++)
                if (p->plan.blobs[i].id[0])
                        TRY(progress_part(p->o->progress, p->plan.blobs[i].id, "Preparing"));
        return NULL;
}

static err *tell(struct push *p, struct push_blob *b, const struct push_outcome *o)
{
        const struct progress *out = p->o->progress;
        _cleanup_free_ char *from = NULL;
        enum push_state state = o->state;

        if (state == PUSH_SENDING)
                return progress_amount(out, b->id, "Pushing", o->sent, b->layer ? 0 : b->stored_size);
        if (state == b->told)
                return NULL;
        b->told = state;
        switch (state) {
        case PUSH_SENT:
                return progress_done(out, b->id, "Pushed");
        case PUSH_EXISTS:
                return progress_done(out, b->id, "Layer already exists");
        case PUSH_MOUNTED:
                from = str_format("Mounted from %s", b->sources[o->mounted_from]);
                return from ? progress_done(out, b->id, from) : err_nomem();
        case PUSH_WAITING:
        case PUSH_CHECKING:
        case PUSH_SENDING:
        default:
                return NULL;
        }
}

static err *on_tick(void *arg)
{
        struct push *p = arg;

        for (size_t i = 0; i < p->plan.n_blobs; i++)
                if (p->plan.blobs[i].id[0]) /* configurations are not told of */
                        TRY(tell(p, &p->plan.blobs[i], &p->outcomes[i]));
        return progress_check(p->o->progress);
}

static err *work(void *arg, size_t i)
{
        return push_blob_send(arg, i);
}

static err *put_documents(struct push *p, struct digest *ret, size_t *ret_size)
{
        _cleanup_free_ char *text = NULL;

        if (p->plan.rebuild) {
                TRY(push_plan_manifest(p, &text));
                *ret_size = strlen(text);
                digest_of(text, *ret_size, ret);
                return registry_manifest_put(p->registry, p->ref.tag, OCI_MEDIA_MANIFEST, text, *ret_size);
        }
        for (size_t i = 0; i < p->plan.n_documents; i++) {
                const struct push_document *d = &p->plan.documents[i];

                TRY(progress_check(p->o->progress));
                TRY(registry_manifest_put(p->registry, d->reference, d->media_type, d->data, d->size));
                digest_of(d->data, d->size, ret);
                *ret_size = d->size;
        }
        return NULL;
}

static err *remember(struct push *p)
{
        _cleanup_(push_memory_freep) struct push_memory *m = NULL;

        TRY(push_memory_load(p->engine, &m));
        for (size_t i = 0; i < p->plan.n_blobs; i++)
                TRY(push_memory_add(m, p, &p->plan.blobs[i], &p->outcomes[i]));
        return push_memory_save(m);
}

static err *push_blobs(struct push *p)
{
        const struct workers_task task = {
                .n = p->plan.n_blobs, .parallel = PARALLEL, .work = work, .tick = on_tick, .arg = p};

        TRY(announce(p));
        TRY(registry_prepare(p->registry));
        p->pid = getpid();
        TRY(workers_run(&task));
        return on_tick(p);
}

static err *push_planned(struct push *p, struct digest *ret)
{
        size_t size, memory = p->plan.n_blobs * sizeof(struct push_outcome);
        void *shared;
        err *e;

        TRY(workers_memory(memory, &shared));
        p->outcomes = shared;
        e = push_blobs(p);
        if (!e)
                e = put_documents(p, ret, &size);
        if (!e) {
                err *forgotten = remember(p); /* costs the next push some work, no more */

                if (forgotten)
                        log_error_free(LOG_LEVEL_WARN, forgotten);
        }
        workers_memory_free(TAKE_PTR(p->outcomes), memory);
        TRY(e);
        return progress_line(p->o->progress, "%s: digest: %s size: %zu", p->ref.tag, ret->text, size);
}

/* The one tag that p->ref has. */
static err *push_tag(struct push *p, struct digest *ret)
{
        err *e;

        push_plan_done(&p->plan);
        p->no_absent = false;
        TRY(push_plan_make(p));
        e = push_planned(p, ret);
        if (!e || !p->plan.absent || err_code(e) != ERR_NOT_FOUND)
                return e;
        /* The registry does not have what is not here in that form: its layers are compressed once more. */
        err_free(e);
        push_plan_done(&p->plan);
        p->no_absent = true;
        TRY(push_plan_make(p));
        return push_planned(p, ret);
}

/* The tags of the repository that are here, sorted. */
static err *local_tags(const struct push *p, char ***ret)
{
        _cleanup_free_ char *prefix = str_format("%s/%s:", p->ref.domain, p->ref.path);
        _cleanup_strv_ char **tags = NULL;
        _cleanup_image_list_ struct image_list all = {0};

        if (!prefix)
                return err_nomem();
        TRY(image_list(p->engine->store, &all));
        for (size_t i = 0; i < all.n; i++)
                for (char **name = all.items[i]->names; name && *name; name++)
                        if (str_starts(*name, prefix))
                                TRY(strv_add(&tags, *name + strlen(prefix)));
        strv_sort(tags);
        *ret = TAKE_PTR(tags);
        return NULL;
}

static err *push_all_tags(struct push *p, struct digest *ret)
{
        _cleanup_free_ char *repository = NULL;
        _cleanup_strv_ char **tags = NULL;

        TRY(reference_repository(&p->ref, &repository));
        TRY(local_tags(p, &tags));
        if (!tags || !*tags)
                return err_new(ERR_NOT_FOUND, "An image does not exist locally with the tag: %s", repository);
        for (char **t = tags; *t; t++) {
                free(p->ref.tag);
                p->ref.tag = str_dup(*t);
                if (!p->ref.tag)
                        return err_nomem();
                TRY(push_tag(p, ret));
        }
        free(p->ref.tag);
        p->ref.tag = NULL;
        return NULL;
}

static err *prepare(struct push *p, const struct push_options *o)
{
        TRY(push_compression_parse(o->compression, &p->compression));
        TRY(reference_parse(o->name, false, &p->ref));
        if (o->all_tags && (p->ref.tag || p->ref.digest))
                return err_new(ERR_INVALID, "tag can't be used with --all-tags/-a");
        if (p->ref.digest)
                return err_new(ERR_INVALID, "cannot push a digest reference");
        if (!o->all_tags && !p->ref.tag) {
                TRY(progress_line(o->progress, "Using default tag: latest"));
                p->ref.tag = str_dup("latest");
                if (!p->ref.tag)
                        return err_nomem();
        }
        TRY(registry_open(&o->registry, &p->ref, &p->registry));
        return progress_line(o->progress, "The push refers to repository [%s/%s]", p->ref.domain, p->ref.path);
}

static void push_done(struct push *p)
{
        push_plan_done(&p->plan);
        if (p->registry)
                registry_free(p->registry);
        reference_done(&p->ref);
}

err *push_image(struct engine *e, const struct push_options *o, char **ret_name, struct digest *ret_digest)
{
        _cleanup_(push_done) struct push p = {.engine = e, .o = o};

        TRY(prepare(&p, o));
        if (o->all_tags)
                TRY(push_all_tags(&p, ret_digest));
        else
                TRY(push_tag(&p, ret_digest));
        return reference_full(&p.ref, ret_name);
}
