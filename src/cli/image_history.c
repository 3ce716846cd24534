/* image_history.c - `hod history`. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "store/image.h"

struct history_args {
        bool human, no_trunc, quiet;
        const char *format;
};

static const struct format_column history_columns[] = {
        {"ID", "IMAGE", true},
        {"CreatedSince", "CREATED", true},
        {"CreatedBy", "CREATED BY", true},
        {"Size", "SIZE", true},
        {"Comment", "COMMENT", true},
        {"CreatedAt", "CREATED AT", false},
        {0},
};

static err *history_row(const json *h, const struct history_args *a, json **ret)
{
        const char *id = json_get_str_or(h, "Id", "<missing>"), *by = json_get_str_or(h, "CreatedBy", "");
        int64_t created = json_get_int(h, "Created", 0);
        _cleanup_json_ json *row = json_new_object();
        uint64_t size = json_get_uint(h, "Size", 0);
        char text[128], since[64], when[64];
        time_t t = (time_t)created;
        struct tm tm;

        if (!a->no_trunc && str_after(id, "sha256:")) {
                (void)snprintf(text, sizeof(text), "%.*s", ID_SHORT, str_after(id, "sha256:"));
                json_set_str(row, "ID", text);
        } else {
                json_set_str(row, "ID", id);
        }
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", localtime_r(&t, &tm) ? &tm : &(struct tm){0});
        json_set_str(row, "CreatedAt", when);
        clock_human(clock_now_ns() - created * 1000000000, since, sizeof(since));
        (void)snprintf(text, sizeof(text), "%s ago", since);
        json_set_str(row, "CreatedSince", a->human ? text : when);
        if (!a->no_trunc && strlen(by) > 45) {
                (void)snprintf(text, sizeof(text), "%.44s…", by);
                json_set_str(row, "CreatedBy", text);
        } else {
                json_set_str(row, "CreatedBy", by);
        }
        if (a->human)
                parse_size_format(size, text, sizeof(text));
        else
                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
        json_set_str(row, "Size", text);
        json_set_str(row, "Comment", json_get_str_or(h, "Comment", ""));
        *ret = TAKE_PTR(row);
        return NULL;
}

static err *history_run(struct invocation *inv)
{
        static const struct format_list list = {"*formatter.historyContext", history_columns, "ID"};
        const struct history_args *a = inv->args;
        _cleanup_json_ json *rows = json_new_array(), *history = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        TRY(image_find(e->store, inv->operands[0], &i));
        TRY(image_history(i, &history));
        for (size_t k = 0; k < json_len(history); k++) {
                json *row;

                TRY(history_row(json_at(history, k), a, &row));
                json_add(rows, row);
        }
        return format_rows(&list, rows, a->format, a->quiet);
}

static const struct opt history_opts[] = {
        OPT_STR(0, "format", struct history_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_FLAG('H', "human", struct history_args, human, "Print sizes and dates in human readable format",
                 .def = "true"),
        OPT_FLAG(0, "no-trunc", struct history_args, no_trunc, "Don't truncate output"),
        OPT_FLAG('q', "quiet", struct history_args, quiet, "Only show image IDs"),
        OPT_END,
};

const struct command cmd_history = {
        .name = "history",
        .operands = "IMAGE",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Show the history of an image",
        .opts = history_opts,
        .args_size = sizeof(struct history_args),
        .run = history_run,
        .complete = OPT_COMPLETE_IMAGE,
};
