/* opt_doc.c - see opt.h: man pages, the Markdown reference and the JSON dump. */
#include <stdio.h>

#include "base/opt.h"

void opt_page_name(const char *path, char *buf, size_t size)
{
        (void)snprintf(buf, size, "%s", path);
        for (char *p = buf; *p; p++)
                if (*p == ' ')
                        *p = '-';
}

void opt_main_path(const struct command *root, const struct command *command, char *buf, size_t size)
{
        _cleanup_str_ struct str paths = {0};
        const char *p, *best;
        size_t n, words = 99;

        opt_paths(root, command, &paths);
        (void)snprintf(buf, size, "%s", root->name);
        for (p = str_text(&paths); *p; p += n + (p[n] ? 2 : 0)) {
                size_t blanks = 0;

                n = strcspn(p, ",");
                for (size_t i = 0; i < n; i++)
                        blanks += p[i] == ' ';
                best = p;
                if (blanks < words) {
                        words = blanks;
                        (void)snprintf(buf, size, "%.*s", (int)n, best);
                }
        }
}

/* ---- man pages ---- */

/* Text for troff: backslashes, dashes and a control character at a line's beginning lose their meaning. */
static void roff(struct str *out, const char *text)
{
        bool start = true;

        for (; *text; text++) {
                if (start && (*text == '.' || *text == '\''))
                        str_add(out, "\\&");
                start = *text == '\n';
                if (*text == '\\')
                        str_add(out, "\\e");
                else if (*text == '-')
                        str_add(out, "\\-");
                else
                        str_add_char(out, *text);
        }
}

static void roff_default(struct str *out, const struct opt *o)
{
        if (o->def && *o->def && strcmp(o->def, "false") != 0) {
                str_add(out, "The default is ");
                roff(out, o->def);
                str_add(out, ".\n");
        }
        if (o->choices) {
                str_add(out, "One of ");
                for (const char *const *c = o->choices; *c; c++) {
                        roff(out, *c);
                        str_add(out, c[1] ? ", " : ".\n");
                }
        }
        if (o->env)
                str_printf(out, "Environment variable:\n.BR %s .\n", o->env);
        if (o->config) {
                str_add(out, "Key in the configuration file:\n.BR ");
                roff(out, o->config);
                str_add(out, " .\n");
        }
        if (o->conflicts) {
                str_add(out, "Not together with\n.BR \\-\\-");
                roff(out, o->conflicts);
                str_add(out, " .\n");
        }
        if (o->since)
                str_printf(out, "Note: %s.\n", o->since);
        if (o->deprecated)
                str_printf(out, "Deprecated: %s.\n", o->deprecated);
}

static void roff_options(struct str *out, const struct opt *const *sorted, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct opt *o = sorted[i];

                str_add(out, ".TP\n");
                if (o->letter)
                        str_printf(out, "\\fB\\-%c\\fR, ", o->letter);
                str_add(out, "\\fB\\-\\-");
                roff(out, o->name);
                str_add(out, "\\fR");
                if (o->type) {
                        str_add(out, " \\fI");
                        roff(out, o->type);
                        str_add(out, "\\fR");
                }
                str_add_char(out, '\n');
                roff(out, o->help);
                str_add(out, strchr("?!", o->help[strlen(o->help) - 1]) ? "\n" : ".\n");
                if (o->deprecated_alias)
                        str_printf(out, "The old spelling\n.BR \\-%s\nis accepted too.\n", o->deprecated_alias);
                roff_default(out, o);
        }
}

static void roff_paragraphs(struct str *out, const char *text)
{
        while (*text) {
                const char *end = strstr(text, "\n\n");
                _cleanup_free_ char *one = end ? strndup(text, (size_t)(end - text)) : strdup(text);

                if (!one) {
                        out->failed = true;
                        return;
                }
                roff(out, one);
                str_add(out, end ? "\n.PP\n" : "\n");
                text = end ? end + 2 : text + strlen(text);
        }
}

static void roff_synopsis(struct str *out, const struct command *c, const char *path)
{
        const char *operands = c->operands ? c->operands : "";

        do {
                size_t n = strcspn(operands, "\n");
                _cleanup_free_ char *form = strndup(operands, n);

                str_add(out, ".B ");
                roff(out, path);
                str_add_char(out, '\n');
                if (c->opts)
                        str_add(out, ".RI [ OPTIONS ]\n");
                if (c->subcommands)
                        str_add(out, ".I COMMAND\n");
                if (form && *form) {
                        str_add(out, ".I ");
                        roff(out, form);
                        str_add_char(out, '\n');
                }
                operands += n + (operands[n] == '\n');
                if (*operands)
                        str_add(out, ".br\n");
        } while (*operands);
}

