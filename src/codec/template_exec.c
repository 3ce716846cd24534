/* template_exec.c - walks the tree, as Go's text/template/exec.go does it, its messages included. `state.at` is the
 * node that Go's state.at() would have recorded: errors point there. */
#include "codec/template_node.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_ARGS 64u

static err *walk(struct state *s, struct value dot, const struct node *list);
static err *eval_pipeline(struct state *s, struct value dot, const struct node *pipe, struct value *ret);

static err *fail(const struct state *s, const char *fmt, ...) PRINTF(2, 3);
static err *fail(const struct state *s, const char *fmt, ...)
{
        _cleanup_str_ struct str what = {0}, where = {0}, name = {0};
        const char *start = s->t->text;
        unsigned line = 1;
        va_list ap;

        va_start(ap, fmt);
        str_vprintf(&what, fmt, ap);
        va_end(ap);
        template_node_text(s->at, &where);
        template_quote(&name, s->t->name, strlen(s->t->name));
        for (const char *c = s->t->text; c < s->t->text + s->at->pos; c++)
                if (*c == '\n') {
                        line++;
                        start = c + 1;
                }
        return err_new(ERR_INVALID, "template: %s:%u:%u: executing %s at <%s>: %s", s->t->name, line,
                       (unsigned)(s->t->text + s->at->pos - start), str_text(&name), str_text(&where), str_text(&what));
}

err *template_keep(struct state *s, json *j, struct value *ret)
{
        if (!j)
                return err_nomem();
        json_add(s->made, j);
        *ret = template_element(j);
        return NULL;
}

static err *step(struct state *s)
{
        if (++s->steps > TEMPLATE_MAX_STEPS)
                return err_new(ERR_LIMIT, "template: more than %u steps", TEMPLATE_MAX_STEPS);
        if (s->out->len > TEMPLATE_MAX_OUTPUT)
                return err_new(ERR_LIMIT, "template: more than %u bytes of output", TEMPLATE_MAX_OUTPUT);
        return NULL;
}

/* ---- variables ---- */

static err *push(struct state *s, const char *name, struct value value)
{
        if (mem_grow(&s->variables, s->n_variables, sizeof(*s->variables)) < 0)
                return err_nomem();
        s->variables[s->n_variables++] = (struct variable){name, value};
        return NULL;
}

static struct value *lookup(struct state *s, const char *name)
{
        for (size_t i = s->n_variables; i > 0; i--)
                if (str_eq(s->variables[i - 1].name, name))
                        return &s->variables[i - 1].value;
        return NULL;
}

/* ---- fields ---- */

/* A member that the root does not have, or one with arguments: perhaps the caller computes it. */
static err *eval_method(struct state *s, const char *name, const struct value *args, size_t n, struct value *ret,
                        bool *found)
{
        json *list[MAX_ARGS], *j = NULL;

        *found = false;
        if (!s->options->method)
                return NULL;
        for (size_t i = 0; i < n; i++)
                list[i] = args[i].j;
        TRY(s->options->method(s->options->ctx, s->root, name, list, n, &j, found));
        if (!*found)
                return NULL;
        if (j)
                return template_keep(s, j, ret);
        *ret = template_element(NULL);
        return NULL;
}

static err *missing_field(const struct state *s, const char *name)
{
        if (s->options->type_name)
                return fail(s, "can't evaluate field %s in type %s", name, s->options->type_name);
        return fail(s, "map has no entry for key \"%s\"", name);
}

/* @receiver.@name; the arguments are those of a method call, if any. */
static err *eval_field(struct state *s, const struct value *receiver, const char *name, const struct value *args,
                       size_t n, struct value *ret)
{
        enum template_hint hint = template_hint(s, receiver);
        bool found, text;

        if (receiver->j && receiver->j == s->root && (n || !json_has(s->root, name))) {
                TRY(eval_method(s, name, args, n, ret, &found));
                if (found)
                        return NULL;
        }
        if (json_kind(receiver->j) == JSON_OBJECT && json_has(receiver->j, name)) {
                if (n)
                        return fail(s, "%s is not a method but has arguments", name);
                *ret = template_member(s, receiver, name);
                return NULL;
        }
        if (s->options->types && (receiver->missing || hint == HINT_MAP)) {
                *ret = (struct value){.missing = true};
                return NULL;
        }
        if (json_kind(receiver->j) == JSON_OBJECT && template_optional(s, receiver, name, &text)) {
                *ret = template_element(NULL);
                return text ? template_keep(s, json_new_str(""), ret) : NULL;
        }
        if (json_kind(receiver->j) == JSON_OBJECT)
                return missing_field(s, name);
        if (receiver->missing)
                return fail(s, "nil data; no entry for key \"%s\"", name);
        if (!receiver->j)
                return fail(s, "nil pointer evaluating interface {}.%s", name);
        return fail(s, "can't evaluate field %s in type %s", name,
                    s->options->types ? template_go_type(receiver) : "interface {}");
}

