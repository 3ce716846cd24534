/* opt_parse.c - see opt.h: the command line, read as docker's pflag and cobra read it. */
#include <stdarg.h>
#include <stdio.h>

#include "base/opt.h"

struct reader {
        struct invocation *inv;
        char *const *next;        /* what is still to be read */
        const struct command *at; /* whose options are read */
        struct opt_values *values;
        const char *word; /* the argument that is being read */
        bool stop;        /* --help was seen */
};

/* ---- messages ---- */

/* Is @have near enough to @want to be meant? Less is nearer; 99 = no. */
static int nearness(const char *want, const char *have)
{
        size_t n = strlen(want);
        int d = str_distance(want, have);

        if (n >= 2 && str_starts(have, want))
                return 1;
        return d <= (n < 4 ? 1 : n < 7 ? 2 : 3) ? d : 99;
}

static void suggest_opt(struct invocation *inv, const struct opt *opts, const char *name)
{
        const struct opt *best = NULL;
        int nearest = 99;

        for (const struct opt *o = opts; o && o->kind != OPT_KIND_END; o++) {
                int d = o->hidden ? 99 : nearness(name, o->name);

                if (d < nearest) {
                        nearest = d;
                        best = o;
                }
        }
        if (best)
                str_printf(&inv->hint, "Did you mean --%s?\n", best->name);
}

static void suggest_command(struct invocation *inv, const struct command *parent, const char *name)
{
        const struct subcommand *best = NULL;
        int nearest = 99;

        for (const struct subcommand *s = parent->subcommands; s && s->command; s++) {
                int d = s->command->hidden ? 99 : nearness(name, opt_subcommand_name(s));

                if (d < nearest) {
                        nearest = d;
                        best = s;
                }
        }
        if (best)
                str_printf(&inv->hint, "Did you mean '%s %s'?\n", inv->name, opt_subcommand_name(best));
}

void opt_usage_line(const struct command *c, const char *full, struct str *out)
{
        const char *options = c->opts ? " [OPTIONS]" : "", *operands = c->operands;

        str_printf(out, "Usage:  %s%s", full, options);
        if (c->subcommands) {
                str_add(out, " COMMAND");
                return;
        }
        while (operands) {
                size_t n = strcspn(operands, "\n");

                str_add_char(out, ' ');
                str_add_n(out, operands, n);
                operands = operands[n] ? operands + n + 1 : NULL;
                if (operands)
                        str_printf(out, "\n\t%s%s", full, options);
        }
}

static void hint_usage(struct invocation *inv, const char *verb)
{
        str_add_char(&inv->hint, '\n');
        opt_usage_line(inv->command, inv->name, &inv->hint);
        if (!inv->depth)
                str_add(&inv->hint, " [ARG...]");
        str_printf(&inv->hint, "\n\n%s '%s --help' for more information\n", verb, inv->name);
}

static err *usage_error(struct invocation *inv, const char *fmt, va_list ap)
{
        _cleanup_str_ struct str message = {0};

        str_vprintf(&message, fmt, ap);
        hint_usage(inv, "Run");
        TRY(str_done(&message));
        return err_new(ERR_USAGE, "%s", str_text(&message));
}

err *opt_usage_error(struct invocation *inv, const char *fmt, ...)
{
        va_list ap;
        err *e;

        va_start(ap, fmt);
        e = usage_error(inv, fmt, ap);
        va_end(ap);
        return e;
}

static err *operand_error(struct invocation *inv, const char *fmt, ...) PRINTF(2, 3);
static err *operand_error(struct invocation *inv, const char *fmt, ...)
{
        const struct command *c = inv->command;
        _cleanup_str_ struct str message = {0};
        va_list ap;

        va_start(ap, fmt);
        str_vprintf(&message, fmt, ap);
        va_end(ap);
        hint_usage(inv, c->min_operands && c->max_operands == OPERANDS_ANY ? "See" : "Run");
        TRY(str_done(&message));
        return err_new(ERR_INVALID, "'%s' %s", inv->name, str_text(&message));
}

