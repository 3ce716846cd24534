/* logs.c - `hod logs`. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/logs.h"

struct logs_args {
        bool follow, timestamps, details;
        const char *since, *until, *tail;
};

struct sink {
        bool timestamps;
        char *details;     /* "a=b,c=d " put before each line, or NULL */
        bool line_open[3]; /* the last piece of stdout/stderr had no newline: no new stamp before its rest */
};

static err *print_line(void *ctx, int stream, int64_t time_ns, const char *data, size_t size)
{
        FILE *to = stream == 2 ? stderr : stdout;
        struct sink *s = ctx;

        if (!s->line_open[stream]) {
                if (s->timestamps) {
                        char when[CLOCK_TEXT_MAX];

                        clock_format(time_ns, when);
                        (void)fprintf(to, "%s ", when);
                }
                if (s->details)
                        (void)fprintf(to, "%s ", s->details);
        }
        (void)fwrite(data, 1, size, to);
        s->line_open[stream] = size && data[size - 1] != '\n';
        if (fflush(to) != 0 && errno == EPIPE)
                return err_new(ERR_INTERRUPTED, "nobody reads the output any more");
        return NULL;
}

static err *point(const char *what, const char *text, int64_t *ret)
{
        err *e;

        if (str_empty(text))
                return NULL;
        e = clock_parse_point(text, clock_now_ns(), ret);
        if (!e)
                return NULL;
        err_free(e);
        return err_new(ERR_INVALID, "invalid value for \"%s\": failed to parse value as time or duration: \"%s\"", what,
                       text);
}

/* Labels and environment that --log-opt asked for: none can be asked for yet, so that only a blank is left. */
static err *details(const struct container *c, char **ret)
{
        (void)c;
        *ret = str_dup("");
        return *ret ? NULL : err_nomem();
}

static err *logs_run(struct invocation *inv)
{
        const struct logs_args *a = inv->args;
        struct logs_options o = {.follow = a->follow, .tail = -1};
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        struct sink sink = {.timestamps = a->timestamps};
        _cleanup_free_ char *extra = NULL;
        err *error;

        TRY(point("since", a->since, &o.since_ns));
        TRY(point("until", a->until, &o.until_ns));
        if (!parse_i64(a->tail, &o.tail) || o.tail < 0)
                o.tail = -1; /* "all", and as docker whatever is not a number */
        TRY(ui_engine(inv, &e));
        TRY(container_find(e, inv->operands[0], &c));
        if (a->details)
                TRY(details(c, &extra));
        sink.details = extra;
        error = logs_read(c, &o, print_line, &sink);
        return err_code(error) == ERR_INTERRUPTED ? err_free(error) : error;
}

static const struct opt logs_opts[] = {
        OPT_FLAG(0, "details", struct logs_args, details, "Show extra details provided to logs"),
        OPT_FLAG('f', "follow", struct logs_args, follow, "Follow log output"),
        OPT_STR(0, "since", struct logs_args, since, "string",
                "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
        OPT_STR('n', "tail", struct logs_args, tail, "string", "Number of lines to show from the end of the logs",
                .def = "all"),
        OPT_FLAG('t', "timestamps", struct logs_args, timestamps, "Show timestamps"),
        OPT_STR(0, "until", struct logs_args, until, "string",
                "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 "
                "minutes)"),
        OPT_END,
};

const struct command cmd_logs = {
        .name = "logs",
        .operands = "CONTAINER",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Fetch the logs of a container",
        .opts = logs_opts,
        .args_size = sizeof(struct logs_args),
        .run = logs_run,
        .complete = OPT_COMPLETE_CONTAINER,
};
