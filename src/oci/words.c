/* words.c - see words.h. */
#include "oci/words.h"

#include <string.h>

struct expansion {
        words_lookup_fn *lookup;
        void *arg;
        struct str out;
        unsigned depth;
};

#define DEPTH_MAX 8

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_char(char c)
{
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static err *expand(struct expansion *x, const char *s, const char *end);

/* After "${": up to the matching brace. */
static err *expand_braced(struct expansion *x, const char *s, const char *end, const char **ret)
{
        const char *name = s, *word, *value, *close;
        unsigned open = 1;
        size_t n;

        while (s < end && is_name_char(*s))
                s++;
        n = (size_t)(s - name);
        for (close = s; close < end; close++) {
                if (*close == '\\' && close + 1 < end)
                        close++;
                else if (*close == '{' && close > name && close[-1] == '$')
                        open++;
                else if (*close == '}' && --open == 0)
                        break;
        }
        if (close >= end || !n)
                return err_new(ERR_INVALID, "bad substitution: ${%.*s", (int)(end - name), name);
        value = x->lookup(name, n, x->arg);
        *ret = close + 1;
        if (s == close) {
                str_add(&x->out, value ? value : "");
                return NULL;
        }
        if (*s != ':' || (s[1] != '-' && s[1] != '+'))
                return err_new(ERR_INVALID, "unsupported modifier in substitution: ${%.*s}", (int)(close - name), name);
        word = s + 2;
        if (s[1] == '-' && !str_empty(value)) {
                str_add(&x->out, value);
                return NULL;
        }
        if (s[1] == '+' && str_empty(value))
                return NULL;
        return expand(x, word, close);
}

/* After "$". */
static err *expand_dollar(struct expansion *x, const char *s, const char *end, const char **ret)
{
        const char *name = s, *value;

        if (s < end && *s == '{')
                return expand_braced(x, s + 1, end, ret);
        while (s < end && is_name_char(*s))
                s++;
        *ret = s;
        if (s == name) {
                str_add_char(&x->out, '$');
                return NULL;
        }
        value = x->lookup(name, (size_t)(s - name), x->arg);
        str_add(&x->out, value ? value : "");
        return NULL;
}

static err *expand(struct expansion *x, const char *s, const char *end)
{
        char quote = 0;

        if (++x->depth > DEPTH_MAX)
                return err_new(ERR_INVALID, "substitutions are nested too deeply");
        while (s < end) {
                char c = *s++;

                if (quote == '\'') {
                        if (c == '\'')
                                quote = 0;
                        else
                                str_add_char(&x->out, c);
                } else if (c == quote && quote) {
                        quote = 0;
                } else if (!quote && (c == '\'' || c == '"')) {
                        quote = c;
                } else if (c == '\\' && s < end) {
                        /* Within double quotes only what is special there is escaped. */
                        if (quote && *s != '"' && *s != '$' && *s != '\\')
                                str_add_char(&x->out, c);
                        str_add_char(&x->out, *s++);
                } else if (c == '$') {
                        TRY(expand_dollar(x, s, end, &s));
                } else {
                        str_add_char(&x->out, c);
                }
        }
        x->depth--;
        return quote ? err_new(ERR_INVALID, "unexpected end of statement while looking for matching %s-quote",
                               quote == '"' ? "double" : "single")
                     : NULL;
}

err *words_expand(const char *word, words_lookup_fn *lookup, void *arg, char **ret)
{
        struct expansion x = {.lookup = lookup, .arg = arg};
        err *e = expand(&x, word, word + strlen(word));

        if (!e)
                e = str_take(&x.out, ret);
        str_free(&x.out);
        return e;
}

/* End of the word that begins at @s. */
static const char *word_end(const char *s)
{
        char quote = 0;

        for (; *s && (quote || !is_blank(*s)); s++) {
                if (*s == '\\' && quote != '\'' && s[1])
                        s++;
                else if (quote && *s == quote)
                        quote = 0;
                else if (!quote && (*s == '\'' || *s == '"'))
                        quote = *s;
        }
        return s;
}

err *words_split(const char *text, char ***ret)
{
        _cleanup_strv_ char **list = MEM_NEW0(char *, 1);

        if (!list)
                return err_nomem();
        for (;;) {
                const char *end;

                while (is_blank(*text))
                        text++;
                if (!*text)
                        break;
                end = word_end(text);
                TRY(strv_push(&list, strndup(text, (size_t)(end - text))));
                text = end;
        }
        *ret = TAKE_PTR(list);
        return NULL;
}
