/* prune.c - see prune.h. */
#include "engine/prune.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/container.h"
#include "engine/stop.h"
#include "store/image.h"
#include "store/snapshot.h"
#include "store/volume.h"

void prune_filter_done(struct prune_filter *f)
{
        strv_free(f->labels);
        strv_free(f->not_labels);
        *f = (struct prune_filter){0};
}

void prune_report_done(struct prune_report *r)
{
        strv_free(r->lines);
        *r = (struct prune_report){0};
}

static err *parse_until(const char *value, struct prune_filter *f)
{
        err *e;

        if (f->until_ns)
                return err_new(ERR_INVALID, "more than one until filter specified");
        e = clock_parse_point(value, clock_now_ns(), &f->until_ns);
        if (!e)
                return NULL;
        err_free(e);
        return err_new(ERR_INVALID, "failed to parse value as time or duration: \"%s\"", value);
}

static err *parse_flag(const char *key, const char *value, bool *ret)
{
        err *e = parse_bool(value, ret);

        if (!e)
                return NULL;
        err_free(e);
        return err_new(ERR_INVALID, "invalid filter '%s=[%s]'", key, value);
}

static err *parse_one(const char *text, enum prune_kind kind, struct prune_filter *f)
{
        const char *value;

        if ((value = str_after(text, "label=")))
                return strv_add(&f->labels, value);
        if ((value = str_after(text, "label!=")))
                return strv_add(&f->not_labels, value);
        if (kind != PRUNE_VOLUMES && (value = str_after(text, "until=")))
                return parse_until(value, f);
        if (kind == PRUNE_IMAGES && (value = str_after(text, "dangling="))) {
                f->dangling_given = true;
                return parse_flag("dangling", value, &f->dangling);
        }
        if (kind == PRUNE_VOLUMES && (value = str_after(text, "all=")))
                return parse_flag("all", value, &f->all);
        return err_new(ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(text, "="), text);
}

err *prune_filter_parse(char *const *filters, enum prune_kind kind, struct prune_filter *ret)
{
        _cleanup_prune_filter_ struct prune_filter f = {0};

        for (; filters && *filters; filters++)
                TRY(parse_one(*filters, kind, &f));
        *ret = f;
        f = (struct prune_filter){0};
        return NULL;
}

static bool has_label(const json *labels, const char *wanted)
{
        _cleanup_free_ char *key = strndup(wanted, strcspn(wanted, "="));
        const char *have = key ? json_get_str(labels, key) : NULL, *value = strchr(wanted, '=');

        return have && (!value || strcmp(have, value + 1) == 0);
}

bool prune_labels_match(const struct prune_filter *f, const json *labels)
{
        for (char **l = f->labels; l && *l; l++)
                if (!has_label(labels, *l))
                        return false;
        for (char **l = f->not_labels; l && *l; l++)
                if (has_label(labels, *l))
                        return false;
        return true;
}

/* What does not say when it was made is never old enough (docker's rule). */
static bool is_old(const struct prune_filter *f, int64_t created_ns)
{
        return !f->until_ns || (created_ns && created_ns <= f->until_ns);
}

/* ---- containers ---- */

static err *prune_container(struct container *c, struct prune_report *r)
{
        uint64_t rw = 0, all = 0;
        err *e;

        err_free(snapshot_usage(c->engine->store, c->id, json_get_str(c->record, "Image"), &rw, &all));
        e = stop_remove(c, false, false);
        /* Somebody has removed or started it meanwhile. */
        if (err_code(e) == ERR_NOT_FOUND || err_code(e) == ERR_CONFLICT || err_code(e) == ERR_BUSY) {
                log_error_free(LOG_LEVEL_DEBUG, e);
                return NULL;
        }
        TRY(e);
        r->bytes += rw;
        return strv_add(&r->lines, c->id);
}

err *prune_containers(struct engine *e, const struct prune_filter *f, struct prune_report *ret)
{
        _cleanup_prune_report_ struct prune_report r = {0};
        _cleanup_container_list_ struct container_list list = {0};

        TRY(container_list(e, &list));
        for (size_t i = 0; i < list.n; i++) {
                struct container *c = list.items[i];

                if (!container_is_alive(c) && is_old(f, c->created_ns) &&
                    prune_labels_match(f, json_get(container_config(c), "Labels")))
                        TRY(prune_container(c, &r));
        }
        *ret = r;
        r = (struct prune_report){0};
        return NULL;
}

/* ---- images ---- */

static bool image_wanted(const struct image *i, void *arg)
{
        return is_old(arg, i->created_ns) && prune_labels_match(arg, json_path(i->config, "config.Labels"));
}

static err *image_lines(const struct image_removed *list, size_t n, struct prune_report *r)
{
        for (size_t i = 0; i < n; i++) {
                char *line = str_format("%s: %s", list[i].deleted ? "deleted" : "untagged", list[i].text);

                TRY(strv_push(&r->lines, line));
        }
        return NULL;
}

err *prune_images(struct engine *e, bool all, const struct prune_filter *f, struct prune_report *ret)
{
        struct image_prune_options o = {
                .wanted = image_wanted,
                .arg = (void *)f,
                .all = f->dangling_given ? !f->dangling : all,
        };
        _cleanup_prune_report_ struct prune_report r = {0};
        struct image_removed *list = NULL;
        uint64_t bytes = 0;
        err *error;
        size_t n;

        TRY(image_prune(e->store, &o, &list, &n, &r.bytes));
        error = image_lines(list, n, &r);
        image_removed_free(list, n);
        TRY(error);
        TRY(store_prune(e->store, &bytes));
        r.bytes += bytes;
        *ret = r;
        r = (struct prune_report){0};
        return NULL;
}

err *prune_blobs(struct engine *e, struct prune_report *ret)
{
        _cleanup_prune_report_ struct prune_report r = {0};

        TRY(image_drop_blobs(e->store, &r.lines, &r.bytes));
        *ret = r;
        r = (struct prune_report){0};
        return NULL;
}

/* ---- volumes ---- */

static err *prune_volume(struct engine *e, const char *name, struct prune_report *r)
{
        uint64_t bytes = 0;
        err *error;

        err_free(volume_usage(e->store, name, &bytes));
        error = volume_remove(e->store, name, false);
        if (err_code(error) == ERR_CONFLICT || err_code(error) == ERR_NOT_FOUND) {
                err_free(error); /* in use, or gone */
                return NULL;
        }
        TRY(error);
        r->bytes += bytes;
        return strv_add(&r->lines, name);
}

err *prune_volumes(struct engine *e, bool all, const struct prune_filter *f, struct prune_report *ret)
{
        _cleanup_prune_report_ struct prune_report r = {0};
        _cleanup_json_ json *list = NULL;

        TRY(volume_list(e->store, &list));
        for (size_t i = 0; i < json_len(list); i++) {
                const json *labels = json_get(json_at(list, i), "Labels");

                if ((all || f->all || json_has(labels, "com.docker.volume.anonymous")) && prune_labels_match(f, labels))
                        TRY(prune_volume(e, json_get_str_or(json_at(list, i), "Name", ""), &r));
        }
        *ret = r;
        r = (struct prune_report){0};
        return NULL;
}
