/* check_layer.c - a layer: its blob has the digest, what is in it has the diff id, and its tree is what comes out when
 * it is unpacked again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "codec/digest.h"
#include "store/blob.h"
#include "store/check_private.h"
#include "store/image_private.h"
#include "store/image_mounts.h"
#include "store/layer.h"
#include "store/layer_tar.h"
#include "store/record.h"
#include "store/snapshot.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/unpack.h"

struct subject {
        struct check *check;
        const struct image *image;
        const struct image_layer *layer;
        const char *parent; /* chain below, or NULL */
        char *name, *blob;  /* for findings */
        int tree_fd;        /* -1: there is none */
        bool has_blob;
};

static void subject_done(struct subject *s)
{
        free(s->name);
        free(s->blob);
        (void)file_close(s->tree_fd);
}

/* The blob through the hashers into the directory @fd. */
static err *unpack_again(struct subject *s, int fd, struct unpack_result *ret)
{
        _cleanup_(digest_hasher_freep) struct digest_hasher *blob = NULL, *diff = NULL;
        _cleanup_(stream_freep) struct stream *stream = NULL;
        _cleanup_close_ int in = -1;
        struct digest got_blob, got_diff;
        struct stream *next;

        TRY(digest_hasher_new(&blob));
        TRY(digest_hasher_new(&diff));
        TRY(blob_open(s->check->store, s->layer->digest, &in, NULL));
        TRY(stream_open_fd(in, &stream));
        TRY(stream_open_hash(stream, blob, &next));
        stream = next;
        TRY(stream_open_auto(stream, NULL, &next));
        stream = next;
        TRY(stream_open_hash(stream, diff, &next));
        stream = next;
        TRY(unpack_stream(fd, UNPACK_LAYER | UNPACK_END_OPTIONAL, stream, ret));
        TRY(stream_drain(stream));
        TRY(digest_hasher_final(blob, &got_blob));
        TRY(digest_hasher_final(diff, &got_diff));
        if (strcmp(got_blob.text, s->layer->digest) != 0)
                return err_new(ERR_DIGEST, "its content is %s", got_blob.text);
        if (strcmp(got_diff.text, s->layer->diff_id) != 0)
                return err_new(ERR_DIGEST, "its uncompressed content is %s", got_diff.text);
        return NULL;
}

/* The same without a blob: its archive is made from what is to be checked, which finds all but damaged content; that
 * makes another archive. */
static err *unpack_made(struct subject *s, int fd, struct unpack_result *ret)
{
        _cleanup_(unpack_abortp) struct unpack *unpack = NULL;
        err *e;

        TRY(unpack_start(fd, UNPACK_LAYER | UNPACK_END_OPTIONAL, NULL, -1, &unpack));
        e = layer_tar_write(s->check->store, s->layer, unpack_sink(unpack));
        if (e && !unpack_broken(unpack))
                return e;
        err_free(e);
        return unpack_finish(TAKE_PTR(unpack), ret);
}

/* The fresh tree takes the place of the damaged one, in one step. What lies beside it in the layer stays. */
static err *replace_tree(struct subject *s, struct staging *st)
{
        const char *hex = str_after(s->layer->chain, "sha256:");
        _cleanup_free_ char *from = str_format("%s/diff", s->layer->chain), *to = NULL;

        to = str_format("layers/%s/diff", hex ? hex : "");
        if (!from || !to)
                return err_nomem();
        TRY(staging_sync(st));
        if (s->tree_fd < 0 && renameat2(st->fd, from, s->check->store->root_fd, to, RENAME_NOREPLACE) < 0) {
                if (errno != ENOENT)
                        return err_sys(errno, "publishing layer %s", s->layer->chain);
                TRY(staging_publish(st, s->layer->chain, "layers", s->layer->chain));
        } else if (s->tree_fd >= 0 && renameat2(st->fd, from, s->check->store->root_fd, to, RENAME_EXCHANGE) < 0) {
                return err_sys(errno, "exchanging layer %s", s->layer->chain);
        }
        return layer_sync_directories(s->check->store);
}

