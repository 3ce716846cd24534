/* template_literal.c - what Go's literals mean: strings with escapes, characters, integers. */
#include <string.h>

#include "codec/template_node.h"

static void put_rune(struct str *s, uint32_t c)
{
        if (c < 0x80) {
                str_add_char(s, (char)c);
                return;
        }
        if (c >= 0x10000) {
                str_add_char(s, (char)(0xf0 | c >> 18));
                str_add_char(s, (char)(0x80 | (c >> 12 & 0x3f)));
        } else if (c >= 0x800) {
                str_add_char(s, (char)(0xe0 | c >> 12));
        }
        if (c >= 0x800)
                str_add_char(s, (char)(0x80 | (c >> 6 & 0x3f)));
        else
                str_add_char(s, (char)(0xc0 | c >> 6));
        str_add_char(s, (char)(0x80 | (c & 0x3f)));
}

/* @digits digits of @base at *@at; -1 when there are fewer. */
static int64_t digits_of(const char **at, const char *end, unsigned base, unsigned digits)
{
        int64_t n = 0;

        for (; digits; digits--, (*at)++) {
                char c = *at < end ? **at : '\0';
                int d = c >= '0' && c <= '9'                     ? c - '0'
                        : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                                 : 99;

                if (d >= (int)base)
                        return -1;
                n = n * base + d;
        }
        return n;
}

/* One escape of Go's, behind the backslash. */
static bool unescape(const char **at, const char *end, char quote, struct str *out)
{
        static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
        char c = *at < end ? *(*at)++ : '\0';
        const char *found = c ? strchr(from, c) : NULL;
        int64_t n;

        if (found || c == quote) {
                str_add_char(out, found ? to[found - from] : quote);
                return true;
        }
        if (c == 'u' || c == 'U') {
                n = digits_of(at, end, 16, c == 'u' ? 4 : 8);
                if (n < 0 || n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff))
                        return false;
                put_rune(out, (uint32_t)n);
                return true;
        }
        if (c == 'x') {
                n = digits_of(at, end, 16, 2);
        } else {
                (*at)--;
                n = digits_of(at, end, 8, 3);
        }
        if (n < 0 || n > 255)
                return false;
        str_add_char(out, (char)n);
        return true;
}

bool template_literal_text(const struct token *t, struct str *out)
{
        const char *at = t->text + 1, *end = t->text + t->size - 1;

        str_add(out, "");
        if (t->type == T_RAW_STRING) {
                for (; at < end; at++)
                        if (*at != '\r')
                                str_add_char(out, *at);
                return true;
        }
        while (at < end) {
                if (*at != '\\') {
                        str_add_char(out, *at++);
                        continue;
                }
                at++;
                if (!unescape(&at, end, t->text[0], out))
                        return false;
        }
        return true;
}

bool template_literal_rune(const char *data, size_t size, bool escaped, uint32_t *ret)
{
        uint32_t c = size ? (unsigned char)data[0] : 0;
        size_t n = c < 0xc0 || (size == 1 && escaped) ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

        if (size != n)
                return false;
        if (n > 1)
                c &= 0x7fu >> n;
        for (size_t i = 1; i < n; i++)
                c = c << 6 | ((unsigned char)data[i] & 0x3f);
        *ret = c;
        return true;
}

bool template_literal_integer(const char *s, int64_t *ret, bool *overflow)
{
        bool negative = *s == '-';
        unsigned base = 10;
        uint64_t n = 0;

        s += *s == '-' || *s == '+';
        if (s[0] == '0' && s[1]) {
                base = (s[1] | 0x20) == 'x' ? 16 : (s[1] | 0x20) == 'b' ? 2 : 8;
                s += base == 8 && (s[1] | 0x20) != 'o' ? 1 : 2;
        }
        if (!*s)
                return false;
        for (; *s; s++) {
                const char *one = s;
                int64_t d = digits_of(&one, s + 1, base, 1);

                if (*s == '_')
                        continue;
                if (d < 0)
                        return false;
                *overflow |= __builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, (uint64_t)d, &n);
        }
        *overflow |= n > (uint64_t)INT64_MAX + negative;
        *ret = negative ? (int64_t)(0 - n) : (int64_t)n;
        return true;
}
