/* image_history.c - `hod history`. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "store/image.h"

struct history_args {
        bool human, no_trunc, quiet;
        const char *format, *platform;
};

#define CREATED_BY 45

enum { COLUMN_CREATED = 1 };
static const struct format_column history_columns[] = {
        {"ID", "IMAGE", true},
        {"CreatedSince", "CREATED", true},
        {"CreatedBy", "CREATED BY", true},
        {"Size", "SIZE", true},
        {"Comment", "COMMENT", true},
        {"CreatedAt", "CREATED AT", false},
        {0},
};

static bool rest_is_long(const char *text)
{
        (void)utf8_next(&text);
        return *text;
}

/* As docker: one line, at most 45 characters. */
static err *created_by(const char *text, bool trunc, char **ret)
{
        _cleanup_str_ struct str s = {0};
        size_t n = 0;

        str_add(&s, "");
        while (*text) {
                const char *start = text;

                if (trunc && n == CREATED_BY - 1 && rest_is_long(text)) {
                        str_add(&s, "…");
                        break;
                }
                (void)utf8_next(&text);
                n++;
                if (*start == '\t')
                        str_add_char(&s, ' ');
                else
                        str_add_n(&s, start, (size_t)(text - start));
        }
        return str_take(&s, ret);
}

static void set_times(json *row, int64_t created, bool human)
{
        time_t t = (time_t)created;
        char text[80], since[64];
        struct tm tm;
        size_t n;

        if (created <= 0) {
                json_set_str(row, "CreatedAt", "N/A");
                json_set_str(row, "CreatedSince", "N/A");
                return;
        }
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", localtime_r(&t, &tm) ? &tm : &(struct tm){0});
        /* RFC 3339 has a colon in the zone, and a Z for none. */
        n = strlen(text);
        if (str_ends(text, "+0000")) {
                text[n - 5] = 'Z';
                text[n - 4] = '\0';
        } else {
                memmove(text + n - 1, text + n - 2, 3);
                text[n - 2] = ':';
        }
        json_set_str(row, "CreatedAt", text);
        if (human) {
                clock_human(clock_now_ns() - created * 1000000000, since, sizeof(since));
                (void)snprintf(text, sizeof(text), "%s ago", since);
        }
        json_set_str(row, "CreatedSince", text);
}

static err *history_row(const json *h, const struct history_args *a, json **ret)
{
        static const char *const order[] = {"Comment", "CreatedAt", "CreatedBy", "CreatedSince", "ID", "Size"};
        const char *id = json_get_str_or(h, "Id", "<missing>"), *hex = str_after(id, "sha256:");
        _cleanup_json_ json *row = json_new_object();
        uint64_t size = json_get_uint(h, "Size", 0);
        _cleanup_free_ char *by = NULL;
        char text[128];

        for (size_t i = 0; i < ARRAY_SIZE(order); i++) /* docker's, in JSON */
                json_set(row, order[i], NULL);
        (void)snprintf(text, sizeof(text), "%.*s", hex && !a->no_trunc ? ID_SHORT : (int)sizeof(text),
                       hex && !a->no_trunc ? hex : id);
        json_set_str(row, "ID", text);
        set_times(row, json_get_int(h, "Created", 0), a->human);
        TRY(created_by(json_get_str_or(h, "CreatedBy", ""), !a->no_trunc, &by));
        json_set_str(row, "CreatedBy", by);
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
        struct format_column columns[ARRAY_SIZE(history_columns)];
        const struct format_list list = {"*formatter.historyContext", columns, "ID"};
        const struct history_args *a = inv->args;
        _cleanup_json_ json *rows = json_new_array(), *history = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_engine_ struct engine *e = NULL;

        memcpy(columns, history_columns, sizeof(columns));
        if (!a->human)
                columns[COLUMN_CREATED].heading = "CREATED AT";
        TRY(ui_engine(inv, &e));
        TRY(image_find(e->store, inv->operands[0], &i));
        TRY(image_check_platform(i, inv->operands[0], a->platform));
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
        OPT_STR(0, "platform", struct history_args, platform, "string",
                "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"),
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
