/* everywhere.h - the promise of one command table: what help knows of a command, completion, man page, Markdown
 * reference and JSON dump know too. */
#pragma once

#include "check.h"

#include "base/opt.h"

struct everywhere {
        const struct command *root;
        struct str json, markdown;
};

static inline void everywhere_find(const char *where, const char *path, const char *text, const char *flag)
{
        if (!strstr(text, flag))
                fail_msg("%s: %s is missing in %s", path, flag, where);
}

/* Candidates of "<words of the path> --". */
static inline void everywhere_complete(const struct command *root, const char *path, struct str *out)
{
        _cleanup_strv_ char **words = NULL;

        check_ok(strv_split(path, ' ', &words));
        check_ok(strv_add(&words, "--"));
        check_ok(opt_complete(root, words + 1, NULL, NULL, out));
}

/* troff text as people read it. */
static inline void everywhere_man(const struct command *root, const struct command *c, const char *path,
                                  struct str *out)
{
        _cleanup_str_ struct str page = {0};

        opt_man(root, c, path, "1", "2026-11-23", &page);
        for (const char *p = str_text(&page); *p; p++)
                if (*p != '\\')
                        str_add_char(out, *p);
}

static inline err *everywhere_command(void *data, const struct subcommand *place, const char *path, int depth)
{
        struct everywhere *e = data;
        struct invocation inv = {.root = e->root, .command = place->command, .depth = depth};
        _cleanup_str_ struct str help = {0}, complete = {0}, man = {0}, quoted = {0};
        const struct opt *sorted[OPT_MAX];
        size_t n = opt_sorted(place->command->opts, sorted);

        (void)snprintf(inv.name, sizeof(inv.name), "%s", path);
        opt_help(&inv, 80, &help);
        everywhere_man(e->root, place->command, path, &man);
        everywhere_complete(e->root, path, &complete);
        str_printf(&quoted, "{\"path\": \"%s\"", path);
        everywhere_find("the JSON dump", path, str_text(&e->json), str_text(&quoted));
        for (size_t i = 0; i < n; i++) {
                char flag[80], name[80];

                (void)snprintf(flag, sizeof(flag), "--%s", sorted[i]->name);
                (void)snprintf(name, sizeof(name), "{\"name\": \"%s\"", sorted[i]->name);
                everywhere_find("the help", path, str_text(&help), flag);
                everywhere_find("the completion", path, str_text(&complete), flag);
                everywhere_find("the man page", path, str_text(&man), flag);
                everywhere_find("the JSON dump", path, strstr(str_text(&e->json), str_text(&quoted)), name);
                if (!place->command->hidden)
                        everywhere_find("the reference", path, str_text(&e->markdown), flag);
        }
        return NULL;
}

static inline void check_everywhere(const struct command *root)
{
        struct everywhere e = {.root = root};

        check_ok(opt_json(root, "1", &e.json));
        check_ok(opt_markdown(root, &e.markdown));
        check_ok(opt_walk(root, everywhere_command, &e));
        str_free(&e.json);
        str_free(&e.markdown);
}
