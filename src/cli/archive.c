/* archive.c - load and save. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "engine/load.h"
#include "engine/save.h"

/* ---- load ---- */

#define KEPT "what was loaded before stays"

struct load_args {
        const char *input, *platform, *progress;
        bool quiet;
};

/* What was loaded is said behind the progress; to machines as a part of it. */
struct load_output {
        struct str lines;
        const struct progress *json;
};

static void load_say(void *arg, const char *line)
{
        struct load_output *out = arg;

        if (out->json)
                err_free(progress_line(out->json, "%s", line));
        else
                str_printf(&out->lines, "%s\n", line);
}

static err *load_show(const struct invocation *inv, struct engine *e, struct load_output *out)
{
        const struct load_args *a = inv->args;
        bool nobody = str_eq(a->progress, "auto") && !isatty(STDOUT_FILENO);
        struct load_progress progress = {.say = load_say, .arg = out};
        _cleanup_progress_ struct progress_view *view = NULL;

        TRY(progress_open(a->progress, a->quiet || nobody, stdout, KEPT, KEPT, &view));
        progress.progress = progress_sink(view);
        if (str_eq(a->progress, "json") && !a->quiet)
                out->json = progress.progress;
        return progress_result(view, load_images(e, a->input, a->platform, &progress));
}

static err *load_run(struct invocation *inv)
{
        const struct load_args *a = inv->args;
        struct load_output out = {0};
        _cleanup_engine_ struct engine *e = NULL;
        struct stat st;
        err *error;

        if (!a->input && isatty(STDIN_FILENO))
                return err_new(ERR_INVALID, "requested load from stdin, but stdin is empty");
        if (a->input && stat(a->input, &st) < 0)
                return err_sys(errno, "open %s", a->input);
        TRY(ui_engine(inv, &e));
        error = load_show(inv, e, &out);
        ui_print(stdout, str_text(&out.lines));
        str_free(&out.lines);
        return error;
}

static const struct opt load_opts[] = {
        OPT_STR('i', "input", struct load_args, input, "string",
                "Read from a tar archive file, or an OCI layout's directory, instead of STDIN",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "platform", struct load_args, platform, "string",
                "Load only the given platform: os/arch[/variant] (e.g., \"linux/amd64\")"),
        PROGRESS_OPT(struct load_args, progress),
        OPT_FLAG('q', "quiet", struct load_args, quiet, "Suppress the load output"),
        OPT_END,
};

const struct command cmd_load = {
        .name = "load",
        .summary = "Load images from a tar archive, an OCI layout, or STDIN",
        .opts = load_opts,
        .args_size = sizeof(struct load_args),
        .run = load_run,
        .libraries = true,
};

/* ---- save ---- */

struct save_args {
        const char *output, *platform, *format, *progress;
};

static const char *const save_formats[] = {"docker-archive", "oci-archive", "oci-dir", "docker-dir", NULL};

static err *save_run(struct invocation *inv)
{
        const struct save_args *a = inv->args;
        _cleanup_progress_ struct progress_view *view = NULL;
        struct save_options o = {.output = a->output, .platform = a->platform, .images = inv->operands};
        bool nobody = str_eq(a->progress, "auto") && !isatty(STDERR_FILENO);
        _cleanup_engine_ struct engine *e = NULL;

        while (!str_eq(save_formats[o.format], a->format))
                o.format++;
        if (!o.output && (o.format == SAVE_OCI_DIR || o.format == SAVE_DOCKER_DIR))
                return err_new(ERR_INVALID, "--format %s makes a directory: say which one with -o", a->format);
        if (!o.output && isatty(STDOUT_FILENO))
                return err_new(ERR_INVALID, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
        TRY(ui_engine(inv, &e));
        TRY(progress_open(a->progress, nobody, stderr, "nothing was saved", "the archive is whole or not there",
                          &view));
        o.progress = progress_sink(view);
        return progress_result(view, save_images(e, &o));
}

static const struct opt save_opts[] = {
        OPT_STR(0, "format", struct save_args, format, "string",
                "Form of the output (\"docker-archive\", \"oci-archive\", \"oci-dir\", \"docker-dir\")",
                .def = "docker-archive", .choices = save_formats, .strict = true),
        OPT_STR('o', "output", struct save_args, output, "string", "Write to a file, instead of STDOUT",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "platform", struct save_args, platform, "string",
                "Save only the given platform: os/arch[/variant] (e.g., \"linux/amd64\")"),
        PROGRESS_OPT(struct save_args, progress),
        OPT_END,
};

const struct command cmd_save = {
        .name = "save",
        .operands = "IMAGE [IMAGE...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
        .opts = save_opts,
        .args_size = sizeof(struct save_args),
        .run = save_run,
        .libraries = true,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};
