/* network.c - `hod network ls|rm|prune|inspect`; create is in network_create.c. */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "engine/networks.h"
#include "engine/reload.h"

/* ---- ls ---- */

struct network_ls_args {
        bool quiet, no_trunc;
        char **filters;
        const char *format;
};

static const struct format_column columns[] = {
        {"ID", "NETWORK ID", true},
        {"Name", "NAME", true},
        {"Driver", "DRIVER", true},
        {"Scope", "SCOPE", true},
        {"IPv4", "IPV4", false},
        {"IPv6", "IPV6", false},
        {"Internal", "INTERNAL", false},
        {"Labels", "LABELS", false},
        {"CreatedAt", "CREATED AT", false},
        {0},
};

static bool is_predefined(const char *name)
{
        return str_eq(name, "bridge") || str_eq(name, "host") || str_eq(name, "none");
}

static err *filter_type(const char *value, const char *name, bool *ret)
{
        if (!str_eq(value, "custom") && !str_eq(value, "builtin"))
                return err_new(ERR_INVALID, "invalid filter 'type=%s'", value);
        *ret &= is_predefined(name) == str_eq(value, "builtin");
        return NULL;
}

static err *filter_dangling(struct engine *e, const char *value, const char *name, bool *ret)
{
        _cleanup_json_ json *doc = NULL;
        bool want;
        err *error = parse_bool(value, &want);

        if (error) {
                err_free(error);
                return err_new(ERR_INVALID, "invalid filter 'dangling=[%s]'", value);
        }
        error = networks_inspect(e, name, &doc);
        if (err_code(error) == ERR_NOT_FOUND) { /* removed since it was listed */
                *ret = false;
                return err_free(error);
        }
        TRY(error);
        *ret &= (!is_predefined(name) && json_len(json_get(doc, "Containers")) == 0) == want;
        return NULL;
}

/* docker's: a regular expression, or part of the text. */
static bool text_matches(const char *text, const char *pattern)
{
        regex_t re;
        bool yes;

        if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return strstr(text, pattern) != NULL;
        yes = regexec(&re, text, 0, NULL, 0) == 0;
        regfree(&re);
        return yes;
}

/* One "key=value". */
static err *filter_one(struct engine *e, const json *n, const char *filter, bool *ret)
{
        const char *name = json_get_str_or(n, "Name", ""), *value = strchr(filter, '=') + 1;

        *ret = true;
        if (str_starts(filter, "name="))
                *ret = text_matches(name, value);
        else if (str_starts(filter, "id="))
                *ret = text_matches(json_get_str_or(n, "Id", ""), value);
        else if (str_starts(filter, "driver="))
                *ret = str_eq(json_get_str(n, "Driver"), value);
        else if (str_starts(filter, "scope="))
                *ret = str_eq(json_get_str(n, "Scope"), value);
        else if (str_starts(filter, "type="))
                return filter_type(value, name, ret);
        else if (str_starts(filter, "dangling="))
                return filter_dangling(e, value, name, ret);
        else if (str_starts(filter, "label="))
                *ret = prune_labels_match(&(struct prune_filter){.labels = (char *[]){(char *)value, NULL}},
                                          json_get(n, "Labels"));
        else
                return err_new(ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(filter, "="), filter);
        return NULL;
}

/* Filters of one key: any of them; but labels: all. Different keys: all. */
static err *network_matches(struct engine *e, const json *n, char *const *filters, bool *ret)
{
        *ret = true;
        for (char *const *f = filters; f && *f; f++) {
                size_t key = strcspn(*f, "=") + 1;
                bool any = false;

                for (char *const *g = filters; *g; g++) {
                        bool yes;

                        if (strncmp(*f, *g, key) != 0 || (str_starts(*f, "label=") && g != f))
                                continue;
                        TRY(filter_one(e, n, *g, &yes));
                        any |= yes;
                }
                *ret &= any;
        }
        return NULL;
}

/* As Go prints times. */
static void set_created(json *row, const char *created)
{
        const char *t = strchrnul(created, 'T'), *z = strchrnul(created, 'Z');
        _cleanup_free_ char *text =
                *t && *z ? str_format("%.*s %.*s +0000 UTC", (int)(t - created), created, (int)(z - t - 1), t + 1)
                         : NULL;

        json_set_str(row, "CreatedAt", text ? text : created);
}

