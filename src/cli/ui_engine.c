/* ui_engine.c - see ui.h: the engine that the global flags name, and the programs beside ours. */
#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/config.h"
#include "cli/ui.h"

/* Our own path, and the path of the monitor: in the same directory. */
static err *find_programs(char **ret_self, char **ret_monitor)
{
        _cleanup_free_ char *self = NULL, *monitor = NULL;
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        const char *slash;

        if (n < 0)
                return err_sys(errno, "reading /proc/self/exe (is /proc mounted?)");
        if ((size_t)n == sizeof(path) - 1)
                return err_new(ERR_LIMIT, "the path of this program is too long");
        path[n] = '\0';
        slash = strrchr(path, '/');
        self = strdup(path);
        monitor = str_format("%.*s/hod-monitor", slash ? (int)(slash - path) : 0, path);
        if (!self || !monitor)
                return err_nomem();
        *ret_self = TAKE_PTR(self);
        *ret_monitor = TAKE_PTR(monitor);
        return NULL;
}

err *ui_engine(const struct invocation *inv, struct engine **ret)
{
        const struct global_args *g = inv->global.args;
        const struct config *config = inv->context;
        _cleanup_free_ char *self = NULL, *monitor = NULL;
        struct engine_options options = {.root = config->root, .state = config->state, .driver = g->storage_driver};

        TRY(find_programs(&self, &monitor));
        options.self = self;
        options.monitor = monitor;
        return engine_open(&options, ret);
}
