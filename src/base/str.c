/* str.c - see str.h. */
#include "base/str.h"

#include <stdio.h>

void str_free(struct str *s)
{
        free(s->data);
        *s = (struct str){0};
}

static bool str_room(struct str *s, size_t more)
{
        size_t want = s->len + more + 1, cap = s->cap ? s->cap : 64;
        char *p;

        if (s->failed || more > (size_t)-1 / 4) {
                s->failed = true;
                return false;
        }
        if (want <= s->cap)
                return true;
        while (cap < want)
                cap *= 2;
        p = realloc(s->data, cap);
        if (!p) {
                s->failed = true;
                return false;
        }
        s->data = p;
        s->cap = cap;
        return true;
}

void str_add_n(struct str *s, const char *data, size_t n)
{
        if (!str_room(s, n))
                return;
        if (n)
                memcpy(s->data + s->len, data, n);
        s->len += n;
        s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text)
{
        str_add_n(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
        str_add_n(s, &c, 1);
}

void str_vprintf(struct str *s, const char *fmt, va_list ap)
{
        size_t room = s->cap - s->len;
        va_list again;
        int n;

        va_copy(again, ap);
        n = vsnprintf(room ? s->data + s->len : NULL, room, fmt, again);
        va_end(again);
        if (n >= 0 && (size_t)n >= room) { /* not yet */
                if (room)
                        s->data[s->len] = '\0';
                if (!str_room(s, (size_t)n))
                        return;
                (void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
        }
        if (n < 0)
                s->failed = true;
        else
                s->len += (size_t)n;
}

void str_printf(struct str *s, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        str_vprintf(s, fmt, ap);
        va_end(ap);
}

err *str_done(const struct str *s)
{
        return s->failed ? err_nomem() : NULL;
}

err *str_take(struct str *s, char **ret)
{
        str_add_n(s, "", 0);
        TRY(str_done(s));
        *ret = TAKE_PTR(s->data);
        *s = (struct str){0};
        return NULL;
}

char *str_format(const char *fmt, ...)
{
        _cleanup_str_ struct str s = {0};
        va_list ap;

        va_start(ap, fmt);
        str_vprintf(&s, fmt, ap);
        va_end(ap);
        return s.failed ? NULL : TAKE_PTR(s.data);
}

char *str_dup(const char *text)
{
        return text ? strdup(text) : NULL;
}

bool str_starts(const char *s, const char *prefix)
{
        return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
        size_t n = strlen(s), m = strlen(suffix);

        return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

const char *str_after(const char *s, const char *prefix)
{
        size_t n = strlen(prefix);

        return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

void strv_free(char **list)
{
        if (!list)
                return;
        for (char **p = list; *p; p++)
                free(*p);
        free(list);
}

size_t strv_len(char *const *list)
{
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

err *strv_push(char ***list, char *text)
{
        size_t n = strv_len(*list);
        char **grown;

        if (!text)
                return err_nomem();
        grown = reallocarray(*list, n + 2, sizeof(char *));
        if (!grown) {
                free(text);
                return err_nomem();
        }
        grown[n] = text;
        grown[n + 1] = NULL;
        *list = grown;
        return NULL;
}

err *strv_add(char ***list, const char *text)
{
        return strv_push(list, strdup(text));
}

err *strv_copy(char *const *list, char ***ret)
{
        _cleanup_strv_ char **copy = MEM_NEW0(char *, 1);

        if (!copy)
                return err_nomem();
        for (; list && *list; list++)
                TRY(strv_add(&copy, *list));
        *ret = TAKE_PTR(copy);
        return NULL;
}

static int compare_text(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(char **list)
{
        if (list)
                qsort(list, strv_len(list), sizeof(*list), compare_text);
}

bool strv_contains(char *const *list, const char *text)
{
        for (; list && *list; list++)
                if (str_eq(*list, text))
                        return true;
        return false;
}

err *strv_split(const char *text, char sep, char ***ret)
{
        _cleanup_strv_ char **list = NULL;
        size_t n = 1;

        /* In one piece: what is split may be a file that a container has written. */
        for (const char *p = text; (p = strchr(p, sep)); p++)
                n++;
        list = MEM_NEW0(char *, n + 1);
        if (!list)
                return err_nomem();
        for (size_t i = 0; i < n; i++) {
                const char *end = strchrnul(text, sep);

                list[i] = strndup(text, (size_t)(end - text));
                if (!list[i])
                        return err_nomem();
                text = end + 1;
        }
        *ret = TAKE_PTR(list);
        return NULL;
}

char *strv_join(char *const *list, const char *sep)
{
        _cleanup_str_ struct str s = {0};

        str_add(&s, "");
        for (size_t i = 0; list && list[i]; i++) {
                if (i)
                        str_add(&s, sep);
                str_add(&s, list[i]);
        }
        return s.failed ? NULL : TAKE_PTR(s.data);
}

const char *strv_env(char *const *list, const char *name)
{
        size_t n = strlen(name);

        for (; list && *list; list++)
                if (strncmp(*list, name, n) == 0 && (*list)[n] == '=')
                        return *list + n + 1;
        return NULL;
}

int str_distance(const char *a, const char *b)
{
        size_t n = strlen(a), m = strlen(b);
        int row[64];

        if (n > 62 || m > 62)
                return 99;
        for (size_t j = 0; j <= m; j++)
                row[j] = (int)j;
        for (size_t i = 1; i <= n; i++) {
                int diagonal = row[0];

                row[0] = (int)i;
                for (size_t j = 1; j <= m; j++) {
                        int cost = diagonal + (a[i - 1] != b[j - 1]);

                        diagonal = row[j];
                        if (row[j] + 1 < cost)
                                cost = row[j] + 1;
                        if (row[j - 1] + 1 < cost)
                                cost = row[j - 1] + 1;
                        row[j] = cost;
                }
        }
        return row[m];
}
