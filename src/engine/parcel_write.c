/* parcel_write.c - a parcel's documents and blobs as files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/parcel_private.h"
#include "oci/reference.h"

#define LAYOUT_TEXT "{\"imageLayoutVersion\": \"1.0.0\"}"
#define DIR_VERSION "Directory Transport Version: 1.1\n"
#define BLOBS "blobs/sha256/"
#define BLOB_NAME (sizeof(BLOBS) + SHA256_HEX)

static void blob_name(const struct digest *d, char name[BLOB_NAME])
{
        (void)snprintf(name, BLOB_NAME, BLOBS "%s", digest_hex(d));
}

static err *put_json(struct fileout *to, const char *name, const json *j)
{
        _cleanup_free_ char *text = NULL;

        TRY(json_print(j, JSON_COMPACT, &text));
        return fileout_put(to, name, text, strlen(text));
}

/* ---- index.json ---- */

static json *describe(const struct document *d)
{
        json *j = json_new_object();

        json_set_str(j, "mediaType", d->media_type);
        json_set_str(j, "digest", d->digest.text);
        json_set(j, "size", json_new_uint(d->size));
        return j;
}

static err *add_named(json *list, const struct document *d, const char *name, const char *ref)
{
        _cleanup_reference_ struct reference r = {0};
        json *j = describe(d), *annotations;

        json_add(list, j);
        if (!name && !ref)
                return NULL;
        annotations = json_sub_object(j, "annotations");
        if (name) {
                json_set_str(annotations, MANIFEST_ANNOTATION_NAME, name);
                TRY(reference_parse(name, true, &r));
        }
        if (ref || r.tag)
                json_set_str(annotations, MANIFEST_ANNOTATION_REF, ref ? ref : r.tag);
        return NULL;
}

static err *add_image(json *list, const struct parcel_image *image)
{
        if (!image->names || !*image->names)
                return add_named(list, &image->top, NULL, image->ref);
        for (char **name = image->names; *name; name++)
                TRY(add_named(list, &image->top, *name, image->ref));
        return NULL;
}

/* Does @old give way to one of ours? What has the same name does, and the same document without one. */
static bool replaced(const struct parcel *p, const json *old)
{
        const json *a = json_get(old, "annotations");
        const char *name = json_get_str(a, MANIFEST_ANNOTATION_NAME), *ref = json_get_str(a, MANIFEST_ANNOTATION_REF);
        const char *digest = json_get_str_or(old, "digest", "");

        for (size_t i = 0; i < p->n_images; i++) {
                const struct parcel_image *image = &p->images[i];

                if (name && strv_contains(image->names, name))
                        return true;
                if (ref && !name && str_eq(ref, image->ref))
                        return true;
                if (!ref && !name && strcmp(digest, image->top.digest.text) == 0)
                        return true;
        }
        return false;
}

static err *old_members(const struct parcel *p, int dirfd, json *list)
{
        _cleanup_json_ json *old = NULL;
        const json *members;
        err *e = json_read(dirfd, "index.json", &old);

        if (err_code(e) == ERR_NOT_FOUND)
                return err_free(e);
        TRY_WRAP(e, "the layout that is there");
        members = json_get(old, "manifests");
        for (size_t i = 0; i < json_len(members); i++)
                if (!replaced(p, json_at(members, i)))
                        json_add(list, json_ref(json_at(members, i)));
        return NULL;
}

static err *put_index(const struct parcel *p, struct fileout *to)
{
        _cleanup_json_ json *index = json_new_object();
        json *list;

        json_set_int(index, "schemaVersion", 2);
        json_set_str(index, "mediaType", OCI_MEDIA_INDEX);
        list = json_sub_array(index, "manifests");
        if (fileout_dir(to) >= 0)
                TRY(old_members(p, fileout_dir(to), list));
        for (size_t i = 0; i < p->n_images; i++)
                TRY(add_image(list, &p->images[i]));
        return put_json(to, "index.json", index);
}

/* ---- manifest.json and repositories ---- */

