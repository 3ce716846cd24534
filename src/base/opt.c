/* opt.c - see opt.h: looking at the command table, and whether it is right. */
#include "base/opt.h"

#include <stdio.h>

size_t opt_count(const struct opt *opts)
{
        size_t n = 0;

        while (opts && opts[n].kind != OPT_KIND_END)
                n++;
        return n;
}

const struct opt *opt_find(const struct opt *opts, const char *name)
{
        for (const struct opt *o = opts; o && o->kind != OPT_KIND_END; o++)
                if (str_eq(o->name, name) || (o->alias && str_eq(o->alias, name)))
                        return o;
        return NULL;
}

const struct opt *opt_find_letter(const struct opt *opts, char letter)
{
        for (const struct opt *o = opts; o && letter && o->kind != OPT_KIND_END; o++)
                if (o->letter == letter)
                        return o;
        return NULL;
}

const char *opt_subcommand_name(const struct subcommand *s)
{
        return s->name ? s->name : s->command->name;
}

/* Is @name one of the blank-separated @words? */
static bool has_word(const char *words, const char *name)
{
        size_t n = strlen(name);

        while (words && *words) {
                size_t size = strcspn(words, " ");

                if (size == n && memcmp(words, name, n) == 0)
                        return true;
                words += size + (words[size] == ' ');
        }
        return false;
}

const struct subcommand *opt_find_subcommand(const struct command *parent, const char *name)
{
        for (const struct subcommand *s = parent->subcommands; s && s->command; s++)
                if (strcmp(opt_subcommand_name(s), name) == 0 || has_word(s->aliases, name))
                        return s;
        return NULL;
}

size_t opt_sorted(const struct opt *opts, const struct opt *ret[OPT_MAX])
{
        size_t n = 0;

        for (const struct opt *o = opts; o && o->kind != OPT_KIND_END && n < OPT_MAX; o++) {
                size_t at = n;

                if (o->hidden || o->kind == OPT_KIND_USAGE)
                        continue;
                for (; at && strcmp(ret[at - 1]->name, o->name) > 0; at--)
                        ret[at] = ret[at - 1];
                ret[at] = o;
                n++;
        }
        return n;
}

void opt_display(const struct opt *o, char *buf, size_t size)
{
        if (o->letter)
                (void)snprintf(buf, size, "-%c, --%s", o->letter, o->name);
        else
                (void)snprintf(buf, size, "--%s", o->name);
}

typedef err *visit_fn(void *data, const struct subcommand *place, const char *path, int depth);

static err *walk(const struct command *parent, const char *path, int depth, visit_fn *visit, void *data)
{
        for (const struct subcommand *s = parent->subcommands; s && s->command; s++) {
                char below[128];

                (void)snprintf(below, sizeof(below), "%s %s", path, opt_subcommand_name(s));
                TRY(visit(data, s, below, depth));
                if (depth < OPT_DEPTH)
                        TRY(walk(s->command, below, depth + 1, visit, data));
        }
        return NULL;
}

err *opt_walk(const struct command *root,
              err *(*visit)(void *data, const struct subcommand *place, const char *path, int depth), void *data)
{
        return walk(root, root->name, 1, visit, data);
}

struct paths {
        const struct command *command;
        struct str *out;
        bool below; /* this pass: places below another command, as docker lists them first */
};

static err *add_path(void *data, const struct subcommand *place, const char *path, int depth)
{
        struct paths *p = data;
        size_t stem = strlen(path) - strlen(opt_subcommand_name(place));
        const char *aliases = place->aliases;

        if (place->command != p->command || p->below != (depth > 1))
                return NULL;
        if (p->out->len)
                str_add(p->out, ", ");
        str_add(p->out, path);
        while (aliases && *aliases) {
                size_t n = strcspn(aliases, " ");

                str_add(p->out, ", ");
                str_add_n(p->out, path, stem);
                str_add_n(p->out, aliases, n);
                aliases += n + (aliases[n] == ' ');
        }
        return NULL;
}

