/* image_import.c - `hod import`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "store/image.h"

struct import_args {
        const char *message, *platform;
        char **changes;
};

static err *import_run(struct invocation *inv)
{
        const struct import_args *a = inv->args;
        const char *from = inv->operands[0];
        struct image_import import = {
                .name = inv->n_operands > 1 ? inv->operands[1] : NULL,
                .changes = a->changes,
                .message = a->message,
                .platform = a->platform,
        };
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *id = NULL;
        bool from_stdin = strcmp(from, "-") == 0;

        if (str_starts(from, "http://") || str_starts(from, "https://"))
                return err_new(ERR_UNSUPPORTED,
                               "import of %s: downloads are not built yet; fetch the file and import that", from);
        if (from_stdin && isatty(STDIN_FILENO))
                return err_new(ERR_INVALID, "import from a terminal: give a file, or pipe a tar into `hod import -`");
        fd = from_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(from, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(errno, "open %s", from);
        TRY(ui_engine(inv, &e));
        import.fd = fd;
        TRY_WRAP(image_import(e->store, &import, &id), "importing %s", from_stdin ? "standard input" : from);
        (void)printf("%s\n", id);
        return NULL;
}

static const struct opt import_opts[] = {
        OPT_LIST('c', "change", struct import_args, changes, "list",
                 "Apply Dockerfile instruction to the created image"),
        OPT_STR('m', "message", struct import_args, message, "string", "Set commit message for imported image"),
        OPT_STR(0, "platform", struct import_args, platform, "string", "Set platform of the image (os/arch[/variant])"),
        OPT_END,
};

const struct command cmd_import = {
        .name = "import",
        .operands = "file|- [REPOSITORY[:TAG]]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "Import the contents from a tarball to create a filesystem image",
        .opts = import_opts,
        .args_size = sizeof(struct import_args),
        .run = import_run,
        .libraries = true,
        .complete = OPT_COMPLETE_FILE,
};
