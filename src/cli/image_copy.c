/* image_copy.c - image copy. */
#include <stdio.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "cli/ui_registry.h"
#include "engine/copy.h"

struct copy_args {
        bool all, quiet;
        const char *platform, *progress, *authfile, *digestfile;
        const char *from_creds, *to_creds, *from_certs, *to_certs;
        bool from_tls, from_tls_given, to_tls, to_tls_given;
};

static err *write_digest(const char *path, const struct digest *d)
{
        int r = file_replace(AT_FDCWD, path, d->text, strlen(d->text), 0644, FILE_VOLATILE);

        return r < 0 ? err_sys(r, "writing the digest to %s", path) : NULL;
}

static void fill(const struct invocation *inv, const struct copy_args *a, struct copy_options *o)
{
        ui_registry(inv, &o->from_registry);
        o->from_registry.auth_file = a->authfile;
        o->to_registry = o->from_registry;
        o->to_registry.push = true;
        o->from_registry.creds = a->from_creds;
        o->to_registry.creds = a->to_creds;
        o->from_registry.cert_dir = a->from_certs;
        o->to_registry.cert_dir = a->to_certs;
        if (a->from_tls_given)
                o->from_registry.tls_verify = a->from_tls;
        if (a->to_tls_given)
                o->to_registry.tls_verify = a->to_tls;
}

static err *copy_run(struct invocation *inv)
{
        const struct copy_args *a = inv->args;
        struct copy_options o = {
                .from = inv->operands[0], .to = inv->operands[1], .platform = a->platform, .all = a->all};
        _cleanup_progress_ struct progress_view *view = NULL;
        _cleanup_engine_ struct engine *e = NULL;
        struct digest digest;

        fill(inv, a, &o);
        TRY(ui_engine(inv, &e));
        TRY(progress_open(a->progress, a->quiet, stderr, "nothing was changed", "it may have been copied", &view));
        o.progress = progress_sink(view);
        TRY(progress_result(view, copy_image(e, &o, &digest)));
        if (a->digestfile)
                TRY(write_digest(a->digestfile, &digest));
        progress_close(TAKE_PTR(view));
        (void)printf("%s\n", digest.text);
        return NULL;
}

static const struct opt copy_opts[] = {
        OPT_FLAG('a', "all", struct copy_args, all, "Copy the images for all platforms, with their index",
                 .conflicts = "platform"),
        OPT_STR(0, "authfile", struct copy_args, authfile, "file", "Credentials for registries",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "dest-cert-dir", struct copy_args, to_certs, "dir", "Certificates and keys for the destination",
                .complete = OPT_COMPLETE_DIR),
        OPT_STR(0, "dest-creds", struct copy_args, to_creds, "user[:password]", "Credentials for the destination"),
        OPT_FLAG(0, "dest-tls-verify", struct copy_args, to_tls,
                 "Require HTTPS and verify certificates of the destination (default as configured)",
                 OPT_GIVEN(struct copy_args, to_tls_given)),
        OPT_STR(0, "digestfile", struct copy_args, digestfile, "file", "Write the digest to this file too",
                .complete = OPT_COMPLETE_FILE),
        OPT_STR(0, "platform", struct copy_args, platform, "string",
                "Copy the image for this platform: os/arch[/variant] (default this machine's)"),
        PROGRESS_OPT(struct copy_args, progress),
        OPT_FLAG('q', "quiet", struct copy_args, quiet, "Print only the digest"),
        OPT_STR(0, "src-cert-dir", struct copy_args, from_certs, "dir", "Certificates and keys for the source",
                .complete = OPT_COMPLETE_DIR),
        OPT_STR(0, "src-creds", struct copy_args, from_creds, "user[:password]", "Credentials for the source"),
        OPT_FLAG(0, "src-tls-verify", struct copy_args, from_tls,
                 "Require HTTPS and verify certificates of the source (default as configured)",
                 OPT_GIVEN(struct copy_args, from_tls_given)),
        OPT_END,
};

const struct command cmd_image_copy = {
        .name = "copy",
        .operands = "SOURCE DESTINATION",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Copy an image between registries, archives, layouts and the store",
        .description =
                "Places are docker://NAME (a registry), oci:DIR[:REF] (an OCI layout), oci-archive:FILE[:REF], "
                "docker-archive:FILE[:NAME] (of several images also :@NUMBER), dir:DIR (as skopeo has it), and "
                "hod:NAME "
                "or a plain name (the images that are here). Nothing is unpacked, unless it comes here, and nothing is "
                "changed: digests stay. The digest is printed.",
        .opts = copy_opts,
        .args_size = sizeof(struct copy_args),
        .run = copy_run,
        .libraries = true,
};