static void roff_commands(struct str *out, const struct command *root, const struct command *c)
{
        for (const struct subcommand *s = c->subcommands; s && s->command; s++) {
                char path[128], page[128];

                if (s->command->hidden)
                        continue;
                opt_main_path(root, s->command, path, sizeof(path));
                opt_page_name(path, page, sizeof(page));
                str_add(out, ".TP\n.B ");
                roff(out, opt_subcommand_name(s));
                str_add_char(out, '\n');
                roff(out, s->command->summary);
                str_add(out, ".\nSee\n.BR ");
                roff(out, page);
                str_add(out, " (1).\n");
        }
}

void opt_man(const struct command *root, const struct command *c, const char *path, const char *version,
             const char *date, struct str *out)
{
        const struct opt *sorted[OPT_MAX];
        _cleanup_str_ struct str paths = {0};
        char page[128];
        size_t n;

        opt_page_name(path, page, sizeof(page));
        str_printf(out, ".\\\" Made from the command table by \"%s internal man\"; do not edit.\n.TH \"", root->name);
        for (const char *p = page; *p; p++)
                str_add_char(out, *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p);
        str_printf(out, "\" 1 \"%s\" \"%s %s\" \"%s manual\"\n.SH NAME\n", date, root->name, version, root->name);
        roff(out, page);
        str_add(out, " \\- ");
        roff(out, c->summary);
        str_add(out, "\n.SH SYNOPSIS\n.nh\n.ad l\n");
        roff_synopsis(out, c, path);
        str_add(out, ".ad b\n.hy\n");
        opt_paths(root, c, &paths);
        if (c->description || strchr(str_text(&paths), ',')) {
                str_add(out, ".SH DESCRIPTION\n");
                if (c->description)
                        roff_paragraphs(out, c->description);
                if (strchr(str_text(&paths), ',')) {
                        str_add(out, c->description ? ".PP\nThe same command:\n" : "The same command:\n");
                        roff(out, str_text(&paths));
                        str_add(out, ".\n");
                }
        }
        n = opt_sorted(c->opts, sorted);
        if (n) {
                str_add(out, ".SH OPTIONS\n");
                roff_options(out, sorted, n);
        }
        if (c->subcommands) {
                str_add(out, ".SH COMMANDS\n");
                roff_commands(out, root, c);
        }
        if (c->examples) {
                str_add(out, ".SH EXAMPLES\n.nf\n");
                roff(out, c->examples);
                str_add(out, ".fi\n");
        }
        if (c != root)
                str_printf(out, ".SH SEE ALSO\n.BR %s (1)\n", root->name);
}

/* ---- Markdown ---- */

/* A cell of a table: no pipe and no line break may end it early; < is not HTML. */
static void cell(struct str *out, const char *text)
{
        for (; *text; text++) {
                if (*text == '|' || *text == '<' || *text == '*' || *text == '_' || *text == '`')
                        str_printf(out, "\\%c", *text);
                else
                        str_add(out, *text == '\n' ? "<br>" : (char[]){*text, '\0'});
        }
}

static void markdown_options(struct str *out, const struct opt *opts)
{
        const struct opt *sorted[OPT_MAX];
        size_t n = opt_sorted(opts, sorted);

        if (n)
                str_add(out, "\n| Option | Meaning |\n|---|---|\n");
        for (size_t i = 0; i < n; i++) {
                const struct opt *o = sorted[i];
                char name[80];

                opt_display(o, name, sizeof(name));
                str_printf(out, "| `%s%s%s` | ", name, o->type ? " " : "", o->type ? o->type : "");
                cell(out, o->help);
                if (o->def && *o->def && strcmp(o->def, "false") != 0)
                        str_printf(out, " (default `%s`)", o->def);
                if (o->env)
                        str_printf(out, "; `%s`", o->env);
                if (o->config)
                        str_printf(out, "; key `%s`", o->config);
                str_add(out, " |\n");
        }
}

struct markdown {
        const struct command *root;
        struct str *out;
};

static err *markdown_command(void *data, const struct subcommand *place, const char *path, int depth)
{
        struct markdown *m = data;
        const struct command *c = place->command;
        _cleanup_str_ struct str paths = {0}, usage = {0};
        char main_path[128];

        (void)depth;
        opt_main_path(m->root, c, main_path, sizeof(main_path));
        if (c->hidden || strcmp(main_path, path) != 0)
                return NULL;
        opt_usage_line(c, path, &usage);
        opt_paths(m->root, c, &paths);
        str_printf(m->out, "\n## %s\n\n%s.\n\n```\n%s\n```\n", path, c->summary, str_text(&usage));
        if (strchr(str_text(&paths), ','))
                str_printf(m->out, "\nThe same: %s.\n", str_text(&paths));
        if (c->description)
                str_printf(m->out, "\n%s\n", c->description);
        markdown_options(m->out, c->opts);
        if (c->examples)
                str_printf(m->out, "\n```sh\n%s```\n", c->examples);
        TRY(str_done(&usage));
        return str_done(&paths);
}

