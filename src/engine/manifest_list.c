/* manifest_list.c - see manifest_list.h.
 *
 *   {"name": "docker.io/library/x:1",
 *    "members": [{"ref": "docker.io/library/x:amd64", "raw": "{...}", "descriptor": {..., "platform": {...}}}]} */
#include "engine/manifest_list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/manifest_list_private.h"
#include "engine/parcel.h"
#include "engine/source.h"

#define DIRECTORY "manifests"

static err *full_name(const char *text, struct reference *r, char **ret)
{
        TRY(reference_parse(text, true, r));
        return reference_full(r, ret);
}

static err *file_of(const char *full, char **ret)
{
        struct digest d;

        digest_of(full, strlen(full), &d);
        *ret = str_format("%s.json", digest_hex(&d));
        return *ret ? NULL : err_nomem();
}

/* The directory, and its lock for changes. */
static err *open_lists(struct engine *e, int *ret_fd, int *ret_lock)
{
        _cleanup_close_ int fd = -1;
        int lock;

        if (mkdirat(store_root_fd(e->store), DIRECTORY, 0700) < 0 && errno != EEXIST)
                return err_sys(errno, "making %s/" DIRECTORY, e->root);
        fd = file_open_beneath(store_root_fd(e->store), DIRECTORY, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return err_sys(fd, "opening %s/" DIRECTORY, e->root);
        if (ret_lock) {
                lock = file_lock(fd, "lock", false);
                if (lock < 0)
                        return err_sys(lock, "locking %s/" DIRECTORY, e->root);
                *ret_lock = lock;
        }
        *ret_fd = TAKE_FD(fd);
        return NULL;
}

/* ERR_NOT_FOUND without words of its own. */
static err *read_list(int dirfd, const char *full, json **ret)
{
        _cleanup_free_ char *file = NULL;

        TRY(file_of(full, &file));
        return json_read(dirfd, file, ret);
}

static err *write_list(int dirfd, const char *full, const json *list)
{
        _cleanup_free_ char *file = NULL, *text = NULL;
        int r;

        TRY(file_of(full, &file));
        TRY(json_print(list, JSON_COMPACT, &text));
        r = file_replace(dirfd, file, text, strlen(text), 0600, FILE_DURABLE);
        return r < 0 ? err_sys(r, "writing the list %s", full) : NULL;
}

static err *no_such(const char *name)
{
        return err_new(ERR_NOT_FOUND, "no such manifest: %s", name);
}

static json *find_member(const json *list, const char *full)
{
        const json *members = json_get(list, "members");

        for (size_t i = 0; i < json_len(members); i++)
                if (str_eq(json_get_str(json_at(members, i), "ref"), full))
                        return json_at(members, i);
        return NULL;
}

/* ---- members from registries ---- */

static void copy_words(const json *from, json *to, const char *const *keys)
{
        for (; *keys; keys++)
                if (json_get(from, *keys))
                        json_set(to, *keys, json_ref(json_get(from, *keys)));
}

static err *add_platform(struct source *s, const json *manifest, json *descriptor)
{
        static const char *const keys[] = {"architecture", "os", "os.version", "os.features", "variant", NULL};
        _cleanup_json_ json *config = NULL;
        _cleanup_free_ char *text = NULL;
        struct descriptor d;
        size_t size;

        TRY(manifest_descriptor(json_get(manifest, "config"), "the manifest's config", &d));
        TRY(source_read(s, &d, 2 * MANIFEST_MAX, &text, &size));
        TRY_WRAP(json_parse(text, size, &config), "the config %s", d.digest.text);
        copy_words(config, json_sub_object(descriptor, "platform"), keys);
        return NULL;
}

err *manifest_list_member(struct source *s, const char *full, json **ret)
{
        _cleanup_json_ json *member = json_new_object(), *doc = NULL;
        json *descriptor = json_sub_object(member, "descriptor");
        bool index;

        TRY(json_parse(s->top.data, s->top.size, &doc));
        TRY(manifest_is_index(doc, s->top.media_type, &index));
        if (index)
                return err_new(ERR_INVALID, "%s is a manifest list", full);
        json_set_str(member, "ref", full);
        json_set_str(member, "raw", s->top.data);
        json_set_str(descriptor, "mediaType", s->top.media_type);
        json_set_str(descriptor, "digest", s->top.digest.text);
        json_set(descriptor, "size", json_new_uint(s->top.size));
        TRY(add_platform(s, doc, descriptor));
        *ret = TAKE_PTR(member);
        return NULL;
}

err *manifest_list_fetch(const char *name, const struct registry_options *o, struct source **ret, char **ret_full)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;
        err *e;

        TRY(full_name(name, &r, &full));
        e = source_open_registry(o, full, ret);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return no_such(name);
        }
        TRY_WRAP(e, "%s", name);
        *ret_full = TAKE_PTR(full);
        return NULL;
}

