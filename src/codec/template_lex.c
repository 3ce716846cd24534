/* template_lex.c - template text to tokens, as Go's text/template/parse/lex.go does it, its messages included. */
#include "codec/template_node.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct lexer {
        const char *text, *at, *end;
        unsigned line;
        unsigned parens;
        struct token_list *out;
        bool nomem, failed;
};

static bool is_space(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes of multi-byte characters count as letters: names in them are possible in Go too. */
static bool is_word(char c)
{
        return c == '_' || isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool at(const struct lexer *l, const char *what)
{
        size_t n = strlen(what);

        return (size_t)(l->end - l->at) >= n && memcmp(l->at, what, n) == 0;
}

/* "}}", or " -}}" with *@trim set. */
static bool at_right(const struct lexer *l, bool *trim)
{
        *trim = l->end - l->at >= 4 && is_space(*l->at) && memcmp(l->at + 1, "-}}", 3) == 0;
        return *trim || at(l, "}}");
}

static void emit(struct lexer *l, enum token_type type, const char *from, size_t size, unsigned line)
{
        struct token_list *o = l->out;

        if (mem_grow(&o->tokens, o->n, sizeof(*o->tokens)) < 0) {
                l->nomem = l->failed = true;
                return;
        }
        o->tokens[o->n++] = (struct token){type, (unsigned)(from - l->text), line, from, size};
}

static void fail(struct lexer *l, const char *from, unsigned line, const char *fmt, ...) PRINTF(4, 5);
static void fail(struct lexer *l, const char *from, unsigned line, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(l->out->message, sizeof(l->out->message), fmt, ap);
        va_end(ap);
        emit(l, T_ERROR, from, 0, line);
        if (!l->nomem) {
                struct token *t = &l->out->tokens[l->out->n - 1];

                t->text = l->out->message;
                t->size = strlen(t->text);
        }
        l->failed = true;
}

static void fail_char(struct lexer *l, const char *from, const char *what, unsigned char c)
{
        if (c < 0x20 || c == 0x7f)
                fail(l, from, l->line, "%s U+%04X", what, c);
        else
                fail(l, from, l->line, "%s U+%04X '%c'", what, c, c);
}

static void step(struct lexer *l, size_t n)
{
        for (; n; n--)
                if (*l->at++ == '\n')
                        l->line++;
}

static bool at_terminator(const struct lexer *l)
{
        return l->at == l->end || is_space(*l->at) || strchr(".,|:()", *l->at) || at(l, "}}");
}

static void lex_field_or_variable(struct lexer *l, enum token_type type)
{
        const char *from = l->at++;

        if (at_terminator(l)) {
                emit(l, type == T_VARIABLE ? T_VARIABLE : T_DOT, from, 1, l->line);
                return;
        }
        while (l->at < l->end && is_word(*l->at))
                l->at++;
        if (at_terminator(l))
                emit(l, type, from, (size_t)(l->at - from), l->line);
        else
                fail_char(l, from, "bad character", (unsigned char)*l->at);
}

static void lex_word(struct lexer *l)
{
        static const struct {
                const char *word;
                enum token_type type;
        } words[] = {{"true", T_BOOL},
                     {"false", T_BOOL},
                     {"nil", T_NIL},
                     {"if", T_IF},
                     {"else", T_ELSE},
                     {"end", T_END},
                     {"range", T_RANGE},
                     {"with", T_WITH},
                     {"break", T_BREAK},
                     {"continue", T_CONTINUE},
                     {"define", T_UNSUPPORTED},
                     {"block", T_UNSUPPORTED},
                     {"template", T_UNSUPPORTED}};
        const char *from = l->at;
        enum token_type type = T_IDENTIFIER;
        size_t n;

        while (l->at < l->end && is_word(*l->at))
                l->at++;
        n = (size_t)(l->at - from);
        if (!at_terminator(l)) {
                fail_char(l, from, "bad character", (unsigned char)*l->at);
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strlen(words[i].word) == n && memcmp(words[i].word, from, n) == 0)
                        type = words[i].type;
        emit(l, type, from, n, l->line);
}

static void skip_set(struct lexer *l, const char *set)
{
        while (l->at < l->end && *l->at && strchr(set, *l->at))
                l->at++;
}

/* "0x", "0o", "0b": skipped; the digits that may follow. */
static const char *number_base(struct lexer *l)
{
        char c = l->at + 1 < l->end && *l->at == '0' ? (char)(l->at[1] | 0x20) : '\0';

        if (c != 'x' && c != 'o' && c != 'b')
                return "0123456789_";
        l->at += 2;
        return c == 'x' ? "0123456789abcdefABCDEF_" : c == 'o' ? "01234567_" : "01_";
}

/* As loose as Go's: what it finds is judged when it is converted. */
static void lex_number(struct lexer *l)
{
        const char *from = l->at, *digits;

        if (*l->at == '+' || *l->at == '-')
                l->at++;
        digits = number_base(l);
        skip_set(l, digits);
        if (at(l, ".")) {
                l->at++;
                skip_set(l, digits);
        }
        if (strlen(digits) == 11 && (at(l, "e") || at(l, "E"))) {
                l->at++;
                if (at(l, "+") || at(l, "-"))
                        l->at++;
                skip_set(l, "0123456789");
        }
        if (l->at == l->end || !is_word(*l->at)) {
                emit(l, T_NUMBER, from, (size_t)(l->at - from), l->line);
                return;
        }
        l->at++;
        fail(l, from, l->line, "bad number syntax: \"%.*s\"", (int)(l->at - from < 60 ? l->at - from : 60), from);
}

/* "...", '...' with backslashes; neither contains a newline. */
static void lex_quoted(struct lexer *l, enum token_type type, const char *problem)
{
        const char *from = l->at;
        char quote = *l->at++;

        for (; l->at < l->end && *l->at != '\n'; l->at++) {
                if (*l->at == quote) {
                        l->at++;
                        emit(l, type, from, (size_t)(l->at - from), l->line);
                        return;
                }
                if (*l->at == '\\' && l->at + 1 < l->end && l->at[1] != '\n')
                        l->at++;
        }
        fail(l, from, l->line, "%s", problem);
}

static void lex_raw(struct lexer *l)
{
        const char *from = l->at, *close = memchr(from + 1, '`', (size_t)(l->end - from - 1));
        unsigned line = l->line;

        if (!close) {
                fail(l, from, line, "unterminated raw quoted string");
                return;
        }
        step(l, (size_t)(close + 1 - from));
        emit(l, T_RAW_STRING, from, (size_t)(l->at - from), line);
}

static void lex_space(struct lexer *l)
{
        const char *from = l->at;
        unsigned line = l->line;
        bool trim;

        while (l->at < l->end && is_space(*l->at) && !(at_right(l, &trim) && trim))
                step(l, 1);
        if (l->at > from)
                emit(l, T_SPACE, from, (size_t)(l->at - from), line);
}

static void single(struct lexer *l, enum token_type type)
{
        emit(l, type, l->at, 1, l->line);
        l->at++;
}

static void lex_declare(struct lexer *l, char next)
{
        if (next != '=') {
                fail(l, l->at, l->line, "expected :=");
                return;
        }
        emit(l, T_DECLARE, l->at, 2, l->line);
        l->at += 2;
}

static void lex_paren(struct lexer *l)
{
        bool left = *l->at == '(';

        if (!left && !l->parens) {
                fail(l, l->at, l->line, "unexpected right paren");
                return;
        }
        l->parens = left ? l->parens + 1 : l->parens - 1;
        single(l, left ? T_LEFT_PAREN : T_RIGHT_PAREN);
}

static void lex_other(struct lexer *l)
{
        char c = *l->at;

        if (is_word(c))
                lex_word(l);
        else if (c >= 0x20 && c < 0x7f)
                single(l, T_CHAR);
        else
                fail_char(l, l->at, "unrecognized character in action:", (unsigned char)c);
}

/* One token inside an action, not at its end. */
static void lex_inside(struct lexer *l)
{
        char c = *l->at, next = l->at + 1 < l->end ? l->at[1] : '\0';

        switch (c) {
        case ' ':
        case '\t':
        case '\r':
        case '\n':
                lex_space(l);
                break;
        case '=':
                single(l, T_ASSIGN);
                break;
        case '|':
                single(l, T_PIPE);
                break;
        case ':':
                lex_declare(l, next);
                break;
        case '"':
                lex_quoted(l, T_STRING, "unterminated quoted string");
                break;
        case '\'':
                lex_quoted(l, T_CHAR_CONSTANT, "unterminated character constant");
                break;
        case '`':
                lex_raw(l);
                break;
        case '$':
                lex_field_or_variable(l, T_VARIABLE);
                break;
        case '.':
                if (isdigit((unsigned char)next))
                        lex_number(l);
                else
                        lex_field_or_variable(l, T_FIELD);
                break;
        case '+':
        case '-':
        case '0' ... '9':
                lex_number(l);
                break;
        case '(':
        case ')':
                lex_paren(l);
                break;
        default:
                lex_other(l);
        }
}

/* The end of an action or comment, and the space behind it that it trims. */
static void lex_right(struct lexer *l, bool comment)
{
        bool trim;

        (void)at_right(l, &trim);
        if (trim)
                step(l, 2);
        if (!comment)
                emit(l, T_RIGHT, l->at, 2, l->line);
        l->at += 2;
        while (trim && l->at < l->end && is_space(*l->at))
                step(l, 1);
}

static void lex_comment(struct lexer *l, const char *from)
{
        unsigned line = l->line;
        const char *close = memmem(l->at, (size_t)(l->end - l->at), "*/", 2);
        bool trim;

        if (!close) {
                fail(l, from, line, "unclosed comment");
                return;
        }
        step(l, (size_t)(close + 2 - l->at));
        if (at_right(l, &trim))
                lex_right(l, true);
        else
                fail(l, from, line, "comment ends before closing delimiter");
}

/* An action or comment, at its "{{". */
static void lex_action(struct lexer *l)
{
        const char *from = l->at;
        bool trim;

        l->at += 2;
        if (l->end - l->at >= 2 && *l->at == '-' && is_space(l->at[1]))
                step(l, 2);
        if (at(l, "/*")) {
                lex_comment(l, from);
                return;
        }
        emit(l, T_LEFT, from, 2, l->line);
        l->parens = 0;
        while (!l->failed) {
                if (l->at == l->end) {
                        fail(l, l->at, l->line, "unclosed action");
                } else if (at_right(l, &trim)) {
                        if (l->parens)
                                fail(l, l->at, l->line, "unclosed left paren");
                        else
                                lex_right(l, false);
                        break;
                } else {
                        lex_inside(l);
                }
        }
}

err *template_lex(const char *text, size_t size, struct token_list *ret)
{
        struct lexer l = {.text = text, .at = text, .end = text + size, .line = 1, .out = ret};

        while (!l.failed) {
                const char *from = l.at, *open = memmem(l.at, (size_t)(l.end - l.at), "{{", 2);
                const char *to = open ? open : l.end;
                unsigned line = l.line;

                step(&l, (size_t)(to - from));
                if (open && l.end - open >= 4 && open[2] == '-' && is_space(open[3]))
                        while (to > from && is_space(to[-1]))
                                to--;
                if (to > from)
                        emit(&l, T_TEXT, from, (size_t)(to - from), line);
                if (!open)
                        break;
                lex_action(&l);
        }
        if (!l.failed)
                emit(&l, T_EOF, l.end, 0, l.line);
        return l.nomem ? err_nomem() : NULL;
}

void template_quote(struct str *out, const char *text, size_t size)
{
        static const char from[] = "\a\b\f\n\r\t\v\"\\", to[] = "abfnrtv\"\\";

        str_add_char(out, '"');
        for (size_t i = 0; i < size; i++) {
                const char *found = text[i] ? strchr(from, text[i]) : NULL;

                if (found)
                        str_printf(out, "\\%c", to[found - from]);
                else if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
                        str_printf(out, "\\x%02x", (unsigned char)text[i]);
                else
                        str_add_char(out, text[i]);
        }
        str_add_char(out, '"');
}
