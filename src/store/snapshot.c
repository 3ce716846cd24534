/* snapshot.c - see snapshot.h. */
#include "store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "store/image_private.h"
#include "store/snapshot_private.h"
#include "store/tree.h"

/* In a container's directory: chain ids, topmost first, one a line. An empty one says that a driver has something to be
 * forgotten: so that the removal of all others need not look. */
#define NOTE "layers"

/* In the order in which they are tried. */
static const struct snapshot_driver *const drivers[] = {&snapshot_overlay, &snapshot_btrfs, &snapshot_fuse,
                                                        &snapshot_vfs};

void snapshot_done(struct snapshot *s)
{
        free(s->driver);
        strv_free(s->lower);
        strv_free(s->image);
        free(s->upper);
        free(s->work);
        *s = (struct snapshot){0};
}

static bool is_named(const struct snapshot_driver *d, const char *name)
{
        return strcmp(name, d->name) == 0 || strcmp(name, d->shown) == 0;
}

err *snapshot_driver_find(const char *name, const struct snapshot_driver **ret)
{
        static const char *const others[] = {"aufs", "devicemapper", "zfs", "windowsfilter"};

        for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
                if (!is_named(drivers[i], name))
                        continue;
                if (ret)
                        *ret = drivers[i];
                return NULL;
        }
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (strcmp(name, others[i]) == 0)
                        return err_new(ERR_UNSUPPORTED,
                                       "storage driver %s is not supported: hod has overlay, btrfs, fuse-overlayfs and "
                                       "vfs",
                                       name);
        return err_new(ERR_INVALID, "unknown storage driver '%s': hod has overlay, btrfs, fuse-overlayfs and vfs",
                       name);
}

/* What was found out before (ROOT/driver, a link), if anything. */
static const struct snapshot_driver *remembered(struct store *s)
{
        char found[32];
        ssize_t n = readlinkat(s->root_fd, "driver", found, sizeof(found) - 1);

        if (n < 0)
                return NULL;
        found[n] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
                if (strcmp(found, drivers[i]->name) == 0)
                        return drivers[i];
        return NULL;
}

/* What --storage-driver says; else what was found out before; else the first that works. */
static err *choose(struct store *s, const struct snapshot_driver **ret)
{
        if (s->driver_wanted) {
                TRY(snapshot_driver_find(s->driver_wanted, ret));
                /* The default one needs no look: whoever mounts it says what is wrong. */
                if (*ret != &snapshot_overlay)
                        TRY_WRAP((*ret)->check(s), "storage driver %s", (*ret)->name);
                return NULL;
        }
        *ret = remembered(s);
        for (size_t i = 0; i < ARRAY_SIZE(drivers) && !*ret; i++) {
                err *e = drivers[i]->check(s);

                if (e) {
                        log_error_free(LOG_LEVEL_DEBUG, e);
                        continue;
                }
                *ret = drivers[i];
                /* Remembered for the next command; one that cannot write it will choose again. */
                if (symlinkat(drivers[i]->name, s->root_fd, "driver") < 0 && errno != EEXIST)
                        log_debug("remembering the storage driver: %s", strerror(errno));
        }
        if (!*ret)
                *ret = &snapshot_vfs;
        return NULL;
}

static err *find_driver(struct store *s)
{
        return s->driver ? NULL : choose(s, &s->driver);
}

err *snapshot_driver_name(struct store *s, const char **ret)
{
        TRY(find_driver(s));
        *ret = s->driver->shown;
        return NULL;
}

static err *check_id(const char *id)
{
        return id_valid(id) ? NULL : err_new(ERR_INVALID, "'%s' is not a container id", id);
}

/* Absolute paths of the layers, topmost first. */
static err *image_paths(struct store *s, const struct image_layer *layers, size_t n, char ***ret)
{
        _cleanup_strv_ char **image = NULL;

        if (!n)
                return err_new(ERR_INVALID, "the image has no layers");
        for (size_t i = n; i > 0; i--) {
                char *path = NULL;

                TRY(layer_path(s, layers[i - 1].chain, &path));
                TRY(strv_push(&image, path));
                if (access(path, F_OK) < 0)
                        return err_new(ERR_NOT_FOUND, "layer %s is missing from %s", layers[i - 1].chain, s->root);
        }
        *ret = TAKE_PTR(image);
        return NULL;
}

/* With the small one on top. */
static err *layer_paths(struct store *s, const struct image_layer *layers, size_t n, char ***ret)
{
        _cleanup_strv_ char **image = NULL, **all = NULL;
        char *init = NULL;

        TRY(image_paths(s, layers, n, &image));
        TRY(snapshot_init_layer(s, layers[n - 1].chain, image, &init));
        TRY(strv_push(&all, init));
        for (char **p = image; *p; p++)
                TRY(strv_push(&all, TAKE_PTR(*p)));
        *ret = TAKE_PTR(all);
        return NULL;
}

