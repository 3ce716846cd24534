/* progress.c - see progress.h. */
#include "engine/progress.h"

#include <stdarg.h>

#include "base/str.h"

static err *send(const struct progress *p, const struct progress_event *e)
{
        return p ? p->event(p->arg, e) : NULL;
}

err *progress_line(const struct progress *p, const char *fmt, ...)
{
        _cleanup_str_ struct str text = {0};
        va_list ap;

        if (!p)
                return NULL;
        va_start(ap, fmt);
        str_vprintf(&text, fmt, ap);
        va_end(ap);
        TRY(str_done(&text));
        return send(p, &(struct progress_event){.status = str_text(&text)});
}

err *progress_part(const struct progress *p, const char *id, const char *status)
{
        return send(p, &(struct progress_event){.id = id, .status = status});
}

err *progress_done(const struct progress *p, const char *id, const char *status)
{
        return send(p, &(struct progress_event){.id = id, .status = status, .done = true});
}

err *progress_amount(const struct progress *p, const char *id, const char *status, uint64_t current, uint64_t total)
{
        return send(p, &(struct progress_event){
                               .id = id, .status = status, .amount = true, .current = current, .total = total});
}

err *progress_check(const struct progress *p)
{
        return send(p, &(struct progress_event){0});
}

err *progress_bytes(void *arg, uint64_t bytes)
{
        struct progress_bytes *b = arg;

        if (bytes - b->told < 1u << 20)
                return progress_check(b->progress);
        b->told = bytes;
        return progress_amount(b->progress, b->id, b->status, bytes, b->total);
}
