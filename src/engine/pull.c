/* pull.c - see pull.h. name → (index →) manifest → config → layers → names. */
#include "engine/pull.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "oci/image.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/ingest.h"

#define NESTING_MAX 4 /* indexes in indexes */
#define SHORT_ID 12

struct pull {
        struct engine *engine;
        const struct pull_options *o;
        struct platform platform;
        struct registry *registry;
        struct reference ref; /* the name; its tag changes with -a */
        char *familiar;       /* "busybox:latest" */
        char *old_id;         /* of the image that has the name now, or NULL */
        bool updated;         /* anything is new */

        /* of the present image */
        struct platform have; /* of an image that was not chosen by its platform; os "" = chosen, or not known */
        struct registry_document index, manifest;
        char *config;
        size_t config_size;

        /* of the present ingest */
        pid_t pid; /* whose connections the registry's are */
        struct ingest *ingest;
        bool silent;         /* the image is here: its layers are no news */
        bool announced;      /* all layers once */
        unsigned char *told; /* enum ingest_state of each layer that was told of, + 1 */
};

static void image_part_done(struct pull *p)
{
        registry_document_done(&p->index);
        registry_document_done(&p->manifest);
        free(p->config);
        free(p->familiar);
        free(p->old_id);
        free(p->told);
        if (p->ingest)
                ingest_free(p->ingest);
        p->index = p->manifest = (struct registry_document){0};
        p->config = p->familiar = p->old_id = NULL;
        p->told = NULL;
        p->ingest = NULL;
        p->announced = p->silent = false;
        p->have = (struct platform){0};
}

static void pull_done(struct pull *p)
{
        image_part_done(p);
        if (p->registry)
                registry_free(p->registry);
        reference_done(&p->ref);
}

/* ---- documents ---- */

/* Registries' own words say little; docker's say what to look at. */
static err *manifest_error(const struct pull *p, err *e)
{
        char text[1024];

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return err_new(ERR_NOT_FOUND, "manifest for %s not found: manifest unknown: manifest unknown",
                               p->familiar);
        }
        if (err_code(e) == ERR_DENIED && strstr(err_text(e, text, sizeof(text)), "denied: ")) {
                _cleanup_free_ char *repository = NULL;

                TRY(reference_repository(&p->ref, &repository));
                return err_wrap(e, "pull access denied for %s, repository does not exist or may require 'hod login'",
                                repository);
        }
        return e;
}

static bool is_index_type(const char *type)
{
        return str_eq(type, OCI_MEDIA_INDEX) || str_eq(type, DOCKER_MEDIA_LIST);
}

static bool is_manifest_type(const char *type)
{
        return str_eq(type, OCI_MEDIA_MANIFEST) || str_eq(type, DOCKER_MEDIA_MANIFEST);
}

/* What the sender and the document itself call it agree, if both do. */
static err *check_types(const char *said, const char *own)
{
        if (own && !is_index_type(own) && !is_manifest_type(own))
                return err_new(ERR_UNSUPPORTED, "unsupported media type %s", own);
        if (!own && said && !is_index_type(said) && !is_manifest_type(said))
                return err_new(ERR_UNSUPPORTED, "unsupported media type %s", said);
        if (own && said && (is_index_type(said) || is_manifest_type(said)) && strcmp(own, said) != 0)
                return err_new(ERR_CORRUPT, "the document calls itself %s, the registry calls it %s", own, said);
        return NULL;
}

/* One document has one meaning: its names and what it holds agree. */
static err *document_kind(const struct registry_document *d, const json *j, bool *ret_index)
{
        const char *said = d->media_type, *own = json_get_str(j, "mediaType");
        bool has_list = json_has(j, "manifests"), has_layers = json_has(j, "layers") || json_has(j, "config");
        bool index = own ? is_index_type(own) : is_index_type(said) || has_list;

        if (json_get_int(j, "schemaVersion", 0) == 1 || str_starts(said ? said : "", DOCKER_MEDIA_SCHEMA1))
                return err_new(ERR_UNSUPPORTED,
                               "the image is in docker's schema 1, a format without checks that nobody makes any more: "
                               "push it again with a current program");
        if (json_kind(j) != JSON_OBJECT || json_get_int(j, "schemaVersion", 0) != 2)
                return err_new(ERR_CORRUPT, "not an image manifest (schemaVersion is not 2)");
        TRY(check_types(said, own));
        if (has_list == has_layers || has_list != index)
                return err_new(ERR_CORRUPT, "the document could be an index as well as a manifest");
        *ret_index = index;
        return NULL;
}

