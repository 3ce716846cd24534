/* usage.c - see usage.h. */
#include "hodrun/usage.h"

#include <ctype.h>
#include <stdio.h>

#include "hodrun/hodrun.h"

#define UNKNOWN_COMMAND 3

static const char *name = "hodrun";

const char *hodrun_name(void)
{
        return name;
}

void hodrun_set_name(const char *argv0)
{
        const char *slash = argv0 ? strrchr(argv0, '/') : NULL, *last = slash ? slash + 1 : argv0;

        if (str_eq(last, "runc") || str_eq(last, "crun"))
                name = last;
}

/* ---- help ---- */

static const char intro[] = "Creates and runs containers from bundles: directories with a config.json, as the\n"
                            "runtime specification of the Open Container Initiative describes it, and the root\n"
                            "file system that it names.\n"
                            "\n"
                            "To make a bundle's config.json, and to run it:\n"
                            "\n"
                            "    # %1$s spec\n"
                            "    # %1$s run [ -b bundle ] <container-id>\n"
                            "\n"
                            "\"<container-id>\" is the name of the container, unique on this machine. The bundle\n"
                            "is the current directory unless \"-b\" names another.\n";

static void add_indented(struct str *out, const char *indent, const char *text)
{
        while (*text) {
                size_t n = strcspn(text, "\n");

                if (n) {
                        str_add(out, indent);
                        str_add_n(out, text, n);
                }
                str_add_char(out, '\n');
                text += n + (text[n] == '\n');
        }
}

static bool is_list(const struct opt *o)
{
        return o->kind == OPT_KIND_LIST || o->kind == OPT_KIND_CSV || o->kind == OPT_KIND_MAP;
}

/* "--env string, -e string [ --env string, -e string ]" */
static void spell_opt(const struct opt *o, struct str *out)
{
        const char *gap = o->type ? " " : "", *type = o->type ? o->type : "";

        for (int again = 0; again <= (is_list(o) ? 1 : 0); again++) {
                str_printf(out, "%s--%s%s%s", again ? " [ " : "", o->name, gap, type);
                if (o->letter)
                        str_printf(out, ", -%c%s%s", o->letter, gap, type);
        }
        if (is_list(o))
                str_add(out, " ]");
}

static void add_opt(struct str *out, size_t width, const char *spelled, const char *help, const char *def)
{
        str_printf(out, "   %-*s  ", (int)width, spelled);
        for (;;) {
                size_t n = strcspn(help, "\n");

                str_add_n(out, help, n);
                if (!help[n])
                        break;
                str_printf(out, "\n   %*s  ", (int)width, "");
                help += n + 1;
        }
        str_printf(out, "%s\n", def);
}

static void default_text(const struct opt *o, char *buf, size_t size)
{
        buf[0] = '\0';
        if (o->kind == OPT_KIND_INT || o->kind == OPT_KIND_UINT)
                (void)snprintf(buf, size, " (default: %s)", o->def ? o->def : "0");
        else if (!str_empty(o->def))
                (void)snprintf(buf, size, o->kind == OPT_KIND_STR ? " (default: \"%s\")" : " (default: %s)", o->def);
}

static void add_opts(struct str *out, const struct opt *opts, bool help_too)
{
        static const char help_flags[] = "--help, -h";
        size_t width = help_too ? strlen(help_flags) : 0;
        char def[128];

        for (const struct opt *o = opts; o && o->kind != OPT_KIND_END; o++) {
                _cleanup_str_ struct str spelled = {0};

                spell_opt(o, &spelled);
                if (!o->hidden && spelled.len > width)
                        width = spelled.len;
        }
        for (const struct opt *o = opts; o && o->kind != OPT_KIND_END; o++) {
                _cleanup_str_ struct str spelled = {0};

                if (o->hidden)
                        continue;
                spell_opt(o, &spelled);
                default_text(o, def, sizeof(def));
                add_opt(out, width, str_text(&spelled), o->help, def);
        }
        if (help_too)
                add_opt(out, width, help_flags, "show help", "");
}