/* A container that runs on the tree: its files would go with the old one. (Driver "dir" has copies.) */
static err *container_on(struct subject *s, const char *path, char **ret)
{
        const struct check_options *o = s->check->options;
        _cleanup_record_list_ struct record_list list = {0};

        TRY(record_list_all(s->check->store, &list));
        for (size_t i = 0; i < list.n && !*ret; i++) {
                _cleanup_snapshot_ struct snapshot snap = {0};
                _cleanup_json_ json *doc = NULL;

                if (!o->is_running || !o->is_running(list.items[i].id, o->running_arg))
                        continue;
                err_free(json_parse(list.items[i].json, strlen(list.items[i].json), &doc)); /* told of elsewhere */
                /* One without a snapshot stands on nothing of ours. */
                err_free(snapshot_get(s->check->store, list.items[i].id, json_get_str_or(doc, "Image", ""), &snap));
                if (!strv_contains(snap.lower, path))
                        continue;
                *ret = str_format("container %.12s is running on it", list.items[i].id);
                if (!*ret)
                        return err_nomem();
        }
        return NULL;
}

/* An image that is mounted with the tree. */
static err *mount_on(struct subject *s, char **ret)
{
        _cleanup_strv_ char **ids = NULL;

        TRY(image_mounts(s->check->store, &ids));
        for (char **id = ids; *id && !*ret; id++) {
                _cleanup_image_ struct image *image = NULL;
                err *e = image_find(s->check->store, *id, &image);

                for (size_t i = 0; !e && i < image->n_layers; i++)
                        if (strcmp(image->layers[i].chain, s->layer->chain) == 0 && !*ret)
                                *ret = str_format("image %s is mounted", *id);
                err_free(e);
        }
        return NULL;
}

static err *find_user(struct subject *s, char **ret)
{
        _cleanup_free_ char *path = NULL;

        TRY(layer_path(s->check->store, s->layer->chain, &path));
        TRY(container_on(s, path, ret));
        return *ret ? NULL : mount_on(s, ret);
}

/* Alone with the store: whoever copies or mounts the old tree must have finished before it goes. */
static err *replace_unused(struct subject *s, struct staging *st, char **ret_user)
{
        struct store *store = s->check->store;
        err *e;

        TRY(txn_exclusive(store));
        e = s->tree_fd >= 0 ? find_user(s, ret_user) : NULL;
        if (!e && !*ret_user)
                e = replace_tree(s, st);
        txn_exclusive_end(store);
        return e;
}

static err *mend_tree(struct subject *s, struct staging *st, const char *what)
{
        _cleanup_free_ char *user = NULL;
        struct check *c = s->check;

        if (c->options->repair)
                TRY(replace_unused(s, st, &user));
        if (!c->options->repair || user) {
                check_say(c, CHECK_WRONG, s->name, "%s%s%s", what, user ? "; not mended, because " : "",
                          user ? user : "");
                return NULL;
        }
        check_say(c, CHECK_MENDED, s->name, "%s; unpacked again from its %s", what, s->has_blob ? "blob" : "files");
        return NULL;
}

/* What can be done about what is not here: "pull busybox@sha256:... again". */
static err *remedy(struct subject *s, char **ret)
{
        _cleanup_image_origin_ struct image_origin o = {0};

        TRY(image_origin(s->check->store, s->layer->chain, &o));
        *ret = o.name ? str_format("pull %s again", o.name)
                      : str_format("remove image %s, and make or load it again", s->image->id);
        return *ret ? NULL : err_nomem();
}

/* A container that was made from an image with the layer. Whatever its driver, and whether or not it runs: without the
 * layer it does not start. */
static err *container_of(struct subject *s, const struct image_list *all, char **ret)
{
        _cleanup_free_ char *notes = NULL;

        for (size_t i = 0; i < all->n && !*ret; i++) {
                _cleanup_record_list_ struct record_list users = {0};

                if (image_layer_place(all->items[i], s->layer->chain) < 0)
                        continue;
                TRY(record_image_users(s->check->store, all->items[i]->id, &users));
                if (!users.n)
                        continue;
                *ret = str_format("container %.12s needs it", users.items[0].id);
                if (!*ret)
                        return err_nomem();
        }
        if (*ret)
                return NULL;
        TRY(snapshot_notes(s->check->store, &notes));
        if (!strstr(notes, s->layer->chain))
                return NULL;
        *ret = str_dup("a container whose image was removed needs it");
        return *ret ? NULL : err_nomem();
}

/* Images that have the layer and were not pulled: nobody would think of them when it goes. *@ret: ", which image child
 * needs, too", or "". */
