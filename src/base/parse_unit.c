/* parse_unit.c - see parse.h: sizes, durations, CPUs, and back to text. */
#include "base/parse.h"

#include <stdio.h>

/* A decimal "12.5" taken apart exactly: whole + fraction / scale, at most 18 digits of fraction. */
struct decimal {
        uint64_t whole, fraction, scale;
        bool lost; /* further digits of the fraction that are not zero */
};

enum decimal_result { DECIMAL_OK, DECIMAL_BROKEN, DECIMAL_RANGE };

/* Read @size bytes of digits with at most one point and at least one digit. */
static enum decimal_result decimal_read(const char *text, size_t size, struct decimal *ret)
{
        struct decimal d = {.scale = 1};
        bool point = false, digit = false, over = false;

        for (size_t i = 0; i < size; i++) {
                unsigned n = (unsigned)(unsigned char)text[i] - '0';

                if (text[i] == '.' && !point) {
                        point = true;
                        continue;
                }
                if (n > 9)
                        return DECIMAL_BROKEN;
                digit = true;
                if (!point) {
                        over |= __builtin_mul_overflow(d.whole, 10u, &d.whole) ||
                                __builtin_add_overflow(d.whole, n, &d.whole);
                } else if (d.scale < UINT64_C(1000000000000000000)) {
                        d.fraction = d.fraction * 10 + n;
                        d.scale *= 10;
                } else {
                        d.lost |= n != 0;
                }
        }
        if (!digit)
                return DECIMAL_BROKEN;
        *ret = d;
        return over ? DECIMAL_RANGE : DECIMAL_OK;
}

/* d * unit, cut to an integer; false when it exceeds @max. */
static bool decimal_times(const struct decimal *d, uint64_t unit, uint64_t max, uint64_t *ret)
{
        unsigned __int128 n = (unsigned __int128)d->whole * unit + (unsigned __int128)d->fraction * unit / d->scale;

        if (n > max)
                return false;
        *ret = (uint64_t)n;
        return true;
}

