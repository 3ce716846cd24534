/* copy.c - see copy.h. */
#include "engine/copy.h"

#include <string.h>

#include "base/str.h"
#include "engine/bundle.h"
#include "engine/load.h"
#include "engine/parcel.h"
#include "engine/source.h"

enum transport { T_DOCKER, T_OCI, T_OCI_ARCHIVE, T_DOCKER_ARCHIVE, T_DIR, T_STORE };

struct place {
        enum transport transport;
        char *path; /* file, directory, or name */
        char *ref;  /* behind the path, or NULL */
};

static void place_done(struct place *p)
{
        free(p->path);
        free(p->ref);
}

static err *place_parse(const char *text, struct place *ret)
{
        static const struct {
                const char *prefix;
                enum transport transport;
                bool path;
        } table[] = {
                {"docker://", T_DOCKER, false},
                {"oci:", T_OCI, true},
                {"oci-archive:", T_OCI_ARCHIVE, true},
                {"docker-archive:", T_DOCKER_ARCHIVE, true},
                {"dir:", T_DIR, false},
                {"hod:", T_STORE, false},
        };
        static const char *const others[] = {
                "docker:", "docker-daemon:", "containers-storage:", "sif:", "tarball:", "ostree:"};
        const char *rest = text, *colon = NULL;

        ret->transport = T_STORE;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (str_starts(text, others[i]) && !str_starts(text, "docker://"))
                        return err_new(ERR_INVALID,
                                       "%s: not one of docker://NAME, oci:DIR[:REF], oci-archive:FILE[:REF], "
                                       "docker-archive:FILE[:NAME], dir:DIR, hod:NAME",
                                       text);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                const char *after = str_after(text, table[i].prefix);

                if (!after)
                        continue;
                ret->transport = table[i].transport;
                rest = after;
                colon = table[i].path ? strchr(after, ':') : NULL;
                break;
        }
        ret->path = colon ? str_format("%.*s", (int)(colon - rest), rest) : str_dup(rest);
        ret->ref = colon && colon[1] ? str_dup(colon + 1) : NULL;
        if (!ret->path || (colon && colon[1] && !ret->ref))
                return err_nomem();
        return *ret->path ? NULL : err_new(ERR_INVALID, "%s: something is missing", text);
}

/* A source and what it stands on. */
struct opened {
        struct bundle *bundle;
        struct source *source;
};

static void opened_done(struct opened *o)
{
        source_free(o->source);
        bundle_free(o->bundle);
}

static err *open_bundle(struct engine *e, const struct place *p, struct opened *ret)
{
        static const enum bundle_kind kinds[] = {
                [T_OCI] = BUNDLE_LAYOUT,
                [T_OCI_ARCHIVE] = BUNDLE_LAYOUT,
                [T_DOCKER_ARCHIVE] = BUNDLE_DOCKER,
                [T_DIR] = BUNDLE_DIR,
        };
        _cleanup_(fileset_freep) struct fileset *files = NULL;
        size_t n;

        TRY(load_open_files(e, p->path, &files));
        TRY(bundle_open(files, kinds[p->transport], &ret->bundle));
        TAKE_PTR(files);
        TRY(bundle_find(ret->bundle, p->ref, &n));
        return bundle_source(ret->bundle, n, &ret->source);
}

static err *open_source(struct engine *e, const struct copy_options *o, const struct place *p, struct opened *ret)
{
        switch (p->transport) {
        case T_DOCKER:
                return source_open_registry(&o->from_registry, p->path, &ret->source);
        case T_STORE:
                return source_open_store(e->store, p->path, &ret->source);
        default:
                return open_bundle(e, p, ret);
        }
}

/* ---- where it goes ---- */

static err *to_store(struct engine *e, const struct copy_options *o, struct source *s, const struct place *p,
                     struct digest *ret)
{
        const struct load_progress progress = {.progress = o->progress};
        _cleanup_doc_ struct document manifest = {0}, index = {0};
        char *names[] = {p->path, NULL};
        _cleanup_free_ char *id = NULL;

        if (o->all)
                return err_new(ERR_INVALID, "the store keeps an image for one platform: --all does not go with it");
        TRY(load_source(e, s, o->platform, names, &progress, &id));
        TRY(source_choose(s, o->platform, &manifest, &index));
        *ret = index.data ? index.digest : manifest.digest;
        return NULL;
}

static err *to_registry(const struct copy_options *o, struct parcel *parcel, const struct place *p)
{
        _cleanup_(registry_freep) struct registry *registry = NULL;
        _cleanup_reference_ struct reference r = {0};

        TRY(reference_parse(p->path, true, &r));
        if (r.digest && strcmp(r.digest, parcel_digest(parcel)->text) != 0)
                return err_new(ERR_INVALID, "the image has the digest %s, not that of %s", parcel_digest(parcel)->text,
                               p->path);
        TRY(registry_open(&o->to_registry, &r, &registry));
        return parcel_push(parcel, registry, &r, r.digest ? NULL : r.tag, o->progress);
}

/* The reference behind an archive's path: docker's is a name, OCI's any word. */
static err *add_to(struct parcel *parcel, struct source *s, const struct copy_options *o, const struct place *p)
{
        struct parcel_options options = {.platform = o->platform, .all = o->all};
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *full = NULL;
        char *names[2] = {NULL, NULL};

        if (p->ref && p->transport == T_DOCKER_ARCHIVE) {
                TRY(reference_parse(p->ref, true, &r));
                if (r.digest)
                        return err_new(ERR_INVALID, "%s: a name with a digest cannot be given", p->ref);
                TRY(reference_full(&r, &full));
                names[0] = full;
                options.names = names;
        } else {
                options.ref = p->ref;
        }
        return parcel_add(parcel, s, &options);
}

static err *to_files(const struct copy_options *o, struct parcel *parcel, const struct place *p)
{
        bool dir = p->transport == T_OCI || p->transport == T_DIR;
        _cleanup_(fileout_freep) struct fileout *to = NULL;

        TRY(dir ? fileout_open_dir(p->path, &to) : fileout_open_file(p->path, &to));
        fileout_watch(to, o->progress);
        return parcel_write(parcel, to);
}

static err *to_others(const struct copy_options *o, struct source *s, const struct place *p, struct digest *ret)
{
        static const enum parcel_form forms[] = {
                [T_DOCKER] = PARCEL_PUSH,           [T_OCI] = PARCEL_LAYOUT, [T_OCI_ARCHIVE] = PARCEL_LAYOUT,
                [T_DOCKER_ARCHIVE] = PARCEL_DOCKER, [T_DIR] = PARCEL_DIR,
        };
        _cleanup_(parcel_freep) struct parcel *parcel = NULL;

        TRY(parcel_new(forms[p->transport], &parcel));
        TRY(add_to(parcel, s, o, p));
        *ret = *parcel_digest(parcel);
        return p->transport == T_DOCKER ? to_registry(o, parcel, p) : to_files(o, parcel, p);
}

err *copy_image(struct engine *e, const struct copy_options *o, struct digest *ret_digest)
{
        _cleanup_(place_done) struct place from = {0}, to = {0};
        _cleanup_(opened_done) struct opened source = {0};

        TRY(place_parse(o->from, &from));
        TRY(place_parse(o->to, &to));
        TRY_WRAP(open_source(e, o, &from, &source), "%s", o->from);
        if (to.transport == T_STORE)
                return err_wrap(to_store(e, o, source.source, &to, ret_digest), "%s", o->to);
        return err_wrap(to_others(o, source.source, &to, ret_digest), "%s", o->to);
}