static err *fetch_members(char *const *names, const struct registry_options *o, json *to)
{
        for (; *names; names++) {
                _cleanup_(source_freep) struct source *s = NULL;
                _cleanup_free_ char *full = NULL;
                json *member = NULL;

                TRY(manifest_list_fetch(*names, o, &s, &full));
                TRY(manifest_list_member(s, full, &member));
                json_add(to, member);
        }
        return NULL;
}

/* Members that are there already are replaced. */
static void merge(json *list, const json *fresh)
{
        const json *old = json_get(list, "members");
        json *all = json_new_array();

        for (size_t i = 0; i < json_len(old); i++) {
                const char *ref = json_get_str(json_at(old, i), "ref");
                bool replaced = false;

                for (size_t k = 0; k < json_len(fresh); k++)
                        replaced |= str_eq(json_get_str(json_at(fresh, k), "ref"), ref);
                if (!replaced)
                        json_add(all, json_ref(json_at(old, i)));
        }
        for (size_t k = 0; k < json_len(fresh); k++)
                json_add(all, json_ref(json_at(fresh, k)));
        json_set(list, "members", all);
}

/* @ret: the list, an empty one if it is new. */
static err *read_or_new(int dirfd, const char *full, bool amend, json **ret)
{
        err *e = read_list(dirfd, full, ret);

        if (!e)
                return amend ? NULL
                             : err_new(ERR_CONFLICT,
                                       "refusing to amend an existing manifest list with no --amend flag");
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        *ret = json_new_object();
        json_set_str(*ret, "name", full);
        return NULL;
}

err *manifest_list_create(struct engine *e, const char *name, char *const *members, bool amend,
                          const struct registry_options *o, char **ret_name)
{
        _cleanup_json_ json *before = NULL, *list = NULL, *fresh = json_new_array();
        _cleanup_close_ int fd = -1, lock = -1;
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;
        int again;

        TRY(full_name(name, &r, &full));
        TRY(open_lists(e, &fd, NULL));
        TRY(read_or_new(fd, full, amend, &before));
        TRY(fetch_members(members, o, fresh)); /* may take its time: without the lock */
        TRY(open_lists(e, &again, &lock));
        (void)file_close(again);
        TRY(read_or_new(fd, full, amend, &list));
        merge(list, fresh);
        TRY(write_list(fd, full, list));
        *ret_name = TAKE_PTR(full);
        return NULL;
}

/* ---- annotate ---- */

static err *check_platform(const json *platform)
{
        struct platform p;

        if (!platform_read(platform, &p) || !platform_is_known(&p))
                return err_new(ERR_INVALID, "manifest entry for image has unsupported os/arch combination: %s/%s",
                               json_get_str_or(platform, "os", ""), json_get_str_or(platform, "architecture", ""));
        return NULL;
}

static err *annotate(json *platform, const struct manifest_annotation *a)
{
        const struct {
                const char *key, *value;
        } words[] = {{"os", a->os}, {"architecture", a->arch}, {"os.version", a->os_version}, {"variant", a->variant}};

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (words[i].value)
                        json_set_str(platform, words[i].key, words[i].value);
        for (char *const *f = a->os_features; f && *f; f++) {
                json *list = json_sub_array(platform, "os.features");
                bool there = false;

                for (size_t i = 0; i < json_len(list); i++)
                        there |= str_eq(json_str(json_at(list, i)), *f);
                if (!there)
                        json_add_str(list, *f);
        }
        return check_platform(platform);
}

err *manifest_list_annotate(struct engine *e, const char *name, const char *member, const struct manifest_annotation *a)
{
        _cleanup_close_ int fd = -1, lock = -1;
        _cleanup_reference_ struct reference r = {0}, m = {0};
        _cleanup_free_ char *full = NULL, *full_member = NULL;
        _cleanup_json_ json *list = NULL;
        json *found;
        err *error;

        TRY_WRAP(full_name(name, &r, &full), "annotate: error parsing name for manifest list %s", name);
        TRY_WRAP(full_name(member, &m, &full_member), "annotate: error parsing name for manifest %s", member);
        TRY(open_lists(e, &fd, &lock));
        error = read_list(fd, full, &list);
        found = error ? NULL : find_member(list, full_member);
        if (err_code(error) == ERR_NOT_FOUND)
                error = err_free(error);
        TRY(error);
        if (!found)
                return err_new(ERR_NOT_FOUND, "manifest for image %s does not exist in %s", member, name);
        TRY(annotate(json_sub_object(json_sub_object(found, "descriptor"), "platform"), a));
        return write_list(fd, full, list);
}

/* ---- the list as a document ---- */