/* The chain of names; arguments belong to the last one. */
static err *eval_fields(struct state *s, struct value receiver, char *const *names, const struct value *args, size_t n,
                        struct value *ret)
{
        for (; *names; names++)
                TRY(eval_field(s, &receiver, *names, names[1] ? NULL : args, names[1] ? 0 : n, &receiver));
        *ret = receiver;
        return NULL;
}

/* ---- functions ---- */

static err *eval_arg(struct state *s, struct value dot, const struct node *n, struct value *ret);

/* Does @v fit parameter kind @kind? The message is Go's, at the argument. */
static err *check_kind(const struct state *s, char kind, const struct node *word, const struct value *v)
{
        const char *want = kind == 's' ? "string" : kind == 'i' ? "int" : "[]string";
        enum json_kind got = json_kind(v->j);
        bool good = kind == 'v' || (kind == 's' && got == JSON_STRING) || (kind == 'i' && got == JSON_INT);

        if (kind == 'l' && (got == JSON_ARRAY || template_hint(s, v) == HINT_SLICE)) {
                good = true;
                for (size_t i = 0; i < json_len(v->j); i++)
                        good &= json_kind(json_at(v->j, i)) == JSON_STRING;
        }
        if (good)
                return NULL;
        if (word && word->type == N_LITERAL)
                return fail(s, "expected %s; found %s", want, word->text);
        if (!v->j)
                return fail(s, "invalid value; expected %s", want);
        return fail(s, "wrong type for value; expected %s; got %s", want, template_go_type(v));
}

static err *check_count(const struct state *s, const struct function *f, size_t n)
{
        if (n < f->min && f->max == UINT_MAX)
                return fail(s, "wrong number of args for %s: want at least %u got %zu", f->name, f->min, n);
        if (n < f->min || n > f->max)
                return fail(s, "wrong number of args for %s: want %u got %zu", f->name, f->min, n);
        if (n > MAX_ARGS)
                return err_new(ERR_LIMIT, "template: more than %u arguments", MAX_ARGS);
        return NULL;
}

/* and, or: the first argument that decides, and no evaluation behind it. */
static err *eval_and_or(struct state *s, struct value dot, bool and, const struct node *words,
                        const struct value *final, struct value *ret)
{
        for (const struct node *w = words; w; w = w->next) {
                TRY(eval_arg(s, dot, w, ret));
                if (template_true(s, ret) != and)
                        return NULL;
        }
        if (final)
                *ret = *final;
        return NULL;
}

/* @node: the name; @command: what errors of the call point at; @words: the arguments. */
static err *eval_function(struct state *s, struct value dot, const struct node *node, const struct node *command,
                          const struct node *words, const struct value *final, struct value *ret)
{
        const struct function *f = template_function(node->text, strlen(node->text));
        struct value args[MAX_ARGS];
        size_t n = final ? 1 : 0, i = 0;
        char buf[1024];
        err *e;

        s->at = node;
        for (const struct node *w = words; w; w = w->next)
                n++;
        TRY(check_count(s, f, n));
        if (!f->call)
                return eval_and_or(s, dot, *f->name == 'a', words, final, ret);
        for (const struct node *w = words; i < n; i++) {
                size_t kinds = strlen(f->kinds);

                if (w)
                        TRY(eval_arg(s, dot, w, &args[i]));
                else
                        args[i] = *final;
                TRY(check_kind(s, f->kinds[i < kinds ? i : kinds - 1], w, &args[i]));
                w = w ? w->next : NULL;
        }
        e = f->call(s, args, n, ret);
        if (!e || err_code(e) != ERR_INVALID)
                return e;
        s->at = command;
        err_text(e, buf, sizeof(buf));
        err_free(e);
        return fail(s, "error calling %s: %s", f->name, buf);
}