static void add_commands(struct str *out, const struct command *root)
{
        size_t width = strlen("help, h");

        for (const struct subcommand *s = root->subcommands; s->command; s++)
                if (strlen(s->command->name) > width)
                        width = strlen(s->command->name);
        for (const struct subcommand *s = root->subcommands; s->command; s++) {
                const struct command *c = s->command;

                if (!c->hidden)
                        str_printf(out, "   %-*s  %c%s\n", (int)width, c->name, tolower((unsigned char)c->summary[0]),
                                   c->summary + 1);
        }
}

static void help_of_program(const struct command *root, struct str *out)
{
        _cleanup_str_ struct str text = {0};

        str_printf(&text, intro, name);
        str_printf(out, "NAME:\n   %s - Open Container Initiative runtime\n\n", name);
        add_indented(out, "          ", str_text(&text));
        str_printf(out,
                   "\nUSAGE:\n   %s [global options] [command [command options]]\n\nVERSION:\n   %s\n\nCOMMANDS:\n",
                   name, HOD_VERSION);
        add_commands(out, root);
        str_add(out, "\nGLOBAL OPTIONS:\n");
        add_opts(out, root->opts, true);
}

/* The alternative forms of the operands, a line each. */
static void add_forms(struct str *out, const struct command *c)
{
        const char *form = c->operands ? c->operands : "";

        do {
                size_t n = strcspn(form, "\n");

                str_printf(out, "   %s %s [options]%s%.*s\n", name, c->name, n ? " " : "", (int)n, form);
                form += n + (form[n] == '\n');
        } while (*form);
        str_add_char(out, '\n');
}

void usage_help(const struct command *root, const struct command *c, struct str *out)
{
        if (c == root) {
                help_of_program(root, out);
                return;
        }
        str_printf(out, "NAME:\n   %s %s - %c%s\n\nUSAGE:\n", name, c->name, tolower((unsigned char)c->summary[0]),
                   c->summary + 1);
        add_forms(out, c);
        if (c->description) {
                str_add(out, "DESCRIPTION:\n");
                add_indented(out, "   ", c->description);
                str_add(out, "\n");
        }
        if (c->subcommands) {
                str_add(out, "COMMANDS:\n");
                add_commands(out, c);
                str_add(out, "\n");
        }
        str_add(out, "OPTIONS:\n");
        add_opts(out, c->opts, true);
        str_add(out, "\nGLOBAL OPTIONS:\n");
        add_opts(out, root->opts, false);
}

/* ---- wrong command lines ---- */

/* "-name" of "--name=value". */
static const char *flag_name(const char *word, char *buf, size_t size)
{
        const char *text = word + strspn(word, "-");

        (void)snprintf(buf, size, "-%.*s", (int)strcspn(text, "="), text);
        return buf;
}

static void operands_wanted(const struct command *c, int given, struct str *out)
{
        bool few = given < c->min_operands;
        int n = few ? c->min_operands : c->max_operands;

        str_printf(out, "%s: \"%s\" requires %s %d argument(s)", name, c->name,
                   c->min_operands == c->max_operands ? "exactly"
                   : few                              ? "a minimum of"
                                                      : "a maximum of",
                   n);
}

int usage_explain(const struct invocation *inv, const err *e, struct str *message)
{
        _cleanup_str_ struct str help = {0};
        char text[4096], flag[256];

        switch (inv->problem) {
        case OPT_PROBLEM_COMMAND:
                str_printf(message, "No help topic for '%s'\n", inv->problem_word);
                return UNKNOWN_COMMAND;
        case OPT_PROBLEM_OPERANDS:
                (void)fputs("Incorrect Usage.\n\n", stdout);
                operands_wanted(inv->command, inv->n_operands, message);
                return 1;
        case OPT_PROBLEM_FLAG:
                str_printf(message, "flag provided but not defined: %s",
                           flag_name(inv->problem_word, flag, sizeof(flag)));
                break;
        case OPT_PROBLEM_NO_VALUE:
                str_printf(message, "flag needs an argument: %s", inv->problem_word);
                break;
        default:
                str_add(message, err_text(e, text, sizeof(text)));
                break;
        }
        usage_help(inv->root, inv->command, &help);
        (void)fputs(str_text(&help), stdout);
        (void)fflush(stdout);
        (void)fprintf(stderr, "Incorrect Usage: %s\n\n", str_text(message));
        return 1;
}
