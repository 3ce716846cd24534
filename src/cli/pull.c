/* pull.c - `hod pull`, and the pull that `run` and `create` do. */
#include <stdio.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/registry_args.h"
#include "cli/ui.h"
#include "engine/pull.h"

#define KEPT "what was received is kept for the next pull"

struct pull_args {
        bool all_tags, quiet;
        const char *platform, *progress;
        struct registry_args registry;
};

static err *pull(struct engine *e, struct pull_options *o, const struct pull_args *a, FILE *out, char **ret_name)
{
        _cleanup_progress_ struct progress_view *view = NULL;

        TRY(progress_open(a->progress, a->quiet, out, KEPT, &view));
        o->progress = progress_sink(view);
        return progress_result(view, pull_image(e, o, ret_name));
}

static err *pull_run(struct invocation *inv)
{
        const struct pull_args *a = inv->args;
        struct pull_options o = {.name = inv->operands[0], .all_tags = a->all_tags, .platform = a->platform};
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *name = NULL;

        registry_args_fill(inv, &a->registry, &o.registry);
        TRY(ui_engine(inv, &e));
        TRY(pull(e, &o, a, stdout, &name));
        if (a->quiet || !str_eq(a->progress, "json"))
                (void)printf("%s\n", name);
        return NULL;
}

static const struct opt pull_opts[] = {
        OPT_FLAG('a', "all-tags", struct pull_args, all_tags, "Download all tagged images in the repository"),
        OPT_STR(0, "platform", struct pull_args, platform, "string",
                "Set platform if server is multi-platform capable"),
        PROGRESS_OPT(struct pull_args, progress),
        OPT_FLAG('q', "quiet", struct pull_args, quiet, "Suppress verbose output"),
        REGISTRY_OPTS(struct pull_args, registry),
        OPT_END,
};

const struct command cmd_pull = {
        .name = "pull",
        .operands = "NAME[:TAG|@DIGEST]",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Download an image from a registry",
        .description =
                "What is here already is not fetched again; what an interrupted pull received is used by the next "
                "one.\n"
                "\n"
                "With --progress json each line on standard output is one object: \"status\" (text), \"id\" (the first "
                "12 digits of a layer's digest; absent in lines about the whole) and \"progressDetail\" with "
                "\"current\" "
                "and \"total\" (bytes) while something moves.",
        .opts = pull_opts,
        .args_size = sizeof(struct pull_args),
        .run = pull_run,
        .libraries = true,
        .complete = OPT_COMPLETE_IMAGE,
};
