/* image_ls.c - `hod images`: which images there are, one row a name. */
#include "cli/image_ls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "store/record.h"

struct images_args {
        bool all, digests, no_trunc, quiet, tree;
        char **filters;
        const char *format;
};

enum { COLUMN_DIGEST = 2 };
static const struct format_column image_columns[] = {
        {"Repository", "REPOSITORY", true},   {"Tag", "TAG", true},
        {"Digest", "DIGEST", false},          {"ID", "IMAGE ID", true},
        {"CreatedSince", "CREATED", true},    {"Size", "SIZE", true},
        {"CreatedAt", "CREATED AT", false},   {"Containers", "CONTAINERS", false},
        {"SharedSize", "SHARED SIZE", false}, {"UniqueSize", "UNIQUE SIZE", false},
        {"VirtualSize", "SIZE", false},       {0},
};

/* What the rows must say beyond the table, found out only when it is asked for. */
struct wanted {
        bool digests, containers, no_trunc;
};

void image_refs_done(struct image_refs *r)
{
        for (size_t i = 0; i < r->n; i++)
                reference_done(&r->items[i]);
        free(r->items);
        *r = (struct image_refs){0};
}

static err *add_refs(const struct image_filter *f, char *const *names, struct image_refs *refs)
{
        bool yes;

        for (; names && *names; names++) {
                struct reference *r = &refs->items[refs->n];

                TRY(reference_parse(*names, false, r));
                refs->n++;
                TRY(image_filter_name(f, r, &yes));
                if (!yes)
                        reference_done(&refs->items[--refs->n]);
        }
        return NULL;
}

err *image_refs_get(const struct image_filter *f, const struct image *i, struct image_refs *ret)
{
        _cleanup_image_refs_ struct image_refs refs = {0};

        refs.items = MEM_NEW0(struct reference, strv_len(i->names) + strv_len(i->digests) + 1);
        if (!refs.items)
                return err_nomem();
        TRY(add_refs(f, i->names, &refs));
        TRY(add_refs(f, i->digests, &refs));
        refs.shown = image_filter_passes(f, i) && (refs.n || !f->by_name);
        *ret = refs;
        refs = (struct image_refs){0};
        return NULL;
}

bool image_intermediate(const struct image *i, const struct image_list *all)
{
        if (strv_len(i->names) || strv_len(i->digests))
                return false;
        for (size_t k = 0; k < all->n; k++)
                if (str_eq(all->items[k]->parent, i->id))
                        return true;
        return false;
}

err *image_users(struct store *s, const struct image *i, uint64_t *ret)
{
        _cleanup_record_list_ struct record_list users = {0};

        TRY(record_image_users(s, i->id, &users));
        *ret = users.n;
        return NULL;
}

static void set_times(json *row, int64_t created_ns)
{
        time_t created = (time_t)(created_ns / 1000000000);
        char text[80], since[64], when[64] = "";
        struct tm tm;

        if (localtime_r(&created, &tm))
                (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
        json_set_str(row, "CreatedAt", when);
        clock_human(clock_now_ns() - created_ns, since, sizeof(since));
        (void)snprintf(text, sizeof(text), "%s ago", since);
        json_set_str(row, "CreatedSince", created_ns ? text : "N/A");
}

/* What all rows of one image say. */
static err *image_row(struct store *s, const struct image *i, const struct wanted *w, json **ret)
{
        const char *hex = w->no_trunc ? NULL : str_after(i->id, "sha256:");
        _cleanup_json_ json *row = json_new_object();
        uint64_t users = 0;
        char text[80];

        if (w->containers)
                TRY(image_users(s, i, &users));
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)users);
        json_set_str(row, "Containers", text);
        set_times(row, i->created_ns);
        json_set_str(row, "Digest", "<none>");
        (void)snprintf(text, sizeof(text), "%.*s", hex ? ID_SHORT : (int)sizeof(text), hex ? hex : i->id);
        json_set_str(row, "ID", text);
        json_set_str(row, "Repository", "<none>");
        json_set_str(row, "SharedSize", "N/A");
        parse_size_format(i->size, text, sizeof(text));
        json_set_str(row, "Size", text);
        json_set_str(row, "Tag", "<none>");
        json_set_str(row, "UniqueSize", "N/A");
        parse_size_format_digits(i->size, 4, text, sizeof(text));
        json_set_str(row, "VirtualSize", text);
        *ret = TAKE_PTR(row);
        return NULL;
}

static err *add_row(json *rows, json *common, const struct reference *name, const char *tag, const char *digest)
{
        _cleanup_free_ char *repository = NULL;
        json *row = NULL;

        TRY(json_copy(common, &row));
        json_add(rows, row);
        if (name) {
                TRY(reference_repository(name, &repository));
                json_set_str(row, "Repository", repository);
        }
        if (tag)
                json_set_str(row, "Tag", tag);
        if (digest)
                json_set_str(row, "Digest", digest);
        return NULL;
}

static bool same_repository(const struct reference *a, const struct reference *b)
{
        return strcmp(a->domain, b->domain) == 0 && strcmp(a->path, b->path) == 0;
}

