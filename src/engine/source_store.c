/* source_store.c - an image of the store as a source. See source.h. */
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/source.h"
#include "engine/workers.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/layer_tar.h"

struct store_src {
        struct source source;
        struct store *store; /* borrowed */
        struct image *image; /* kept: nobody waits for who reads us */
};

/* A layer that was here already was not fetched again: its blob may be here only as another image has it, compressed in
 * another way. @ret: that one, owned by @all; NULL = none. */
static const struct image_layer *find_own(const struct store_src *s, const char *digest)
{
        for (size_t i = 0; i < s->image->n_layers; i++)
                if (strcmp(s->image->layers[i].digest, digest) == 0)
                        return &s->image->layers[i];
        return NULL;
}

static err *find_other(struct store_src *s, const struct image_layer *own, struct image_list *all,
                       const struct image_layer **ret)
{
        *ret = NULL;
        TRY(image_list(s->store, all));
        for (size_t i = 0; i < all->n; i++)
                for (size_t k = 0; k < all->items[i]->n_layers; k++) {
                        const struct image_layer *l = &all->items[i]->layers[k];

                        if (strcmp(l->diff_id, own->diff_id) == 0 && blob_exists(s->store, l->digest)) {
                                *ret = l;
                                return NULL;
                        }
                }
        return NULL;
}

struct making {
        struct store *store;
        const struct image_layer *layer;
};

/* In a process of its own. */
static err *make_tar(void *arg, int fd)
{
        const struct making *m = arg;
        const struct store_options options = {.root = store_root(m->store), .state = store_state(m->store)};
        _cleanup_store_ struct store *own = NULL; /* one store for each process */
        _cleanup_(sink_freep) struct sink *to = NULL;

        TRY(store_open(&options, &own));
        TRY(sink_open_fd(fd, &to));
        return layer_tar_write(own, m->layer, to);
}

/* An uncompressed layer can be had from a compressed one, or from its files; whoever takes it compares the digest. */
static err *open_made(struct store_src *s, const struct descriptor *d, struct stream **ret)
{
        struct making making = {s->store, find_own(s, d->digest.text)};

        if (!making.layer || strcmp(making.layer->diff_id, d->digest.text) != 0)
                return err_new(ERR_NOT_FOUND, "the blob %s is not here", d->digest.text);
        return workers_stream(make_tar, &making, ret);
}

static err *src_file(struct source *source, const struct descriptor *d, struct fileset_file *ret)
{
        struct store_src *s = (struct store_src *)source;
        uint64_t size;
        int fd;

        if (!blob_exists(s->store, d->digest.text))
                return err_new(ERR_UNSUPPORTED, "the blob %s is not here", d->digest.text);
        TRY(blob_open(s->store, d->digest.text, &fd, &size));
        if (size != d->size) {
                (void)file_close(fd);
                return err_new(ERR_CORRUPT, "the store's blob %s has %llu bytes instead of %llu", d->digest.text,
                               (unsigned long long)size, (unsigned long long)d->size);
        }
        *ret = (struct fileset_file){.fd = fd, .size = size, .owned = true};
        return NULL;
}

static err *src_open(struct source *source, const struct descriptor *d, uint64_t *offset, struct stream **ret)
{
        _cleanup_file_ struct fileset_file file = {.fd = -1};

        if (!blob_exists(((struct store_src *)source)->store, d->digest.text)) {
                *offset = 0;
                return open_made((struct store_src *)source, d, ret);
        }
        TRY(src_file(source, d, &file));
        return fileset_stream(&file, *offset, ret);
}

static err *read_document(struct store_src *s, const char *digest, const char *type, struct document *ret)
{
        char *text;
        size_t size;

        TRY(blob_read(s->store, digest, MANIFEST_MAX, &text, &size));
        return document_make(text, size, type, ret);
}

static err *src_manifest(struct source *source, const struct descriptor *d, struct document *ret)
{
        return read_document((struct store_src *)source, d->digest.text, *d->media_type ? d->media_type : NULL, ret);
}

static void src_free(struct source *source)
{
        image_free(((struct store_src *)source)->image);
        free(source);
}

