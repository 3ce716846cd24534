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
#include "engine/networks.h"

struct ps_args {
        bool all, no_trunc, quiet, size, latest;
        char **filters;
        const char *format;
        int64_t last;
};

/* When the containers of the filters "before" and "since" were created. */
struct ps_times {
        int64_t before, since;
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

#define RAW                                                                                                            \
        "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n"                \
        "state: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n"                              \
        "labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n"
#define RAW_SIZE "size: {{.Size}}\n"

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

static const char *filter_value(const char *filter, const char *key)
{
        const char *rest = str_after(filter, key);

        return rest && *rest == '=' ? rest + 1 : NULL;
}

static err *check_word(const char *filter, const char *what, const char *value, const char *const *words)
{
        _cleanup_str_ struct str list = {0};

        for (const char *const *w = words; *w; w++) {
                if (strcmp(*w, value) == 0)
                        return NULL;
                str_printf(&list, "%s%s", w == words ? "" : ", ", *w);
        }
        return err_new(ERR_INVALID, "invalid filter '%s': invalid value for %s (%s): must be one of %s", filter, what,
                       value, str_text(&list));
}

static err *find_created(struct engine *e, const char *ref, int64_t *ret)
{
        _cleanup_container_ struct container *c = NULL;

        TRY(container_find(e, ref, &c));
        *ret = c->created_ns;
        return NULL;
}

/* Of the filters "publish" and "expose": ports of the host, of the container. */
struct ps_ports {
        unsigned first, last;
        const char *proto; /* borrowed */
};

static const char *ports_value(const char *filter)
{
        const char *value = filter_value(filter, "publish");

        return value ? value : filter_value(filter, "expose");
}

/* "80", "80-90", "80/udp" */
static err *parse_ports(const char *filter, struct ps_ports *ret)
{
        const char *value = ports_value(filter), *slash = strchrnul(value, '/'), *dash = strchrnul(value, '-');
        _cleanup_free_ char *first = strndup(value, (size_t)((dash < slash ? dash : slash) - value));
        _cleanup_free_ char *last = dash < slash ? strndup(dash + 1, (size_t)(slash - dash - 1)) : NULL;
        uint64_t from, to;

        if (!first || (dash < slash && !last))
                return err_nomem();
        if (!parse_u64(first, &from) || from > UINT16_MAX)
                to = UINT64_MAX;
        else if (!last)
                to = from;
        else if (!parse_u64(last, &to) || to < from)
                to = UINT64_MAX;
        if (to > UINT16_MAX)
                return err_new(ERR_INVALID,
                               "invalid filter '%s': it must be a port or a range of ports, PORT[-PORT]"
                               "[/PROTOCOL]",
                               filter);
        *ret = (struct ps_ports){(unsigned)from, (unsigned)to, *slash && slash[1] ? slash + 1 : "tcp"};
        return NULL;
}

static bool is_within(const struct ps_ports *p, const char *text)
{
        _cleanup_free_ char *number = strndup(text, strcspn(text, "/"));
        uint64_t n;

        return number && parse_u64(number, &n) && n >= p->first && n <= p->last;
}

static bool ports_match(const struct container *c, const char *filter)
{
        bool published = filter_value(filter, "publish") != NULL;
        _cleanup_json_ json *ports = NULL;
        struct ps_ports p = {0};

        err_free(parse_ports(filter, &p));
        err_free(inspect_ports(c, &ports));
        JSON_EACH (ports, it) {
                const char *slash = strchr(it.key, '/');

                if (!slash || !str_eq(slash + 1, p.proto))
                        continue;
                if (!published && is_within(&p, it.key))
                        return true;
                for (size_t i = 0; published && i < json_len(it.value); i++)
                        if (is_within(&p, json_get_str_or(json_at(it.value, i), "HostPort", "")))
                                return true;
        }
        return false;
}

/* Everything that is wrong with one filter, whatever containers there are. */
static err *check_filter(struct engine *e, const char *filter, struct ps_times *times)
{
        static const char *const plain[] = {"name", "id", "label", "ancestor", "volume", "network"};
        static const char *const states[] = {"created",  "running", "paused", "restarting",
                                             "removing", "exited",  "dead",   NULL};
        static const char *const healths[] = {"none", "starting", "healthy", "unhealthy", NULL};
        struct ps_ports ports;
        const char *value;
        int64_t number;
        bool yes;
        err *error;

        for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
                if (filter_value(filter, plain[i]))
                        return NULL;
        if (ports_value(filter))
                return parse_ports(filter, &ports);
        if ((value = filter_value(filter, "status")))
                return check_word(filter, "state", value, states);
        if ((value = filter_value(filter, "health")))
                return check_word(filter, "health", value, healths);
        if ((value = filter_value(filter, "before")))
                return find_created(e, value, &times->before);
        if ((value = filter_value(filter, "since")))
                return find_created(e, value, &times->since);
        if ((value = filter_value(filter, "is-task"))) {
                error = parse_bool(value, &yes);
                if (!error)
                        return NULL;
                err_free(error);
                return err_new(ERR_INVALID, "invalid filter 'is-task=[%s]'", value);
        }
        if ((value = filter_value(filter, "exited"))) {
                if (parse_i64(value, &number) && number >= INT32_MIN && number <= INT32_MAX)
                        return NULL;
                return err_new(ERR_INVALID, "invalid filter '%s': strconv.Atoi: parsing \"%s\": invalid syntax", filter,
                               value);
        }
        return err_new(ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(filter, "="), filter);
}

/* By name, or by id. */
static bool is_on_network(const struct container *c, const char *network)
{
        const json *all = json_path(c->record, "NetworkSettings.Networks");
        _cleanup_json_ json *doc = NULL;
        bool yes = json_has(all, network);

        if (yes || !id_prefix_valid(network))
                return yes;
        err_free(networks_inspect(c->engine, network, &doc));
        return doc && json_has(all, json_get_str_or(doc, "Name", ""));
}

/* One "key=value", which has been checked, against @c. */
static bool matches(const struct container *c, const char *filter, const struct ps_times *times)
{
        const char *value;
        int64_t number = 0;
        bool yes = false;

        if ((value = filter_value(filter, "name")))
                return name_matches(c->name, value);
        if ((value = filter_value(filter, "id")))
                return str_starts(c->id, value);
        if ((value = filter_value(filter, "status")))
                return strcmp(status_state_name(c->state), value) == 0;
        if ((value = filter_value(filter, "label")))
                return label_matches(c, value);
        if ((value = filter_value(filter, "ancestor")))
                return ancestor_matches(c, value);
        if ((value = filter_value(filter, "volume")))
                return uses_volume(c, value);
        if ((value = filter_value(filter, "network")))
                return is_on_network(c, value);
        if (ports_value(filter))
                return ports_match(c, filter);
        if (filter_value(filter, "before"))
                return c->created_ns < times->before;
        if (filter_value(filter, "since"))
                return c->created_ns > times->since;
        if ((value = filter_value(filter, "health")))
                return strcmp(value, "none") == 0; /* there are no health checks yet */
        if ((value = filter_value(filter, "is-task"))) {
                err_free(parse_bool(value, &yes));
                return !yes; /* tasks are swarm's */
        }
        (void)parse_i64(filter_value(filter, "exited"), &number);
        return c->state == STATUS_EXITED && c->status.exit_code == number;
}

static bool has_filter(const struct ps_args *a, const char *key)
{
        for (char **f = a->filters; f && *f; f++)
                if (str_after(*f, key) && *str_after(*f, key) == '=')
                        return true;
        return false;
}

/* Are both about the same: of one key, or about ports, which docker looks at together? */
static bool same_kind(const char *a, const char *b)
{
        return strncmp(a, b, strcspn(a, "=") + 1) == 0 || (ports_value(a) && ports_value(b));
}

/* All filters: several of one kind mean "or" (labels: "and"), different kinds "and". */
static bool wanted(const struct container *c, const struct ps_args *a, const struct ps_times *times)
{
        for (char **f = a->filters; f && *f; f++) {
                bool any = false;

                for (char **g = a->filters; *g; g++)
                        if (same_kind(*f, *g) && (!str_starts(*f, "label=") || g == f))
                                any |= matches(c, *g, times);
                if (!any)
                        return false;
        }
        return true;
}

static err *ps_run(struct invocation *inv)
{
        const struct ps_args *a = inv->args;
        int64_t last = a->latest && a->last == -1 ? 1 : a->last, limit = last > 0 ? last : INT64_MAX;
        bool ended = a->all || last > 0 || has_filter(a, "status") || has_filter(a, "exited");
        bool size = a->size || (a->format && strstr(a->format, ".Size"));
        _cleanup_json_ json *rows = json_new_array();
        _cleanup_engine_ struct engine *e = NULL;
        struct format_column shown[ARRAY_SIZE(columns)];
        struct format_list list = {"*formatter.ContainerContext", shown, "ID", a->size ? RAW RAW_SIZE : RAW,
                                   "container_id: {{.ID}}",       true};
        _cleanup_container_list_ struct container_list all = {0};
        struct ps_times times = {0};

        memcpy(shown, columns, sizeof(columns));
        shown[7].standard = a->size;
        TRY(ui_engine(inv, &e));
        for (char **f = a->filters; f && *f; f++)
                TRY(check_filter(e, *f, &times));
        TRY(container_list(e, &all));
        for (size_t i = 0; i < all.n && (int64_t)json_len(rows) < limit; i++) {
                const struct container *c = all.items[i];
                json *row;

                if ((!ended && !container_is_alive(c)) || !wanted(c, a, &times))
                        continue;
                TRY(inspect_ps_row(c, !a->no_trunc, size, &row));
                json_add(rows, row);
        }
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
