/* err.c - see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct err {
        enum err_code code;
        int errnum;
        struct err *inner;
        char message[];
};

static struct err nomem = {.code = ERR_NOMEM, .errnum = ENOMEM};

/* The one place where a code becomes an exit status and an HTTP status. */
static const struct {
        const char *name;
        short run_status;   /* exit status of run, create, start -a, exec */
        short other_status; /* of everything else */
        short http;
} codes[ERR_CODE_MAX_] = {
        [ERR_INTERNAL] = {"internal", 125, 1, 500},
        [ERR_SYS] = {"system", 125, 1, 500},
        [ERR_NOMEM] = {"no-memory", 125, 1, 500},
        [ERR_INVALID] = {"invalid", 125, 1, 400},
        [ERR_USAGE] = {"usage", 125, 125, 400},
        [ERR_NOT_FOUND] = {"not-found", 125, 1, 404},
        [ERR_CONFLICT] = {"conflict", 125, 1, 409},
        [ERR_NOT_RUNNING] = {"not-running", 125, 1, 409},
        [ERR_NOT_MODIFIED] = {"not-modified", 0, 0, 304},
        [ERR_UNSUPPORTED] = {"unsupported", 125, 1, 501},
        [ERR_DENIED] = {"denied", 125, 1, 403},
        [ERR_EXEC_NOT_FOUND] = {"exec-not-found", 127, 127, 400},
        [ERR_EXEC_DENIED] = {"exec-denied", 126, 126, 400},
        [ERR_CORRUPT] = {"corrupt", 125, 1, 500},
        [ERR_LIMIT] = {"limit", 125, 1, 400},
        [ERR_UNSAFE_PATH] = {"unsafe-path", 125, 1, 400},
        [ERR_DIGEST] = {"digest", 125, 1, 500},
        [ERR_BUSY] = {"busy", 125, 1, 409},
        [ERR_TIMEOUT] = {"timeout", 125, 1, 504},
        [ERR_NETWORK] = {"network", 125, 1, 502},
        [ERR_CALLER] = {"caller", 1, 1, 400},
        [ERR_INTERRUPTED] = {"interrupted", 130, 130, 500},
};

static err *err_make(enum err_code code, int errnum, err *inner, const char *fmt, va_list ap)
{
        va_list again;
        err *e;
        int n;

        va_copy(again, ap);
        n = vsnprintf(NULL, 0, fmt, again);
        va_end(again);
        if (n < 0)
                n = 0;
        e = malloc(sizeof(*e) + (size_t)n + 1);
        if (!e) {
                err_free(inner);
                return &nomem;
        }
        *e = (struct err){.code = code, .errnum = errnum, .inner = inner};
        (void)vsnprintf(e->message, (size_t)n + 1, fmt, ap);
        return e;
}

err *err_new(enum err_code code, const char *fmt, ...)
{
        va_list ap;
        err *e;

        va_start(ap, fmt);
        e = err_make(code, 0, NULL, fmt, ap);
        va_end(ap);
        return e;
}

err *err_sys(int errnum, const char *fmt, ...)
{
        va_list ap;
        err *e;

        if (errnum < 0)
                errnum = -errnum;
        if (errnum == ENOMEM)
                return &nomem;
        va_start(ap, fmt);
        e = err_make(ERR_SYS, errnum, NULL, fmt, ap);
        va_end(ap);
        return e;
}

err *err_wrap(err *e, const char *fmt, ...)
{
        va_list ap;

        if (!e || e == &nomem)
                return e;
        va_start(ap, fmt);
        e = err_make(e->code, 0, e, fmt, ap);
        va_end(ap);
        return e;
}

err *err_nomem(void)
{
        return &nomem;
}

err *err_free(err *e)
{
        while (e && e != &nomem) {
                err *inner = e->inner;

                free(e);
                e = inner;
        }
        return NULL;
}

enum err_code err_code(const err *e)
{
        return e ? e->code : 0;
}

int err_errno(const err *e)
{
        int errnum = 0;

        for (; e; e = e->inner)
                if (e->errnum)
                        errnum = e->errnum;
        return errnum;
}

const char *err_text(const err *e, char *buf, size_t size)
{
        size_t used = 0;

        if (!size)
                return buf;
        buf[0] = '\0';
        for (; e; e = e->inner) {
                const char *tail = e->errnum ? strerror(e->errnum) : NULL;
                int n;

                if (e == &nomem || e->message[0]) /* the static instance has no room for a message */
                        n = snprintf(buf + used, size - used, "%s%s%s%s", used ? ": " : "",
                                     e == &nomem ? "out of memory" : e->message, tail && e != &nomem ? ": " : "",
                                     tail && e != &nomem ? tail : "");
                else
                        n = snprintf(buf + used, size - used, "%s%s", used ? ": " : "", tail ? tail : "unknown error");
                if (n < 0 || (size_t)n >= size - used)
                        break;
                used += (size_t)n;
        }
        /* One line, whatever a user typed into it: control characters could drive the terminal, too, and so could those
         * of U+0080 to U+009f. */
        for (char *p = buf; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = '?';
                else if ((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0)
                        p[0] = p[1] = '?';
        return buf;
}

int err_exit_status(enum err_code code, bool run)
{
        if (code <= 0 || code >= ERR_CODE_MAX_)
                return code ? 125 : 0;
        return run ? codes[code].run_status : codes[code].other_status;
}

int err_http_status(enum err_code code)
{
        if (code <= 0 || code >= ERR_CODE_MAX_)
                return code ? 500 : 200;
        return codes[code].http;
}

const char *err_code_name(enum err_code code)
{
        if (code <= 0 || code >= ERR_CODE_MAX_ || !codes[code].name)
                return "unknown";
        return codes[code].name;
}
