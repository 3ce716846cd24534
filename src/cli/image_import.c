/* image_import.c - `hod import`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "engine/import.h"
#include "store/image.h"

struct import_args {
        const char *message, *platform;
        char **changes;
};

static err *open_file(const char *path, int *ret)
{
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (strcmp(path, "-") == 0) {
                if (isatty(STDIN_FILENO))
                        return err_new(ERR_INVALID,
                                       "import from a terminal: give a file, or pipe a tar into `hod import -`");
                fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        } else {
                fd = open(path, O_RDONLY | O_CLOEXEC);
        }
        if (fd < 0)
                return err_sys(errno, "open %s", path);
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
                return err_new(ERR_INVALID, "%s is a directory: import takes a tar (`tar -C %s -c . | hod import -`)",
                               path, path);
        *ret = TAKE_FD(fd);
        return NULL;
}

/* Of a file that is read from where it stands now. */
static uint64_t rest_of(int fd)
{
        off_t at = fd < 0 ? -1 : lseek(fd, 0, SEEK_CUR);
        struct stat st;

        return at >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > at ? (uint64_t)(st.st_size - at)
                                                                                        : 0;
}

static err *import(struct engine *e, const char *url, const struct image_import *i, char **ret_id)
{
        _cleanup_progress_ struct progress_view *view = NULL;
        struct progress_bytes bytes = {.id = "archive", .status = "Importing", .total = rest_of(i->fd)};
        struct image_import watched = *i;

        TRY(progress_open(NULL, !isatty(STDOUT_FILENO), stdout, "nothing was imported",
                          "look at `hod images` whether it was imported", &view));
        bytes.progress = progress_sink(view);
        watched.watch = (struct watch){progress_bytes, &bytes};
        TRY(progress_result(view,
                            url ? import_url(e, url, &watched, ret_id) : image_import(e->store, &watched, ret_id)));
        if (bytes.told) /* an interruption comes too late: the image is made */
                err_free(progress_done(bytes.progress, bytes.id, "Imported"));
        return NULL;
}

static err *import_run(struct invocation *inv)
{
        const struct import_args *a = inv->args;
        const char *from = inv->operands[0];
        bool url = str_starts(from, "http://") || str_starts(from, "https://");
        struct image_import options = {
                .fd = -1,
                .name = inv->n_operands > 1 ? inv->operands[1] : NULL,
                .changes = a->changes,
                .message = a->message,
                .platform = a->platform,
        };
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *id = NULL;

        if (!url)
                TRY(open_file(from, &fd));
        TRY(ui_engine(inv, &e));
        options.fd = fd;
        options.about = strcmp(from, "-") == 0 ? NULL : from;
        TRY(import(e, url ? from : NULL, &options, &id));
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
        .operands = "file|URL|- [REPOSITORY[:TAG]]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "Import the contents from a tarball to create a filesystem image",
        .opts = import_opts,
        .args_size = sizeof(struct import_args),
        .run = import_run,
        .libraries = true,
        .complete = OPT_COMPLETE_FILE,
};