void opt_paths(const struct command *root, const struct command *command, struct str *out)
{
        struct paths p = {command, out, true};

        /* add_path() never fails. */
        err_free(opt_walk(root, add_path, &p));
        p.below = false;
        err_free(opt_walk(root, add_path, &p));
}

/* ---- is the table right? ---- */

static err *verify_opt(const char *path, const struct opt *opts, const struct opt *o)
{
        if (!o->name || !*o->name || !o->help || !*o->help)
                return err_new(ERR_INTERNAL, "%s: an option has no name or no help", path);
        if (o->kind != OPT_KIND_FLAG && o->kind != OPT_KIND_USAGE && !o->type)
                return err_new(ERR_INTERNAL, "%s: --%s has no type", path, o->name);
        for (const struct opt *p = o + 1; p->kind != OPT_KIND_END; p++) {
                if (strcmp(p->name, o->name) == 0 ||
                    str_eq(p->alias ? p->alias : p->name, o->alias ? o->alias : o->name))
                        return err_new(ERR_INTERNAL, "%s: --%s is declared twice", path, o->name);
                if (o->letter && p->letter == o->letter)
                        return err_new(ERR_INTERNAL, "%s: -%c is declared twice", path, o->letter);
        }
        if (o->conflicts && !opt_find(opts, o->conflicts))
                return err_new(ERR_INTERNAL, "%s: --%s conflicts with --%s, which is not declared", path, o->name,
                               o->conflicts);
        if (o->complete == OPT_COMPLETE_CHOICES && !o->choices)
                return err_new(ERR_INTERNAL, "%s: --%s has no choices", path, o->name);
        if (str_ends(o->help, ".") || str_ends(o->help, "\n"))
                return err_new(ERR_INTERNAL, "%s: the help of --%s ends with a dot or a line break", path, o->name);
        return NULL;
}

static err *verify_command(const struct command *c, const char *path)
{
        struct opt_values v = {0};
        size_t n = opt_count(c->opts);
        err *e;

        if (!c->name || !c->summary)
                return err_new(ERR_INTERNAL, "%s: no name or no summary", path);
        if (!c->run == !c->subcommands)
                return err_new(ERR_INTERNAL, "%s: must have either run or subcommands", path);
        if (c->max_operands < c->min_operands || (c->max_operands > 0 && !c->operands) ||
            (c->max_operands == 0 && c->operands && !c->subcommands))
                return err_new(ERR_INTERNAL, "%s: operands \"%s\" and the numbers %d..%d do not fit", path,
                               c->operands ? c->operands : "", c->min_operands, c->max_operands);
        if (n > OPT_MAX)
                return err_new(ERR_INTERNAL, "%s: more than %d options", path, OPT_MAX);
        for (size_t i = 0; i < n; i++)
                TRY(verify_opt(path, c->opts, &c->opts[i]));
        for (size_t i = 0; i < n; i++)
                if (c->opts[i].kind != OPT_KIND_USAGE && c->opts[i].offset >= c->args_size)
                        return err_new(ERR_INTERNAL, "%s: --%s lies outside of the args struct", path, c->opts[i].name);
        e = opt_values_init(&v, c->opts, c->args_size);
        opt_values_done(&v);
        return err_wrap(e, "%s", path);
}

static err *verify_place(void *data, const struct subcommand *place, const char *path, int depth)
{
        const struct command *root = data;

        (void)root;
        if (depth >= OPT_DEPTH && place->command->subcommands)
                return err_new(ERR_INTERNAL, "%s: nested too deep", path);
        return verify_command(place->command, path);
}

err *opt_verify(const struct command *root)
{
        struct opt_values v = {0};
        err *e;

        e = opt_values_init(&v, root->opts, root->args_size);
        opt_values_done(&v);
        if (e)
                return e;
        for (const struct opt *o = root->opts; o && o->kind != OPT_KIND_END; o++)
                TRY(verify_opt(root->name, root->opts, o));
        return opt_walk(root, verify_place, (void *)(uintptr_t)root);
}