err *manifest_list_load(struct engine *e, const char *name, json **ret, char **ret_full)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;
        _cleanup_close_ int fd = -1;

        TRY(full_name(name, &r, &full));
        TRY(open_lists(e, &fd, NULL));
        TRY(read_list(fd, full, ret));
        *ret_full = TAKE_PTR(full);
        return NULL;
}

json *manifest_list_find(const json *list, const char *name)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;
        err *e = full_name(name, &r, &full);

        err_free(e);
        return e ? NULL : find_member(list, full);
}

err *manifest_list_document(const json *list, struct document *ret)
{
        const json *members = json_get(list, "members");
        _cleanup_json_ json *doc = json_new_object();
        const char *type = DOCKER_MEDIA_LIST;
        char *text;
        json *to;

        for (size_t i = 0; i < json_len(members); i++)
                if (str_eq(json_get_str(json_get(json_at(members, i), "descriptor"), "mediaType"), OCI_MEDIA_MANIFEST))
                        type = OCI_MEDIA_INDEX;
        json_set_int(doc, "schemaVersion", 2);
        json_set_str(doc, "mediaType", type);
        to = json_sub_array(doc, "manifests");
        for (size_t i = 0; i < json_len(members); i++) {
                const json *platform = json_path(json_at(members, i), "descriptor.platform");

                if (str_empty(json_get_str(platform, "os")) || str_empty(json_get_str(platform, "architecture")))
                        return err_new(ERR_INVALID,
                                       "manifest %s must have an OS and Architecture to be pushed to a registry",
                                       json_get_str_or(json_at(members, i), "ref", ""));
                json_add(to, json_ref(json_get(json_at(members, i), "descriptor")));
        }
        TRY(json_print(doc, JSON_INDENT2, &text));
        return document_make(text, strlen(text), type, ret);
}

/* ---- push, rm ---- */

static err *copy_members(const json *list, const struct reference *to, const struct registry_options *o,
                         struct registry *registry, const struct progress *progress)
{
        const json *members = json_get(list, "members");

        for (size_t i = 0; i < json_len(members); i++) {
                const json *m = json_at(members, i);
                _cleanup_(source_freep) struct source *s = NULL;
                _cleanup_(parcel_freep) struct parcel *parcel = NULL;
                const struct parcel_options options = {.all = true};
                _cleanup_reference_ struct reference r = {0};
                _cleanup_free_ char *name = NULL;

                TRY(reference_parse(json_get_str_or(m, "ref", ""), true, &r));
                name = str_format("%s/%s@%s", r.domain, r.path,
                                  json_get_str_or(json_get(m, "descriptor"), "digest", ""));
                if (!name)
                        return err_nomem();
                TRY_WRAP(source_open_registry(o, name, &s), "%s", name);
                TRY(parcel_new(PARCEL_PUSH, &parcel));
                TRY(parcel_add(parcel, s, &options));
                TRY_WRAP(parcel_push(parcel, registry, to, NULL, progress), "%s", name);
        }
        return NULL;
}

err *manifest_list_push(struct engine *e, const char *name, bool purge, const struct registry_options *o,
                        const struct progress *progress, struct digest *ret)
{
        _cleanup_(registry_freep) struct registry *registry = NULL;
        _cleanup_reference_ struct reference r = {0};
        struct registry_options to = *o, from = *o;
        _cleanup_doc_ struct document d = {0};
        _cleanup_free_ char *full = NULL;
        _cleanup_json_ json *list = NULL;
        err *error = manifest_list_load(e, name, &list, &full);

        if (err_code(error) == ERR_NOT_FOUND) {
                err_free(error);
                return err_new(ERR_NOT_FOUND, "%s not found", name);
        }
        TRY(error);
        TRY(manifest_list_document(list, &d));
        TRY(reference_parse(full, true, &r));
        if (!r.tag)
                return err_new(ERR_INVALID, "%s: a list is pushed under a tag", name);
        to.push = true;
        from.push = false;
        TRY(registry_open(&to, &r, &registry));
        TRY(copy_members(list, &r, &from, registry, progress));
        TRY_WRAP(registry_manifest_put(registry, r.tag, d.media_type, d.data, d.size), "%s", name);
        *ret = d.digest;
        return purge ? manifest_list_remove(e, name) : NULL;
}

err *manifest_list_remove(struct engine *e, const char *name)
{
        _cleanup_close_ int fd = -1, lock = -1;
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL, *file = NULL;

        TRY(full_name(name, &r, &full));
        TRY(open_lists(e, &fd, &lock));
        TRY(file_of(full, &file));
        if (unlinkat(fd, file, 0) == 0)
                return NULL;
        return errno == ENOENT ? err_new(ERR_NOT_FOUND, "No such manifest: %s", name)
                               : err_sys(errno, "removing the list %s", name);
}