err *opt_markdown(const struct command *root, struct str *out)
{
        struct markdown m = {root, out};

        str_printf(out,
                   "# %s: command reference\n\nMade from the command table (`%s internal markdown`); do not edit.\n",
                   root->name, root->name);
        if (root->description)
                str_printf(out, "\n%s\n", root->description);
        str_add(out, "\n## Global options\n");
        markdown_options(out, root->opts);
        TRY(opt_walk(root, markdown_command, &m));
        return str_done(out);
}

/* ---- JSON ---- */

static void json_text(struct str *out, const char *text)
{
        if (!text) {
                str_add(out, "null");
                return;
        }
        str_add_char(out, '"');
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        str_printf(out, "\\%c", *text);
                else if (*text == '\n')
                        str_add(out, "\\n");
                else if ((unsigned char)*text < 0x20)
                        str_printf(out, "\\u%04x", (unsigned)(unsigned char)*text);
                else
                        str_add_char(out, *text);
        }
        str_add_char(out, '"');
}

static void json_member(struct str *out, const char *key, const char *text)
{
        str_printf(out, ", \"%s\": ", key);
        json_text(out, text);
}

static void json_option(struct str *out, const struct opt *o)
{
        static const char *const kinds[] = {"end",      "flag", "string", "int", "uint", "size",
                                            "duration", "cpus", "list",   "csv", "map",  "usage"};
        char letter[2] = {o->letter, '\0'};

        str_add(out, "{\"name\": ");
        json_text(out, o->name);
        json_member(out, "letter", o->letter ? letter : NULL);
        json_member(out, "kind", kinds[o->kind]);
        json_member(out, "type", o->type);
        json_member(out, "help", o->help);
        json_member(out, "default", o->def);
        json_member(out, "alias", o->alias);
        json_member(out, "old", o->deprecated_alias);
        json_member(out, "conflicts", o->conflicts);
        json_member(out, "env", o->env);
        json_member(out, "config", o->config);
        json_member(out, "deprecated", o->deprecated);
        str_add(out, ", \"choices\": [");
        for (const char *const *c = o->choices; c && *c; c++) {
                str_add(out, c == o->choices ? "" : ", ");
                json_text(out, *c);
        }
        str_printf(out, "], \"hidden\": %s}", o->hidden ? "true" : "false");
}

static void json_options(struct str *out, const struct opt *opts)
{
        str_add(out, ", \"options\": [");
        for (const struct opt *o = opts; o && o->kind != OPT_KIND_END; o++) {
                str_add(out, o == opts ? "\n    " : ",\n    ");
                json_option(out, o);
        }
        str_add_char(out, ']');
}

struct json_dump {
        const struct command *root;
        struct str *out;
        bool any;
};

static err *json_command(void *data, const struct subcommand *place, const char *path, int depth)
{
        struct json_dump *d = data;
        const struct command *c = place->command;
        _cleanup_str_ struct str paths = {0};
        const char *p;

        (void)depth;
        str_printf(d->out, "%s\n  {\"path\": ", d->any ? "," : "");
        d->any = true;
        json_text(d->out, path);
        opt_paths(d->root, c, &paths);
        TRY(str_done(&paths));
        str_add(d->out, ", \"paths\": [");
        for (p = str_text(&paths); *p;) {
                size_t n = strcspn(p, ",");
                _cleanup_free_ char *one = strndup(p, n);

                if (!one)
                        return err_nomem();
                str_add(d->out, p == str_text(&paths) ? "" : ", ");
                json_text(d->out, one);
                p += n + (p[n] ? 2 : 0);
        }
        str_add_char(d->out, ']');
        json_member(d->out, "summary", c->summary);
        json_member(d->out, "operands", c->operands);
        str_printf(d->out, ", \"min_operands\": %d, \"max_operands\": %d, \"hidden\": %s, \"group\": %s",
                   c->min_operands, c->max_operands == OPERANDS_ANY ? -1 : c->max_operands,
                   c->hidden ? "true" : "false", c->subcommands ? "true" : "false");
        json_options(d->out, c->opts);
        str_add_char(d->out, '}');
        return NULL;
}

err *opt_json(const struct command *root, const char *version, struct str *out)
{
        struct json_dump d = {.root = root, .out = out};

        str_add(out, "{\"name\": ");
        json_text(out, root->name);
        json_member(out, "version", version);
        json_options(out, root->opts);
        str_add(out, ", \"commands\": [");
        TRY(opt_walk(root, json_command, &d));
        str_add(out, "]}\n");
        return str_done(out);
}