static err *familiar_tags(const struct parcel_image *image, json *to)
{
        if (!image->names || !*image->names) {
                json_set(to, "RepoTags", json_new_null());
                return NULL;
        }
        for (char **name = image->names; *name; name++) {
                _cleanup_reference_ struct reference r = {0};
                _cleanup_free_ char *text = NULL;

                TRY(reference_parse(*name, true, &r));
                TRY(reference_familiar(&r, &text));
                json_add_str(json_sub_array(to, "RepoTags"), text);
        }
        return NULL;
}

static err *docker_entry(const struct parcel_image *image, json *to)
{
        _cleanup_json_ json *manifest = NULL, *config = NULL;
        _cleanup_free_ struct descriptor *blobs = NULL;
        const json *diff_ids;
        char name[BLOB_NAME];
        json *layers, *sources;
        size_t n;

        TRY(json_parse(image->manifest.data, image->manifest.size, &manifest));
        TRY(manifest_blobs(manifest, &blobs, &n));
        TRY_WRAP(json_parse(image->config, image->config_size, &config), "config %s", blobs[0].digest.text);
        diff_ids = json_path(config, "rootfs.diff_ids");
        if (json_len(diff_ids) != n - 1)
                return err_new(ERR_CORRUPT, "the manifest %s has %zu layers, its config %zu",
                               image->manifest.digest.text, n - 1, json_len(diff_ids));
        blob_name(&blobs[0].digest, name);
        json_set_str(to, "Config", name);
        TRY(familiar_tags(image, to));
        layers = json_sub_array(to, "Layers");
        sources = json_new_object();
        for (size_t i = 1; i < n; i++) {
                json *source = json_new_object();

                blob_name(&blobs[i].digest, name);
                json_add_str(layers, name);
                json_set_str(source, "mediaType", blobs[i].media_type);
                json_set(source, "size", json_new_uint(blobs[i].size));
                json_set_str(source, "digest", blobs[i].digest.text);
                json_set(sources, json_str(json_at(diff_ids, i - 1)) ? json_str(json_at(diff_ids, i - 1)) : "", source);
        }
        json_set(to, "LayerSources", sources);
        return NULL;
}

static err *put_manifest(const struct parcel *p, struct fileout *to)
{
        _cleanup_json_ json *list = json_new_array();

        for (size_t i = 0; i < p->n_images; i++) {
                json *entry = json_new_object();

                json_add(list, entry);
                TRY(docker_entry(&p->images[i], entry));
        }
        return put_json(to, "manifest.json", list);
}

struct tagged {
        char *repository, *tag;
        const char *id;
};

static int by_repository(const void *a, const void *b)
{
        const struct tagged *x = a, *y = b;
        int r = strcmp(x->repository, y->repository);

        return r ? r : strcmp(x->tag, y->tag);
}

static err *collect_tagged(const struct parcel *p, struct tagged **list, size_t *n)
{
        for (size_t i = 0; i < p->n_images; i++)
                for (char **name = p->images[i].names; name && *name; name++) {
                        _cleanup_reference_ struct reference r = {0};
                        struct tagged *t;

                        if (mem_grow(list, *n, sizeof(**list)) < 0)
                                return err_nomem();
                        t = &(*list)[*n];
                        *t = (struct tagged){.id = digest_hex(&p->images[i].config_digest)};
                        ++*n;
                        TRY(reference_parse(*name, true, &r));
                        TRY(reference_repository(&r, &t->repository));
                        t->tag = TAKE_PTR(r.tag);
                }
        return NULL;
}

static err *put_repositories(const struct parcel *p, struct fileout *to)
{
        _cleanup_json_ json *all = json_new_object();
        struct tagged *list = NULL;
        size_t n = 0;
        err *e = collect_tagged(p, &list, &n);

        if (!e && n)
                qsort(list, n, sizeof(*list), by_repository);
        for (size_t i = 0; i < n; i++) {
                if (!e)
                        json_set_str(json_sub_object(all, list[i].repository), list[i].tag, list[i].id);
                free(list[i].repository);
                free(list[i].tag);
        }
        free(list);
        TRY(e);
        return n ? put_json(to, "repositories", all) : NULL;
}

/* ---- blobs ---- */