/* Everything that the document names is here, down to the layers. @seen: members that were looked at; an index may list
 * one of them thousands of times. */
static bool is_complete(struct store_src *s, const struct document *d, int depth, char ***seen)
{
        _cleanup_free_ struct descriptor *list = NULL;
        _cleanup_json_ json *doc = NULL;
        bool index = false, whole;
        size_t n = 0;
        err *e = json_parse(d->data, d->size, &doc);

        if (!e)
                e = manifest_is_index(doc, NULL, &index);
        if (!e)
                e = index ? manifest_members(doc, &list, &n) : manifest_blobs(doc, &list, &n);
        whole = !e && depth < 4;
        err_free(e);
        for (size_t i = 0; whole && i < n; i++) {
                _cleanup_doc_ struct document member = {0};

                whole = blob_exists(s->store, list[i].digest.text);
                if (!whole || !index || strv_contains(*seen, list[i].digest.text))
                        continue;
                e = strv_add(seen, list[i].digest.text);
                if (!e)
                        e = read_document(s, list[i].digest.text, NULL, &member);
                whole = !e && is_complete(s, &member, depth + 1, seen);
                err_free(e);
        }
        return whole;
}

/* A manifest whose blobs cannot be had as it lists them lists those that can. */
static err *replace_layers(struct store_src *s, json *layers, bool *ret_changed)
{
        *ret_changed = false;
        for (size_t i = 0; i < json_len(layers); i++) {
                _cleanup_image_list_ struct image_list all = {0};
                json *layer = json_at(layers, i);
                const char *digest = json_get_str_or(layer, "digest", "");
                const struct image_layer *own = find_own(s, digest), *other = NULL;

                if (blob_exists(s->store, digest) || (own && layer_tar_whole(s->store, own)))
                        continue;
                if (own)
                        TRY(find_other(s, own, &all, &other));
                if (!other)
                        return err_new(ERR_NOT_FOUND, "layer %s of the image is not here", digest);
                if (strcmp(own->diff_id, digest) == 0) /* see open_made() */
                        continue;
                json_set_str(layer, "mediaType", other->media_type);
                json_set_str(layer, "digest", other->digest);
                json_set(layer, "size", json_new_uint(other->blob_size));
                *ret_changed = true;
        }
        return NULL;
}

static err *open_manifest(struct store_src *s)
{
        _cleanup_json_ json *doc = NULL;
        bool changed;
        char *text;

        TRY(read_document(s, s->image->manifest, NULL, &s->source.top));
        TRY(json_parse(s->source.top.data, s->source.top.size, &doc));
        TRY(replace_layers(s, json_get(doc, "layers"), &changed));
        if (!changed)
                return NULL;
        document_done(&s->source.top);
        TRY(json_print(doc, JSON_COMPACT, &text));
        return document_make(text, strlen(text), NULL, &s->source.top);
}

/* An index that the image came with is given away again if all of it is here. */
static err *open_top(struct store_src *s)
{
        for (size_t i = 0; s->image->digests && s->image->digests[i]; i++) {
                const char *digest = strchr(s->image->digests[i], '@');
                _cleanup_doc_ struct document d = {0};
                _cleanup_strv_ char **seen = NULL;

                if (!digest || strcmp(digest + 1, s->image->manifest) == 0 || !blob_exists(s->store, digest + 1))
                        continue;
                TRY(read_document(s, digest + 1, NULL, &d));
                if (!is_complete(s, &d, 0, &seen))
                        continue;
                s->source.top = d;
                d = (struct document){0};
                return NULL;
        }
        return open_manifest(s);
}

err *source_open_store(struct store *store, const char *ref, struct source **ret)
{
        static const struct source_ops ops = {src_manifest, src_open, src_file, src_free};
        _cleanup_(source_freep) struct source *source = NULL;
        struct store_src *s = MEM_NEW0(struct store_src, 1);

        if (!s)
                return err_nomem();
        s->source.ops = &ops;
        s->source.trusted = true;
        s->store = store;
        source = &s->source;
        TRY(image_find_whole(store, ref, &s->image));
        TRY(open_top(s));
        *ret = TAKE_PTR(source);
        return NULL;
}
