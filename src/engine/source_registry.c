/* source_registry.c - an image in a registry as a source. See source.h. */
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/source.h"
#include "registry/client.h"

struct registry_src {
        struct source source;
        struct registry *registry;
        struct reference ref;
        pid_t pid; /* whose connections the registry's are */
};

static err *ready(struct registry_src *s)
{
        if (getpid() == s->pid)
                return NULL;
        TRY(registry_after_fork(s->registry));
        s->pid = getpid();
        return NULL;
}

/* What the document says of itself counts; registries call it many things. */
static err *take(struct registry_document *d, struct document *ret)
{
        static const char *const known[] = {OCI_MEDIA_INDEX, OCI_MEDIA_MANIFEST, DOCKER_MEDIA_LIST,
                                            DOCKER_MEDIA_MANIFEST};
        const char *type = NULL;
        err *e;

        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (str_eq(d->media_type, known[i]))
                        type = known[i];
        e = document_make(TAKE_PTR(d->data), d->size, type, ret);
        registry_document_done(d);
        return e;
}

static err *src_manifest(struct source *source, const struct descriptor *d, struct document *ret)
{
        struct registry_src *s = (struct registry_src *)source;
        struct registry_document doc = {0};

        TRY(ready(s));
        TRY(registry_manifest_get(s->registry, d->digest.text, &doc));
        return take(&doc, ret);
}

static err *src_open(struct source *source, const struct descriptor *d, uint64_t *offset, struct stream **ret)
{
        struct registry_src *s = (struct registry_src *)source;

        TRY(ready(s));
        return registry_blob_open(s->registry, &d->digest, offset, ret);
}

static void src_free(struct source *source)
{
        struct registry_src *s = (struct registry_src *)source;

        registry_free(s->registry);
        reference_done(&s->ref);
        free(s);
}

static err *get_top(struct registry_src *s)
{
        const char *reference = s->ref.digest ? s->ref.digest : s->ref.tag;
        _cleanup_free_ char *familiar = NULL;
        struct registry_document doc = {0};
        err *e = registry_manifest_get(s->registry, reference, &doc);

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                TRY(reference_familiar(&s->ref, &familiar));
                return err_new(ERR_NOT_FOUND, "manifest for %s not found: manifest unknown: manifest unknown",
                               familiar);
        }
        TRY(e);
        return take(&doc, &s->source.top);
}

err *source_open_registry(const struct registry_options *o, const char *ref, struct source **ret)
{
        static const struct source_ops ops = {src_manifest, src_open, NULL, src_free};
        _cleanup_(source_freep) struct source *source = NULL;
        struct registry_src *s = MEM_NEW0(struct registry_src, 1);

        if (!s)
                return err_nomem();
        s->source.ops = &ops;
        s->source.at = &s->ref;
        s->pid = getpid();
        source = &s->source;
        TRY(reference_parse(ref, true, &s->ref));
        TRY(registry_open(o, &s->ref, &s->registry));
        TRY(get_top(s));
        *ret = TAKE_PTR(source);
        return NULL;
}