static err *parse_document(const struct registry_document *d, json **ret, bool *ret_index)
{
        _cleanup_json_ json *j = NULL;
        err *e;

        if (d->size > INGEST_DOCUMENT_MAX)
                return err_new(ERR_LIMIT, "manifest %s is larger than 4 MB", d->digest.text);
        e = json_parse(d->data, d->size, &j);
        if (e) { /* it came from outside: damaged, not the caller's fault */
                char text[512];

                (void)err_text(e, text, sizeof(text));
                err_free(e);
                return err_new(ERR_CORRUPT, "manifest %s: %s", d->digest.text, text);
        }
        TRY_WRAP(document_kind(d, j, ret_index), "manifest %s", d->digest.text);
        *ret = TAKE_PTR(j);
        return NULL;
}

/* The member of the index for our platform; its digest, checked, and its size, -1 = not said. */
static err *choose(const struct pull *p, const json *index, struct digest *ret, int64_t *ret_size)
{
        const json *d = platform_choose(index, &p->platform);
        char text[PLATFORM_TEXT];

        if (!d)
                return err_new(ERR_NOT_FOUND, "no matching manifest for %s in the manifest list entries",
                               platform_text(&p->platform, text));
        TRY_WRAP(digest_parse(json_get_str_or(d, "digest", ""), ret), "manifest list");
        *ret_size = json_get_int(d, "size", -1);
        return NULL;
}

/* A document by digest: from the store if it is there and undamaged, else from the registry. */
static err *get_document(struct pull *p, const struct digest *digest, struct registry_document *ret)
{
        err *e = blob_read(p->engine->store, digest->text, INGEST_DOCUMENT_MAX, &ret->data, &ret->size);

        if (!e) {
                ret->digest = *digest;
                return NULL;
        }
        err_free(e);
        return registry_manifest_get(p->registry, digest->text, ret);
}

/* From the index in p->manifest to the manifest that it lists for us. */
static err *descend(struct pull *p, json **manifest)
{
        json *j = *manifest;

        for (int depth = 0; depth < NESTING_MAX; depth++) {
                struct registry_document next = {0};
                struct digest digest;
                int64_t size;
                bool index;

                TRY(choose(p, j, &digest, &size));
                TRY(progress_check(p->o->progress));
                TRY_WRAP(get_document(p, &digest, &next), "manifest %s of the list", digest.text);
                if (!p->index.data)
                        p->index = p->manifest;
                else
                        registry_document_done(&p->manifest);
                p->manifest = next;
                if (size >= 0 && (uint64_t)size != next.size)
                        return err_new(ERR_CORRUPT, "manifest %s has %zu bytes, its list says %lld", digest.text,
                                       next.size, (long long)size);
                json_free(j);
                *manifest = j = NULL;
                TRY(parse_document(&p->manifest, manifest, &index));
                j = *manifest;
                if (!index)
                        return NULL;
        }
        return err_new(ERR_LIMIT, "manifest lists are nested more than %d deep", NESTING_MAX);
}

static err *get_config(struct pull *p, const json *manifest)
{
        const json *d = json_get(manifest, "config");
        struct digest digest;
        int64_t size = json_get_int(d, "size", -1);
        err *e;

        TRY_WRAP(digest_parse(json_get_str_or(d, "digest", ""), &digest), "the image's configuration");
        if (size < 0 || size > (int64_t)INGEST_CONFIG_MAX)
                return err_new(size < 0 ? ERR_CORRUPT : ERR_LIMIT,
                               "the image's configuration %s: a size of %lld bytes (at most %u are taken)", digest.text,
                               (long long)size, INGEST_CONFIG_MAX);
        e = blob_read(p->engine->store, digest.text, INGEST_CONFIG_MAX, &p->config, &p->config_size);
        if (e) { /* not here, or damaged: asked for again */
                err_free(e);
                TRY_WRAP(registry_blob_get(p->registry, &digest, (uint64_t)size, &p->config, &p->config_size),
                         "the image's configuration %s", digest.text);
        }
        if (p->config_size != (size_t)size)
                return err_new(ERR_CORRUPT, "the image's configuration %s has %zu bytes, the manifest says %lld",
                               digest.text, p->config_size, (long long)size);
        return NULL;
}