static err *open_container(struct store *s, const char *id, int *ret)
{
        int fd = file_open_beneath(s->containers_fd, id, O_RDONLY | O_DIRECTORY, 0);

        if (fd == -ENOENT)
                return err_new(ERR_NOT_FOUND, "%s/containers/%s is missing", s->root, id);
        if (fd < 0)
                return err_sys(fd, "opening %s/containers/%s", s->root, id);
        *ret = fd;
        return NULL;
}

static err *get(struct store *s, const char *id, int fd, char **lower, struct snapshot *ret)
{
        _cleanup_strv_ char **owned = lower;
        _cleanup_free_ char *path = str_format("%s/containers/%s", s->root, id);

        if (!path)
                return err_nomem();
        for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
                if (file_exists(fd, drivers[i]->mark))
                        return drivers[i]->get(path, TAKE_PTR(owned), ret);
        return err_new(ERR_NOT_FOUND, "%s has no writable layer", path);
}

static err *prepare(struct store *s, const char *id, int fd, const struct image *image,
                    const struct snapshot_options *o, struct snapshot *ret)
{
        struct snapshot_plan plan = {.store = s, .id = id, .fd = fd, .image = image, .size = o ? o->size : 0};
        _cleanup_strv_ char **lower = NULL;

        TRY(find_driver(s));
        if (s->driver == &snapshot_btrfs || plan.size) {
                int r = file_create(fd, NOTE, "", 0, 0600);

                if (r < 0)
                        return err_sys(r, "writing into %s/containers/%s", s->root, id);
        }
        TRY(layer_paths(s, image->layers, image->n_layers, &lower));
        plan.lower = lower;
        TRY(s->driver->prepare(&plan));
        return get(s, id, fd, TAKE_PTR(lower), ret);
}

int snapshot_remove_dir(int dirfd, const char *name)
{
        _cleanup_close_ int fd = file_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0);

        for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(drivers); i++)
                if (drivers[i]->forget)
                        drivers[i]->forget(fd);
        return file_remove_tree(dirfd, name);
}

err *snapshot_check_layer(struct store *s, const struct image *image, size_t n, char **ret_difference)
{
        *ret_difference = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(drivers) && !*ret_difference; i++)
                if (drivers[i]->check_layer)
                        TRY(drivers[i]->check_layer(s, image, n, ret_difference));
        return NULL;
}

err *snapshot_drop_trees(struct store *s, const char *chain)
{
        _cleanup_free_ char *path = str_format("layers/%s", chain + strlen("sha256:"));
        _cleanup_close_ int fd = -1;

        if (!path)
                return err_nomem();
        fd = file_open_beneath(s->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (fd == -ENOENT)
                return NULL;
        if (fd < 0)
                return err_sys(fd, "opening %s/%s", s->root, path);
        for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
                int r = 0;

                if (!drivers[i]->check_layer)
                        continue;
                if (drivers[i]->forget)
                        drivers[i]->forget(fd);
                r = file_remove_tree(fd, drivers[i]->mark);
                if (r < 0)
                        return err_sys(r, "removing %s/%s/%s", s->root, path, drivers[i]->mark);
        }
        return NULL;
}

err *snapshot_prepare(struct store *s, const char *id, const struct image *image, const struct snapshot_options *o,
                      struct snapshot *ret)
{
        _cleanup_close_ int fd = -1;
        err *e;

        TRY(check_id(id));
        if (mkdirat(s->containers_fd, id, 0700) < 0)
                return errno == EEXIST ? err_new(ERR_CONFLICT, "%s/containers/%s exists already", s->root, id)
                                       : err_sys(errno, "making %s/containers/%s", s->root, id);
        e = image ? open_container(s, id, &fd) : NULL;
        if (!e && image)
                e = prepare(s, id, fd, image, o, ret);
        if (e) {
                int r = snapshot_remove_dir(s->containers_fd, id);

                if (r < 0)
                        log_warn("removing %s/containers/%s: %s", s->root, id, strerror(-r));
        }
        return e;
}

err *snapshot_of_image(struct store *s, const struct image *image, struct snapshot *ret)
{
        char **layers = NULL;

        TRY(find_driver(s));
        TRY(image_paths(s, image->layers, image->n_layers, &layers));
        return s->driver->image(s, image, layers, ret);
}

static err *read_note(int fd, struct image_layer **ret, size_t *ret_n)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **lines = NULL;
        struct image_layer *layers;
        size_t n = 0;
        int r = file_read(fd, NOTE, 1 << 20, &text, NULL);

        if (r < 0 || str_empty(text))
                return r == -ENOENT || r == 0 ? err_new(ERR_NOT_FOUND, "no note")
                                              : err_sys(r, "reading the layers of a container");
        TRY(strv_split(text, '\n', &lines));
        layers = MEM_NEW0(struct image_layer, strv_len(lines) + 1);
        if (!layers)
                return err_nomem();
        for (char **l = lines; *l; l++)
                if (**l)
                        layers[n++].chain = TAKE_PTR(*l);
        /* topmost first in the file, bottom first in memory */
        for (size_t i = 0; i < n / 2; i++) {
                struct image_layer swap = layers[i];

                layers[i] = layers[n - 1 - i];
                layers[n - 1 - i] = swap;
        }
        *ret = layers;
        *ret_n = n;
        return NULL;
}