static err *name_others(struct subject *s, const struct image_list *all, char **ret)
{
        _cleanup_str_ struct str text = {0};

        for (size_t i = 0; i < all->n; i++) {
                const struct image *image = all->items[i];
                _cleanup_free_ char *name = NULL;

                if (image->origin || image_layer_place(image, s->layer->chain) < 0)
                        continue;
                if (*image->names)
                        TRY(image_familiar(*image->names, &name));
                str_printf(&text, "%s %s", text.len ? " and" : ", which image", name ? name : image->id);
        }
        if (text.len)
                str_add(&text, " needs, too");
        return str_take(&text, ret);
}

/* The tree goes, so that the next pull gets it again, which takes for good what is here. So do the drivers' trees of
 * this layer and of those above it: they have its files, too. */
static err *drop_alone(struct subject *s, char **ret_user, char **ret_others)
{
        _cleanup_image_list_ struct image_list all = {0};
        struct store *store = s->check->store;

        TRY(image_list(store, &all));
        TRY(container_of(s, &all, ret_user));
        if (!*ret_user)
                TRY(mount_on(s, ret_user));
        if (*ret_user)
                return NULL;
        TRY(name_others(s, &all, ret_others));
        for (size_t i = 0; i < all.n; i++) {
                ssize_t place = image_layer_place(all.items[i], s->layer->chain);

                for (size_t n = place < 0 ? all.items[i]->n_layers : (size_t)place; n < all.items[i]->n_layers; n++)
                        TRY(snapshot_drop_trees(store, all.items[i]->layers[n].chain));
        }
        return layer_remove(store, s->layer->chain);
}

/* What is wrong with the files is known, but not how they were. The repair is alone with the store from its first look
 * on: else the image that can be pulled might be removed meanwhile. */
static err *bad_files(struct subject *s, const char *why)
{
        _cleanup_free_ char *user = NULL, *others = NULL;
        _cleanup_image_origin_ struct image_origin origin = {0};
        struct check *c = s->check;
        bool repair = c->options->repair;
        err *e;

        if (repair)
                TRY(txn_exclusive(c->store));
        e = image_origin(c->store, s->layer->chain, &origin);
        if (!e && origin.name && repair)
                e = drop_alone(s, &user, &others);
        if (repair)
                txn_exclusive_end(c->store);
        TRY(e);
        if (!origin.name) {
                check_say(c, CHECK_WRONG, s->name, "%s; remove image %s, and make or load it again", why, s->image->id);
                return NULL;
        }
        if (!repair) {
                check_say(c, CHECK_WRONG, s->name, "%s; after a repair, %s can be pulled again", why, origin.name);
                return NULL;
        }
        if (!user)
                s->tree_fd = file_close(s->tree_fd);
        check_say(c, CHECK_WRONG, s->name, "%s; %s%s; pull %s again", why, user ? "not removed, because " : "removed",
                  user ? user : others, origin.name);
        return NULL;
}

/* A damaged blob helps nobody, and would be pushed. */
static err *bad_archive(struct subject *s, err *why)
{
        struct check *c = s->check;
        _cleanup_free_ char *again = NULL;
        char text[1024];

        if (err_code(why) != ERR_DIGEST && err_code(why) != ERR_CORRUPT && err_code(why) != ERR_UNSAFE_PATH &&
            err_code(why) != ERR_LIMIT)
                return why;
        (void)err_text(why, text, sizeof(text));
        err_free(why);
        if (!s->has_blob)
                return bad_files(s, text);
        if (!c->options->repair) {
                check_say(c, CHECK_WRONG, s->blob, "%s", text);
                return NULL;
        }
        TRY(remedy(s, &again));
        TRY(blob_remove(c->store, s->layer->digest));
        check_say(c, CHECK_MENDED, s->blob, "%s; removed; %s to have it back", text, again);
        if (s->tree_fd < 0)
                check_say(c, CHECK_WRONG, s->name, "its tree is missing, and so is its blob now");
        return NULL;
}

/* Unpack the archive beside the tree and compare. */
static err *compare(struct subject *s)
{
        _cleanup_staging_ struct staging st = {0};
        _cleanup_close_ int fresh = -1, below = -1;
        _cleanup_free_ char *difference = NULL;
        struct unpack_result result = {0};
        err *e;

        TRY(staging_begin(s->check->store, &st));
        TRY(layer_make(&st, s->layer->chain, &fresh));
        e = s->has_blob ? unpack_again(s, fresh, &result) : unpack_made(s, fresh, &result);
        if (e)
                return bad_archive(s, e);
        if (s->parent && !result.root) {
                e = layer_open(s->check->store, s->parent, &below);
                if (!e)
                        e = layer_root_like(below, fresh);
                /* It is missing: that has been told. */
                if (err_code(e) == ERR_NOT_FOUND)
                        e = err_free(e);
                TRY(e);
        }
        if (s->tree_fd < 0)
                return mend_tree(s, &st, "its tree is missing");
        TRY(check_trees(fresh, s->tree_fd, &difference));
        return difference ? mend_tree(s, &st, difference) : NULL;
}