static const char *plural(int n)
{
        return n == 1 ? "argument" : "arguments";
}

static err *check_operands(struct invocation *inv)
{
        int min = inv->command->min_operands, max = inv->command->max_operands, n = inv->n_operands;

        if (n >= min && n <= max)
                return NULL;
        inv->problem = OPT_PROBLEM_OPERANDS;
        if (max == 0)
                return operand_error(inv, "accepts no arguments");
        if (min == max)
                return operand_error(inv, "requires %d %s", min, plural(min));
        if (max == OPERANDS_ANY)
                return operand_error(inv, "requires at least %d %s", min, plural(min));
        if (min == 0)
                return operand_error(inv, "requires at most %d %s", max, plural(max));
        return operand_error(inv, "requires at least %d and at most %d %s", min, max, plural(max));
}

static err *unknown_command(struct invocation *inv, const char *name)
{
        char parent[sizeof(inv->name)];

        inv->problem = OPT_PROBLEM_COMMAND;
        inv->problem_word = name;
        (void)snprintf(parent, sizeof(parent), "%s", inv->name);
        suggest_command(inv, inv->command, name);
        if (inv->depth)
                str_printf(&inv->hint, "\nUsage:  %s\n", parent);
        str_printf(&inv->hint, "\nRun '%s --help' for more information\n", parent);
        return err_new(ERR_INVALID, "unknown command: %s %s", parent, name);
}

/* ---- options ---- */

/* Remember what is wrong with *@r->word; for the error to follow. */
static void note_problem(struct reader *r, enum opt_problem problem)
{
        r->inv->problem = problem;
        r->inv->problem_word = r->word;
}

static err *set_value(struct reader *r, const struct opt *o, const char *text)
{
        bool help = true;
        err *e;

        if (o->kind == OPT_KIND_USAGE) {
                e = parse_bool(text, &help);
                if (e) {
                        char why[200];

                        (void)err_text(e, why, sizeof(why));
                        err_free(e);
                        return opt_usage_error(r->inv, "invalid argument \"%s\" for \"--help\" flag: %s", text, why);
                }
                r->inv->help = r->stop = help;
                return NULL;
        }
        e = opt_values_set(r->values, o, text, OPT_COMMAND_LINE, NULL);
        if (e)
                note_problem(r, OPT_PROBLEM_VALUE);
        if (e && err_code(e) == ERR_USAGE)
                hint_usage(r->inv, "Run");
        if (!e && o->deprecated)
                str_printf(&r->inv->notes, "Flag --%s has been deprecated, %s\n", o->name, o->deprecated);
        return e;
}

static bool takes_value(const struct opt *o)
{
        return o->kind != OPT_KIND_FLAG && o->kind != OPT_KIND_USAGE;
}

static const struct opt usage_opt = OPT_USAGE("Print usage");

static err *no_value(struct reader *r, const char *fmt, ...) PRINTF(2, 3);
static err *no_value(struct reader *r, const char *fmt, ...)
{
        va_list ap;
        err *e;

        note_problem(r, OPT_PROBLEM_NO_VALUE);
        va_start(ap, fmt);
        e = usage_error(r->inv, fmt, ap);
        va_end(ap);
        return e;
}

/* --name, --name=value, --name value; @text is behind the dashes. */
static err *read_long(struct reader *r, const char *text)
{
        const char *eq = strchrnul(text, '=');
        _cleanup_free_ char *name = strndup(text, (size_t)(eq - text));
        const struct opt *o;

        if (!name)
                return err_nomem();
        if (!*name || *name == '-')
                return opt_usage_error(r->inv, "bad flag syntax: %s", r->word);
        o = opt_find(r->at->opts, name);
        if (!o && strcmp(name, "help") == 0)
                o = &usage_opt;
        if (!o) {
                suggest_opt(r->inv, r->at->opts, name);
                note_problem(r, OPT_PROBLEM_FLAG);
                return opt_usage_error(r->inv, "unknown flag: --%s", name);
        }
        if (*eq)
                return set_value(r, o, eq + 1);
        if (!takes_value(o))
                return set_value(r, o, "true");
        if (!*r->next)
                return no_value(r, "flag needs an argument: --%s", name);
        return set_value(r, o, *r->next++);
}

