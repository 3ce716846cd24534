/* image_tree.c - `hod images --tree`: the platforms of each image, what they take, and whether containers use them. */
#include <stdio.h>

#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/utf8.h"
#include "cli/image_ls.h"
#include "cli/ui.h"
#include "oci/platform.h"
#include "store/blob.h"
#include "store/ingest.h"

/* Widths of the columns behind the first one, as docker's. */
enum { WIDTH_ID = 12, WIDTH_USAGE = 10, WIDTH_CONTENT = 12, SPACING = 3 };

struct tree_line {
        char *name;
        char id[ID_SHORT + 1];
        uint64_t usage, content;
        bool values; /* the others are empty: one more name of the same image */
        bool child, used;
};

struct tree {
        struct tree_line *lines;
        size_t n;
};

static void tree_done(struct tree *t)
{
        for (size_t i = 0; i < t->n; i++)
                free(t->lines[i].name);
        free(t->lines);
}

static err *add_line(struct tree *t, char *name, struct tree_line **ret)
{
        if (!name || mem_grow(&t->lines, t->n, sizeof(*t->lines)) < 0) {
                free(name);
                return err_nomem();
        }
        t->lines[t->n] = (struct tree_line){.name = name};
        *ret = &t->lines[t->n++];
        return NULL;
}

/* A platform that the index at @digest names; the one that is here is @i. */
static err *add_platform(struct tree *t, const json *member, bool last, const struct image *i,
                         const struct tree_line *whole)
{
        const char *digest = json_get_str_or(member, "digest", ""), *hex = str_after(digest, "sha256:");
        char text[PLATFORM_TEXT];
        struct tree_line *line;
        struct platform p;

        if (!platform_read(json_get(member, "platform"), &p))
                return NULL;
        TRY(add_line(t, str_format("%s %s", last ? "└─" : "├─", platform_text(&p, text)), &line));
        (void)snprintf(line->id, sizeof(line->id), "%s", hex ? hex : digest);
        line->values = true;
        if (strcmp(digest, i->manifest) != 0)
                return NULL;
        line->usage = whole->usage;
        line->content = whole->content;
        line->used = whole->used;
        return NULL;
}

/* Is it an image's? Attestations and their like are for no platform. */
static bool has_platform(const json *member)
{
        const char *os = json_get_str(json_get(member, "platform"), "os");

        return os && strcmp(os, "unknown") != 0;
}

/* The other members of the index that the image was pulled by. */
static err *add_platforms(struct tree *t, struct store *s, const struct image *i, const struct tree_line *whole)
{
        for (char **n = i->digests; n && *n; n++) {
                _cleanup_free_ char *text = NULL;
                _cleanup_json_ json *doc = NULL;
                const json *members;
                size_t size, last = 0;
                err *e = blob_read(s, strchr(*n, '@') + 1, INGEST_DOCUMENT_MAX, &text, &size);

                if (!e)
                        e = json_parse(text, size, &doc);
                err_free(e); /* it is only for looking at: without it there are no lines */
                members = json_get(doc, "manifests");
                for (size_t k = 0; k < json_len(members); k++)
                        if (has_platform(json_at(members, k)))
                                last = k;
                for (size_t k = 0; k < json_len(members); k++)
                        if (has_platform(json_at(members, k)))
                                TRY(add_platform(t, json_at(members, k), k == last, i, whole));
                if (json_len(members))
                        return NULL;
        }
        return NULL;
}

static err *add_image(struct tree *t, struct store *s, const struct image_filter *f, const struct image *i)
{
        _cleanup_image_refs_ struct image_refs refs = {0};
        const char *hex = str_after(i->id, "sha256:");
        struct tree_line *line = NULL, whole;
        uint64_t users, content = 0;

        TRY(image_refs_get(f, i, &refs));
        if (!refs.shown)
                return NULL;
        for (size_t k = 0; k < refs.n; k++) {
                char *name = NULL;

                if (refs.items[k].digest && (line || k + 1 < refs.n))
                        continue;
                TRY(reference_familiar(&refs.items[k], &name));
                TRY(add_line(t, name, &line));
        }
        if (!line)
                TRY(add_line(t, str_dup("<untagged>"), &line));
        TRY(image_users(s, i, &users));
        for (size_t k = 0; k < i->n_layers; k++)
                content += i->layers[k].blob_size;
        (void)snprintf(line->id, sizeof(line->id), "%s", hex ? hex : i->id);
        line->content = content;
        line->usage = i->size + content;
        line->used = users > 0;
        line->values = true;
        whole = *line; /* the lines move when there are more */
        return add_platforms(t, s, i, &whole);
}

static void print_heading(size_t width)
{
        static const char *const headings[] = {"IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"};
        const size_t widths[] = {width, WIDTH_ID, WIDTH_USAGE, WIDTH_CONTENT, 0};
        const char *bold = ui_terminal(stdout) ? "\033[1m" : "", *plain = ui_terminal(stdout) ? "\033[0m" : "";

        (void)printf("%*s\n\n", (int)(width + WIDTH_ID + WIDTH_USAGE + WIDTH_CONTENT + 4 * SPACING + 5),
                     "Info ->  U In Use");
        for (size_t i = 0; i < ARRAY_SIZE(headings); i++) {
                int pad = i + 1 < ARRAY_SIZE(headings) ? (int)(widths[i] - strlen(headings[i]) + SPACING) : 0;

                (void)printf("%s%s%s%*s", bold, headings[i], plain, pad, "");
        }
        (void)putchar('\n');
}

static void print_line(const struct tree_line *l, size_t width)
{
        char usage[32], content[32];

        ui_print(stdout, l->name);
        if (!l->values) {
                (void)putchar('\n');
                return;
        }
        parse_size_format(l->usage, usage, sizeof(usage));
        parse_size_format(l->content, content, sizeof(content));
        (void)printf("%*s%-*s%*s%*s%*s%s\n", (int)(width - utf8_columns(l->name) + SPACING), "", WIDTH_ID, l->id,
                     WIDTH_USAGE + SPACING, usage, WIDTH_CONTENT + SPACING, content, SPACING, "", l->used ? " U" : "");
}

err *image_tree(struct store *s, const struct image_filter *f)
{
        _cleanup_(tree_done) struct tree t = {0};
        _cleanup_image_list_ struct image_list images = {0};
        size_t width = strlen("IMAGE");

        TRY(image_list(s, &images));
        for (size_t i = 0; i < images.n; i++)
                TRY(add_image(&t, s, f, images.items[i]));
        image_list_done(&images); /* nobody waits for a pager */
        for (size_t i = 0; i < t.n; i++)
                if (utf8_columns(t.lines[i].name) > width)
                        width = utf8_columns(t.lines[i].name);
        print_heading(width);
        for (size_t i = 0; i < t.n; i++)
                print_line(&t.lines[i], width);
        return NULL;
}
