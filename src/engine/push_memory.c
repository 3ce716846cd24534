/* push_memory.c - see push_private.h.
 *
 *   {"layers": {"sha256:<diff id> gzip:0": {"digest": "sha256:...", "size": 1}},
 *    "repositories": {"sha256:<blob>": ["docker.io/library/busybox"]}}
 *
 * The youngest stand last. Two pushes at once: the last writer wins, the other one's hints are lost. */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/push_private.h"
#include "oci/image.h"

#define FILE_NAME "pushed.json"
#define ENTRIES_MAX 3000
#define REPOSITORIES_MAX 8

struct push_memory {
        struct engine *engine;
        json *doc;
        bool changed;
};

err *push_memory_load(struct engine *e, struct push_memory **ret)
{
        struct push_memory *m = MEM_NEW0(struct push_memory, 1);
        err *error;

        if (!m)
                return err_nomem();
        m->engine = e;
        error = json_read(store_root_fd(e->store), FILE_NAME, &m->doc);
        if (error || json_kind(m->doc) != JSON_OBJECT) { /* a hint that is damaged is none */
                json_free(m->doc);
                m->doc = json_new_object();
        }
        if (error && err_code(error) != ERR_NOT_FOUND)
                log_error_free(LOG_LEVEL_WARN, error);
        else
                err_free(error);
        *ret = m;
        return NULL;
}

void push_memory_free(struct push_memory *m)
{
        if (!m)
                return;
        json_free(m->doc);
        free(m);
}

static char *layer_key(const char *diff_id, const struct push_compression *c)
{
        return str_format("%s %s:%d", diff_id, c->zstd ? "zstd" : "gzip", c->level);
}

bool push_memory_find(const struct push_memory *m, const char *diff_id, const struct push_compression *c,
                      struct digest *ret, uint64_t *ret_size)
{
        _cleanup_free_ char *key = layer_key(diff_id, c);
        const json *l = key ? json_get(json_get(m->doc, "layers"), key) : NULL;
        const char *digest = json_get_str_or(l, "digest", "");
        uint64_t size = json_get_uint(l, "size", 0);
        struct digest d;
        err *e;

        if (!size || !oci_image_digest_valid(digest))
                return false;
        e = digest_parse(digest, &d);
        if (e) {
                err_free(e);
                return false;
        }
        *ret = d;
        *ret_size = size;
        return true;
}

err *push_memory_sources(const struct push_memory *m, const char *domain, const char *digest, struct push_blob *b)
{
        const json *list = json_get(json_get(m->doc, "repositories"), digest);

        for (size_t i = json_len(list); i-- > 0;) {
                const char *path = str_after(json_str(json_at(list, i)), domain);

                if (path && *path == '/')
                        TRY(push_blob_source(b, path + 1));
        }
        return NULL;
}

/* The oldest go. */
static void prune(json *object)
{
        size_t n = json_len(object);

        JSON_EACH (object, it) {
                if (n-- <= ENTRIES_MAX)
                        return;
                json_del(object, it.key);
        }
}

static err *add_repository(struct push_memory *m, const char *digest, const char *repository)
{
        json *all = json_sub_object(m->doc, "repositories"), *old = json_get(all, digest), *list;
        size_t n = json_len(old);

        for (size_t i = 0; i < n; i++)
                if (str_eq(json_str(json_at(old, i)), repository))
                        return NULL;
        list = json_new_array();
        for (size_t i = n >= REPOSITORIES_MAX ? n - REPOSITORIES_MAX + 1 : 0; i < n; i++)
                json_add(list, json_ref(json_at(old, i)));
        json_add_str(list, repository);
        json_del(all, digest);
        json_set(all, digest, list);
        prune(all);
        m->changed = true;
        return NULL;
}

static void add_layer(struct push_memory *m, const struct push *p, const struct push_blob *b,
                      const struct push_outcome *o)
{
        _cleanup_free_ char *key = layer_key(b->layer->diff_id, &p->compression);
        json *all = json_sub_object(m->doc, "layers"), *l;

        if (!key || str_eq(json_get_str(json_get(all, key), "digest"), o->digest.text))
                return;
        l = json_new_object();
        json_set_str(l, "digest", o->digest.text);
        json_set(l, "size", json_new_uint(o->size));
        json_del(all, key);
        json_set(all, key, l);
        prune(all);
        m->changed = true;
}

err *push_memory_add(struct push_memory *m, const struct push *p, const struct push_blob *b,
                     const struct push_outcome *o)
{
        _cleanup_free_ char *repository = str_format("%s/%s", p->ref.domain, p->ref.path);

        if (!repository)
                return err_nomem();
        if (b->layer)
                add_layer(m, p, b, o);
        return add_repository(m, o->digest.text, repository);
}

err *push_memory_save(struct push_memory *m)
{
        _cleanup_free_ char *text = NULL;
        int r;

        if (!m->changed)
                return NULL;
        TRY(json_print(m->doc, JSON_COMPACT, &text));
        r = file_replace(store_root_fd(m->engine->store), FILE_NAME, text, strlen(text), 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(r, "writing %s", FILE_NAME) : NULL;
}
