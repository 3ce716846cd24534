/* push.c - `hod push`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/registry_args.h"
#include "cli/ui.h"
#include "engine/push.h"

#define KEPT "the registry keeps what it has whole"

struct push_args {
        bool all_tags, quiet, force_compression;
        const char *platform, *progress, *compression, *digest_file;
        struct registry_args registry;
};

static err *push(struct engine *e, struct push_options *o, const struct push_args *a, char **ret_name,
                 struct digest *ret_digest)
{
        _cleanup_progress_ struct progress_view *view = NULL;

        TRY(progress_open(a->progress, a->quiet, stdout, KEPT, KEPT, &view));
        o->progress = progress_sink(view);
        return progress_result(view, push_image(e, o, ret_name, ret_digest));
}

static err *push_run(struct invocation *inv)
{
        const struct push_args *a = inv->args;
        struct push_options o = {
                .name = inv->operands[0],
                .all_tags = a->all_tags,
                .platform = a->platform,
                .compression = a->compression,
                .force_compression = a->force_compression,
        };
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *name = NULL;
        struct digest digest;
        int r;

        registry_args_fill(inv, &a->registry, &o.registry);
        o.registry.push = true;
        TRY(ui_engine(inv, &e));
        TRY(push(e, &o, a, &name, &digest));
        if (a->digest_file) {
                _cleanup_close_ int fd = open(a->digest_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

                r = fd < 0 ? -errno : file_write_all(fd, digest.text, strlen(digest.text));
                if (r < 0)
                        return err_sys(r, "writing %s", a->digest_file);
        }
        if (a->quiet)
                (void)printf("%s\n", name);
        return NULL;
}

static const struct opt push_opts[] = {
        OPT_FLAG('a', "all-tags", struct push_args, all_tags, "Push all tags of an image to the repository"),
        OPT_STR(0, "compression", struct push_args, compression, "string",
                "Of layers that were made here: gzip (default) or zstd, each with :LEVEL if wanted"),
        OPT_STR(0, "digestfile", struct push_args, digest_file, "path",
                "Write the digest of the pushed manifest to this file", .complete = OPT_COMPLETE_FILE),
        OPT_FLAG(0, "force-compression", struct push_args, force_compression,
                 "Compress layers again that came compressed in another way"),
        OPT_STR(0, "platform", struct push_args, platform, "string",
                "Push this platform only, of an image that is here for several"),
        PROGRESS_OPT(struct push_args, progress),
        OPT_FLAG('q', "quiet", struct push_args, quiet, "Suppress verbose output"),
        REGISTRY_OPTS(struct push_args, registry),
        OPT_END,
};

const struct command cmd_push = {
        .name = "push",
        .operands = "NAME[:TAG]",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Upload an image to a registry",
        .description = "What was pulled goes out byte for byte, under the digest that it had; layers made here are "
                       "compressed while they are sent. What the registry has already is not sent again.",
        .opts = push_opts,
        .args_size = sizeof(struct push_args),
        .run = push_run,
        .libraries = true,
        .complete = OPT_COMPLETE_IMAGE,
};