static err *put_blob(const struct parcel_blob *b, struct fileout *to, const char *name)
{
        _cleanup_file_ struct fileset_file file = {.fd = -1};
        _cleanup_(stream_freep) struct stream *stream = NULL;
        struct source *s = b->source;
        uint64_t offset = 0;

        if (fileout_has(to, name, b->what.size))
                return NULL;
        if (b->document.data) {
                TRY(stream_open_memory(b->document.data, b->document.size, &stream));
                return fileout_pump(to, name, b->document.size, &b->document.digest, stream);
        }
        if (s->trusted && s->ops->file) {
                err *e = s->ops->file(s, &b->what, &file);

                if (!e)
                        return fileout_copy(to, name, &file);
                if (err_code(e) != ERR_UNSUPPORTED)
                        return e;
                err_free(e);
        }
        TRY(s->ops->open(s, &b->what, &offset, &stream));
        return fileout_pump(to, name, b->what.size, &b->what.digest, stream);
}

static int by_digest(const void *a, const void *b)
{
        const struct parcel_blob *x = a, *y = b;

        return strcmp(x->what.digest.text, y->what.digest.text);
}

/* Before anything is written into a directory: is it one of those? */
static err *check_dir(const struct fileout *to, const char *mark, const char *what)
{
        _cleanup_close_ int fd = -1;
        bool empty = true;
        struct dirent *d;
        DIR *dir;

        if (fileout_dir(to) < 0 || file_exists(fileout_dir(to), mark))
                return NULL;
        fd = openat(fileout_dir(to), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
                return err_sys(errno, "reading the directory");
        fd = -1;
        while (empty && (d = readdir(dir)))
                empty = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
        (void)closedir(dir);
        return empty ? NULL : err_new(ERR_CONFLICT, "the directory is not empty, and is not %s", what);
}

static err *write_layout(struct parcel *p, struct fileout *to)
{
        char name[BLOB_NAME];

        TRY(check_dir(to, "oci-layout", "an OCI layout"));
        /* At once: one that is killed half way leaves what the next one goes on with. */
        TRY(fileout_mark(to, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT)));
        TRY(fileout_mkdir(to, "blobs"));
        TRY(fileout_mkdir(to, "blobs/sha256"));
        for (size_t i = 0; i < p->n_blobs; i++) {
                blob_name(&p->blobs[i].what.digest, name);
                TRY(put_blob(&p->blobs[i], to, name));
        }
        TRY(put_index(p, to));
        if (p->form == PARCEL_DOCKER)
                TRY(put_manifest(p, to));
        if (fileout_dir(to) < 0)
                TRY(fileout_put(to, "oci-layout", LAYOUT_TEXT, strlen(LAYOUT_TEXT)));
        return p->form == PARCEL_DOCKER ? put_repositories(p, to) : NULL;
}

static bool is_manifest(const struct parcel_blob *b)
{
        return b->document.data != NULL;
}

static err *write_dir(struct parcel *p, struct fileout *to)
{
        const struct document *top = &p->images[0].top;

        if (p->n_images != 1)
                return err_new(ERR_INVALID, "such a directory holds one image, not %zu", p->n_images);
        TRY(check_dir(to, "version", "one of an image"));
        TRY(fileout_mark(to, "version", DIR_VERSION, strlen(DIR_VERSION)));
        for (size_t i = 0; i < p->n_blobs; i++) {
                const struct parcel_blob *b = &p->blobs[i];
                char name[SHA256_HEX + 32];

                if (digest_equal(&b->what.digest, &top->digest))
                        continue;
                (void)snprintf(name, sizeof(name), "%s%s", digest_hex(&b->what.digest),
                               is_manifest(b) ? ".manifest.json" : "");
                TRY(put_blob(b, to, name));
        }
        return fileout_put(to, "manifest.json", top->data, top->size);
}

err *parcel_write(struct parcel *p, struct fileout *to)
{
        if (p->n_blobs)
                qsort(p->blobs, p->n_blobs, sizeof(*p->blobs), by_digest);
        TRY(p->form == PARCEL_DIR ? write_dir(p, to) : write_layout(p, to));
        return fileout_finish(to);
}
