/* image_import.c - images from tars, and from containers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/image.h"
#include "store/diff.h"
#include "store/gc.h"
#include "store/image_private.h"
#include "store/snapshot.h"

static void unlease(struct store **s)
{
        if (*s)
                txn_unlease(*s);
}

static err *check_name(struct image_draft *d)
{
        return d->name ? image_check_name(d->name, &d->full_name) : NULL;
}

static err *import_layer(struct image_draft *d, struct staging *st, const struct image_import *i)
{
        _cleanup_(stream_freep) struct stream *stream = NULL;
        struct watch_stream watched;
        struct stream *from;

        d->layers = MEM_NEW0(struct image_layer, 1);
        if (!d->layers)
                return err_nomem();
        if (!i->from)
                TRY(stream_open_fd(i->fd, &stream));
        from = watch_stream(&watched, i->from ? i->from : stream, &i->watch);
        TRY(layer_stage(st, from, i->from ? -1 : i->fd, NULL, &d->layers[0]));
        d->n_layers = 1;
        d->staged = true;
        return NULL;
}

err *image_import(struct store *s, const struct image_import *i, char **ret_id)
{
        const char *message = str_empty(i->message) ? "Imported from -" : i->message;
        _cleanup_draft_ struct image_draft d = {.store = s, .name = i->name};
        _cleanup_json_ json *run_config = json_new_object();
        _cleanup_(unlease) struct store *leased = NULL;
        _cleanup_staging_ struct staging st = {0};
        int64_t now = clock_now_ns();

        /* Everything that can be wrong without reading the archive comes first. */
        TRY(check_name(&d));
        TRY(oci_image_changes(run_config, i->changes));
        TRY(image_draft_config(&d, now, i->platform, NULL, message, run_config));
        image_draft_history(d.config, now, NULL, NULL, message, false);
        log_error_free(LOG_LEVEL_WARN, gc_tmp(s));
        TRY(staging_begin(s, &st));
        /* The archive may come slowly, from a pipe: nobody is to wait for it. */
        TRY_WRAP(import_layer(&d, &st, i), "importing %s", str_empty(i->about) ? "standard input" : i->about);
        TRY(txn_lease(s));
        leased = s;
        return image_publish(&d, &st, ret_id);
}

static err *copy_layer(const struct image_layer *from, struct image_layer *to)
{
        *to = (struct image_layer){.size = from->size, .blob_size = from->blob_size, .diff_size = from->diff_size};
        to->chain = str_dup(from->chain);
        to->diff_id = str_dup(from->diff_id);
        to->digest = str_dup(from->digest);
        to->media_type = str_dup(from->media_type);
        return to->chain && to->diff_id && to->digest && to->media_type ? NULL : err_nomem();
}

struct commit_source {
        const struct snapshot *snap;
        const struct watch *watch;
        bool empty;
};

static err *write_changes(void *arg, struct sink *to, const struct tar_watch *watch)
{
        struct commit_source *c = arg;
        struct watch_sink watched;

        return diff_write_layer(c->snap, watch_sink(&watched, to, c->watch), watch, &c->empty);
}

/* The container's changes as a tar that is unpacked while it is written. */
static err *commit_layer(struct image_draft *d, struct staging *st, const struct snapshot *snap,
                         const struct watch *watch, const char *parent_chain)
{
        struct image_layer *layer = &d->layers[d->n_layers];
        struct commit_source source = {.snap = snap, .watch = watch};

        TRY(layer_stage_written(st, write_changes, &source, parent_chain, layer));
        if (source.empty) { /* what was staged goes with the staging place */
                image_layer_done(layer);
                return NULL;
        }
        d->n_layers++;
        d->staged = true;
        return NULL;
}

/* What docker shows in the history: the container's command. */
static err *created_by(const json *config, char **ret)
{
        const json *cmd = json_get(config, "Cmd");
        _cleanup_str_ struct str s = {0};

        for (size_t i = 0; i < json_len(cmd); i++)
                str_printf(&s, "%s%s", i ? " " : "", json_str(json_at(cmd, i)) ? json_str(json_at(cmd, i)) : "");
        return str_take(&s, ret);
}

static err *inherit(struct image_draft *d, const struct image *parent)
{
        static const char *const keys[] = {"architecture", "variant", "os", "os.version", "os.features"};

        d->parent = str_dup(parent->id);
        if (!d->parent)
                return err_nomem();
        json_del(d->config, "variant");
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (json_get(parent->config, keys[i]))
                        json_set(d->config, keys[i], json_ref(json_get(parent->config, keys[i])));
        /* A copy: the parent's document is not to change. */
        if (json_kind(json_get(parent->config, "history")) == JSON_ARRAY) {
                json *history = NULL;

                TRY(json_copy(json_get(parent->config, "history"), &history));
                json_set(d->config, "history", history);
        }
        d->layers = MEM_NEW0(struct image_layer, parent->n_layers + 1);
        if (!d->layers)
                return err_nomem();
        for (; d->n_layers < parent->n_layers; d->n_layers++)
                TRY(copy_layer(&parent->layers[d->n_layers], &d->layers[d->n_layers]));
        return NULL;
}

err *image_commit(struct store *s, const struct image_commit *c, char **ret_id)
{
        _cleanup_draft_ struct image_draft d = {.store = s, .name = c->name};
        _cleanup_(image_freep) struct image *parent = NULL;
        _cleanup_snapshot_ struct snapshot snap = {0};
        _cleanup_staging_ struct staging st = {0};
        _cleanup_json_ json *run_config = NULL;
        _cleanup_free_ char *by = NULL;
        int64_t now = clock_now_ns();

        if (str_empty(c->parent))
                return err_new(ERR_INVALID, "the container was started with --rootfs and has no image to build on");
        TRY(check_name(&d));
        if (c->container_config)
                TRY(json_copy((json *)c->container_config, &run_config));
        else
                run_config = json_new_object();
        TRY(oci_image_changes(run_config, c->changes));
        TRY(image_draft_config(&d, now, NULL, c->author, c->message, run_config));
        TRY(image_find(s, c->parent, &parent)); /* its lease is ours */
        TRY(inherit(&d, parent));
        TRY(snapshot_get(s, c->container_id, parent->id, &snap));
        log_error_free(LOG_LEVEL_WARN, gc_tmp(s));
        TRY(staging_begin(s, &st));
        TRY(commit_layer(&d, &st, &snap, &c->watch,
                         parent->n_layers ? parent->layers[parent->n_layers - 1].chain : NULL));
        TRY(created_by(c->container_config, &by));
        image_draft_history(d.config, now, by, c->author, c->message, !d.staged);
        return image_publish(&d, &st, ret_id);
}