/* A tag has a row for each digest of its repository, if digests are shown. */
static err *add_tag(json *rows, json *common, const struct image_refs *refs, const struct reference *tag, bool digests)
{
        bool any = false;

        for (size_t k = 0; digests && k < refs->n; k++) {
                const struct reference *r = &refs->items[k];

                if (!r->digest || !same_repository(r, tag))
                        continue;
                TRY(add_row(rows, common, tag, tag->tag, r->digest));
                any = true;
        }
        return any ? NULL : add_row(rows, common, tag, tag->tag, NULL);
}

/* A digest whose repository has no tag: a row of its own, or one for all of that repository. */
static err *add_digest(json *rows, json *common, const struct image_refs *refs, size_t n, bool digests)
{
        const struct reference *r = &refs->items[n];

        for (size_t k = 0; k < refs->n; k++) {
                const struct reference *other = &refs->items[k];
                bool earlier = !digests && k < n;

                if (k != n && same_repository(other, r) && (!other->digest || earlier))
                        return NULL;
        }
        return add_row(rows, common, r, NULL, digests ? r->digest : NULL);
}

/* Rows of one image: one for each name, or one <none> row. */
static err *add_image(struct store *s, const struct image_filter *f, const struct image *i, const struct wanted *w,
                      json *rows)
{
        _cleanup_image_refs_ struct image_refs refs = {0};
        _cleanup_json_ json *common = NULL;

        TRY(image_refs_get(f, i, &refs));
        if (!refs.shown)
                return NULL;
        TRY(image_row(s, i, w, &common));
        if (!refs.n)
                return add_row(rows, common, NULL, NULL, NULL);
        for (size_t k = 0; k < refs.n; k++)
                if (refs.items[k].digest)
                        TRY(add_digest(rows, common, &refs, k, w->digests));
                else
                        TRY(add_tag(rows, common, &refs, &refs.items[k], w->digests));
        return NULL;
}

static err *check_tree(const struct images_args *a)
{
        const char *other = a->quiet      ? "--quiet"
                            : a->no_trunc ? "--no-trunc"
                            : a->digests  ? "--digests"
                            : a->format   ? "--format"
                                          : NULL;

        return other ? err_new(ERR_INVALID, "%s is not yet supported with --tree", other) : NULL;
}

#define RAW_NAME "repository: {{.Repository}}\ntag: {{.Tag}}\n"
#define RAW_DIGEST "digest: {{.Digest}}\n"
#define RAW_REST "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"

static err *images_run(struct invocation *inv)
{
        const struct images_args *a = inv->args;
        struct format_column shown[ARRAY_SIZE(image_columns)];
        struct format_list list = {
                .type_name = "*formatter.imageContext",
                .columns = shown,
                .quiet_field = "ID",
                .raw = a->digests ? RAW_NAME RAW_DIGEST RAW_REST : RAW_NAME RAW_REST,
                .raw_quiet = "image_id: {{.ID}}",
        };
        const char *format = a->format ? a->format : "";
        struct wanted wanted = {
                .digests = a->digests || strstr(format, ".Digest") || strstr(format, "json"),
                .containers = strstr(format, ".Containers") || strstr(format, "json"),
                .no_trunc = a->no_trunc,
        };
        _cleanup_json_ json *rows = json_new_array();
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_image_list_ struct image_list images = {0};
        struct image_filter filter;

        if (a->tree)
                TRY(check_tree(a));
        memcpy(shown, image_columns, sizeof(image_columns));
        shown[COLUMN_DIGEST].standard = a->digests;
        TRY(ui_engine(inv, &e));
        TRY(image_filter_init(&filter, e->store, a->filters, inv->n_operands ? inv->operands[0] : NULL));
        if (a->tree)
                return image_tree(e->store, &filter);
        TRY(image_list(e->store, &images));
        for (size_t i = 0; i < images.n; i++)
                if (a->all || !image_intermediate(images.items[i], &images))
                        TRY(add_image(e->store, &filter, images.items[i], &wanted, rows));
        image_list_done(&images); /* nobody waits for a pager */
        return format_rows(&list, rows, a->format, a->quiet);
}

static const struct opt images_opts[] = {
        OPT_FLAG('a', "all", struct images_args, all, "Show all images (default hides intermediate images)"),
        OPT_FLAG(0, "digests", struct images_args, digests, "Show digests"),
        OPT_LIST('f', "filter", struct images_args, filters, "filter", "Filter output based on conditions provided",
                 .check = parse_check_filter),
        OPT_STR(0, "format", struct images_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_FLAG(0, "no-trunc", struct images_args, no_trunc, "Don't truncate output"),
        OPT_FLAG('q', "quiet", struct images_args, quiet, "Only show image IDs"),
        OPT_FLAG(0, "tree", struct images_args, tree, "List multi-platform images as a tree"),
        OPT_END,
};

const struct command cmd_images = {
        .name = "images",
        .operands = "[REPOSITORY[:TAG]]",
        .max_operands = 1,
        .summary = "List images",
        .opts = images_opts,
        .args_size = sizeof(struct images_args),
        .run = images_run,
        .complete = OPT_COMPLETE_IMAGE,
};
