/* explain.c - see explain.h. */
#include "cli/explain.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"

static uint64_t first_ns, last_ns;
static unsigned steps;

err *explain_start(int *ret_fd)
{
        int fds[2], r = file_pipe(fds);

        if (r < 0)
                return err_sys(r, "making the trace pipe");
        (void)file_set_nonblock(fds[0], true);
        /* Nobody may ever wait for us because of it: a full pipe loses records. */
        (void)file_set_nonblock(fds[1], true);
        trace_fd = fds[1];
        *ret_fd = fds[0];
        return NULL;
}

static void print_line(const char *label, const char *text)
{
        if (*text)
                (void)fprintf(stderr, "        %-9s %s\n", label, text);
}

static void print_record(const struct trace_record *t)
{
        const struct trace_info *info = &trace_infos[t->point];

        if (!first_ns)
                first_ns = t->start_ns;
        last_ns = t->start_ns + t->took_ns;
        steps++;
        (void)fprintf(stderr, "%8.3f ms  %-18s %7.3f ms  %s%s%s%s\n", (double)(int64_t)(t->start_ns - first_ns) / 1e6,
                      info->name, (double)t->took_ns / 1e6, info->what, *t->detail ? " [" : "", t->detail,
                      *t->detail ? "]" : "");
        if (t->errnum)
                (void)fprintf(stderr, "        failed    %s\n", strerror(t->errnum));
        print_line("call", info->call);
        print_line("see", info->man);
        print_line("by hand", info->shell);
}

void explain_read(int fd)
{
        struct trace_record t;

        while (fd >= 0 && trace_read(fd, &t) == 1)
                print_record(&t);
}

void explain_end(int fd)
{
        if (fd < 0)
                return;
        explain_read(fd);
        if (steps)
                (void)fprintf(stderr, "%8.3f ms  from the first of %u steps to the end of the last\n",
                              (double)(last_ns - first_ns) / 1e6, steps);
}
