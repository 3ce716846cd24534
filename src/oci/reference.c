/* reference.c - see reference.h. Grammar: distribution/reference as observed; every rule is a small scanner here. */
#include "oci/reference.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/image.h"

#define NAME_LIMIT 255
#define TAG_LIMIT 128
#define OFFICIAL "library/"

static bool is_lower_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
        return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool has_upper(const char *s, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (s[i] >= 'A' && s[i] <= 'Z')
                        return true;
        return false;
}

void reference_done(struct reference *r)
{
        free(r->domain);
        free(r->path);
        free(r->tag);
        free(r->digest);
        *r = (struct reference){0};
}

/* [a-z0-9]+ joined by ".", "_", "__" or any number of "-"; components joined by "/". */
static bool path_valid(const char *s)
{
        while (*s) {
                size_t n = 0;

                if (!is_lower_alnum(*s))
                        return false;
                while (is_lower_alnum(*s))
                        s++;
                if (!*s)
                        return true;
                if (*s == '/') {
                        s++;
                        if (!*s)
                                return false;
                        continue;
                }
                if (*s == '-') {
                        s += strspn(s, "-");
                } else if (*s == '_') {
                        n = strspn(s, "_");
                        if (n > 2)
                                return false;
                        s += n;
                } else if (*s == '.') {
                        s++;
                } else {
                        return false;
                }
                if (!is_lower_alnum(*s))
                        return false;
        }
        return false; /* empty */
}

/* One label of a host name. */
static const char *skip_label(const char *s)
{
        const char *last = NULL;

        while (is_alnum(*s) || (last && *s == '-')) {
                last = s;
                s++;
        }
        return last && *last != '-' ? s : NULL;
}

static bool domain_valid(const char *s)
{
        if (*s == '[') {
                size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");

                if (!n || s[n + 1] != ']')
                        return false;
                s += n + 2;
        } else {
                for (;;) {
                        s = skip_label(s);
                        if (!s)
                                return false;
                        if (*s != '.')
                                break;
                        s++;
                }
        }
        if (*s == ':') {
                size_t n = strspn(s + 1, "0123456789");

                if (!n)
                        return false;
                s += n + 1;
        }
        return !*s;
}

static bool tag_valid(const char *s)
{
        size_t n = strlen(s);

        if (!n || n > TAG_LIMIT || !(is_alnum(*s) || *s == '_'))
                return false;
        for (; *s; s++)
                if (!is_alnum(*s) && *s != '_' && *s != '.' && *s != '-')
                        return false;
        return true;
}

static err *invalid(void)
{
        return err_new(ERR_INVALID, "invalid reference format");
}

/* Length of the domain part of @text including the slash, 0 if there is none. */
static size_t domain_length(const char *text)
{
        const char *slash = strchr(text, '/');
        size_t n = slash ? (size_t)(slash - text) : 0;

        if (!slash)
                return 0;
        if (memchr(text, '.', n) || memchr(text, ':', n) || has_upper(text, n) ||
            (n == 9 && memcmp(text, "localhost", 9) == 0))
                return n + 1;
        return 0;
}

static err *split_digest(char *rest, struct reference *r)
{
        char *at = strchr(rest, '@');

        if (!at)
                return NULL;
        if (!oci_image_digest_valid(at + 1))
                return invalid();
        r->digest = str_dup(at + 1);
        *at = '\0';
        return r->digest ? NULL : err_nomem();
}

static err *split_tag(char *rest, bool default_tag, struct reference *r)
{
        char *colon = strchr(rest, ':');
        const char *tag = NULL;

        if (colon) {
                *colon = '\0';
                tag = colon + 1;
                if (!tag_valid(tag))
                        return invalid();
        } else if (default_tag && !r->digest) {
                tag = "latest";
        }
        r->tag = str_dup(tag);
        return tag && !r->tag ? err_nomem() : NULL;
}

static err *check_case(const char *domain, const char *rest)
{
        size_t n = strcspn(rest, ":@");
        bool official = strcmp(domain, DOCKER_IO) == 0 && !memchr(rest, '/', n);

        if (has_upper(rest, n))
                return err_new(ERR_INVALID, "invalid reference format: repository name (%s%.*s) must be lowercase",
                               official ? OFFICIAL : "", (int)n, rest);
        return NULL;
}

