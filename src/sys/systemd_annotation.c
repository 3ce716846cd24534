/* systemd_annotation.c - properties from annotations; see systemd_annotation_parse() in systemd.h. */
#include "base/parse.h"
#include "sys/systemd.h"

#define TEXT_LIMIT 4096
#define LIST_LIMIT 64

/* What an annotation may set. Each concerns the container's own unit: how long it may take, how its end is treated, how
 * it is ordered, described and counted, and upper limits (the specification's own win). Not here: whatever makes
 * systemd run, start, stop or restart something (FailureAction, OnFailure, Wants, Conflicts, ...), moves processes or
 * devices in (PIDs, Slice, DeviceAllow), loads programs (BPFProgram), or takes from others (MemoryMin, CPUWeight). */
static const struct {
        const char *name;
        char type; /* 'b', 'i', 't', 's', or 'l' for a list of unit names */
} allowed[] = {
        {"After", 'l'},
        {"Before", 'l'},
        {"CPUAccounting", 'b'},
        {"CPUQuotaPerSecUSec", 't'},
        {"CPUQuotaPeriodUSec", 't'},
        {"CollectMode", 's'},
        {"DefaultDependencies", 'b'},
        {"Description", 's'},
        {"IOAccounting", 'b'},
        {"IPAccounting", 'b'},
        {"KillSignal", 'i'},
        {"MemoryAccounting", 'b'},
        {"MemoryHigh", 't'},
        {"MemoryMax", 't'},
        {"MemorySwapMax", 't'},
        {"OOMPolicy", 's'},
        {"RuntimeMaxUSec", 't'},
        {"SendSIGHUP", 'b'},
        {"TasksAccounting", 'b'},
        {"TasksMax", 't'},
        {"TimeoutStopUSec", 't'},
};

static char type_of(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
                if (str_eq(allowed[i].name, name))
                        return allowed[i].type;
        return 0;
}

static void blanks(const char **p)
{
        *p += strspn(*p, " \t\n");
}

/* GVariant lets a type stand before a value, as a word or "@" and its letter. One that is not among @types stays, and
 * is no value then. */
static void skip_type(const char **p, const char *const *types)
{
        blanks(p);
        for (; *types; types++) {
                const char *after = str_after(*p, *types);

                if (after && (*after == ' ' || *after == '\t')) {
                        *p = after;
                        blanks(p);
                        return;
                }
        }
}

static bool at_end(const char *p)
{
        blanks(&p);
        return !*p;
}

/* ---- values ---- */

static const char *const number_types[] = {"byte",   "int16",  "uint16", "int32", "uint32", "int64",
                                           "uint64", "double", "@y",     "@n",    "@q",     "@i",
                                           "@u",     "@x",     "@t",     "@d",    NULL};

/* @scale: a million for seconds, with a fraction then; else 1. */
static bool number(const char *p, uint64_t scale, uint64_t *ret)
{
        uint64_t n = 0, unit = scale;

        skip_type(&p, number_types);
        if (*p < '0' || *p > '9')
                return false;
        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
                        return false;
        if (__builtin_mul_overflow(n, scale, &n))
                return false;
        if (*p == '.' && scale > 1)
                for (p++; *p >= '0' && *p <= '9'; p++) {
                        unit /= 10;
                        if (__builtin_add_overflow(n, unit * (uint64_t)(*p - '0'), &n))
                                return false;
                }
        *ret = n;
        return at_end(p);
}

static bool boolean(const char *p, bool *ret)
{
        static const char *const types[] = {"boolean", "@b", NULL};
        const char *after;

        skip_type(&p, types);
        after = str_after(p, "true");
        *ret = after != NULL;
        if (!after)
                after = str_after(p, "false");
        return after && at_end(after);
}

/* A quoted string at *@p, which is moved behind it; control characters do not belong into unit files. */
static bool quoted(const char **p, struct str *ret)
{
        char quote = **p;

        if (quote != '\'' && quote != '"')
                return false;
        for ((*p)++; **p != quote; (*p)++) {
                if (**p == '\\') {
                        (*p)++;
                        if (!strchr("\\'\"", **p))
                                return false;
                }
                if ((unsigned char)**p < ' ' || **p == 0x7f) /* the end, too */
                        return false;
                str_add_char(ret, **p);
        }
        (*p)++;
        return true;
}

static bool string(const char *p, struct str *ret)
{
        static const char *const types[] = {"string", "@s", NULL};

        skip_type(&p, types);
        return quoted(&p, ret) && at_end(p);
}

/* "['a.service', 'b.target']": names of units. */
static err *list(const char *p, char ***ret, bool *ret_ok)
{
        static const char *const types[] = {"@as", NULL};
        size_t n = 0;

        *ret_ok = false;
        skip_type(&p, types);
        if (*p++ != '[')
                return NULL;
        blanks(&p);
        while (*p != ']') {
                _cleanup_str_ struct str s = {0};

                if (n++ == LIST_LIMIT || !quoted(&p, &s) || !systemd_name_ok(str_text(&s), ""))
                        return NULL;
                TRY(strv_add(ret, str_text(&s)));
                blanks(&p);
                if (*p == ',')
                        p++;
                else if (*p != ']')
                        return NULL;
                blanks(&p);
        }
        *ret_ok = at_end(p + 1);
        return NULL;
}

/* ---- one property ---- */

static err *add(const char *name, char type, const char *text, uint64_t scale, struct systemd_props *p)
{
        _cleanup_str_ struct str s = {0};
        _cleanup_strv_ char **names = NULL;
        uint64_t n = 0;
        bool b = false, ok = false;

        if (type == 'b') {
                ok = boolean(text, &b);
                if (ok)
                        systemd_prop_bool(p, name, b);
        } else if (type == 't' || type == 'i') {
                ok = number(text, scale, &n) && (type == 't' || n <= INT32_MAX);
                if (ok && type == 't')
                        systemd_prop_u64(p, name, n);
                else if (ok)
                        systemd_prop_i32(p, name, (int32_t)n);
        } else if (type == 's') {
                ok = string(text, &s);
                TRY(str_done(&s));
                if (ok)
                        systemd_prop_string(p, name, str_text(&s));
        } else {
                TRY(list(text, &names, &ok));
                if (ok)
                        systemd_prop_strings(p, name, names);
        }
        if (!ok)
                return err_new(ERR_INVALID, "annotation org.systemd.property.%s=%.100s value parse error: not %s", name,
                               text,
                               type == 'b'   ? "a boolean"
                               : type == 's' ? "a quoted string"
                               : type == 'l' ? "a list of unit names"
                                             : "a number in range");
        return str_done(&p->body);
}

err *systemd_annotation_parse(const char *name, const char *text, struct systemd_props *p)
{
        _cleanup_free_ char *micro = NULL;
        uint64_t scale = 1;
        char type;

        if (strlen(name) > 100 || strlen(text) > TEXT_LIMIT)
                return err_new(ERR_INVALID, "annotation org.systemd.property.%.100s is too long", name);
        /* Documented in seconds, spoken in microseconds. */
        if (str_ends(name, "Sec") && !str_ends(name, "USec")) {
                micro = str_format("%.*sUSec", (int)(strlen(name) - 3), name);
                if (!micro)
                        return err_nomem();
                scale = 1000000;
                name = micro;
        }
        type = type_of(name);
        if (!type)
                return err_new(ERR_DENIED, "annotation org.systemd.property.%s is not permitted", name);
        return add(name, type, text, scale, p);
}
