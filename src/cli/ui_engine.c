/* ui_engine.c - see ui.h: the engine that the global flags name, and the programs beside ours. */
#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/config.h"
#include "cli/ui.h"

err *ui_program(const char *name, char **ret)
{
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        char *slash;

        if (n < 0)
                return err_sys(errno, "reading /proc/self/exe (is /proc mounted?)");
        if ((size_t)n == sizeof(path) - 1)
                return err_new(ERR_LIMIT, "the path of this program is too long");
        path[n] = '\0';
        slash = strrchr(path, '/');
        /* Under whatever name we are installed, but what starts us again (the monitor) wants the quick one. */
        if (!name && strcmp(slash + 1, UI_FULL_PROGRAM) == 0)
                name = "hod";
        if (name)
                slash[1] = '\0';
        *ret = str_format("%s%s", path, name ? name : "");
        return *ret ? NULL : err_nomem();
}

err *ui_engine(const struct invocation *inv, struct engine **ret)
{
        const struct global_args *g = inv->global.args;
        const struct config *config = inv->context;
        _cleanup_free_ char *self = NULL, *monitor = NULL;
        struct engine_options options = {.root = config->root, .state = config->state, .driver = g->storage_driver};

        TRY(ui_program(NULL, &self));
        TRY(ui_program("hod-monitor", &monitor));
        options.self = self;
        options.monitor = monitor;
        return engine_open(&options, ret);
}
