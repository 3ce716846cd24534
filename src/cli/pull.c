/* pull.c - `hod pull`, and `hod internal pull`, which `run` and `create` start. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
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

        TRY(progress_open(a->progress, a->quiet, out, KEPT, KEPT, &view));
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

/* ---- for run and create ---- */

struct internal_pull_args {
        bool quiet;
        const char *platform;
        int64_t error_fd;
};

static err *internal_pull_run(struct invocation *inv)
{
        const struct internal_pull_args *a = inv->args;
        const struct pull_args as = {.quiet = a->quiet};
        struct pull_options o = {.name = inv->operands[0], .platform = a->platform};
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *name = NULL, *report = NULL;
        char text[4096];
        err *error;

        /* Who reads it waits for its end, and a credential helper may leave something behind that lives on. */
        if (a->error_fd > STDERR_FILENO)
                (void)fcntl((int)a->error_fd, F_SETFD, FD_CLOEXEC);
        progress_report_to((int)a->error_fd);
        ui_registry(inv, &o.registry);
        error = ui_engine(inv, &e);
        if (!error)
                error = pull(e, &o, &as, stdout, &name);
        if (!error)
                return NULL;
        report = str_format("%d %s", (int)err_code(error), err_text(error, text, sizeof(text)));
        if (report)
                (void)file_write_all((int)a->error_fd, report, strlen(report));
        err_free(error);
        inv->status = 1;
        return NULL;
}

static const struct opt internal_pull_opts[] = {
        OPT_INT(0, "error-fd", struct internal_pull_args, error_fd, "Where the error goes: its code, its text",
                .min = 2, .max = INT32_MAX, .def = "2"),
        OPT_STR(0, "platform", struct internal_pull_args, platform, "string", "Set platform"),
        OPT_FLAG('q', "quiet", struct internal_pull_args, quiet, "Suppress verbose output"),
        OPT_END,
};

const struct command cmd_internal_pull = {
        .name = "pull",
        .operands = "NAME[:TAG|@DIGEST]",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Download an image for a container",
        .opts = internal_pull_opts,
        .args_size = sizeof(struct internal_pull_args),
        .run = internal_pull_run,
        .libraries = true,
};