/* In the order in which docker prints them as JSON. */
static err *network_row(const json *n, bool trunc, json **ret)
{
        static const char *const flags[][2] = {
                {"IPv4", "EnableIPv4"}, {"IPv6", "EnableIPv6"}, {"Internal", "Internal"}};
        _cleanup_json_ json *row = json_new_object();
        _cleanup_str_ struct str labels = {0};
        char id[ID_LEN + 1];

        (void)snprintf(id, sizeof(id), "%.*s", trunc ? ID_SHORT : ID_LEN, json_get_str_or(n, "Id", ""));
        JSON_EACH (json_get(n, "Labels"), it)
                str_printf(&labels, "%s%s=%s", labels.len ? "," : "", it.key,
                           json_str(it.value) ? json_str(it.value) : "");
        TRY(str_done(&labels));
        set_created(row, json_get_str_or(n, "Created", ""));
        json_set_str(row, "Driver", json_get_str_or(n, "Driver", ""));
        json_set_str(row, "ID", id);
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                json_set_str(row, flags[i][0], json_get_bool(n, flags[i][1], false) ? "true" : "false");
        json_set_str(row, "Labels", str_text(&labels));
        json_set_str(row, "Name", json_get_str_or(n, "Name", ""));
        json_set_str(row, "Scope", json_get_str_or(n, "Scope", ""));
        *ret = TAKE_PTR(row);
        return NULL;
}

static err *network_ls_run(struct invocation *inv)
{
        static const struct format_list list = {
                .type_name = "*formatter.networkContext",
                .columns = columns,
                .quiet_field = "ID",
                .raw = "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n",
                .raw_quiet = "network_id: {{.ID}}",
        };
        const struct network_ls_args *a = inv->args;
        _cleanup_json_ json *all = NULL, *rows = json_new_array();
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        TRY(networks_list(e, &all));
        for (size_t i = 0; i < json_len(all); i++) {
                bool yes;
                json *row;

                TRY(network_matches(e, json_at(all, i), a->filters, &yes));
                if (!yes)
                        continue;
                TRY(network_row(json_at(all, i), !a->no_trunc, &row));
                json_add(rows, row);
        }
        return format_rows(&list, rows, a->format, a->quiet);
}

static const struct opt network_ls_opts[] = {
        OPT_LIST('f', "filter", struct network_ls_args, filters, "filter",
                 "Provide filter values (e.g. \"driver=bridge\")", .check = parse_check_filter),
        OPT_STR(0, "format", struct network_ls_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_FLAG(0, "no-trunc", struct network_ls_args, no_trunc, "Do not truncate the output"),
        OPT_FLAG('q', "quiet", struct network_ls_args, quiet, "Only display network IDs"),
        OPT_END,
};

const struct command cmd_network_ls = {
        .name = "ls",
        .summary = "List networks",
        .opts = network_ls_opts,
        .args_size = sizeof(struct network_ls_args),
        .run = network_ls_run,
};

/* ---- rm ---- */

struct network_rm_args {
        bool force;
};

static err *network_rm_run(struct invocation *inv)
{
        const struct network_rm_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        for (char **o = inv->operands; *o; o++) {
                _cleanup_free_ char *name = NULL;
                err *error = networks_remove(e, *o, &name);

                if (error && a->force && err_code(error) == ERR_NOT_FOUND) {
                        err_free(error);
                } else if (error) {
                        inv->status = 1;
                        ui_fail(error);
                } else {
                        (void)printf("%s\n", *o);
                        (void)fflush(stdout);
                }
        }
        return NULL;
}

static const struct opt network_rm_opts[] = {
        OPT_FLAG('f', "force", struct network_rm_args, force, "Do not error if the network does not exist"),
        OPT_END,
};

const struct command cmd_network_rm = {
        .name = "rm",
        .operands = "NETWORK [NETWORK...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Remove one or more networks",
        .opts = network_rm_opts,
        .args_size = sizeof(struct network_rm_args),
        .run = network_rm_run,
        .complete = OPT_COMPLETE_NETWORK,
        .complete_rest = OPT_COMPLETE_NETWORK,
};

/* ---- reload ---- */

static err *network_reload_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_strv_ char **names = NULL;
        err *error;

        TRY(ui_engine(inv, &e));
        error = reload_networks(e, NULL, &names);
        for (char **n = names; n && *n; n++)
                (void)printf("%s\n", *n);
        return error;
}

const struct command cmd_network_reload = {
        .name = "reload",
        .summary = "Restore rules and bridges that somebody has removed",
        .description =
                "After `nft flush ruleset`, or when a bridge was deleted or lost its addresses: the firewall's table, "
                "published ports and bridges are made again from the records and the containers that run. Names of "
                "the networks are printed. The next start of a container on a network that was forgotten does the "
                "same.",
        .run = network_reload_run,
};
