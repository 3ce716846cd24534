/* files.c - a container's files as a whole: diff, commit, export. */
#include <stdio.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "engine/fileout.h"
#include "engine/snapshots.h"

/* ---- diff ---- */

static err *diff_run(struct invocation *inv)
{
        _cleanup_diff_list_ struct diff_list list = {0};
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        TRY(container_find(e, inv->operands[0], &c));
        TRY(snapshots_diff(c, &list));
        for (size_t i = 0; i < list.n; i++) {
                if (list.items[i].name_only)
                        continue;
                (void)printf("%c ", list.items[i].kind);
                ui_print(stdout, list.items[i].path);
                (void)putchar('\n');
        }
        return NULL;
}

const struct command cmd_diff = {
        .name = "diff",
        .operands = "CONTAINER",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Inspect changes to files or directories on a container's filesystem",
        .run = diff_run,
        .complete = OPT_COMPLETE_CONTAINER,
};

/* ---- commit ---- */

struct commit_args {
        const char *author, *message;
        char **changes;
        bool pause, no_pause;
};

/* Docker shows nothing of it: only a terminal is told. */
static err *commit(struct container *c, const struct commit_options *o, char **ret_id)
{
        _cleanup_progress_ struct progress_view *view = NULL;
        struct progress_bytes bytes = {.id = "layer", .status = "Committing"};
        struct commit_options watched = *o;

        TRY(progress_open(NULL, !isatty(STDOUT_FILENO), stdout, "no image was made",
                          "look at `hod images` whether one was made", &view));
        bytes.progress = progress_sink(view);
        watched.watch = (struct watch){progress_bytes, &bytes};
        TRY(progress_result(view, snapshots_commit(c, &watched, ret_id)));
        if (bytes.told) /* an interruption comes too late: the image is made */
                err_free(progress_done(bytes.progress, bytes.id, "Committed"));
        return NULL;
}

static err *commit_run(struct invocation *inv)
{
        const struct commit_args *a = inv->args;
        struct commit_options o = {
                .name = inv->n_operands > 1 ? inv->operands[1] : NULL,
                .changes = a->changes,
                .author = a->author,
                .message = a->message,
                .pause = a->pause && !a->no_pause,
        };
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *id = NULL;

        TRY(ui_engine(inv, &e));
        TRY(container_find(e, inv->operands[0], &c));
        TRY(commit(c, &o, &id));
        (void)printf("%s\n", id);
        return NULL;
}

static const struct opt commit_opts[] = {
        OPT_STR('a', "author", struct commit_args, author, "string",
                "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
        OPT_LIST('c', "change", struct commit_args, changes, "list",
                 "Apply Dockerfile instruction to the created image"),
        OPT_STR('m', "message", struct commit_args, message, "string", "Commit message"),
        OPT_FLAG(0, "no-pause", struct commit_args, no_pause, "Don't pause container during commit"),
        OPT_FLAG('p', "pause", struct commit_args, pause, "Pause container during commit", .def = "true"),
        OPT_END,
};

const struct command cmd_commit = {
        .name = "commit",
        .operands = "CONTAINER [REPOSITORY[:TAG]]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "Create a new image from a container's changes",
        .opts = commit_opts,
        .args_size = sizeof(struct commit_args),
        .run = commit_run,
        .libraries = true,
        .complete = OPT_COMPLETE_CONTAINER,
};

/* ---- export ---- */

struct export_args {
        const char *output;
};

/* To @to, or to standard output. */
static err *export_to(struct container *c, struct fileout *to)
{
        _cleanup_progress_ struct progress_view *view = NULL;
        struct progress_bytes bytes = {0};
        const struct watch watch = {progress_bytes, &bytes};

        TRY(progress_open("none", true, stderr, to ? "nothing was written" : NULL,
                          to ? "the file is whole or not there" : NULL, &view));
        bytes.progress = progress_sink(view);
        return progress_result(view, snapshots_export(c, to ? fileout_fd(to) : STDOUT_FILENO, &watch));
}

static err *export_run(struct invocation *inv)
{
        const struct export_args *a = inv->args;
        _cleanup_container_ struct container *c = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_(fileout_freep) struct fileout *to = NULL;

        if (str_empty(a->output) && isatty(STDOUT_FILENO))
                return err_new(ERR_INVALID, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
        TRY(ui_engine(inv, &e));
        TRY(container_find(e, inv->operands[0], &c));
        if (str_empty(a->output))
                return export_to(c, NULL);
        TRY_WRAP(fileout_open_bytes(a->output, &to), "failed to export container");
        TRY(export_to(c, to));
        return fileout_finish(to);
}

static const struct opt export_opts[] = {
        OPT_STR('o', "output", struct export_args, output, "string", "Write to a file, instead of STDOUT",
                .complete = OPT_COMPLETE_FILE),
        OPT_END,
};

const struct command cmd_export = {
        .name = "export",
        .operands = "CONTAINER",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Export a container's filesystem as a tar archive",
        .opts = export_opts,
        .args_size = sizeof(struct export_args),
        .run = export_run,
        .complete = OPT_COMPLETE_CONTAINER,
};
