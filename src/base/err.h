/* err.h - the one error channel.
 *
 * A function that can fail returns `err *`: NULL is success, anything else is a
 * chain of {code, errno, message}, outermost message first, owned by the caller.
 * Out of memory is a static instance, so that reporting it cannot fail.
 * Only leaf wrappers in base and sys return -errno instead. Libraries never print.
 *
 * The code, not the text, decides the exit status and the HTTP status: see the
 * table in err.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

typedef struct err err;

enum err_code {
        ERR_INTERNAL = 1, /* a broken assumption of ours */
        ERR_SYS,          /* the kernel said no; err_errno() says how */
        ERR_NOMEM,
        ERR_INVALID,        /* a parameter is wrong */
        ERR_USAGE,          /* the command line is wrong */
        ERR_NOT_FOUND,      /* no such container, image, volume, ... */
        ERR_CONFLICT,       /* name in use, wrong state for the request */
        ERR_NOT_RUNNING,    /* needs a running container */
        ERR_NOT_MODIFIED,   /* already in the wanted state */
        ERR_UNSUPPORTED,    /* kernel or build cannot do it */
        ERR_DENIED,         /* privilege is missing */
        ERR_EXEC_NOT_FOUND, /* the container's program does not exist: 127 */
        ERR_EXEC_DENIED,    /* ... cannot be executed: 126 */
        ERR_CORRUPT,        /* stored or received data is damaged */
        ERR_LIMIT,          /* a configured or declared limit is exceeded */
        ERR_UNSAFE_PATH,    /* a path would leave its root */
        ERR_DIGEST,         /* content does not match its digest */
        ERR_BUSY,           /* in use, try again */
        ERR_TIMEOUT,
        ERR_INTERRUPTED,
        ERR_NETWORK, /* another machine does not answer, or breaks off */
        ERR_CALLER,  /* the command line contradicts itself or our terminal: 1, as docker, also for run */
        ERR_CODE_MAX_
};

/* New error. @fmt is one line without a final newline, lower case unless it quotes docker. */
MUST_USE err *err_new(enum err_code code, const char *fmt, ...) PRINTF(2, 3);

/* New ERR_SYS error; ": strerror(@errnum)" is appended when printed. ENOMEM gives the static instance. */
MUST_USE err *err_sys(int errnum, const char *fmt, ...) PRINTF(2, 3);

/* Put "context: " before @e (consumed). Keeps code and errno. NULL stays NULL. */
MUST_USE err *err_wrap(err *e, const char *fmt, ...) PRINTF(2, 3);

/* The static out-of-memory instance. */
MUST_USE err *err_nomem(void);

/* Free @e (NULL and the static instance allowed). Returns NULL, so that "e = err_free(e)" reads well. */
err *err_free(err *e);
static inline void err_freep(err **e)
{
        *e = err_free(*e);
}
#define _cleanup_err_ __attribute__((cleanup(err_freep)))

/* Of the outermost error; 0 for NULL. */
enum err_code err_code(const err *e);
/* errno of the innermost system error, or 0. */
int err_errno(const err *e);

/* Write "outer: inner: strerror" into @buf (always terminated); returns @buf. */
const char *err_text(const err *e, char *buf, size_t size);

/* Exit status for a command that failed with @code: 125, 126, 127 or 1 as docker's. @run says that the command was
 * run/create/exec-like, where an engine failure is 125 and not 1. */
int err_exit_status(enum err_code code, bool run);
int err_http_status(enum err_code code);
/* Stable name ("not-found") for logs and JSON. */
const char *err_code_name(enum err_code code);

/* Return early with the error of @expr. */
#define TRY(expr)                                                                                                      \
        do {                                                                                                           \
                err *try_e_ = (expr);                                                                                  \
                if (try_e_)                                                                                            \
                        return try_e_;                                                                                 \
        } while (0)

/* Return early with the error of @expr, wrapped in a context. */
#define TRY_WRAP(expr, ...)                                                                                            \
        do {                                                                                                           \
                err *try_e_ = (expr);                                                                                  \
                if (try_e_)                                                                                            \
                        return err_wrap(try_e_, __VA_ARGS__);                                                          \
        } while (0)