/* The long spellings with one dash: -net X, -cpuset=0. */
static const struct opt *find_old(const struct opt *opts, const char *name, size_t size)
{
        for (const struct opt *o = opts; o && o->kind != OPT_KIND_END; o++)
                if (o->deprecated_alias && strlen(o->deprecated_alias) == size &&
                    memcmp(o->deprecated_alias, name, size) == 0)
                        return o;
        return NULL;
}

/* One letter of a cluster at *@p, which is moved on; a value is the rest or the next argument. */
static err *read_letter(struct reader *r, const char **p)
{
        const char *cluster = *p;
        const struct opt *o = opt_find_letter(r->at->opts, *cluster);

        if (!o && *cluster == 'h')
                o = &usage_opt;
        if (!o) {
                note_problem(r, OPT_PROBLEM_FLAG);
                return opt_usage_error(r->inv, "unknown shorthand flag: '%c' in -%s", *cluster, cluster);
        }
        *p = cluster + strlen(cluster);
        if (cluster[1] == '=')
                return set_value(r, o, cluster + 2);
        if (!takes_value(o)) {
                *p = cluster + 1;
                return set_value(r, o, "true");
        }
        if (cluster[1])
                return set_value(r, o, cluster + 1);
        if (!*r->next)
                return no_value(r, "flag needs an argument: '%c' in -%s", *cluster, cluster);
        return set_value(r, o, *r->next++);
}

/* Is @text, behind one dash, the name of a flag that has two? */
static bool is_long(const struct reader *r, const char *text, size_t size)
{
        for (const struct opt *o = r->at->opts; o && o->kind != OPT_KIND_END; o++)
                if (strlen(o->name) == size && memcmp(o->name, text, size) == 0)
                        return true;
        return size == 4 && memcmp(text, "help", size) == 0;
}

/* -abc, -uroot, -u=root, -u root, and the old long spellings; @text is behind the dash. */
static err *read_short(struct reader *r, const char *text)
{
        size_t size = strcspn(text, "=");
        const struct opt *o = find_old(r->at->opts, text, size);
        const char *p = text;

        if (r->inv->root->one_dash && size > 1 && is_long(r, text, size))
                return read_long(r, text);
        if (o && text[size])
                return set_value(r, o, text + size + 1);
        if (o && !takes_value(o))
                return set_value(r, o, "true");
        if (o && !*r->next)
                return no_value(r, "flag needs an argument: -%s", text);
        if (o)
                return set_value(r, o, *r->next++);
        while (*p && !r->stop) {
                err *e = read_letter(r, &p);
                _cleanup_free_ char *name = e ? strndup(text, size) : NULL;

                /* "-memory 5m" was meant as "--memory 5m" */
                if (name && size > 1 && opt_find(r->at->opts, name)) {
                        _cleanup_str_ struct str rest = r->inv->hint;

                        r->inv->hint = (struct str){0};
                        str_printf(&r->inv->hint, "Did you mean --%s?\n%s", name, str_text(&rest));
                }
                if (e)
                        return e;
        }
        return NULL;
}

/* ---- levels ---- */

static err *add_operand(struct invocation *inv, char *text)
{
        char **grown = reallocarray(inv->operands, (size_t)inv->n_operands + 2, sizeof(char *));

        if (!grown)
                return err_nomem();
        inv->operands = grown;
        grown[inv->n_operands++] = text;
        grown[inv->n_operands] = NULL;
        return NULL;
}

/* Read the options of one level. A level with subcommands ends at its first operand, *@ret_name. */
static err *read_level(struct reader *r, const char **ret_name)
{
        bool only_operands = false;

        while (*r->next && !r->stop) {
                char *word = *r->next++;

                r->word = word;
                if (only_operands || word[0] != '-' || !word[1]) {
                        if (r->at->subcommands) {
                                *ret_name = word;
                                return NULL;
                        }
                        TRY(add_operand(r->inv, word));
                        only_operands |= r->at->stop_at_operand;
                        continue;
                }
                if (strcmp(word, "--") == 0)
                        only_operands = true;
                else if (word[1] == '-')
                        TRY(read_long(r, word + 2));
                else
                        TRY(read_short(r, word + 1));
        }
        return NULL;
}

