/* parse.c - see parse.h: numbers, booleans, quoting, sets of numbers. */
#include "base/parse.h"

#include <stdio.h>

#include "base/utf8.h"

void parse_quote(struct str *s, const char *text)
{
        str_add_char(s, '"');
        while (*text) {
                const char *start = text;
                uint32_t c = utf8_next(&text);

                if (c == '"' || c == '\\')
                        str_printf(s, "\\%c", (char)c);
                else if (c == '\n')
                        str_add(s, "\\n");
                else if (c == '\t')
                        str_add(s, "\\t");
                else if (c == '\r')
                        str_add(s, "\\r");
                else if (c == UTF8_BROKEN || c < 0x80 ? !utf8_printable(c) : false)
                        str_printf(s, "\\x%02x", (unsigned char)*start);
                else if (!utf8_printable(c))
                        str_printf(s, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
                else
                        str_add_n(s, start, (size_t)(text - start));
        }
        str_add_char(s, '"');
}

/* `strconv.ParseInt: parsing "x": invalid syntax` */
static err *number_error(const char *function, const char *text, const char *why)
{
        _cleanup_str_ struct str quoted = {0};

        parse_quote(&quoted, text);
        TRY(str_done(&quoted));
        return err_new(ERR_INVALID, "strconv.%s: parsing %s: %s", function, str_text(&quoted), why);
}

enum digits { DIGITS_OK, DIGITS_BROKEN, DIGITS_RANGE };

/* Digits of @base to the end of @text. */
static enum digits digits(const char *text, unsigned base, uint64_t *ret)
{
        uint64_t n = 0;
        bool over = false;

        if (!*text)
                return DIGITS_BROKEN;
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;
                unsigned d = c >= '0' && c <= '9'   ? c - '0' + 0u
                             : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                             : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                                    : 99u;

                if (d >= base)
                        return DIGITS_BROKEN;
                over |= __builtin_mul_overflow(n, (uint64_t)base, &n) || __builtin_add_overflow(n, (uint64_t)d, &n);
        }
        if (over)
                return DIGITS_RANGE;
        *ret = n;
        return DIGITS_OK;
}

static bool has_leading_zero(const char *text)
{
        return text[0] == '0' && text[1] != '\0';
}

err *parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
        uint64_t n = 0;
        enum digits d = digits(text, 10, &n);

        if (d == DIGITS_BROKEN || has_leading_zero(text))
                return number_error("ParseUint", text, "invalid syntax");
        if (d == DIGITS_RANGE || n < min || n > max)
                return number_error("ParseUint", text, "value out of range");
        *ret = n;
        return NULL;
}

/* Sign and magnitude to an int64. */
static bool with_sign(bool negative, uint64_t n, int64_t *ret)
{
        if (n > (uint64_t)INT64_MAX + negative)
                return false;
        *ret = negative ? (int64_t)(0 - n) : (int64_t)n;
        return true;
}

err *parse_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
        bool negative = text[0] == '-';
        uint64_t n = 0;
        enum digits d = digits(text + negative, 10, &n);
        int64_t value = 0;

        if (d == DIGITS_BROKEN || has_leading_zero(text + negative))
                return number_error("ParseInt", text, "invalid syntax");
        if (d == DIGITS_RANGE || !with_sign(negative, n, &value) || value < min || value > max)
                return number_error("ParseInt", text, "value out of range");
        *ret = value;
        return NULL;
}

bool parse_u64(const char *text, uint64_t *ret)
{
        return digits(text, 10, ret) == DIGITS_OK;
}

bool parse_i64(const char *text, int64_t *ret)
{
        bool negative = text[0] == '-';
        uint64_t n;

        return digits(text + negative, 10, &n) == DIGITS_OK && with_sign(negative, n, ret);
}

bool parse_hex(const char *text, uint64_t *ret)
{
        return strlen(text) <= 16 && digits(text, 16, ret) == DIGITS_OK;
}

err *parse_mode(const char *text, unsigned *ret)
{
        uint64_t n = 0;
        enum digits d = digits(text, 8, &n);

        if (d == DIGITS_BROKEN)
                return number_error("ParseUint", text, "invalid syntax");
        if (d == DIGITS_RANGE || n > 07777)
                return number_error("ParseUint", text, "value out of range");
        *ret = (unsigned)n;
        return NULL;
}

err *parse_bool(const char *text, bool *ret)
{
        static const char *const words[2][7] = {{"0", "f", "F", "false", "FALSE", "False", NULL},
                                                {"1", "t", "T", "true", "TRUE", "True", NULL}};

        for (int value = 0; value < 2; value++)
                for (const char *const *w = words[value]; *w; w++)
                        if (strcmp(text, *w) == 0) {
                                *ret = value;
                                return NULL;
                        }
        return number_error("ParseBool", text, "invalid syntax");
}

/* ---- cpusets ---- */

#define SET_WORDS (PARSE_CPUSET_MAX / 64)

/* One number of a set at *@p. */
static bool set_number(const char **p, unsigned *ret)
{
        unsigned n = 0;
        const char *s = *p;

        if (*s < '0' || *s > '9')
                return false;
        for (; *s >= '0' && *s <= '9'; s++) {
                n = n * 10 + (unsigned)(*s - '0');
                if (n >= PARSE_CPUSET_MAX)
                        return false;
        }
        *p = s;
        *ret = n;
        return true;
}

static bool set_read(const char *text, uint64_t bits[SET_WORDS])
{
        memset(bits, 0, SET_WORDS * sizeof(bits[0]));
        while (*text) {
                unsigned first, last;

                if (!set_number(&text, &first))
                        return false;
                last = first;
                if (*text == '-') {
                        text++;
                        if (!set_number(&text, &last) || last < first)
                                return false;
                }
                for (unsigned i = first; i <= last; i++)
                        bits[i / 64] |= UINT64_C(1) << i % 64;
                if (!*text)
                        break;
                if (*text++ != ',' || !*text)
                        return false;
        }
        return true;
}

bool parse_cpuset_valid(const char *text)
{
        uint64_t bits[SET_WORDS];

        return set_read(text, bits);
}

bool parse_cpuset_subset(const char *set, const char *available)
{
        uint64_t a[SET_WORDS], b[SET_WORDS], outside = 0;

        if (!set_read(set, a) || !set_read(available, b))
                return false;
        for (unsigned i = 0; i < SET_WORDS; i++)
                outside |= a[i] & ~b[i];
        return outside == 0;
}
