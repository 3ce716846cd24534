/* events.c - events: what a container uses, now and then, and when the kernel ends something in it for want of memory.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "hodrun/hodrun.h"
#include "hodrun/stats.h"
#include "runtime/rdt.h"

struct events_args {
        int64_t interval;
        bool stats;
};

static const struct opt events_opts[] = {
        OPT_DURATION(0, "interval", struct events_args, interval, "set the stats collection interval", .def = "5s"),
        OPT_FLAG(0, "stats", struct events_args, stats, "display the container's stats then exit"), OPT_END};

/* One line; consumes @data (NULL: none). */
static err *print_event(const char *type, const char *id, json *data)
{
        _cleanup_json_ json *event = json_new_object();
        _cleanup_free_ char *text = NULL;

        json_set_str(event, "type", type);
        json_set_str(event, "id", id);
        if (data)
                json_set(event, "data", data);
        TRY(json_print(event, JSON_COMPACT, &text));
        if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
                return err_sys(errno, "write");
        return NULL;
}

static err *print_stats(const struct cgroup_layout *l, const struct state *s)
{
        struct resctrl_group rdt;
        json *data;

        TRY(stats_read(l, s->cgroup, rdt_group(s->spec, s->id, &rdt) ? &rdt : NULL, &data));
        return print_event("stats", s->id, data);
}

/* Milliseconds until @when, at most what poll takes; 0 if it is over. */
static int wait_ms(int64_t when)
{
        int64_t ms = (when - clock_monotonic_ns() + 999999) / 1000000;

        return ms < 0 ? 0 : ms > 1 << 30 ? 1 << 30 : (int)ms;
}

static err *follow(const struct cgroup_layout *l, const struct state *s, int64_t interval)
{
        _cleanup_(cgroup_watch_done) struct cgroup_watch w = {.fd = -1};
        int64_t next = clock_monotonic_ns() + interval;

        TRY(cgroup_watch_oom(l, s->cgroup, &w));
        for (;;) {
                struct pollfd f = {w.fd, POLLIN, 0};
                int n = poll(&f, 1, wait_ms(next));

                if (n < 0 && errno != EINTR)
                        return err_sys(errno, "poll");
                if (n > 0) {
                        n = cgroup_watch_read(&w);
                        for (int i = 0; i < n; i++)
                                TRY(print_event("oom", s->id, NULL));
                        if (n < 0)
                                return NULL;
                }
                if (clock_monotonic_ns() < next)
                        continue;
                next += interval;
                if (next < clock_monotonic_ns())
                        next = clock_monotonic_ns() + interval;
                err *e = print_stats(l, s);
                if (e && err_code(e) == ERR_NOT_FOUND)
                        return err_free(e); /* gone */
                TRY(e);
        }
}

static err *events_run(struct invocation *inv)
{
        const struct events_args *a = inv->args;
        _cleanup_state_ struct state *s = NULL;
        const struct cgroup_layout *l;
        enum state_status status;

        TRY(state_open(hodrun_root(inv), inv->operands[0], false, &s));
        if (a->interval <= 0)
                return err_new(ERR_INVALID, "duration interval must be greater than 0");
        status = state_status(s);
        if (status == STATE_STOPPED || status == STATE_CREATING)
                return err_new(ERR_NOT_RUNNING, "container with id %s is not running", s->id);
        if (str_empty(s->cgroup))
                return err_new(ERR_UNSUPPORTED, "container %s has no cgroup that could count", s->id);
        TRY(state_load_spec(s)); /* says whether it has a share of the caches */
        TRY(cgroup_layout_get(&l));
        return a->stats ? print_stats(l, s) : follow(l, s, a->interval);
}

const struct command cmd_events = {
        .name = "events",
        .operands = "<container-id>",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "display container events such as OOM notifications, cpu, memory, and IO usage statistics",
        .opts = events_opts,
        .args_size = sizeof(struct events_args),
        .run = events_run,
};