/* ---- layers ---- */

static bool is_foreign(const char *media_type)
{
        return strstr(media_type, ".foreign.") || strstr(media_type, ".nondistributable.");
}

static err *open_layer(void *arg, size_t n, uint64_t *offset, struct stream **ret)
{
        struct pull *p = arg;
        struct digest digest;
        err *e;

        TRY(digest_parse(ingest_layer(p->ingest, n)->digest, &digest));
        if (getpid() != p->pid) {
                TRY(registry_after_fork(p->registry));
                p->pid = getpid();
        }
        e = registry_blob_open(p->registry, &digest, offset, ret);
        if (err_code(e) != ERR_NOT_FOUND || !is_foreign(ingest_layer(p->ingest, n)->media_type))
                return e;
        /* As docker on Linux: an image does not send us anywhere. */
        return err_wrap(e,
                        "a foreign layer, which is taken from the registry only and not from the URLs of the manifest");
}

static err *announce(struct pull *p, const struct ingest *i)
{
        const struct progress *out = p->o->progress;
        char id[SHORT_ID + 1];

        for (size_t n = 0; n < ingest_n_layers(i); n++) {
                const struct ingest_layer *l = ingest_layer(i, n);

                (void)snprintf(id, sizeof(id), "%s", strchr(l->digest, ':') + 1);
                if (l->state == INGEST_EXISTS)
                        TRY(progress_done(out, id, "Already exists"));
                else
                        TRY(progress_part(out, id, "Pulling fs layer"));
        }
        p->announced = true;
        return NULL;
}

static err *tell_layer(struct pull *p, const struct ingest_layer *l, unsigned told)
{
        const struct progress *out = p->o->progress;
        bool received = l->state == INGEST_UNPACKING || l->state == INGEST_DONE;
        char id[SHORT_ID + 1];

        (void)snprintf(id, sizeof(id), "%s", strchr(l->digest, ':') + 1);
        if (l->state == INGEST_FETCHING)
                return progress_amount(out, id, "Downloading", l->here, l->size);
        if (told == (unsigned)l->state + 1)
                return NULL;
        if (received && told < INGEST_UNPACKING + 1) {
                TRY(progress_part(out, id, "Verifying Checksum"));
                TRY(progress_part(out, id, "Download complete"));
        }
        if (l->state == INGEST_UNPACKING)
                return progress_amount(out, id, "Extracting", l->size, l->size);
        if (l->state == INGEST_DONE)
                return progress_done(out, id, "Pull complete");
        return l->state == INGEST_WAITING ? progress_part(out, id, "Waiting") : NULL;
}

static err *on_progress(void *arg, const struct ingest *i)
{
        struct pull *p = arg;

        if (!p->announced && !p->silent)
                TRY(announce(p, i));
        for (size_t n = 0; n < ingest_n_layers(i); n++) {
                const struct ingest_layer *l = ingest_layer(i, n);

                if (!p->silent && l->state != INGEST_EXISTS)
                        TRY(tell_layer(p, l, p->told[n]));
                p->told[n] = (unsigned char)(l->state + 1);
        }
        return progress_check(p->o->progress);
}

/* ---- one image ---- */

