/* image_rm.c - names of images: `hod rmi` and `hod tag`. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/container.h"
#include "store/image.h"

/* ---- rmi ---- */

struct rmi_args {
        bool force, no_prune;
        char **platforms;
};

static bool is_running(const char *id, void *arg)
{
        _cleanup_container_ struct container *c = NULL;
        err *error = container_find(arg, id, &c);

        if (error) {
                err_free(error);
                return false;
        }
        return container_is_alive(c);
}

static err *rmi_run(struct invocation *inv)
{
        const struct rmi_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        for (char **o = inv->operands; *o; o++) {
                struct image_remove_options options = {.force = a->force,
                                                       .no_prune = a->no_prune,
                                                       .platforms = a->platforms,
                                                       .is_running = is_running,
                                                       .arg = e};
                struct image_removed *removed = NULL;
                size_t n = 0;
                err *error = image_remove(e->store, *o, &options, &removed, &n);

                if (error) {
                        inv->status |= !(a->force && err_code(error) == ERR_NOT_FOUND);
                        ui_fail(error);
                        continue;
                }
                for (size_t i = 0; i < n; i++)
                        (void)printf("%s: %s\n", removed[i].deleted ? "Deleted" : "Untagged", removed[i].text);
                image_removed_free(removed, n);
                (void)fflush(stdout);
        }
        return NULL;
}

static const struct opt rmi_opts[] = {
        OPT_FLAG('f', "force", struct rmi_args, force, "Force removal of the image"),
        OPT_FLAG(0, "no-prune", struct rmi_args, no_prune, "Do not delete untagged parents"),
        OPT_LIST(0, "platform", struct rmi_args, platforms, "strings",
                 "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., "
                 "\"linux/amd64\")"),
        OPT_END,
};

const struct command cmd_rmi = {
        .name = "rmi",
        .operands = "IMAGE [IMAGE...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Remove one or more images",
        .opts = rmi_opts,
        .args_size = sizeof(struct rmi_args),
        .run = rmi_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};

/* ---- tag ---- */

static err *tag_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        return image_tag(e->store, inv->operands[0], inv->operands[1]);
}

const struct command cmd_tag = {
        .name = "tag",
        .operands = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
        .run = tag_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};
