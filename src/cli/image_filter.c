/* image_filter.c - see image_filter.h. */
#include "cli/image_filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"

static err *created_of(struct store *s, const char *ref, int64_t *ret)
{
        _cleanup_image_ struct image *i = NULL;

        TRY(image_find(s, ref, &i));
        *ret = i->created_ns;
        return NULL;
}

static void earliest(struct image_filter *f, int64_t ns)
{
        f->before = ns < f->before ? ns : f->before;
}

static err *set_dangling(struct image_filter *f, const char *value)
{
        bool yes;
        err *e = parse_bool(value, &yes);

        if (e || (f->dangling != IMAGE_FILTER_ANY && yes != (f->dangling == IMAGE_FILTER_DANGLING))) {
                err_free(e);
                return err_new(ERR_INVALID, "invalid filter 'dangling=[%s]'", value);
        }
        f->dangling = yes ? IMAGE_FILTER_DANGLING : IMAGE_FILTER_TAGGED;
        return NULL;
}

static err *add(struct image_filter *f, struct store *s, const char *filter)
{
        const char *value = filter + strcspn(filter, "=");
        int64_t ns;

        value += *value == '=';
        if (str_starts(filter, "label="))
                return NULL;
        if (str_starts(filter, "reference=")) {
                f->by_name = true;
                return NULL;
        }
        if (str_starts(filter, "dangling="))
                return set_dangling(f, value);
        if (str_starts(filter, "before=")) {
                TRY(created_of(s, value, &ns));
                earliest(f, ns);
                return NULL;
        }
        if (str_starts(filter, "since=")) {
                TRY(created_of(s, value, &ns));
                f->since = ns > f->since ? ns : f->since;
                return NULL;
        }
        if (str_starts(filter, "until=")) {
                err *e = clock_parse_point(value, clock_now_ns(), &ns);

                if (e) {
                        err_free(e);
                        return err_new(ERR_INVALID, "failed to parse value as time or duration: \"%s\"", value);
                }
                earliest(f, ns);
                return NULL;
        }
        return err_new(ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(filter, "="), filter);
}

err *image_filter_init(struct image_filter *f, struct store *s, char *const *filters, const char *pattern)
{
        *f = (struct image_filter){
                .filters = filters,
                .pattern = pattern,
                .by_name = pattern != NULL,
                .before = INT64_MAX,
                .since = INT64_MIN,
        };
        for (; filters && *filters; filters++)
                TRY(add(f, s, *filters));
        return NULL;
}

static bool label_matches(const struct image *i, const char *wanted)
{
        const json *labels = json_path(i->config, "config.Labels");
        _cleanup_free_ char *key = strndup(wanted, strcspn(wanted, "="));
        const char *value = key ? json_get_str(labels, key) : NULL, *eq = strchr(wanted, '=');

        return value && (!eq || strcmp(value, eq + 1) == 0);
}

bool image_filter_passes(const struct image_filter *f, const struct image *i)
{
        if (f->before != INT64_MAX && i->created_ns >= f->before)
                return false;
        if (f->dangling != IMAGE_FILTER_ANY && (strv_len(i->names) == 0) != (f->dangling == IMAGE_FILTER_DANGLING))
                return false;
        if (f->since != INT64_MIN && i->created_ns <= f->since)
                return false;
        for (char *const *l = f->filters; l && *l; l++)
                if (str_starts(*l, "label=") && !label_matches(i, strchr(*l, '=') + 1))
                        return false;
        return true;
}

err *image_filter_name(const struct image_filter *f, const struct reference *r, bool *ret)
{
        bool yes = !f->by_name, one;

        if (f->pattern)
                TRY(reference_matches(r, f->pattern, &yes));
        for (char *const *l = f->filters; l && *l; l++) {
                if (!str_starts(*l, "reference="))
                        continue;
                TRY(reference_matches(r, strchr(*l, '=') + 1, &one));
                yes = yes || one;
        }
        *ret = yes;
        return NULL;
}
