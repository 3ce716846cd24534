/* main.c - the program hod: parse, configure, run one verb, say how it ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/help.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "codec/loader.h"
#include "sys/process.h"

/* Whoever starts us with 0, 1 or 2 closed must not find our files there. */
static void open_standard_fds(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        while (fd >= 0 && fd <= 2);
        if (fd > 2)
                (void)close(fd);
}

/* Go on as the program that can load libraries; nothing has been done yet. */
static err *become_full(char **argv)
{
        _cleanup_free_ char *path = NULL;

        TRY(ui_program(UI_FULL_PROGRAM, &path));
        (void)execv(path, argv);
        return err_sys(errno, "executing %s", path);
}

static err *run(struct invocation *inv, struct config *config, char **argv)
{
        const struct global_args *g = inv->global.args;

        if (inv->help)
                return help_print(inv, stdout);
        if (g->version) {
                (void)printf("hod version %s\n", HOD_VERSION);
                return NULL;
        }
        if (!inv->command->run) /* no command: docker explains itself on stderr and calls it a success */
                return help_print(inv, stderr);
        if (inv->command->libraries && !loader_available())
                return become_full(argv);
        TRY(config_load(inv, config, environ));
        return inv->command->run(inv);
}

/* What was printed must have arrived: `hod ps > /dev/full` is a failure. */
static int finish(int status)
{
        if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
                (void)fprintf(stderr, "hod: writing to standard output: %s\n", strerror(errno));
                return 1;
        }
        return status;
}

int main(int argc, char **argv)
{
        struct config config = {0};
        struct invocation inv;
        int status;
        err *e;

        (void)argc;
        open_standard_fds();
        /* Modes are what the code says, whatever the shell's umask; containers' own is set by the runtime. */
        (void)umask(022);
        process_expect_children();
        e = opt_parse(&cmd_hod, argv, &inv);
        if (!e)
                e = run(&inv, &config, argv);
        if (inv.notes.len)
                (void)fputs(str_text(&inv.notes), stderr);
        status = inv.status;
        if (e) {
                bool interrupted = err_code(e) == ERR_INTERRUPTED && progress_signal();
                _cleanup_str_ struct str text = {0};

                (void)fflush(stdout);
                status = opt_report(&inv, "hod", e, &text);
                if (interrupted) /* docker's: 130 after Ctrl-C, 143 after SIGTERM */
                        status = 128 + progress_signal();
                ui_print(stderr, str_text(&text));
        }
        status = finish(status);
        opt_done(&inv);
        config_done(&config);
        return status;
}
