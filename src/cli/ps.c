/* ps.c - `hod ps`. */
#include <fnmatch.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "engine/inspect.h"

struct ps_args {
        bool all, no_trunc, quiet, size, latest;
        char **filters;
        const char *format;
        int64_t last;
};

static const struct format_column columns[] = {
        {"ID", "CONTAINER ID", true},       {"Image", "IMAGE", true},
        {"Command", "COMMAND", true},       {"RunningFor", "CREATED", true},
        {"Status", "STATUS", true},         {"Ports", "PORTS", true},
        {"Names", "NAMES", true},           {"Size", "SIZE", false},
        {"CreatedAt", "CREATED AT", false}, {"State", "STATE", false},
        {"Labels", "LABELS", false},        {"Mounts", "MOUNTS", false},
        {"Networks", "NETWORKS", false},    {"LocalVolumes", "LOCAL VOLUMES", false},
        {"Platform", "PLATFORM", false},    {0},
};

static bool name_matches(const char *name, const char *pattern)
{
        _cleanup_free_ char *slashed = str_format("/%s", name);
        regex_t re;
        bool yes;

        if (!slashed || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return strstr(name, pattern) != NULL;
        yes = regexec(&re, name, 0, NULL, 0) == 0 || regexec(&re, slashed, 0, NULL, 0) == 0;
        regfree(&re);
        return yes;
}

static bool label_matches(const struct container *c, const char *wanted)
{
        const json *labels = json_get(container_config(c), "Labels");
        const char *eq = strchrnul(wanted, '=');
        _cleanup_free_ char *key = strndup(wanted, (size_t)(eq - wanted));
        const char *value = key ? json_get_str(labels, key) : NULL;

        return value && (!*eq || strcmp(value, eq + 1) == 0);
}

static bool ancestor_matches(const struct container *c, const char *wanted)
{
        const char *image = json_get_str_or(container_config(c), "Image", ""),
                   *id = json_get_str_or(c->record, "Image", "");
        const char *hex = str_after(id, "sha256:"), *tag = str_after(image, wanted);

        return strcmp(image, wanted) == 0 || strcmp(id, wanted) == 0 || (tag && strcmp(tag, ":latest") == 0) ||
               (str_after(wanted, image) && strcmp(str_after(wanted, image), ":latest") == 0) ||
               (hex && strlen(wanted) >= 4 && str_starts(hex, wanted));
}

static bool uses_volume(const struct container *c, const char *wanted)
{
        const json *mounts = json_get(c->record, "Mounts");

        for (size_t i = 0; i < json_len(mounts); i++)
                if (str_eq(json_get_str(json_at(mounts, i), "Name"), wanted) ||
                    str_eq(json_get_str(json_at(mounts, i), "Destination"), wanted))
                        return true;
        return false;
}

/* One "key=value" against @c. */
static err *matches(const struct container *c, const char *filter, bool *ret)
{
        const char *value = strchr(filter, '=');
        _cleanup_free_ char *key = strndup(filter, strcspn(filter, "="));
        int64_t number;

        if (!key)
                return err_nomem();
        if (!value)
                return err_new(ERR_INVALID, "bad format of filter (expected name=value)");
        value++;
        if (strcmp(key, "name") == 0)
                *ret = name_matches(c->name, value);
        else if (strcmp(key, "id") == 0)
                *ret = str_starts(c->id, value);
        else if (strcmp(key, "status") == 0)
                *ret = strcmp(status_state_name(c->state), value) == 0;
        else if (strcmp(key, "label") == 0)
                *ret = label_matches(c, value);
        else if (strcmp(key, "ancestor") == 0)
                *ret = ancestor_matches(c, value);
        else if (strcmp(key, "volume") == 0)
                *ret = uses_volume(c, value);
        else if (strcmp(key, "network") == 0)
                *ret = str_eq(json_get_str(container_host_config(c), "NetworkMode"), value);
        else if (strcmp(key, "exited") == 0) {
                TRY(parse_int(value, INT32_MIN, INT32_MAX, &number));
                *ret = c->state == STATUS_EXITED && c->status.exit_code == number;
        } else
                return err_new(ERR_INVALID, "invalid filter '%s'", key);
        return NULL;
}

static bool has_filter(const struct ps_args *a, const char *key)
{
        for (char **f = a->filters; f && *f; f++)
                if (str_after(*f, key) && *str_after(*f, key) == '=')
                        return true;
        return false;
}

/* All filters: several of one key mean "or" (labels: "and"), different keys "and". */
static err *wanted(const struct container *c, const struct ps_args *a, bool *ret)
{
        *ret = false;
        for (char **f = a->filters; f && *f; f++) {
                size_t key = strcspn(*f, "=");
                bool any = false;

                for (char **g = a->filters; *g; g++) {
                        bool yes = false;

                        if (strncmp(*g, *f, key + 1) != 0 || (str_starts(*f, "label=") && g != f))
                                continue;
                        TRY(matches(c, *g, &yes));
                        any |= yes;
                }
                if (!any)
                        return NULL;
        }
        *ret = true;
        return NULL;
}

static err *ps_run(struct invocation *inv)
{
        const struct ps_args *a = inv->args;
        bool all =
                a->all || a->latest || opt_given(inv, &a->last) || has_filter(a, "status") || has_filter(a, "exited");
        int64_t limit = a->latest ? 1 : opt_given(inv, &a->last) && a->last >= 0 ? a->last : INT64_MAX;
        bool size = a->size || (a->format && strstr(a->format, ".Size"));
        _cleanup_json_ json *rows = json_new_array();
        _cleanup_engine_ struct engine *e = NULL;
        struct format_column shown[ARRAY_SIZE(columns)];
        struct format_list list = {"*formatter.ContainerContext", shown, "ID"};
        struct container **containers;
        size_t n;
        err *error = NULL;

        memcpy(shown, columns, sizeof(columns));
        shown[7].standard = a->size;
        TRY(ui_engine(inv, &e));
        TRY(container_list(e, &containers, &n));
        for (size_t i = 0; !error && i < n && (int64_t)json_len(rows) < limit; i++) {
                bool yes = false;
                json *row;

                if (!all && !container_is_alive(containers[i]))
                        continue;
                error = wanted(containers[i], a, &yes);
                if (error || !yes)
                        continue;
                error = inspect_ps_row(containers[i], !a->no_trunc, size, &row);
                if (!error)
                        json_add(rows, row);
        }
        container_list_free(containers, n);
        TRY(error);
        return format_rows(&list, rows, a->format, a->quiet);
}

static const struct opt ps_opts[] = {
        OPT_FLAG('a', "all", struct ps_args, all, "Show all containers (default shows just running)"),
        OPT_LIST('f', "filter", struct ps_args, filters, "filter", "Filter output based on conditions provided",
                 .check = parse_check_filter),
        OPT_STR(0, "format", struct ps_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_INT('n', "last", struct ps_args, last, "Show n last created containers (includes all states)", .def = "-1"),
        OPT_FLAG('l', "latest", struct ps_args, latest, "Show the latest created container (includes all states)"),
        OPT_FLAG(0, "no-trunc", struct ps_args, no_trunc, "Don't truncate output"),
        OPT_FLAG('q', "quiet", struct ps_args, quiet, "Only display container IDs"),
        OPT_FLAG('s', "size", struct ps_args, size, "Display total file sizes"),
        OPT_END,
};

const struct command cmd_ps = {
        .name = "ps",
        .summary = "List containers",
        .opts = ps_opts,
        .args_size = sizeof(struct ps_args),
        .run = ps_run,
};
