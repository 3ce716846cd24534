/* lines.c - see lines.h. */
#include "monitor/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define LIST_MAX_ITEMS 65536

/* ---- writing ---- */

/* A bounded buffer; too long is remembered. */
struct out {
        char *data;
        size_t used, room;
        bool full;
};

static void out_add(struct out *o, const char *data, size_t n)
{
        if (n >= o->room - o->used) {
                o->full = true;
                return;
        }
        memcpy(o->data + o->used, data, n);
        o->used += n;
        o->data[o->used] = '\0';
}

static void out_line(struct out *o, const char *key, const char *value)
{
        out_add(o, key, strlen(key));
        out_add(o, "=", 1);
        while (*value) {
                size_t n = strcspn(value, "\\\n");

                out_add(o, value, n);
                value += n;
                if (*value)
                        out_add(o, *value++ == '\n' ? "\\n" : "\\\\", 2);
        }
        out_add(o, "\n", 1);
}

/* @p: the field's place. Strings that are NULL have no line. */
static void out_field(struct out *o, const struct lines_field *f, const void *p)
{
        char number[24];

        switch (f->kind) {
        case LINES_BOOL:
                out_line(o, f->key, *(const bool *)p ? "1" : "0");
                return;
        case LINES_WORD:
                out_line(o, f->key, f->words[*(const unsigned *)p]);
                return;
        case LINES_TEXT:
                out_line(o, f->key, p);
                return;
        case LINES_STRING:
                if (*(char *const *)p)
                        out_line(o, f->key, *(char *const *)p);
                return;
        case LINES_LIST:
                for (char *const *s = *(char **const *)p; s && *s; s++)
                        out_line(o, f->key, *s);
                return;
        case LINES_UNSIGNED:
                (void)snprintf(number, sizeof(number), "%u", *(const unsigned *)p);
                break;
        case LINES_INT:
                (void)snprintf(number, sizeof(number), "%d", *(const int *)p);
                break;
        case LINES_U64:
                (void)snprintf(number, sizeof(number), "%" PRIu64, *(const uint64_t *)p);
                break;
        case LINES_I64:
                (void)snprintf(number, sizeof(number), "%" PRId64, *(const int64_t *)p);
                break;
        }
        out_line(o, f->key, number);
}

bool lines_format(const struct lines_field *fields, size_t n, const void *object, char *buf, size_t size,
                  size_t *ret_size)
{
        struct out o = {.data = buf, .room = size};

        for (size_t i = 0; i < n; i++)
                out_field(&o, &fields[i], (const char *)object + fields[i].offset);
        *ret_size = o.used;
        return !o.full;
}

int lines_replace(int dirfd, const char *temporary, const char *name, const char *data, size_t size)
{
        _cleanup_close_ int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = file_write_all(fd, data, size);
        if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dirfd, temporary, 0);
        return r;
}

/* ---- reading ---- */

static bool read_unsigned(const char *text, uint64_t max, uint64_t *ret)
{
        uint64_t n = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                unsigned digit = (unsigned)(*text - '0');

                if (digit > 9 || n > (max - digit) / 10)
                        return false;
                n = n * 10 + digit;
        }
        *ret = n;
        return true;
}

static bool read_signed(const char *text, int64_t max, int64_t *ret)
{
        bool negative = *text == '-';
        uint64_t n;

        if (!read_unsigned(text + negative, (uint64_t)max, &n))
                return false;
        *ret = negative ? -(int64_t)n : (int64_t)n;
        return true;
}

/* Undo the escapes in place. */
static bool unescape(char *text)
{
        char *to = text;

        for (; *text; text++, to++) {
                *to = *text;
                if (*text != '\\')
                        continue;
                text++;
                if (*text != 'n' && *text != '\\')
                        return false;
                *to = *text == 'n' ? '\n' : '\\';
        }
        *to = '\0';
        return true;
}

/* An enumeration without gaps. */
static bool read_word(const char *text, const char *const *words, unsigned *ret)
{
        for (unsigned i = 0; words[i]; i++)
                if (strcmp(text, words[i]) == 0) {
                        *ret = i;
                        return true;
                }
        return false;
}

/* Set the field at @p from @text. NULL, or an error: ERR_CORRUPT, ERR_NOMEM. */
static err *read_field(const struct lines_field *f, void *p, const char *text)
{
        uint64_t u = 0;
        int64_t i = 0;
        bool ok = false;

        switch (f->kind) {
        case LINES_BOOL:
                ok = (*text == '0' || *text == '1') && !text[1];
                *(bool *)p = *text == '1';
                break;
        case LINES_WORD:
                ok = read_word(text, f->words, p);
                break;
        case LINES_TEXT:
                ok = strlen(text) < f->size;
                if (ok)
                        memcpy(p, text, strlen(text) + 1);
                break;
        case LINES_STRING:
                free(*(char **)p);
                *(char **)p = str_dup(text);
                return *(char **)p ? NULL : err_nomem();
        case LINES_LIST:
                return strv_add(p, text);
        case LINES_UNSIGNED:
                ok = read_unsigned(text, UINT32_MAX, &u);
                *(unsigned *)p = (unsigned)u;
                break;
        case LINES_INT:
                ok = read_signed(text, INT32_MAX, &i);
                *(int *)p = (int)i;
                break;
        case LINES_U64:
                ok = read_unsigned(text, UINT64_MAX, &u);
                *(uint64_t *)p = u;
                break;
        case LINES_I64:
                ok = read_signed(text, INT64_MAX, &i);
                *(int64_t *)p = i;
                break;
        }
        return ok ? NULL : err_new(ERR_CORRUPT, "bad value of %s", f->key);
}

err *lines_parse(char *text, const struct lines_field *fields, size_t n, void *object)
{
        unsigned items = 0;

        while (*text) {
                char *line = text, *end = strchr(line, '\n'), *value;

                if (!end)
                        return err_new(ERR_CORRUPT, "the last line is cut");
                *end = '\0';
                text = end + 1;
                value = strchr(line, '=');
                if (!value)
                        return err_new(ERR_CORRUPT, "a line without =");
                *value++ = '\0';
                if (!unescape(value))
                        return err_new(ERR_CORRUPT, "bad escape in %s", line);
                for (size_t i = 0; i < n; i++) {
                        if (strcmp(fields[i].key, line) != 0)
                                continue;
                        if (fields[i].kind == LINES_LIST && ++items > LIST_MAX_ITEMS)
                                return err_new(ERR_CORRUPT, "too many lines of %s", line);
                        TRY(read_field(&fields[i], (char *)object + fields[i].offset, value));
                        break;
                }
        }
        return NULL;
}

void lines_free(const struct lines_field *fields, size_t n, void *object)
{
        for (size_t i = 0; i < n; i++) {
                void *p = (char *)object + fields[i].offset;

                if (fields[i].kind == LINES_STRING)
                        free(*(char **)p);
                else if (fields[i].kind == LINES_LIST)
                        strv_free(*(char ***)p);
        }
}
