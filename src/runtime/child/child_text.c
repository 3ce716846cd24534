/* child_text.c - text without stdio, see child.h. */
#include "runtime/child/child.h"

void child_text_add(struct child_text *t, const char *text)
{
        while (*text && t->len + 1 < t->size)
                t->buf[t->len++] = *text++;
        t->buf[t->len] = '\0';
}

void child_text_quote(struct child_text *t, const char *text)
{
        child_text_add(t, "\"");
        child_text_add(t, text);
        child_text_add(t, "\"");
}

void child_text_number(struct child_text *t, long n)
{
        char digits[24];
        size_t at = sizeof(digits) - 1;
        unsigned long u = n < 0 ? -(unsigned long)n : (unsigned long)n;

        digits[at] = '\0';
        do
                digits[--at] = (char)('0' + u % 10);
        while (u /= 10);
        if (n < 0)
                digits[--at] = '-';
        child_text_add(t, digits + at);
}
