/* image_diff.c - `hod image diff`: what an image changed, or what is different between two. */
#include <stdio.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "store/diff.h"

struct image_diff_args {
        const char *format;
};

static err *print_json(const struct diff_list *list)
{
        static const struct {
                enum diff_kind kind;
                const char *name;
        } kinds[] = {{DIFF_CHANGED, "changed"}, {DIFF_ADDED, "added"}, {DIFF_DELETED, "deleted"}};
        _cleanup_json_ json *doc = json_new_object();
        _cleanup_free_ char *text = NULL;

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
                for (size_t i = 0; i < list->n; i++)
                        if (list->items[i].kind == kinds[k].kind)
                                json_add_str(json_sub_array(doc, kinds[k].name), list->items[i].path);
        TRY(json_print(doc, JSON_INDENT4, &text));
        ui_print(stdout, text);
        (void)putchar('\n');
        return NULL;
}

static err *image_diff_run(struct invocation *inv)
{
        const struct image_diff_args *a = inv->args;
        _cleanup_diff_list_ struct diff_list list = {0};
        _cleanup_image_ struct image *new = NULL, *old = NULL;
        _cleanup_engine_ struct engine *e = NULL;

        if (a->format && strcmp(a->format, "json") != 0)
                return err_new(ERR_INVALID, "only supported value for '--format' is 'json'");
        TRY(ui_engine(inv, &e));
        TRY(image_find(e->store, inv->operands[0], &new));
        if (inv->n_operands > 1)
                TRY(image_find(e->store, inv->operands[1], &old));
        TRY(image_diff(new, old, &list));
        if (a->format)
                return print_json(&list);
        for (size_t i = 0; i < list.n; i++) {
                (void)printf("%c ", list.items[i].kind);
                ui_print(stdout, list.items[i].path);
                (void)putchar('\n');
        }
        return NULL;
}

static const struct opt image_diff_opts[] = {
        OPT_STR(0, "format", struct image_diff_args, format, "string", "Change the output format ('json')"),
        OPT_END,
};

const struct command cmd_image_diff = {
        .name = "diff",
        .operands = "IMAGE [IMAGE]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "Inspect what an image changed against its parent layer, or against another image",
        .description = "Prints what the first image has added (A), changed (C) or deleted (D) against the second one; "
                       "without a second image, against itself without its topmost layer. The layers are compared "
                       "where they lie: nothing is mounted, nothing runs.",
        .opts = image_diff_opts,
        .args_size = sizeof(struct image_diff_args),
        .run = image_diff_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};
