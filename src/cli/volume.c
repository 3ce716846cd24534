/* volume.c - `hod volume create|ls|rm` (inspect is in inspect.c). */
#include <stdio.h>

#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "store/volume.h"

/* ---- create ---- */

struct volume_create_args {
        const char *driver;
        char **labels;
};

static err *volume_create_run(struct invocation *inv)
{
        const struct volume_create_args *a = inv->args;
        _cleanup_json_ json *labels = json_new_object();
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *path = NULL;
        char fresh[ID_LEN + 1];
        const char *name = inv->n_operands ? inv->operands[0] : NULL;

        if (strcmp(a->driver, "local") != 0)
                return err_new(ERR_NOT_FOUND, "create %s: error looking up volume plugin %s: plugin \"%s\" not found",
                               name ? name : "", a->driver, a->driver);
        for (char **l = a->labels; l && *l; l++) {
                _cleanup_free_ char *key = strndup(*l, strcspn(*l, "="));
                const char *eq = strchr(*l, '=');

                if (!key)
                        return err_nomem();
                json_set_str(labels, key, eq ? eq + 1 : "");
        }
        if (!name) {
                int r = id_new(fresh);

                if (r < 0)
                        return err_sys(r, "making a volume name");
        }
        TRY(ui_engine(inv, &e));
        TRY(volume_ensure(e->store, name ? name : fresh, json_len(labels) ? labels : NULL, !name, &path, NULL));
        (void)printf("%s\n", name ? name : fresh);
        return NULL;
}

static const struct opt volume_create_opts[] = {
        OPT_STR('d', "driver", struct volume_create_args, driver, "string", "Specify volume driver name",
                .def = "local"),
        OPT_LIST(0, "label", struct volume_create_args, labels, "list", "Set metadata for a volume",
                 .check = parse_check_label),
        OPT_END,
};

const struct command cmd_volume_create = {
        .name = "create",
        .operands = "[VOLUME]",
        .max_operands = 1,
        .summary = "Create a volume",
        .opts = volume_create_opts,
        .args_size = sizeof(struct volume_create_args),
        .run = volume_create_run,
};

/* ---- ls ---- */

struct volume_ls_args {
        bool quiet;
        char **filters;
        const char *format;
};

static const struct format_column columns[] = {
        {"Driver", "DRIVER", true},
        {"Name", "VOLUME NAME", true},
        {"Scope", "SCOPE", false},
        {"Mountpoint", "MOUNTPOINT", false},
        {"Labels", "LABELS", false},
        {"Links", "LINKS", false},
        {"Size", "SIZE", false},
        {"Availability", "AVAILABILITY", false},
        {"Group", "GROUP", false},
        {"Status", "STATUS", false},
        {0},
};

static err *volume_matches(const json *volume, char *const *filters, bool *ret)
{
        *ret = true;
        for (; filters && *filters; filters++) {
                const char *value = strchr(*filters, '=') + 1, *name = json_get_str_or(volume, "Name", "");

                if (str_starts(*filters, "name=")) {
                        *ret &= strstr(name, value) != NULL;
                } else if (str_starts(*filters, "driver=")) {
                        *ret &= strcmp(value, "local") == 0;
                } else if (str_starts(*filters, "label=")) {
                        _cleanup_free_ char *key = strndup(value, strcspn(value, "="));
                        const char *have = key ? json_get_str(json_get(volume, "Labels"), key) : NULL;
                        const char *want = strchr(value, '=');

                        *ret &= have && (!want || strcmp(want + 1, have) == 0);
                } else {
                        return err_new(ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(*filters, "="), *filters);
                }
        }
        return NULL;
}

static err *volume_row(const json *volume, json **ret)
{
        static const char *const unknown[] = {"Availability", "Group", "Links", "Size", "Status"};
        _cleanup_json_ json *row = json_new_object();
        _cleanup_str_ struct str labels = {0};

        JSON_EACH (json_get(volume, "Labels"), it)
                str_printf(&labels, "%s%s=%s", labels.len ? "," : "", it.key,
                           json_str(it.value) ? json_str(it.value) : "");
        TRY(str_done(&labels));
        json_set_str(row, "Driver", json_get_str_or(volume, "Driver", "local"));
        json_set_str(row, "Labels", str_text(&labels));
        json_set_str(row, "Mountpoint", json_get_str_or(volume, "Mountpoint", ""));
        json_set_str(row, "Name", json_get_str_or(volume, "Name", ""));
        json_set_str(row, "Scope", "local");
        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
                json_set_str(row, unknown[i], "N/A");
        *ret = TAKE_PTR(row);
        return NULL;
}

static err *volume_ls_run(struct invocation *inv)
{
        static const struct format_list list = {
                .type_name = "*formatter.volumeContext",
                .columns = columns,
                .quiet_field = "Name",
                .raw = "name: {{.Name}}\ndriver: {{.Driver}}\n",
                .raw_quiet = "name: {{.Name}}",
        };
        const struct volume_ls_args *a = inv->args;
        _cleanup_json_ json *volumes = NULL, *rows = json_new_array();
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        TRY(volume_list(e->store, &volumes));
        for (size_t i = 0; i < json_len(volumes); i++) {
                bool yes;
                json *row;

                TRY(volume_matches(json_at(volumes, i), a->filters, &yes));
                if (!yes)
                        continue;
                TRY(volume_row(json_at(volumes, i), &row));
                json_add(rows, row);
        }
        return format_rows(&list, rows, a->format, a->quiet);
}

static const struct opt volume_ls_opts[] = {
        OPT_LIST('f', "filter", struct volume_ls_args, filters, "filter", "Provide filter values (e.g. \"label=a\")",
                 .check = parse_check_filter),
        OPT_STR(0, "format", struct volume_ls_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_FLAG('q', "quiet", struct volume_ls_args, quiet, "Only display volume names"),
        OPT_END,
};

const struct command cmd_volume_ls = {
        .name = "ls",
        .summary = "List volumes",
        .opts = volume_ls_opts,
        .args_size = sizeof(struct volume_ls_args),
        .run = volume_ls_run,
};

/* ---- rm ---- */

struct volume_rm_args {
        bool force;
};

static err *volume_rm_each(struct engine *e, const char *name, const struct invocation *inv)
{
        return volume_remove(e->store, name, ((const struct volume_rm_args *)inv->args)->force);
}

static err *volume_rm_run(struct invocation *inv)
{
        return ui_for_each(inv, volume_rm_each);
}

static const struct opt volume_rm_opts[] = {
        OPT_FLAG('f', "force", struct volume_rm_args, force, "Do not complain about volumes that do not exist"),
        OPT_END,
};

const struct command cmd_volume_rm = {
        .name = "rm",
        .operands = "VOLUME [VOLUME...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Remove one or more volumes",
        .opts = volume_rm_opts,
        .args_size = sizeof(struct volume_rm_args),
        .run = volume_rm_run,
        .complete = OPT_COMPLETE_VOLUME,
        .complete_rest = OPT_COMPLETE_VOLUME,
};