static bool is_id(const char *text)
{
        return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

err *reference_parse(const char *text, bool default_tag, struct reference *ret)
{
        _cleanup_reference_ struct reference r = {0};
        size_t n = domain_length(text);
        _cleanup_free_ char *rest = str_dup(text + n);
        bool official;

        if (is_id(text))
                return err_new(ERR_INVALID, "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
                               text);
        r.domain = n ? strndup(text, n - 1) : str_dup(DOCKER_IO);
        if (!rest || !r.domain)
                return err_nomem();
        if (strcmp(r.domain, DOCKER_IO_INDEX) == 0) {
                free(r.domain);
                r.domain = str_dup(DOCKER_IO);
                if (!r.domain)
                        return err_nomem();
        }
        TRY(check_case(r.domain, rest));
        TRY(split_digest(rest, &r));
        TRY(split_tag(rest, default_tag, &r));
        if (!path_valid(rest) || !domain_valid(r.domain))
                return invalid();
        official = strcmp(r.domain, DOCKER_IO) == 0 && !strchr(rest, '/');
        r.path = str_format("%s%s", official ? OFFICIAL : "", rest);
        if (!r.path)
                return err_nomem();
        if (strlen(r.domain) + 1 + strlen(r.path) > NAME_LIMIT)
                return err_new(ERR_INVALID, "repository name must not be more than %d characters", NAME_LIMIT);
        *ret = r;
        r = (struct reference){0};
        return NULL;
}

/* How the path is written without its domain: what reads back as the same name. NULL: the domain must be there. */
static const char *familiar_path(const struct reference *r)
{
        const char *official = str_after(r->path, OFFICIAL);

        if (strcmp(r->domain, DOCKER_IO) != 0 || domain_length(r->path))
                return NULL;
        return official && !strchr(official, '/') ? official : r->path;
}

static err *print(const struct reference *r, bool short_form, bool whole, char **ret)
{
        _cleanup_str_ struct str s = {0};
        const char *path = short_form ? familiar_path(r) : NULL;

        if (!path)
                str_printf(&s, "%s/", r->domain);
        str_add(&s, path ? path : r->path);
        if (whole && r->tag)
                str_printf(&s, ":%s", r->tag);
        if (whole && r->digest)
                str_printf(&s, "@%s", r->digest);
        return str_take(&s, ret);
}

err *reference_full(const struct reference *r, char **ret)
{
        return print(r, false, true, ret);
}

err *reference_familiar(const struct reference *r, char **ret)
{
        return print(r, true, true, ret);
}

err *reference_repository(const struct reference *r, char **ret)
{
        return print(r, true, false, ret);
}

/* ---- patterns ---- */

static const char *class_char(const char *p, char *ret)
{
        if (*p == '-' || *p == ']')
                return NULL;
        if (*p == '\\')
                p++;
        *ret = *p;
        return *p ? p + 1 : NULL;
}

/* Is @c in the class that begins at @p, behind the bracket? Gives what follows the class, NULL: it is none. */
static const char *match_class(const char *p, char c, bool *ret)
{
        bool negated = *p == '^', found = false;

        if (negated)
                p++;
        for (bool any = false; *p != ']' || !any; any = true) {
                char low, high;

                p = class_char(p, &low);
                if (!p)
                        return NULL;
                high = low;
                if (*p == '-')
                        p = class_char(p + 1, &high);
                if (!p)
                        return NULL;
                found = found || (low <= c && c <= high);
        }
        *ret = found != negated;
        return p + 1;
}

static bool pattern_valid(const char *p)
{
        bool ignored;

        while (p && *p) {
                if (*p == '[') {
                        p = match_class(p + 1, 'x', &ignored);
                        continue;
                }
                if (*p == '\\' && !*++p)
                        return false;
                p++;
        }
        return p != NULL;
}

/* One character of a valid pattern against @c; gives what follows in the pattern, NULL: it does not match. */
static const char *match_one(const char *p, char c)
{
        bool yes = false;

        if (*p == '[') {
                p = match_class(p + 1, c, &yes);
                return yes ? p : NULL;
        }
        if (*p == '?')
                return c != '/' ? p + 1 : NULL;
        if (*p == '\\')
                p++;
        return *p && *p == c ? p + 1 : NULL;
}

/* On a mismatch the last star takes one character more; what earlier ones took is never too little. */
static bool pattern_matches(const char *p, const char *text)
{
        const char *star = NULL, *taken = NULL;

        for (;;) {
                const char *next;

                if (*p == '*') {
                        star = ++p;
                        taken = text;
                        continue;
                }
                if (!*text && !*p)
                        return true;
                next = *text ? match_one(p, *text) : NULL;
                if (next) {
                        p = next;
                        text++;
                } else if (star && *taken && *taken != '/') {
                        p = star;
                        text = ++taken;
                } else {
                        return false;
                }
        }
}

err *reference_matches(const struct reference *r, const char *pattern, bool *ret)
{
        _cleanup_free_ char *whole = NULL, *repository = NULL;

        if (!pattern_valid(pattern))
                return err_new(ERR_INVALID, "syntax error in pattern");
        TRY(reference_familiar(r, &whole));
        TRY(reference_repository(r, &repository));
        *ret = pattern_matches(pattern, whole) || pattern_matches(pattern, repository);
        return NULL;
}
