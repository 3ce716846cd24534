/* manifest.c - manifest create, annotate, inspect, push, rm. */
#include <stdio.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "cli/ui_registry.h"
#include "engine/manifest_list.h"

#define INSECURE_OPT(T, m) OPT_FLAG(0, "insecure", T, m, "Allow communication with an insecure registry")

static void fill(const struct invocation *inv, bool insecure, struct registry_options *o)
{
        ui_registry(inv, o);
        if (insecure)
                o->tls_verify = 0;
}

/* ---- create ---- */

struct create_list_args {
        bool amend, insecure;
};

static err *create_run(struct invocation *inv)
{
        const struct create_list_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *name = NULL;
        struct registry_options o;

        fill(inv, a->insecure, &o);
        TRY(ui_engine(inv, &e));
        TRY(manifest_list_create(e, inv->operands[0], inv->operands + 1, a->amend, &o, &name));
        (void)printf("Created manifest list %s\n", name);
        return NULL;
}

static const struct opt create_opts[] = {
        OPT_FLAG('a', "amend", struct create_list_args, amend, "Amend an existing manifest list"),
        INSECURE_OPT(struct create_list_args, insecure),
        OPT_END,
};

const struct command cmd_manifest_create = {
        .name = "create",
        .operands = "MANIFEST_LIST MANIFEST [MANIFEST...]",
        .min_operands = 2,
        .max_operands = OPERANDS_ANY,
        .summary = "Create a local manifest list for annotating and pushing to a registry",
        .opts = create_opts,
        .args_size = sizeof(struct create_list_args),
        .run = create_run,
        .libraries = true,
};

/* ---- annotate ---- */

struct annotate_args {
        const char *arch, *os, *os_version, *variant;
        char **os_features;
};

static err *annotate_run(struct invocation *inv)
{
        const struct annotate_args *a = inv->args;
        const struct manifest_annotation annotation = {a->arch, a->os, a->os_version, a->variant, a->os_features};
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        return manifest_list_annotate(e, inv->operands[0], inv->operands[1], &annotation);
}

static const struct opt annotate_opts[] = {
        OPT_STR(0, "arch", struct annotate_args, arch, "string", "Set architecture"),
        OPT_STR(0, "os", struct annotate_args, os, "string", "Set operating system"),
        OPT_CSV(0, "os-features", struct annotate_args, os_features, "strings", "Set operating system feature"),
        OPT_STR(0, "os-version", struct annotate_args, os_version, "string", "Set operating system version"),
        OPT_STR(0, "variant", struct annotate_args, variant, "string", "Set architecture variant"),
        OPT_END,
};

const struct command cmd_manifest_annotate = {
        .name = "annotate",
        .operands = "MANIFEST_LIST MANIFEST",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Add additional information to a local image manifest",
        .opts = annotate_opts,
        .args_size = sizeof(struct annotate_args),
        .run = annotate_run,
};

/* ---- inspect ---- */

struct manifest_inspect_args {
        bool insecure, verbose;
};

static err *inspect_run(struct invocation *inv)
{
        const struct manifest_inspect_args *a = inv->args;
        bool of_list = inv->n_operands > 1;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *text = NULL;
        struct registry_options o;

        fill(inv, a->insecure, &o);
        TRY(ui_engine(inv, &e));
        TRY(manifest_list_inspect(e, of_list ? inv->operands[0] : NULL, inv->operands[of_list], a->verbose, &o, &text));
        ui_print(stdout, text);
        (void)putchar('\n');
        return NULL;
}

static const struct opt inspect_opts[] = {
        INSECURE_OPT(struct manifest_inspect_args, insecure),
        OPT_FLAG('v', "verbose", struct manifest_inspect_args, verbose,
                 "Output additional info including layers and platform"),
        OPT_END,
};

const struct command cmd_manifest_inspect = {
        .name = "inspect",
        .operands = "[MANIFEST_LIST] MANIFEST",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "Display an image manifest, or manifest list",
        .opts = inspect_opts,
        .args_size = sizeof(struct manifest_inspect_args),
        .run = inspect_run,
        .libraries = true,
};

/* ---- push ---- */

struct push_list_args {
        bool insecure, purge;
};

static err *push_run(struct invocation *inv)
{
        const struct push_list_args *a = inv->args;
        _cleanup_progress_ struct progress_view *view = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        struct registry_options o;
        struct digest digest;

        fill(inv, a->insecure, &o);
        TRY(ui_engine(inv, &e));
        TRY(progress_open("auto", false, stderr, "the list was not pushed", "it may have been pushed", &view));
        TRY(progress_result(view, manifest_list_push(e, inv->operands[0], a->purge, &o, progress_sink(view), &digest)));
        progress_close(TAKE_PTR(view));
        (void)printf("%s\n", digest.text);
        return NULL;
}

static const struct opt push_opts[] = {
        INSECURE_OPT(struct push_list_args, insecure),
        OPT_FLAG('p', "purge", struct push_list_args, purge, "Remove the local manifest list after push"),
        OPT_END,
};

const struct command cmd_manifest_push = {
        .name = "push",
        .operands = "MANIFEST_LIST",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Push a manifest list to a repository",
        .opts = push_opts,
        .args_size = sizeof(struct push_list_args),
        .run = push_run,
        .libraries = true,
};

/* ---- rm ---- */

static err *rm_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        for (char **name = inv->operands; *name; name++) {
                err *error = manifest_list_remove(e, *name);

                if (!error)
                        continue;
                inv->status = 1;
                ui_fail(error);
        }
        return NULL;
}

const struct command cmd_manifest_rm = {
        .name = "rm",
        .operands = "MANIFEST_LIST [MANIFEST_LIST...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Delete one or more manifest lists from local storage",
        .run = rm_run,
};