/* ---- words and commands ---- */

/* Arguments of a field's or variable's method call. */
static err *eval_args(struct state *s, struct value dot, const struct node *words, const struct value *final,
                      struct value *args, size_t *n)
{
        for (*n = 0; words; words = words->next) {
                if (*n + 1 >= MAX_ARGS)
                        return err_new(ERR_LIMIT, "template: more than %u arguments", MAX_ARGS);
                TRY(eval_arg(s, dot, words, &args[(*n)++]));
        }
        if (final)
                args[(*n)++] = *final;
        return NULL;
}

/* .A.B, $x.A.B, (pipe).A.B, with @words behind it. */
static err *eval_chain(struct state *s, struct value dot, const struct node *n, const struct node *words,
                       const struct value *final, struct value *ret)
{
        struct value args[MAX_ARGS], base = dot;
        char *const *names = n->names;
        size_t n_args;

        TRY(eval_args(s, dot, words, final, args, &n_args));
        s->at = n;
        if (n->type == N_CHAIN) {
                TRY(eval_arg(s, dot, n->first, &base));
                s->at = n;
        } else if (n->type == N_VARIABLE) {
                const struct value *v = lookup(s, *names++);

                if (!v)
                        return fail(s, "undefined variable: %s", names[-1]);
                base = *v;
                if (!*names && n_args)
                        return fail(s, "can't give argument to non-function %s", n->names[0]);
        }
        return eval_fields(s, base, names, args, n_args, ret);
}

static err *eval_arg(struct state *s, struct value dot, const struct node *n, struct value *ret)
{
        TRY(step(s));
        s->at = n;
        switch (n->type) {
        case N_DOT:
                *ret = dot;
                return NULL;
        case N_NIL:
                *ret = template_element(NULL);
                return NULL;
        case N_LITERAL:
                *ret = template_element(n->literal);
                return NULL;
        case N_PIPE:
                return eval_pipeline(s, dot, n, ret);
        case N_IDENTIFIER:
                return eval_function(s, dot, n, n, NULL, NULL, ret);
        default:
                return eval_chain(s, dot, n, NULL, NULL, ret);
        }
}

static err *eval_command(struct state *s, struct value dot, const struct node *command, const struct value *final,
                         struct value *ret)
{
        const struct node *first = command->first;
        _cleanup_str_ struct str text = {0};

        TRY(step(s));
        switch (first->type) {
        case N_FIELD:
        case N_CHAIN:
        case N_VARIABLE:
                return eval_chain(s, dot, first, first->next, final, ret);
        case N_IDENTIFIER:
                return eval_function(s, dot, first, command, first->next, final, ret);
        default:
                break;
        }
        s->at = first;
        if (first->next || final) {
                template_node_text(first, &text);
                return fail(s, "can't give argument to non-function %s", str_text(&text));
        }
        if (first->type == N_NIL)
                return fail(s, "nil is not a command");
        return eval_arg(s, dot, first, ret);
}

static err *eval_pipeline(struct state *s, struct value dot, const struct node *pipe, struct value *ret)
{
        struct value v = {0};
        bool any = false;

        s->at = pipe;
        for (const struct node *c = pipe->first; c; c = c->next) {
                struct value result = {0};

                TRY(eval_command(s, dot, c, any ? &v : NULL, &result));
                v = result;
                any = true;
        }
        for (char **name = pipe->names; name && *name; name++) {
                struct value *known = pipe->assign ? lookup(s, *name) : NULL;

                if (known)
                        *known = v;
                else
                        TRY(push(s, *name, v));
        }
        *ret = v;
        return NULL;
}

/* ---- actions ---- */

static void set_loop_variables(struct state *s, const struct node *pipe, struct value key, struct value item)
{
        size_t n = strv_len(pipe->names);
        struct value *v;

        if (n && (v = lookup(s, pipe->names[n - 1])))
                *v = item;
        if (n > 1 && (v = lookup(s, pipe->names[0])))
                *v = key;
}

