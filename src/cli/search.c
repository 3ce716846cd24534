/* search.c - `hod search`. */
#include <stdio.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui_registry.h"
#include "engine/search.h"

#define SHOWN 45 /* characters of a description, the last of them an ellipsis */

struct search_args {
        bool no_trunc;
        char **filters;
        const char *format;
        int64_t limit;
};

static const struct format_column columns[] = {
        {"Name", "NAME", true},           {"Description", "DESCRIPTION", true}, {"StarCount", "STARS", true},
        {"IsOfficial", "OFFICIAL", true}, {"IsAutomated", "AUTOMATED", false},  {0},
};

/* On one line, and not too long; counts characters, not bytes. */
static err *description(const char *text, bool trunc, char **ret)
{
        _cleanup_str_ struct str out = {0};
        size_t shown = 0, cut = 0;

        for (const char *p = text; *p; p++) {
                if (((unsigned char)*p & 0xc0) != 0x80 && ++shown == SHOWN)
                        cut = out.len;
                str_add_char(&out, *p == '\n' || *p == '\r' ? ' ' : *p);
        }
        TRY(str_done(&out));
        if (trunc && shown > SHOWN) {
                out.len = cut;
                out.data[cut] = '\0';
                str_add(&out, "\xe2\x80\xa6");
        }
        return str_take(&out, ret);
}

static err *add_row(json *rows, const json *result, bool trunc, bool as_json)
{
        _cleanup_json_ json *row = json_new_object();
        _cleanup_free_ char *text = NULL;
        const char *yes = as_json ? "true" : "[OK]", *no = as_json ? "false" : "";
        char stars[24];

        TRY(description(json_get_str_or(result, "description", ""), trunc, &text));
        (void)snprintf(stars, sizeof(stars), "%lld", (long long)json_get_int(result, "star_count", 0));
        json_set_str(row, "Description", text);
        json_set_str(row, "IsAutomated", json_get_bool(result, "is_automated", false) ? yes : no);
        json_set_str(row, "IsOfficial", json_get_bool(result, "is_official", false) ? yes : no);
        json_set_str(row, "Name", json_get_str_or(result, "name", ""));
        json_set_str(row, "StarCount", stars);
        json_add(rows, TAKE_PTR(row));
        return NULL;
}

static err *search_run(struct invocation *inv)
{
        static const struct format_list list = {.type_name = "*search.searchContext", .columns = columns};
        const struct search_args *a = inv->args;
        struct search_options o = {.term = inv->operands[0], .limit = (unsigned)a->limit, .filters = a->filters};
        _cleanup_json_ json *results = NULL;
        _cleanup_json_ json *rows = json_new_array();
        bool as_json = a->format && (strcmp(a->format, "json") == 0 || strstr(a->format, "json ."));

        if (a->limit < 0 || a->limit > 100)
                return err_new(ERR_INVALID, "limit %lld is outside the range of [1, 100]", (long long)a->limit);
        ui_registry(inv, &o.registry);
        TRY(search_index(&o, &results));
        for (size_t i = 0; i < json_len(results); i++)
                TRY(add_row(rows, json_at(results, i), !a->no_trunc, as_json));
        return format_rows(&list, rows, a->format, false);
}

static const struct opt search_opts[] = {
        OPT_LIST('f', "filter", struct search_args, filters, "filter", "Filter output based on conditions provided",
                 .check = parse_check_filter),
        OPT_STR(0, "format", struct search_args, format, "string", "Pretty-print search using a Go template"),
        OPT_INT(0, "limit", struct search_args, limit, "Max number of search results (0 = 25)"),
        OPT_FLAG(0, "no-trunc", struct search_args, no_trunc, "Don't truncate output"),
        OPT_END,
};

const struct command cmd_search = {
        .name = "search",
        .operands = "TERM",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Search docker.io for images, or another registry (REGISTRY/TERM) that has such an index",
        .opts = search_opts,
        .args_size = sizeof(struct search_args),
        .run = search_run,
        .libraries = true,
};