/* The image called @name: its id, or NULL; its manifest and config if asked for, and then only one that was pulled. */
static err *find_here(struct pull *p, const char *name, char **ret_id, char **ret_manifest, json **ret_config)
{
        _cleanup_image_ struct image *i = NULL;
        err *e = image_find(p->engine->store, name, &i);

        *ret_id = NULL;
        if (e && err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        TRY(e);
        if (ret_manifest && !i->origin) /* from an archive: now a registry promises it, which is to be written down */
                return NULL;
        *ret_id = TAKE_PTR(i->id);
        if (ret_manifest)
                *ret_manifest = TAKE_PTR(i->manifest);
        if (ret_config)
                *ret_config = TAKE_PTR(i->config);
        return NULL;
}

static err *digest_name(const struct pull *p, const struct digest *digest, char **ret)
{
        *ret = str_format("%s/%s@%s", p->ref.domain, p->ref.path, digest->text);
        return *ret ? NULL : err_nomem();
}

/* Is the image that the name has here just what @digest is for our platform? Then nothing needs to be fetched. Only
 * documents of the store are looked at. */
static err *is_current(struct pull *p, const struct digest *digest, bool *ret)
{
        _cleanup_free_ char *name = NULL, *id = NULL, *manifest = NULL, *text = NULL;
        _cleanup_json_ json *j = NULL, *config = NULL;
        struct digest chosen = *digest;
        bool list = false, complete;
        int64_t size;
        size_t n;
        err *e;

        *ret = false;
        TRY(digest_name(p, digest, &name));
        TRY(find_here(p, name, &id, &manifest, &config));
        if (!id || (p->ref.tag && !str_eq(id, p->old_id)))
                return NULL;
        TRY(image_is_complete(p->engine->store, id, &complete));
        if (!complete)
                return NULL;
        e = blob_read(p->engine->store, digest->text, INGEST_DOCUMENT_MAX, &text, &n);
        if (!e)
                e = json_parse(text, n, &j);
        if (!e && json_has(j, "manifests")) {
                list = true;
                e = choose(p, j, &chosen, &size);
        }
        *ret = !e && strcmp(chosen.text, manifest) == 0;
        if (*ret && !list)
                (void)platform_read(config, &p->have);
        err_free(e); /* whatever it is: the long way finds it again */
        return NULL;
}

/* The image's own platform is not the one asked for, and there was no choice. */
static err *warn_platform(const struct pull *p)
{
        char have[PLATFORM_TEXT], want[PLATFORM_TEXT];

        if (!p->o->platform || !p->have.os[0] || platform_rank(&p->platform, &p->have) >= 0)
                return NULL;
        return progress_line(p->o->progress,
                             "WARNING: image with reference %s was found but its platform (%s) does not match the "
                             "specified platform (%s)",
                             p->familiar, platform_text(&p->have, have), platform_text(&p->platform, want));
}

static struct ingest_document document(const struct registry_document *d)
{
        return (struct ingest_document){.media_type = d->media_type, .data = d->data, .size = d->size};
}

static err *take_in(struct pull *p, const char *config_digest, char *const *names)
{
        const struct ingest_options options = {
                .manifest = document(&p->manifest),
                .config = {.data = p->config, .size = p->config_size},
                .index = document(&p->index),
        };
        const struct ingest_source source = {.open = open_layer, .progress = on_progress, .arg = p};
        _cleanup_free_ char *id = NULL, *known = NULL;
        bool complete = false;

        TRY(find_here(p, config_digest, &known, NULL, NULL));
        if (known)
                TRY(image_is_complete(p->engine->store, known, &complete));
        p->silent = complete;
        p->updated |= known && !complete;
        TRY(ingest_begin(p->engine->store, &options, &p->ingest));
        p->told = MEM_NEW0(unsigned char, ingest_n_layers(p->ingest) + 1);
        if (!p->told)
                return err_nomem();
        p->pid = getpid();
        TRY(ingest_layers(p->ingest, &source));
        TRY(on_progress(p, p->ingest));
        TRY(ingest_publish(p->ingest, names, &id));
        if (!str_eq(id, p->old_id))
                p->updated = true;
        return NULL;
}

/* Everything of p->manifest, which has been received. */
static err *pull_document(struct pull *p, const char *full)
{
        _cleanup_strv_ char **names = NULL;
        _cleanup_json_ json *j = NULL, *config = NULL;
        struct digest top = p->manifest.digest;
        char *name;
        bool index;

        TRY(parse_document(&p->manifest, &j, &index));
        if (index)
                TRY(descend(p, &j));
        TRY(progress_check(p->o->progress));
        TRY(get_config(p, j));
        TRY(digest_name(p, &top, &name));
        TRY(strv_push(&names, name));
        if (p->ref.tag)
                TRY(strv_add(&names, full));
        TRY(take_in(p, json_get_str_or(json_get(j, "config"), "digest", ""), names));
        if (index)
                return NULL;
        TRY(json_parse(p->config, p->config_size, &config));
        (void)platform_read(config, &p->have);
        return NULL;
}

/* By a digest that is known here, or by a tag that has not moved. @ret_digest is "" if it is not so. */
static err *try_quick(struct pull *p, struct digest *ret)
{
        struct digest digest = {""};
        bool current;

        *ret = digest;
        if (p->ref.digest) {
                TRY(digest_parse(p->ref.digest, &digest));
        } else {
                err *e;

                if (!p->old_id)
                        return NULL;
                e = registry_manifest_head(p->registry, p->ref.tag, &digest);
                if (e)
                        return manifest_error(p, e);
        }
        TRY(is_current(p, &digest, &current));
        if (current)
                *ret = digest;
        return NULL;
}

/* The one image that p->ref names. */
static err *pull_reference(struct pull *p)
{
        _cleanup_free_ char *full = NULL;
        struct digest digest;
        bool quick;
        err *e;

        image_part_done(p);
        if (p->ref.digest) { /* a tag beside it says nothing more */
                free(p->ref.tag);
                p->ref.tag = NULL;
        }
        TRY(reference_full(&p->ref, &full));
        TRY(reference_familiar(&p->ref, &p->familiar));
        TRY(find_here(p, full, &p->old_id, NULL, NULL));
        TRY(try_quick(p, &digest));
        quick = digest.text[0];
        if (!quick) {
                e = registry_manifest_get(p->registry, p->ref.digest ? p->ref.digest : p->ref.tag, &p->manifest);
                if (e)
                        return manifest_error(p, e);
                digest = p->manifest.digest;
        }
        TRY(progress_line(p->o->progress, "%s: Pulling from %s", p->ref.tag ? p->ref.tag : full, p->ref.path));
        if (!quick)
                TRY(pull_document(p, full));
        return progress_line(p->o->progress, "Digest: %s", digest.text);
}

static err *pull_all_tags(struct pull *p)
{
        _cleanup_strv_ char **tags = NULL;

        TRY(registry_tags(p->registry, &tags));
        if (!tags || !*tags)
                return err_new(ERR_NOT_FOUND, "the repository has no tags");
        for (char **t = tags; *t; t++) {
                free(p->ref.tag);
                p->ref.tag = str_dup(*t);
                if (!p->ref.tag)
                        return err_nomem();
                TRY_WRAP(pull_reference(p), "tag %s", *t);
        }
        free(p->ref.tag);
        p->ref.tag = NULL;
        return NULL;
}

/* @name is full: "docker.io/library/busybox:latest". */
static err *pull_name(struct engine *e, const struct pull_options *o, const char *name)
{
        _cleanup_(pull_done) struct pull p = {.engine = e, .o = o};
        _cleanup_free_ char *shown = NULL;

        TRY(platform_parse(o->platform, &p.platform));
        TRY(reference_parse(name, false, &p.ref));
        TRY(registry_open(&o->registry, &p.ref, &p.registry));
        if (o->all_tags)
                TRY(pull_all_tags(&p));
        else
                TRY(pull_reference(&p));
        TRY(reference_familiar(&p.ref, &shown));
        TRY(progress_line(o->progress, "Status: %s for %s",
                          p.updated ? "Downloaded newer image" : "Image is up to date", shown));
        return warn_platform(&p);
}

/* Is it worth asking the next registry that a short name may mean? */
static bool try_next(const err *e)
{
        return err_code(e) == ERR_NOT_FOUND || err_code(e) == ERR_DENIED || err_code(e) == ERR_NETWORK;
}

static err *check_name(const struct pull_options *o)
{
        _cleanup_reference_ struct reference r = {0};

        TRY(reference_parse(o->name, false, &r));
        if (o->all_tags && (r.tag || r.digest))
                return err_new(ERR_INVALID, "tag can't be used with --all-tags/-a");
        if (!o->all_tags && !r.tag && !r.digest)
                return progress_line(o->progress, "Using default tag: latest");
        return NULL;
}

err *pull_image(struct engine *e, const struct pull_options *o, char **ret_name)
{
        _cleanup_strv_ char **names = NULL;
        _cleanup_err_ err *failure = NULL;

        TRY(check_name(o));
        TRY(registry_names(&o->registry, o->name, !o->all_tags, &names));
        for (char **n = names; n && *n; n++) {
                err *error = pull_name(e, o, *n);

                if (!error) {
                        *ret_name = str_dup(*n);
                        return *ret_name ? NULL : err_nomem();
                }
                err_free(failure);
                failure = n[1] || n != names ? err_wrap(error, "%s", *n) : error;
                if (!try_next(failure) || !n[1])
                        break;
                log_debug("%s did not do: asking for %s", n[0], n[1]);
        }
        return failure ? TAKE_PTR(failure) : err_new(ERR_INTERNAL, "%s: no name to ask for", o->name);
}
