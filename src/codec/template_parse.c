/* template_parse.c - tokens to the syntax tree, as Go's text/template/parse/parse.go does it, its messages included. */
#include "codec/template_node.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct parser {
        struct template *t;
        struct token_list list;
        size_t at;             /* the next token */
        unsigned action_line;  /* of the action being parsed, 0 outside */
        unsigned depth, loops; /* nesting of everything; of ranges */
        const char **variables;
        size_t n_variables;
};

static err *parse_list(struct parser *p, bool top, struct node **ret, enum token_type *ret_stop);
static err *parse_pipeline(struct parser *p, const char *context, enum token_type end, struct node **ret);

static const struct token *peek(const struct parser *p)
{
        return &p->list.tokens[p->at];
}

static const struct token *next(struct parser *p)
{
        const struct token *t = peek(p);

        if (t->type != T_EOF && t->type != T_ERROR)
                p->at++;
        return t;
}

static void skip_space(struct parser *p)
{
        while (peek(p)->type == T_SPACE)
                p->at++;
}

static const struct token *next_solid(struct parser *p)
{
        skip_space(p);
        return next(p);
}

static err *syntax_error(const struct parser *p, const struct token *t, const char *fmt, ...) PRINTF(3, 4);
static err *syntax_error(const struct parser *p, const struct token *t, const char *fmt, ...)
{
        _cleanup_str_ struct str s = {0};
        va_list ap;

        va_start(ap, fmt);
        str_vprintf(&s, fmt, ap);
        va_end(ap);
        return err_new(ERR_INVALID, "template: %s:%u: %s", p->t->name, t->line, str_text(&s));
}

/* How Go shows a token in a message. */
static void show_token(const struct token *t, struct str *out)
{
        if (t->type == T_EOF) {
                str_add(out, "EOF");
        } else if (t->type > T_KEYWORD) {
                str_printf(out, "<%.*s>", (int)t->size, t->text);
        } else if (t->size > 10) {
                template_quote(out, t->text, 10);
                str_add(out, "...");
        } else {
                template_quote(out, t->text, t->size);
        }
}

static err *unexpected(const struct parser *p, const struct token *t, const char *context)
{
        _cleanup_str_ struct str s = {0};

        if (t->type != T_ERROR) {
                show_token(t, &s);
                return syntax_error(p, t, "unexpected %s in %s", str_text(&s), context);
        }
        if (p->action_line && p->action_line != t->line)
                return syntax_error(p, t, "%s%s started at %s:%u", t->text,
                                    str_ends(t->text, " action") ? "" : " in action", p->t->name, p->action_line);
        return syntax_error(p, t, "%s", t->text);
}

static err *new_node(struct parser *p, enum node_type type, unsigned pos, struct node **ret)
{
        struct node *n = MEM_NEW0(struct node, 1);

        if (!n)
                return err_nomem();
        n->type = type;
        n->pos = pos;
        n->allocated = p->t->allocated;
        p->t->allocated = n;
        *ret = n;
        return NULL;
}

static err *declare(struct parser *p, const struct token *t, struct node *pipe)
{
        TRY(strv_push(&pipe->names, strndup(t->text, t->size)));
        if (mem_grow(&p->variables, p->n_variables, sizeof(*p->variables)) < 0)
                return err_nomem();
        p->variables[p->n_variables++] = pipe->names[strv_len(pipe->names) - 1];
        return NULL;
}

static err *use_variable(struct parser *p, const struct token *t, struct node **ret)
{
        for (size_t i = 0; i < p->n_variables; i++)
                if (strlen(p->variables[i]) == t->size && memcmp(p->variables[i], t->text, t->size) == 0) {
                        TRY(new_node(p, N_VARIABLE, t->pos, ret));
                        return strv_push(&(*ret)->names, strndup(t->text, t->size));
                }
        return syntax_error(p, t, "undefined variable \"%.*s\"", (int)t->size, t->text);
}

/* ---- literals ---- */