static err *float_error(const char *text, size_t size)
{
        _cleanup_str_ struct str number = {0}, quoted = {0};

        str_add_n(&number, text, size);
        TRY(str_done(&number));
        parse_quote(&quoted, str_text(&number));
        TRY(str_done(&quoted));
        return err_new(ERR_INVALID, "strconv.ParseFloat: parsing %s: invalid syntax", str_text(&quoted));
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* "", "b", "k", "kb", "kib", ...; 0 if it is none of them. */
static uint64_t size_unit(const char *suffix)
{
        static const char letters[] = "kmgtp";
        char first = lower(suffix[0]), second = first ? lower(suffix[1]) : '\0';
        const char *letter;

        if (!first || (first == 'b' && !second))
                return 1;
        letter = strchr(letters, first);
        if (!letter)
                return 0;
        if (second && !(second == 'b' && !suffix[2]) && !(second == 'i' && lower(suffix[2]) == 'b' && !suffix[3]))
                return 0;
        return UINT64_C(1) << 10 * (letter - letters + 1);
}

err *parse_size(const char *text, int64_t *ret)
{
        size_t number = strlen(text), skip;
        enum decimal_result r;
        struct decimal d;
        uint64_t unit, n;

        /* The number reaches to the last digit, point or blank, as in docker. */
        while (number && !strchr("0123456789. ", text[number - 1]))
                number--;
        if (!number)
                return err_new(ERR_INVALID, "invalid size: '%s'", text);
        skip = text[number - 1] == ' ';
        r = decimal_read(text + (text[0] == '-'), number - skip - (text[0] == '-' && number > skip), &d);
        if (r == DECIMAL_BROKEN)
                return float_error(text, number - skip);
        if (text[0] == '-')
                return err_new(ERR_INVALID, "invalid size: '%s'", text);
        unit = size_unit(text + number);
        if (!unit)
                return err_new(ERR_INVALID, "invalid suffix: '%s'", text + number);
        if (r == DECIMAL_RANGE || !decimal_times(&d, unit, INT64_MAX, &n))
                return err_new(ERR_INVALID, "invalid size: '%s': value out of range", text);
        *ret = (int64_t)n;
        return NULL;
}

err *parse_size_unlimited(const char *text, int64_t *ret)
{
        if (strcmp(text, "-1") == 0) {
                *ret = -1;
                return NULL;
        }
        return parse_size(text, ret);
}

/* ---- durations ---- */

static const struct {
        const char *name;
        uint64_t ns;
} duration_units[] = {
        {"ns", 1},       {"us", 1000},      {"\302\265s", 1000}, {"\316\274s", 1000},
        {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
};

static uint64_t duration_unit(const char *text, size_t size)
{
        for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++)
                if (strlen(duration_units[i].name) == size && memcmp(duration_units[i].name, text, size) == 0)
                        return duration_units[i].ns;
        return 0;
}

static err *duration_error(const char *what, const char *part, size_t size, const char *text)
{
        _cleanup_str_ struct str number = {0}, quoted = {0};

        parse_quote(&quoted, text);
        TRY(str_done(&quoted));
        if (!part)
                return err_new(ERR_INVALID, "time: %s %s", what, str_text(&quoted));
        str_add_n(&number, part, size);
        TRY(str_done(&number));
        str_free(&quoted);
        parse_quote(&quoted, str_text(&number));
        str_add(&quoted, " in duration ");
        parse_quote(&quoted, text);
        TRY(str_done(&quoted));
        return err_new(ERR_INVALID, "time: %s %s", what, str_text(&quoted));
}

err *parse_duration(const char *text, int64_t *ret)
{
        bool negative = text[0] == '-';
        const char *p = text + negative;
        uint64_t total = 0, max = (uint64_t)INT64_MAX + negative;

        if (strcmp(p, "0") == 0) {
                *ret = 0;
                return NULL;
        }
        if (!*p)
                return duration_error("invalid duration", NULL, 0, text);
        while (*p) {
                size_t number = strspn(p, "0123456789."), word = strcspn(p + number, "0123456789.");
                struct decimal d;
                uint64_t unit, n;

                if (!number || decimal_read(p, number, &d) != DECIMAL_OK)
                        return duration_error("invalid duration", NULL, 0, text);
                if (!word)
                        return duration_error("missing unit in duration", NULL, 0, text);
                unit = duration_unit(p + number, word);
                if (!unit)
                        return duration_error("unknown unit", p + number, word, text);
                if (!decimal_times(&d, unit, max - total, &n))
                        return duration_error("invalid duration", NULL, 0, text);
                total += n;
                p += number + word;
        }
        *ret = negative ? (int64_t)(0 - total) : (int64_t)total;
        return NULL;
}

/* ---- CPUs ---- */

err *parse_cpus(const char *text, int64_t *ret)
{
        bool negative = text[0] == '-', too_precise = false;
        const char *p = text + negative, *slash = strchrnul(p, '/');
        struct decimal over = {.whole = 1, .scale = 1}, d;
        enum decimal_result r = decimal_read(p, (size_t)(slash - p), &d);
        unsigned __int128 n;

        if (r == DECIMAL_OK && *slash) {
                r = decimal_read(slash + 1, strlen(slash + 1), &over);
                if (over.scale != 1 || d.scale != 1 || !over.whole)
                        r = DECIMAL_BROKEN;
        }
        if (r == DECIMAL_BROKEN)
                return err_new(ERR_INVALID, "failed to parse %s as a rational number", text);
        n = (unsigned __int128)d.whole * 1000000000u + (unsigned __int128)d.fraction * 1000000000u / d.scale;
        too_precise = d.lost || (unsigned __int128)d.fraction * 1000000000u % d.scale || n % over.whole;
        n /= over.whole;
        if (r == DECIMAL_RANGE || n > INT64_MAX)
                return err_new(ERR_INVALID, "%s is too many CPUs", text);
        if (too_precise)
                return err_new(ERR_INVALID, "value is too precise");
        *ret = negative ? -(int64_t)n : (int64_t)n;
        return NULL;
}

/* ---- sizes to text ---- */

static void size_format(double n, double base, const char *const *units, size_t count, int digits, char *buf,
                        size_t size)
{
        char text[40];
        size_t i = 0;

        for (;;) {
                while (n >= base && i + 1 < count) {
                        n /= base;
                        i++;
                }
                (void)snprintf(text, sizeof(text), "%.*g", digits, n);
                /* Rounding reached the next unit ("1e+03kB" in docker). */
                if (!strchr(text, 'e') || i + 1 >= count)
                        break;
                n = base;
        }
        (void)snprintf(buf, size, "%s%s", text, units[i]);
}

void parse_size_format_digits(uint64_t bytes, int digits, char *buf, size_t size)
{
        static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

        size_format((double)bytes, 1000, units, ARRAY_SIZE(units), digits, buf, size);
}

void parse_size_format(uint64_t bytes, char *buf, size_t size)
{
        parse_size_format_digits(bytes, 3, buf, size);
}

void parse_size_format_binary(uint64_t bytes, char *buf, size_t size)
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

        size_format((double)bytes, 1024, units, ARRAY_SIZE(units), 4, buf, size);
}
