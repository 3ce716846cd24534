/* load.c - see load.h. */
#include "engine/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/bundle.h"
#include "oci/reference.h"
#include "store/image.h"
#include "store/ingest.h"

static void say(const struct load_progress *p, const char *fmt, ...) PRINTF(2, 3);
static void say(const struct load_progress *p, const char *fmt, ...)
{
        _cleanup_str_ struct str line = {0};
        va_list ap;

        if (!p || !p->say)
                return;
        va_start(ap, fmt);
        str_vprintf(&line, fmt, ap);
        va_end(ap);
        p->say(p->arg, str_text(&line));
}

struct feed {
        struct source *source;
        const struct descriptor *blobs; /* config first */
        const struct load_progress *progress;
        bool *told; /* of each layer: that it is done */
};

static err *feed_open(void *arg, size_t n, uint64_t *offset, struct stream **ret)
{
        const struct feed *f = arg;

        return f->source->ops->open(f->source, &f->blobs[n + 1], offset, ret);
}

static err *feed_progress(void *arg, const struct ingest *i)
{
        struct feed *f = arg;
        const struct progress *p = f->progress ? f->progress->progress : NULL;

        for (size_t n = 0; p && n < ingest_n_layers(i); n++) {
                const struct ingest_layer *l = ingest_layer(i, n);
                char id[13];

                (void)snprintf(id, sizeof(id), "%.12s", l->diff_id + strlen(DIGEST_PREFIX));
                if (l->state == INGEST_FETCHING || l->state == INGEST_UNPACKING)
                        TRY(progress_amount(p, id, "Loading layer", l->here, l->size));
                else if (l->state == INGEST_DONE && !f->told[n])
                        TRY(progress_done(p, id, "Loading layer"));
                f->told[n] |= l->state == INGEST_DONE;
        }
        return progress_check(p);
}

/* Names move, as docker's do; but not without a word. */
static err *say_moves(struct engine *e, char *const *names, const char *id, const struct load_progress *p)
{
        for (; names && *names; names++) {
                _cleanup_(image_freep) struct image *old = NULL;
                _cleanup_reference_ struct reference r = {0};
                _cleanup_free_ char *familiar = NULL;
                err *error = image_find(e->store, *names, &old);

                if (err_code(error) == ERR_NOT_FOUND) {
                        err_free(error);
                        continue;
                }
                TRY(error);
                if (strcmp(old->id, id) == 0)
                        continue;
                TRY(reference_parse(*names, true, &r));
                TRY(reference_familiar(&r, &familiar));
                say(p, "The image %s already exists, renaming the old one with ID %s to empty string", familiar,
                    old->id);
        }
        return NULL;
}

static err *ingest_all(struct engine *e, struct feed *f, const struct ingest_options *o, char *const *names,
                       char *const *all, char **ret_id)
{
        const struct ingest_source source = {feed_open, feed_progress, f};
        _cleanup_ingest_ struct ingest *i = NULL;
        _cleanup_free_ bool *told = NULL;

        TRY(ingest_begin(e->store, o, &i));
        f->told = told = MEM_NEW0(bool, ingest_n_layers(i) + 1);
        if (!told)
                return err_nomem();
        TRY(ingest_layers(i, &source));
        TRY(say_moves(e, names, f->blobs[0].digest.text, f->progress));
        return ingest_publish(i, all, ret_id);
}

/* An index is kept under the names' repositories with its digest, as one that was pulled. */
static err *with_index(char *const *names, const struct document *index, char ***ret)
{
        _cleanup_strv_ char **list = NULL;

        for (char *const *name = names; name && *name; name++) {
                _cleanup_reference_ struct reference r = {0};

                TRY(strv_add(&list, *name));
                if (!index->data)
                        continue;
                TRY(reference_parse(*name, true, &r));
                TRY(strv_push(&list, str_format("%s/%s@%s", r.domain, r.path, index->digest.text)));
        }
        if (!list)
                list = MEM_NEW0(char *, 1);
        *ret = TAKE_PTR(list);
        return *ret ? NULL : err_nomem();
}

err *load_source(struct engine *e, struct source *s, const char *platform, char *const *names,
                 const struct load_progress *progress, char **ret_id)
{
        _cleanup_doc_ struct document manifest = {0}, index = {0};
        _cleanup_free_ struct descriptor *blobs = NULL;
        _cleanup_free_ char *config = NULL;
        _cleanup_strv_ char **all = NULL;
        _cleanup_json_ json *doc = NULL;
        struct ingest_options o = {.archived = true};
        struct feed feed = {.source = s, .progress = progress};
        size_t n, size;

        TRY(source_choose(s, platform, &manifest, &index));
        TRY(json_parse(manifest.data, manifest.size, &doc));
        TRY(manifest_blobs(doc, &blobs, &n));
        TRY(source_read(s, &blobs[0], INGEST_CONFIG_MAX, &config, &size));
        o.manifest = (struct ingest_document){manifest.media_type, manifest.data, manifest.size};
        o.config = (struct ingest_document){NULL, config, size};
        TRY(with_index(names, &index, &all));
        if (index.data && *all)
                o.index = (struct ingest_document){index.media_type, index.data, index.size};
        feed.blobs = blobs;
        return ingest_all(e, &feed, &o, names, all, ret_id);
}

static err *load_one(struct engine *e, struct bundle *b, size_t n, const char *platform,
                     const struct load_progress *progress)
{
        _cleanup_(source_freep) struct source *source = NULL;
        _cleanup_free_ char *id = NULL;

        TRY(bundle_source(b, n, &source));
        TRY(load_source(e, source, platform, source->names, progress, &id));
        for (char **name = source->names; name && *name; name++) {
                _cleanup_reference_ struct reference r = {0};
                _cleanup_free_ char *familiar = NULL;

                TRY(reference_parse(*name, true, &r));
                TRY(reference_familiar(&r, &familiar));
                say(progress, "Loaded image: %s", familiar);
        }
        if (!source->names || !*source->names)
                say(progress, "Loaded image ID: %s", id);
        return NULL;
}

static err *open_at(struct engine *e, int *fd, struct fileset **ret)
{
        _cleanup_close_ int tmp = -1;
        struct stat st;
        int unused;

        if (fstat(*fd, &st) < 0)
                return err_sys(errno, "looking at the archive");
        if (S_ISDIR(st.st_mode)) {
                TRY(fileset_open_dir(*fd, ret));
                *fd = -1;
                return NULL;
        }
        TRY(store_containers_fd(e->store, &unused)); /* makes the directories of an empty store */
        tmp = openat(store_root_fd(e->store), "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (tmp < 0)
                return err_sys(errno, "opening %s/tmp", e->root);
        return fileset_open_archive(*fd, tmp, ret);
}

err *load_open_files(struct engine *e, const char *path, struct fileset **ret)
{
        _cleanup_close_ int fd =
                path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

        if (fd < 0)
                return err_sys(errno, "open %s", path ? path : "standard input");
        return open_at(e, &fd, ret);
}

err *load_images(struct engine *e, const char *path, const char *platform, const struct load_progress *progress)
{
        _cleanup_(fileset_freep) struct fileset *files = NULL;
        _cleanup_(bundle_freep) struct bundle *b = NULL;

        TRY(load_open_files(e, path, &files));
        TRY(bundle_open(files, BUNDLE_ANY, &b));
        TAKE_PTR(files);
        if (!bundle_n(b))
                return err_new(ERR_NOT_FOUND, "there is no image in it");
        for (size_t n = 0; n < bundle_n(b); n++)
                TRY(load_one(e, b, n, platform, progress));
        return NULL;
}