/* From the image's record, or from the container's note if the image was forced away. */
static err *find_layers(struct store *s, int fd, const char *image_id, char ***ret)
{
        _cleanup_(image_freep) struct image *image = NULL;
        struct image_layer *noted = NULL;
        size_t n = 0;
        err *e = image_find(s, image_id, &image);

        if (!e)
                return layer_paths(s, image->layers, image->n_layers, ret);
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        {
                err *no_note = read_note(fd, &noted, &n);

                if (no_note) {
                        err_free(no_note);
                        return e;
                }
        }
        err_free(e);
        e = layer_paths(s, noted, n, ret);
        for (size_t i = 0; i < n; i++)
                image_layer_done(&noted[i]);
        free(noted);
        return e;
}

err *snapshot_get(struct store *s, const char *id, const char *image_id, struct snapshot *ret)
{
        _cleanup_strv_ char **lower = NULL;
        _cleanup_close_ int fd = -1;

        TRY(check_id(id));
        TRY(open_container(s, id, &fd));
        TRY(find_layers(s, fd, image_id, &lower));
        return get(s, id, fd, TAKE_PTR(lower), ret);
}

err *snapshot_remove(struct store *s, const char *id)
{
        _cleanup_free_ char *note = NULL;
        struct stat st;
        bool noted;
        int r;

        TRY(check_id(id));
        note = str_format("%s/" NOTE, id);
        if (!note)
                return err_nomem();
        noted = fstatat(s->containers_fd, note, &st, AT_SYMLINK_NOFOLLOW) == 0;
        r = noted ? snapshot_remove_dir(s->containers_fd, id) : file_remove_tree(s->containers_fd, id);
        if (r < 0)
                return err_sys(r, "removing %s/containers/%s", s->root, id);
        /* It may have been the last to need layers of an image that is gone. */
        if (noted && st.st_size)
                log_error_free(LOG_LEVEL_WARN, store_gc(s, NULL));
        return NULL;
}

err *snapshot_usage(struct store *s, const char *id, const char *image_id, uint64_t *ret_rw, uint64_t *ret_all)
{
        _cleanup_(image_freep) struct image *image = NULL;
        _cleanup_close_ int fd = -1, top = -1;
        const struct snapshot_driver *d = NULL;
        uint64_t rw = 0, below = 0;
        err *e;

        TRY(check_id(id));
        TRY(open_container(s, id, &fd));
        for (size_t i = 0; i < ARRAY_SIZE(drivers) && top < 0; i++) {
                d = drivers[i];
                top = file_open_beneath(fd, d->mark, O_RDONLY | O_DIRECTORY, 0);
        }
        if (top >= 0)
                TRY(tree_usage(top, &rw));
        if (!str_empty(image_id)) {
                e = image_find(s, image_id, &image);
                if (err_code(e) == ERR_NOT_FOUND)
                        e = err_free(e);
                TRY(e);
        }
        below = image ? image->size : 0;
        if (top >= 0 && d->copies) {
                /* what is there is everything */
                *ret_all = rw;
                *ret_rw = rw > below ? rw - below : 0;
                return NULL;
        }
        *ret_rw = rw;
        *ret_all = rw + below;
        return NULL;
}

err *snapshot_note_layers(struct store *s, const char *id, const struct image *image)
{
        _cleanup_str_ struct str text = {0};
        _cleanup_close_ int fd = -1;
        err *e;
        int r;

        TRY(check_id(id));
        e = open_container(s, id, &fd);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        TRY(e);
        for (size_t i = image->n_layers; i > 0; i--)
                str_printf(&text, "%s\n", image->layers[i - 1].chain);
        TRY(str_done(&text));
        r = file_replace(fd, NOTE, str_text(&text), text.len, 0600, FILE_DURABLE);
        return r < 0 ? err_sys(r, "noting the layers of container %s", id) : NULL;
}

err *snapshot_notes(struct store *s, char **ret)
{
        _cleanup_strv_ char **ids = NULL;
        _cleanup_str_ struct str all = {0};
        int fd;

        TRY(store_containers_fd(s, &fd));
        TRY(tree_names(fd, &ids));
        for (char **id = ids; *id; id++) {
                _cleanup_free_ char *path = str_format("%s/" NOTE, *id), *text = NULL;
                int r;

                if (!path)
                        return err_nomem();
                r = file_read(fd, path, 1 << 20, &text, NULL);
                if (r == 0)
                        str_add(&all, text);
                else if (r != -ENOENT && r != -ENOTDIR)
                        return err_sys(r, "reading %s/containers/%s", s->root, path);
        }
        return str_take(&all, ret);
}
