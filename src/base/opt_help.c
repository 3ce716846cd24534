/* opt_help.c - see opt.h: --help in docker's layout. */
#include <stdio.h>

#include "base/opt.h"

/* Break @text into lines of at most @width columns, later lines indented by @indent; line breaks in it are kept. A last
 * word may go over by a few columns rather than stand alone. */
static void wrap(struct str *out, const char *text, size_t indent, size_t width)
{
        const size_t slop = 5;
        size_t room = width > indent + slop ? width - indent - slop : 0;

        if (room < 20) /* no sensible column is left */
                room = (size_t)-1 / 2;
        for (;;) {
                size_t n = strlen(text), line, end;

                if (n >= room + slop) {
                        end = room;
                        while (end > 0 && !strchr(" \t\n", text[end - 1]))
                                end--;
                        line = end ? end - 1 : n;
                } else {
                        line = n;
                }
                end = strcspn(text, "\n");
                if (end < line)
                        line = end;
                str_add_n(out, text, line);
                text += line;
                if (!*text)
                        return;
                text++;
                str_add_char(out, '\n');
                for (size_t i = 0; i < indent; i++)
                        str_add_char(out, ' ');
        }
}

static void opt_left(const struct opt *o, char *buf, size_t size)
{
        char letter[8] = "    ";

        if (o->letter)
                (void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        (void)snprintf(buf, size, "  %s--%s%s%s", letter, o->name, o->type ? " " : "", o->type ? o->type : "");
}

/* ` (default "info")`; false and nothing are not worth saying. */
static void opt_default(const struct opt *o, struct str *out)
{
        if (!o->def || !*o->def || strcmp(o->def, "false") == 0 || strcmp(o->def, "0") == 0)
                return;
        if (o->kind == OPT_KIND_STR || o->kind == OPT_KIND_LIST)
                str_printf(out, " (default \"%s\")", o->def);
        else
                str_printf(out, " (default %s)", o->def);
}

static void opts_help(const struct opt *opts, const char *title, unsigned width, struct str *out)
{
        const struct opt *sorted[OPT_MAX];
        size_t n = opt_sorted(opts, sorted), column = 0;
        char left[120];

        for (size_t i = 0; i < n; i++) {
                opt_left(sorted[i], left, sizeof(left));
                if (strlen(left) > column)
                        column = strlen(left);
        }
        if (!n)
                return;
        str_printf(out, "\n%s:\n", title);
        column += 3;
        for (size_t i = 0; i < n; i++) {
                _cleanup_str_ struct str help = {0};

                opt_left(sorted[i], left, sizeof(left));
                str_printf(out, "%-*s", (int)column, left);
                str_add(&help, sorted[i]->help);
                opt_default(sorted[i], &help);
                if (sorted[i]->deprecated)
                        str_printf(&help, " (DEPRECATED: %s)", sorted[i]->deprecated);
                out->failed |= help.failed;
                wrap(out, str_text(&help), column, width - 1);
                str_add_char(out, '\n');
        }
}

static void commands_help(const struct command *c, enum command_section section, const char *title, struct str *out)
{
        size_t column = 0;
        bool any = false;

        for (const struct subcommand *s = c->subcommands; s && s->command; s++) {
                if (s->command->hidden)
                        continue;
                if (strlen(opt_subcommand_name(s)) > column)
                        column = strlen(opt_subcommand_name(s));
                any |= s->section == section;
        }
        if (!any)
                return;
        if (column < 11)
                column = 11;
        str_printf(out, "\n%s:\n", title);
        for (const struct subcommand *s = c->subcommands; s->command; s++)
                if (!s->command->hidden && s->section == section)
                        str_printf(out, "  %-*s %s\n", (int)column, opt_subcommand_name(s), s->command->summary);
}

void opt_help(const struct invocation *inv, unsigned width, struct str *out)
{
        const struct command *c = inv->command;
        _cleanup_str_ struct str paths = {0};

        if (!width)
                width = 80;
        opt_usage_line(c, inv->name, out);
        str_printf(out, "\n\n%s\n", c->summary);
        if (inv->depth && c->run) {
                opt_paths(inv->root, c, &paths);
                if (strchr(str_text(&paths), ','))
                        str_printf(out, "\nAliases:\n  %s\n", str_text(&paths));
        }
        if (!inv->depth)
                commands_help(c, SECTION_COMMON, "Common Commands", out);
        if (inv->depth)
                opts_help(c->opts, "Options", width, out);
        commands_help(c, SECTION_MANAGEMENT, "Management Commands", out);
        commands_help(c, SECTION_COMMANDS, "Commands", out);
        if (!inv->depth)
                opts_help(c->opts, "Global Options", width, out);
        if (c->subcommands)
                str_printf(out, "\nRun '%s COMMAND --help' for more information on a command.\n", inv->name);
}
