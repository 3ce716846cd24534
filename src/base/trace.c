/* trace.c - see trace.h. */
#include "base/trace.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int trace_fd = -1;

const struct trace_info trace_infos[TRACE_POINT_MAX_] = {
#define TRACE_POINT(id, name, what, call, man, shell) [TRACE_##id] = {name, what, call, man, shell},
#include "base/trace_points.h"
#undef TRACE_POINT
};

static uint64_t now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct trace_span trace_begin_(enum trace_point point)
{
        return (struct trace_span){now(), point};
}

void trace_end_(const struct trace_span *span, int errnum, const char *detail)
{
        struct trace_record r = {
                .version = TRACE_VERSION,
                .point = (uint16_t)span->point,
                .pid = (int32_t)syscall(SYS_getpid),
                .errnum = errnum,
                .start_ns = span->start,
        };
        int saved = errno;

        r.took_ns = now() - span->start;
        for (size_t i = 0; detail && detail[i] && i < sizeof(r.detail) - 1; i++)
                r.detail[i] = detail[i];
        /* Nobody reading or a full pipe loses the record: tracing never disturbs what it watches. */
        if (write(trace_fd, &r, sizeof(r)) < 0) {
        }
        errno = saved;
}

int trace_read(int fd, struct trace_record *ret)
{
        ssize_t n;

        do
                n = read(fd, ret, sizeof(*ret));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        if (n == 0)
                return 0;
        if ((size_t)n != sizeof(*ret) || ret->version != TRACE_VERSION || ret->point >= TRACE_POINT_MAX_)
                return -EBADMSG;
        ret->detail[sizeof(ret->detail) - 1] = '\0';
        return 1;
}