static err *literal(struct parser *p, const struct token *t, json *j, struct node **ret)
{
        err *e = j ? new_node(p, N_LITERAL, t->pos, ret) : err_nomem();

        if (e) {
                json_free(j);
                return e;
        }
        (*ret)->literal = j;
        (*ret)->text = strndup(t->text, t->size);
        return (*ret)->text ? NULL : err_nomem();
}

static err *string_literal(struct parser *p, const struct token *t, struct node **ret)
{
        _cleanup_str_ struct str s = {0};

        if (!template_literal_text(t, &s))
                return syntax_error(p, t, "invalid syntax");
        TRY(str_done(&s));
        return literal(p, t, json_new_str_n(s.data, s.len), ret);
}

/* 'x': the number of the character. */
static err *char_literal(struct parser *p, const struct token *t, struct node **ret)
{
        _cleanup_str_ struct str s = {0};
        bool good = template_literal_text(t, &s);
        uint32_t c;

        TRY(str_done(&s));
        if (!good || !template_literal_rune(s.data, s.len, t->text[1] == '\\', &c))
                return syntax_error(p, t, "malformed character constant: %.*s", (int)t->size, t->text);
        return literal(p, t, json_new_int(c), ret);
}

static err *number_literal(struct parser *p, const struct token *t, struct node **ret)
{
        _cleanup_free_ char *text = strndup(t->text, t->size);
        bool overflow = false;
        int64_t n;
        double d;
        char *end;

        if (!text)
                return err_nomem();
        if (template_literal_integer(text, &n, &overflow)) {
                if (overflow)
                        return syntax_error(p, t, "integer overflow: \"%s\"", text);
                return literal(p, t, json_new_int(n), ret);
        }
        d = strtod(text, &end);
        if (*end || end == text || !isfinite(d))
                return syntax_error(p, t, "illegal number syntax: \"%s\"", text);
        return literal(p, t, json_new_double(d), ret);
}

/* ---- pipelines ---- */

static err *parse_paren(struct parser *p, const struct token *t, struct node **ret)
{
        if (++p->depth > TEMPLATE_MAX_DEPTH)
                return err_new(ERR_LIMIT, "template: %s:%u: nested too deeply", p->t->name, t->line);
        TRY(parse_pipeline(p, "parenthesized pipeline", T_RIGHT_PAREN, ret));
        p->depth--;
        return NULL;
}

/* A term without the fields behind it; *@ret is NULL when the next token does not begin one. */
static err *parse_term(struct parser *p, struct node **ret)
{
        const struct token *t = peek(p);

        *ret = NULL;
        switch (t->type) {
        case T_IDENTIFIER:
                if (!template_function(t->text, t->size))
                        return syntax_error(p, t, "function \"%.*s\" not defined", (int)t->size, t->text);
                next(p);
                TRY(new_node(p, N_IDENTIFIER, t->pos, ret));
                (*ret)->text = strndup(t->text, t->size);
                return (*ret)->text ? NULL : err_nomem();
        case T_DOT:
                next(p);
                return new_node(p, N_DOT, t->pos, ret);
        case T_NIL:
                next(p);
                return new_node(p, N_NIL, t->pos, ret);
        case T_VARIABLE:
                next(p);
                return use_variable(p, t, ret);
        case T_FIELD:
                next(p);
                TRY(new_node(p, N_FIELD, t->pos, ret));
                return strv_push(&(*ret)->names, strndup(t->text + 1, t->size - 1));
        case T_BOOL:
                next(p);
                return literal(p, t, json_new_bool(*t->text == 't'), ret);
        case T_CHAR_CONSTANT:
                next(p);
                return char_literal(p, t, ret);
        case T_NUMBER:
                next(p);
                return number_literal(p, t, ret);
        case T_STRING:
        case T_RAW_STRING:
                next(p);
                return string_literal(p, t, ret);
        case T_LEFT_PAREN:
                next(p);
                return parse_paren(p, t, ret);
        default:
                return NULL;
        }
}