/* A flag that says "no" is in nobody's way. */
static bool in_use(const struct opt_values *v, const struct opt *o)
{
        if (v->source[o - v->opts] == OPT_DEFAULT)
                return false;
        return o->kind != OPT_KIND_FLAG || *(const bool *)((const char *)v->args + o->offset);
}

static err *check_conflicts(const struct opt_values *v)
{
        for (size_t i = 0; i < v->count; i++) {
                const struct opt *o = &v->opts[i], *other;

                if (!o->conflicts || !in_use(v, o))
                        continue;
                other = opt_find(v->opts, o->conflicts);
                if (other && in_use(v, other))
                        return err_new(ERR_INVALID, "conflicting options: cannot specify both --%s and --%s", o->name,
                                       other->name);
        }
        return NULL;
}

static void extend_name(struct invocation *inv, const char *name)
{
        size_t used = strlen(inv->name);

        (void)snprintf(inv->name + used, sizeof(inv->name) - used, " %s", name);
}

/* From the root down to the command that is meant. */
static err *read_all(struct reader *r)
{
        struct invocation *inv = r->inv;

        for (;;) {
                const struct subcommand *s;
                const char *name = NULL;

                TRY(read_level(r, &name));
                if (!name || !r->at->subcommands)
                        return NULL;
                s = opt_find_subcommand(r->at, name);
                if (!s || inv->depth == OPT_DEPTH)
                        return unknown_command(inv, name);
                inv->path[inv->depth++] = s;
                extend_name(inv, opt_subcommand_name(s));
                inv->command = r->at = s->command;
                opt_values_done(&inv->values);
                TRY(opt_values_init(&inv->values, s->command->opts, s->command->args_size));
                inv->args = inv->values.args;
                r->values = &inv->values;
        }
}

err *opt_parse(const struct command *root, char *const *argv, struct invocation *ret)
{
        struct reader r = {.inv = ret, .next = argv[0] ? argv + 1 : argv, .at = root, .values = &ret->global};

        *ret = (struct invocation){.root = root, .command = root};
        (void)snprintf(ret->name, sizeof(ret->name), "%s", root->name);
        ret->operands = MEM_NEW0(char *, 1);
        if (!ret->operands)
                return err_nomem();
        TRY(opt_values_init(&ret->global, root->opts, root->args_size));
        TRY(read_all(&r));
        if (ret->help || ret->command->subcommands)
                return NULL;
        TRY(check_operands(ret));
        return check_conflicts(&ret->values);
}

void opt_done(struct invocation *inv)
{
        free(inv->operands);
        opt_values_done(&inv->values);
        opt_values_done(&inv->global);
        str_free(&inv->hint);
        str_free(&inv->notes);
        *inv = (struct invocation){0};
}

int opt_report(struct invocation *inv, const char *program, err *e, struct str *out)
{
        bool run_like = inv->command && inv->command->run_like;
        int status = err_exit_status(err_code(e), run_like && !inv->hint.len);
        char text[8192];

        /* A flag's error stands alone, as docker prints it; the others say who speaks. */
        (void)err_text(e, text, sizeof(text));
        str_printf(out, "%s%s%s\n", err_code(e) == ERR_USAGE ? "" : program, err_code(e) == ERR_USAGE ? "" : ": ",
                   text);
        str_add(out, str_text(&inv->hint));
        if (!inv->hint.len && err_code(e) == ERR_USAGE)
                str_printf(out, "\nRun '%s --help' for more information\n", inv->name);
        else if (!inv->hint.len && run_like && status >= 125 && err_code(e) != ERR_INTERRUPTED)
                str_printf(out, "\nRun '%s --help' for more information\n", inv->name);
        err_free(e);
        return status;
}