static err *check_without_blob(struct subject *s)
{
        _cleanup_free_ char *other = NULL, *again = NULL;
        struct check *c = s->check;

        if (s->tree_fd >= 0 && layer_tar_kept(c->store, s->layer))
                return compare(s);
        if (s->tree_fd >= 0)
                TRY(layer_tar_blob(c->store, s->layer, &other));
        if (other)
                return NULL;
        TRY(remedy(s, &again));
        check_say(c, CHECK_WRONG, s->name, "%s; %s",
                  s->tree_fd < 0 ? "its tree is missing, and its blob is not here"
                                 : "its blob is not here: it cannot be saved or pushed",
                  again);
        return NULL;
}

static err *check_sizes(struct subject *s)
{
        _cleanup_close_ int fd = -1;
        struct check *c = s->check;
        uint64_t size = 0, bytes = 0;

        if (s->tree_fd < 0) {
                check_say(c, CHECK_WRONG, s->name, "its tree is missing");
        } else {
                TRY(tree_usage(s->tree_fd, &bytes));
                if (bytes != s->layer->size)
                        check_say(c, CHECK_WRONG, s->name, "its files have %llu bytes, not %llu",
                                  (unsigned long long)bytes, (unsigned long long)s->layer->size);
        }
        if (!blob_exists(c->store, s->layer->digest))
                return NULL;
        TRY(blob_open(c->store, s->layer->digest, &fd, &size));
        if (size != s->layer->blob_size)
                check_say(c, CHECK_WRONG, s->blob, "it has %llu bytes, not %llu", (unsigned long long)size,
                          (unsigned long long)s->layer->blob_size);
        return NULL;
}

/* Trees that storage drivers made of the layer. They are copies: a damaged one goes, and is made again from good layers
 * when it is needed. Whoever copies one now has finished first. */
static err *check_driver_trees(struct subject *s, size_t n)
{
        _cleanup_free_ char *difference = NULL, *user = NULL;
        struct check *c = s->check;
        err *e;

        if (s->tree_fd < 0)
                return NULL;
        TRY_WRAP(snapshot_check_layer(c->store, s->image, n, &difference), "the driver's tree");
        if (!difference)
                return NULL;
        if (c->options->repair) {
                TRY(txn_exclusive(c->store));
                e = mount_on(s, &user);
                if (!e && !user)
                        e = snapshot_drop_trees(c->store, s->layer->chain);
                txn_exclusive_end(c->store);
                TRY(e);
        }
        if (c->options->repair && !user)
                check_say(c, CHECK_MENDED, s->name, "the driver's tree, %s; removed, it will be made again",
                          difference);
        else
                check_say(c, CHECK_WRONG, s->name, "the driver's tree, %s%s%s", difference,
                          user ? "; not mended, because " : "", user ? user : "");
        return NULL;
}

err *check_layer(struct check *c, const struct image *image, size_t n)
{
        _cleanup_(subject_done) struct subject s = {.check = c,
                                                    .image = image,
                                                    .layer = &image->layers[n],
                                                    .parent = n ? image->layers[n - 1].chain : NULL,
                                                    .tree_fd = -1};
        err *e = layer_open(c->store, s.layer->chain, &s.tree_fd);

        if (err_code(e) == ERR_NOT_FOUND)
                e = err_free(e);
        TRY(e);
        s.has_blob = blob_exists(c->store, s.layer->digest);
        s.name = str_format("layer %s", s.layer->chain);
        s.blob = str_format("blob %s", s.layer->digest);
        if (!s.name || !s.blob)
                return err_nomem();
        c->result.layers++;
        c->result.blobs += s.has_blob;
        if (c->options->quick && (s.tree_fd >= 0 || !c->options->repair))
                return check_sizes(&s);
        TRY(s.has_blob ? compare(&s) : check_without_blob(&s));
        return check_driver_trees(&s, n);
}