/* A term and the .Fields behind it. */
static err *parse_operand(struct parser *p, struct node **ret)
{
        _cleanup_str_ struct str s = {0}, quoted = {0};
        struct node *n = NULL, *chain = NULL;

        TRY(parse_term(p, &n));
        *ret = n;
        if (!n || peek(p)->type != T_FIELD)
                return NULL;
        switch (n->type) {
        case N_FIELD:
        case N_VARIABLE:
                n->pos = peek(p)->pos; /* Go's tree points at the second name then */
                break;
        case N_LITERAL:
        case N_NIL:
        case N_DOT:
                template_node_text(n, &s);
                template_quote(&quoted, str_text(&s), s.len);
                return syntax_error(p, peek(p), "unexpected . after term %s", str_text(&quoted));
        default:
                TRY(new_node(p, N_CHAIN, peek(p)->pos, &chain));
                chain->first = n;
                *ret = n = chain;
        }
        while (peek(p)->type == T_FIELD) {
                const struct token *t = next(p);

                TRY(strv_push(&n->names, strndup(t->text + 1, t->size - 1)));
        }
        return NULL;
}

static err *parse_command(struct parser *p, struct node **ret)
{
        struct node *command, *word, **tail;

        skip_space(p);
        TRY(new_node(p, N_COMMAND, peek(p)->pos, &command));
        tail = &command->first;
        for (;;) {
                const struct token *t;

                skip_space(p);
                TRY(parse_operand(p, &word));
                if (word) {
                        *tail = word;
                        tail = &word->next;
                }
                t = peek(p);
                if (t->type == T_SPACE && word)
                        continue;
                if (t->type == T_RIGHT || t->type == T_RIGHT_PAREN)
                        break;
                if (t->type != T_PIPE)
                        return unexpected(p, t, "operand");
                next(p);
                break;
        }
        if (!command->first)
                return syntax_error(p, peek(p), "empty command");
        *ret = command;
        return NULL;
}

/* "$x :=", "$x =", "$k, $v :=" (the latter in a range); leaves everything else alone. */
static err *parse_declarations(struct parser *p, const char *context, struct node *pipe)
{
        for (;;) {
                size_t start = p->at;
                const struct token *v = peek(p), *t;

                if (v->type != T_VARIABLE)
                        return NULL;
                next(p);
                skip_space(p);
                t = peek(p);
                if (t->type == T_ASSIGN || t->type == T_DECLARE) {
                        struct node *known;

                        if (t->type == T_ASSIGN)
                                TRY(use_variable(p, v, &known));
                        pipe->assign = t->type == T_ASSIGN;
                        next_solid(p);
                        skip_space(p);
                        return declare(p, v, pipe);
                }
                if (t->type != T_CHAR || *t->text != ',') {
                        p->at = start;
                        return NULL;
                }
                next(p);
                skip_space(p);
                TRY(declare(p, v, pipe));
                if (!str_eq(context, "range") || strv_len(pipe->names) >= 2)
                        return syntax_error(p, v, "too many declarations in %s", context);
                if (peek(p)->type != T_VARIABLE)
                        return syntax_error(p, v, "range can only initialize variables");
        }
}

static err *check_pipeline(struct parser *p, const char *context, const struct token *at, const struct node *pipe)
{
        int stage = 1;

        if (!pipe->first)
                return syntax_error(p, at, "missing value for %s", context);
        for (const struct node *c = pipe->first->next; c; c = c->next) {
                enum node_type type = c->first->type;

                stage++;
                if (type == N_LITERAL || type == N_DOT || type == N_NIL)
                        return syntax_error(p, at, "non executable command in pipeline stage %d", stage);
        }
        return NULL;
}

