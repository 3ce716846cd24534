/* check.h - what unit tests share: cmocka, and assertions on `err *`. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/err.h"

static inline void check_ok_(err *e, const char *expr, const char *file, int line)
{
        char text[1024];

        if (!e)
                return;
        (void)err_text(e, text, sizeof(text));
        err_free(e);
        print_error("%s: %s\n", expr, text);
        _fail(file, line);
}
/* The call succeeds. */
#define check_ok(expr) check_ok_((expr), #expr, __FILE__, __LINE__)

static inline void check_err_(err *e, const char *want, const char *expr, const char *file, int line)
{
        char text[1024] = "(success)";

        if (e)
                (void)err_text(e, text, sizeof(text));
        if (!e || strcmp(text, want) != 0) {
                err_free(e);
                print_error("%s: '%s', wanted '%s'\n", expr, text, want);
                _fail(file, line);
        }
        err_free(e);
}
/* The call fails with exactly this text. */
#define check_err(expr, want) check_err_((expr), (want), #expr, __FILE__, __LINE__)

static inline void check_says_(err *e, enum err_code want, const char *part, const char *expr, const char *file,
                               int line)
{
        enum err_code code = err_code(e);
        char text[1024] = "(success)";

        if (e)
                (void)err_text(e, text, sizeof(text));
        err_free(e);
        if (code != want || !strstr(text, part)) {
                print_error("%s: '%s' (%s), wanted '%s' (%s)\n", expr, text, code ? err_code_name(code) : "success",
                            part, err_code_name(want));
                _fail(file, line);
        }
}
/* The call fails with this code, and this is in the text. */
#define check_says(expr, want, part) check_says_((expr), (want), (part), #expr, __FILE__, __LINE__)

static inline void check_code_(err *e, enum err_code want, const char *expr, const char *file, int line)
{
        enum err_code code = err_code(e);

        err_free(e);
        if (code != want) {
                print_error("%s: %s, wanted %s\n", expr, code ? err_code_name(code) : "success", err_code_name(want));
                _fail(file, line);
        }
}
/* The call fails with this code. */
#define check_code(expr, want) check_code_((expr), (want), #expr, __FILE__, __LINE__)
