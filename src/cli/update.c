/* update.c - `hod update`. */
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/create_args.h"
#include "cli/ui.h"
#include "engine/update.h"

struct update_args {
        const char *net_rate;
        char **egress;
};

static err *update_change(const struct invocation *inv, json **ret)
{
        const struct update_args *a = inv->args;
        _cleanup_json_ json *change = json_new_object();

        if (opt_given(inv, &a->net_rate))
                json_set_str(change, "NetRate", a->net_rate);
        if (opt_given(inv, &a->egress))
                TRY(create_args_egress(change, a->egress));
        *ret = TAKE_PTR(change);
        return NULL;
}

static err *update_each(struct engine *e, const char *ref, const struct invocation *inv)
{
        _cleanup_container_ struct container *c = NULL;
        _cleanup_json_ json *change = NULL;

        TRY(update_change(inv, &change));
        TRY(container_find(e, ref, &c));
        return update_container(c, change);
}

static err *update_run(struct invocation *inv)
{
        const struct update_args *a = inv->args;

        if (!opt_given(inv, &a->net_rate) && !opt_given(inv, &a->egress))
                return opt_usage_error(inv, "you must provide one or more flags when using this command");
        return ui_for_each(inv, update_each);
}

static const struct opt update_opts[] = {
        TRAFFIC_OPTS(struct update_args),
        OPT_END,
};

const struct command cmd_update = {
        .name = "update",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Update configuration of one or more containers",
        .description =
                "What is changed holds for a running container at once, and for its next starts. A limit is taken back "
                "by "
                "`--net-rate 0` and `--egress allow=*`. Connections that the egress rules do not allow any more end.",
        .opts = update_opts,
        .args_size = sizeof(struct update_args),
        .run = update_run,
        .complete = OPT_COMPLETE_CONTAINER,
        .complete_rest = OPT_COMPLETE_CONTAINER,
};