static err *parse_pipeline(struct parser *p, const char *context, enum token_type end, struct node **ret)
{
        struct node *pipe, **tail;

        skip_space(p);
        TRY(new_node(p, N_PIPE, peek(p)->pos, &pipe));
        tail = &pipe->first;
        TRY(parse_declarations(p, context, pipe));
        for (;;) {
                const struct token *t;

                skip_space(p);
                t = peek(p);
                if (t->type == end) {
                        TRY(check_pipeline(p, context, t, pipe));
                        next(p);
                        *ret = pipe;
                        return NULL;
                }
                if (t->type != T_LEFT_PAREN && t->type != T_NIL && (t->type < T_BOOL || t->type > T_DOT))
                        return unexpected(p, t, context);
                TRY(parse_command(p, tail));
                tail = &(*tail)->next;
        }
}

/* ---- actions ---- */

/* if, range, with: at the pipeline. "else if" becomes an if inside the else branch. */
static err *parse_control(struct parser *p, enum node_type type, unsigned pos, struct node **ret)
{
        static const char *const contexts[] = {[N_IF] = "if", [N_RANGE] = "range", [N_WITH] = "with"};
        size_t variables = p->n_variables;
        enum token_type stop;
        struct node *n;

        if (++p->depth > TEMPLATE_MAX_DEPTH)
                return err_new(ERR_LIMIT, "template: %s:%u: nested too deeply", p->t->name, peek(p)->line);
        TRY(new_node(p, type, pos, &n));
        TRY(parse_pipeline(p, contexts[type], T_RIGHT, &n->pipe));
        p->loops += type == N_RANGE;
        TRY(parse_list(p, false, &n->body, &stop));
        p->loops -= type == N_RANGE;
        if (stop == T_ELSE) {
                const struct token *t;

                skip_space(p);
                t = peek(p);
                if ((t->type == T_IF && type == N_IF) || (t->type == T_WITH && type == N_WITH)) {
                        next(p);
                        TRY(parse_control(p, type, t->pos, &n->otherwise));
                        stop = T_END;
                } else {
                        if (t->type != T_RIGHT)
                                return unexpected(p, t, "else");
                        next(p);
                        TRY(parse_list(p, false, &n->otherwise, &stop));
                        if (stop == T_ELSE)
                                return syntax_error(p, peek(p), "expected end; found {{else}}");
                }
        }
        p->n_variables = variables;
        p->depth--;
        *ret = n;
        return NULL;
}

static err *parse_jump(struct parser *p, const struct token *word, struct node **ret)
{
        const struct token *t = next_solid(p);

        if (t->type != T_RIGHT)
                return unexpected(p, t, word->type == T_BREAK ? "{{break}}" : "{{continue}}");
        if (!p->loops)
                return syntax_error(p, word, "{{%.*s}} outside {{range}}", (int)word->size, word->text);
        return new_node(p, word->type == T_BREAK ? N_BREAK : N_CONTINUE, word->pos, ret);
}

/* Behind "{{". *@ret_stop is T_ELSE (not consumed to its end) or T_END when the action was one of these. */
static err *parse_action(struct parser *p, struct node **ret, enum token_type *ret_stop)
{
        const struct token *t, *word;

        skip_space(p);
        word = peek(p);
        p->action_line = word->line;
        switch (word->type) {
        case T_ELSE:
                next(p);
                *ret_stop = T_ELSE;
                return NULL;
        case T_END:
                next(p);
                t = next_solid(p);
                *ret_stop = T_END;
                return t->type == T_RIGHT ? NULL : unexpected(p, t, "end");
        case T_IF:
        case T_RANGE:
        case T_WITH:
                next(p);
                return parse_control(p,
                                     word->type == T_IF      ? N_IF
                                     : word->type == T_RANGE ? N_RANGE
                                                             : N_WITH,
                                     word->pos, ret);
        case T_BREAK:
        case T_CONTINUE:
                next(p);
                return parse_jump(p, word, ret);
        case T_UNSUPPORTED:
                return syntax_error(p, word, "{{%.*s}} is not supported", (int)word->size, word->text);
        default:
                TRY(new_node(p, N_ACTION, word->pos, ret));
                return parse_pipeline(p, "command", T_RIGHT, &(*ret)->pipe);
        }
}