static err *run_once(struct state *s, const struct node *n, struct value key, struct value item, bool *stop)
{
        size_t mark = s->n_variables;

        TRY(step(s));
        set_loop_variables(s, n->pipe, key, item);
        TRY(walk(s, item, n->body));
        s->n_variables = mark;
        *stop = s->control == BREAK;
        s->control = RUN;
        return NULL;
}

static err *range_map(struct state *s, const struct node *n, const struct value *v)
{
        _cleanup_free_ const char **keys = template_sorted_keys(v->j);
        bool stop = false;

        if (!keys)
                return err_nomem();
        for (size_t i = 0; keys[i] && !stop; i++) {
                struct value key;

                TRY(template_keep(s, json_new_str(keys[i]), &key));
                TRY(run_once(s, n, key, template_member(s, v, keys[i]), &stop));
        }
        return NULL;
}

static err *range_list(struct state *s, const struct node *n, const struct value *v, int64_t count)
{
        struct value item;
        bool stop = false;

        for (int64_t i = 0; i < count && !stop; i++) {
                struct value key;

                TRY(template_keep(s, json_new_int(i), &key));
                item = json_kind(v->j) == JSON_ARRAY ? template_element(json_at(v->j, (size_t)i)) : key;
                item.parent = v->key;
                TRY(run_once(s, n, key, item, &stop));
        }
        return NULL;
}

static err *walk_range(struct state *s, struct value dot, const struct node *n)
{
        _cleanup_str_ struct str text = {0};
        struct value v;

        TRY(eval_pipeline(s, dot, n->pipe, &v));
        switch (json_kind(v.j)) {
        case JSON_NULL:
                return walk(s, dot, n->otherwise);
        case JSON_INT:
                return json_int(v.j, 0) > 0 ? range_list(s, n, &v, json_int(v.j, 0)) : walk(s, dot, n->otherwise);
        case JSON_ARRAY:
                return json_len(v.j) ? range_list(s, n, &v, (int64_t)json_len(v.j)) : walk(s, dot, n->otherwise);
        case JSON_OBJECT:
                return json_len(v.j) ? range_map(s, n, &v) : walk(s, dot, n->otherwise);
        default:
                template_print_value(s, &v, false, &text);
                return fail(s, "range can't iterate over %s", str_text(&text));
        }
}

/* What an action printed, in the caller's way. */
static void print_value(struct state *s, const struct value *v)
{
        _cleanup_str_ struct str text = {0};

        if (!s->options->print) {
                template_print_value(s, v, true, s->out);
                return;
        }
        template_print_value(s, v, true, &text);
        s->options->print(s->out, str_text(&text));
        s->out->failed = s->out->failed || text.failed;
}

static err *walk_node(struct state *s, struct value dot, const struct node *n)
{
        size_t mark = s->n_variables;
        struct value v;
        err *e;

        s->at = n;
        switch (n->type) {
        case N_TEXT:
                str_add_n(s->out, n->text, n->size);
                return NULL;
        case N_ACTION:
                TRY(eval_pipeline(s, dot, n->pipe, &v));
                if (!n->pipe->names)
                        print_value(s, &v);
                return NULL;
        case N_IF:
        case N_WITH:
                TRY(eval_pipeline(s, dot, n->pipe, &v));
                if (template_true(s, &v))
                        e = walk(s, n->type == N_WITH ? v : dot, n->body);
                else
                        e = walk(s, dot, n->otherwise);
                s->n_variables = mark;
                return e;
        case N_RANGE:
                e = walk_range(s, dot, n);
                s->n_variables = mark;
                return e;
        default:
                s->control = n->type == N_BREAK ? BREAK : CONTINUE;
                return NULL;
        }
}

static err *walk(struct state *s, struct value dot, const struct node *list)
{
        for (; list && s->control == RUN; list = list->next) {
                TRY(step(s));
                TRY(walk_node(s, dot, list));
        }
        return NULL;
}

err *template_execute(const struct template *t, json *data, const struct template_options *options, struct str *out)
{
        static const struct template_options none;
        _cleanup_json_ json *made = json_new_array();
        struct state s = {.t = t, .options = options ? options : &none, .root = data, .made = made, .out = out};
        struct value root = template_element(data);
        err *e;

        if (!made)
                return err_nomem();
        e = push(&s, "$", root);
        if (!e)
                e = walk(&s, root, t->body);
        free(s.variables);
        if (!e)
                e = str_done(out);
        return e;
}