static err *parse_list(struct parser *p, bool top, struct node **ret, enum token_type *ret_stop)
{
        struct node **tail = ret;

        for (;;) {
                const struct token *t = next(p);
                struct node *n = NULL;
                enum token_type stop = T_EOF;

                if (t->type == T_EOF) {
                        *ret_stop = T_EOF;
                        return top ? NULL : syntax_error(p, t, "unexpected EOF");
                }
                if (t->type == T_TEXT) {
                        TRY(new_node(p, N_TEXT, t->pos, &n));
                        n->text = strndup(t->text, t->size);
                        if (!n->text)
                                return err_nomem();
                        n->size = t->size;
                } else if (t->type == T_LEFT) {
                        TRY(parse_action(p, &n, &stop));
                        p->action_line = 0;
                } else {
                        return unexpected(p, t, "input");
                }
                if (stop != T_EOF) {
                        *ret_stop = stop;
                        return top ? syntax_error(p, t, "unexpected {{%s}}", stop == T_END ? "end" : "else") : NULL;
                }
                *tail = n;
                tail = &n->next;
        }
}

err *template_parse(const char *name, const char *text, struct template **ret)
{
        _cleanup_(template_freep) struct template *t = MEM_NEW0(struct template, 1);
        struct parser p = {.t = t};
        enum token_type stop;
        err *e;

        if (!t)
                return err_nomem();
        if (strlen(text) > TEMPLATE_MAX_TEXT)
                return err_new(ERR_LIMIT, "template: a text of more than %u bytes", TEMPLATE_MAX_TEXT);
        t->name = str_dup(name);
        t->text = str_dup(text);
        if (!t->name || !t->text)
                return err_nomem();
        e = template_lex(t->text, strlen(t->text), &p.list);
        if (!e && mem_grow(&p.variables, 0, sizeof(*p.variables)) < 0)
                e = err_nomem();
        if (!e) {
                p.variables[p.n_variables++] = "$";
                e = parse_list(&p, true, &t->body, &stop);
        }
        free(p.variables);
        free(p.list.tokens);
        if (e)
                return e;
        *ret = TAKE_PTR(t);
        return NULL;
}

void template_free(struct template *t)
{
        if (!t)
                return;
        for (struct node *n = t->allocated, *after; n; n = after) {
                after = n->allocated;
                strv_free(n->names);
                free(n->text);
                json_free(n->literal);
                free(n);
        }
        free(t->name);
        free(t->text);
        free(t);
}

void template_node_text(const struct node *n, struct str *out)
{
        switch (n->type) {
        case N_PIPE:
                for (char **v = n->names; v && *v; v++)
                        str_printf(out, "%s%s", v > n->names ? ", " : "", *v);
                if (n->names)
                        str_add(out, n->assign ? " = " : " := ");
                for (const struct node *c = n->first; c; c = c->next) {
                        str_add(out, c == n->first ? "" : " | ");
                        template_node_text(c, out);
                }
                break;
        case N_COMMAND:
                for (const struct node *w = n->first; w; w = w->next) {
                        str_add(out, w == n->first ? "" : " ");
                        str_add(out, w->type == N_PIPE ? "(" : "");
                        template_node_text(w, out);
                        str_add(out, w->type == N_PIPE ? ")" : "");
                }
                break;
        case N_CHAIN:
                str_add(out, n->first->type == N_PIPE ? "(" : "");
                template_node_text(n->first, out);
                str_add(out, n->first->type == N_PIPE ? ")" : "");
                for (char **v = n->names; *v; v++)
                        str_printf(out, ".%s", *v);
                break;
        case N_FIELD:
                for (char **v = n->names; *v; v++)
                        str_printf(out, ".%s", *v);
                break;
        case N_VARIABLE:
                for (char **v = n->names; *v; v++)
                        str_printf(out, "%s%s", v > n->names ? "." : "", *v);
                break;
        case N_DOT:
                str_add(out, ".");
                break;
        case N_NIL:
                str_add(out, "nil");
                break;
        default:
                str_add(out, n->text ? n->text : "");
        }
}
