/* conf.c - see conf.h. */
#include "monitor/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "monitor/lines.h"

#define CONF_MAX (4u << 20) /* bytes; a name of a layer is short, 128 of them are many */

static const struct lines_field conf_fields[] = {
        LINES_FIELD(struct monitor_conf, version, "version", LINES_UNSIGNED),
        LINES_FIELD(struct monitor_conf, id, "id", LINES_STRING),
        LINES_FIELD(struct monitor_conf, name, "name", LINES_STRING),
        LINES_FIELD(struct monitor_conf, bundle, "bundle", LINES_STRING),
        LINES_FIELD(struct monitor_conf, log_path, "log_path", LINES_STRING),
        LINES_FIELD(struct monitor_conf, log_max_size, "log_max_size", LINES_U64),
        LINES_FIELD(struct monitor_conf, log_max_files, "log_max_files", LINES_UNSIGNED),
        LINES_FIELD(struct monitor_conf, log_attrs, "log_attrs", LINES_STRING),
        LINES_FIELD(struct monitor_conf, tty, "tty", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, open_stdin, "open_stdin", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, stdin_once, "stdin_once", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, user, "user", LINES_STRING),
        LINES_FIELD(struct monitor_conf, groups, "group", LINES_LIST),
        LINES_FIELD(struct monitor_conf, rootfs_driver, "rootfs_driver", LINES_STRING),
        LINES_FIELD(struct monitor_conf, lower, "lower", LINES_LIST),
        LINES_FIELD(struct monitor_conf, upper, "upper", LINES_STRING),
        LINES_FIELD(struct monitor_conf, work, "work", LINES_STRING),
        LINES_FIELD(struct monitor_conf, rootfs_volatile, "rootfs_volatile", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, rootfs_readonly, "rootfs_readonly", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, rootfs_limited, "rootfs_limited", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, restart_policy, "restart_policy", LINES_STRING),
        LINES_FIELD(struct monitor_conf, restart_max, "restart_max", LINES_UNSIGNED),
        LINES_FIELD(struct monitor_conf, stop_signal, "stop_signal", LINES_INT),
        LINES_FIELD(struct monitor_conf, term_added, "term_added", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, auto_remove, "auto_remove", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, hod, "hod", LINES_STRING),
        LINES_FIELD(struct monitor_conf, root_dir, "root_dir", LINES_STRING),
        LINES_FIELD(struct monitor_conf, state_dir, "state_dir", LINES_STRING),
        LINES_FIELD(struct monitor_conf, seccomp_cache, "seccomp_cache", LINES_STRING),
        LINES_FIELD(struct monitor_conf, seccomp_name, "seccomp_name", LINES_STRING),
        LINES_FIELD(struct monitor_conf, donors, "donor", LINES_LIST),
        LINES_FIELD(struct monitor_conf, endpoints, "endpoint", LINES_LIST),
        LINES_FIELD(struct monitor_conf, ports, "port", LINES_LIST),
        LINES_FIELD(struct monitor_conf, dns, "dns", LINES_LIST),
        LINES_FIELD(struct monitor_conf, names, "names", LINES_BOOL),
        LINES_FIELD(struct monitor_conf, monitor_cgroup, "monitor_cgroup", LINES_STRING),
};

err *monitor_conf_write(int dirfd, const struct monitor_conf *c)
{
        for (size_t room = 8192; room <= CONF_MAX; room *= 4) {
                _cleanup_free_ char *text = malloc(room);
                size_t size;
                int r;

                if (!text)
                        return err_nomem();
                if (!lines_format(conf_fields, ARRAY_SIZE(conf_fields), c, text, room, &size))
                        continue;
                r = lines_replace(dirfd, ".conf", "conf", text, size);
                return r < 0 ? err_sys(r, "writing the monitor's configuration") : NULL;
        }
        return err_new(ERR_LIMIT, "the monitor's configuration is larger than %u bytes", CONF_MAX);
}

void monitor_conf_done(struct monitor_conf *c)
{
        lines_free(conf_fields, ARRAY_SIZE(conf_fields), c);
        *c = (struct monitor_conf){0};
}

err *monitor_conf_read(int dirfd, struct monitor_conf *ret)
{
        _cleanup_free_ char *text = NULL;
        struct monitor_conf c = {0};
        size_t size;
        err *e;
        int r;

        r = file_read(dirfd, "conf", CONF_MAX, &text, &size);
        if (r == -ENOENT)
                return err_new(ERR_NOT_FOUND, "no configuration of the monitor");
        if (r < 0)
                return err_sys(r, "reading the monitor's configuration");
        if (strlen(text) != size)
                return err_new(ERR_CORRUPT, "monitor's configuration: not text");
        e = lines_parse(text, conf_fields, ARRAY_SIZE(conf_fields), &c);
        if (!e && (!c.id || !c.bundle || !c.rootfs_driver || !c.lower))
                e = err_new(ERR_CORRUPT, "id, bundle or root file system is missing");
        if (e) {
                monitor_conf_done(&c);
                return err_wrap(e, "monitor's configuration");
        }
        *ret = c;
        return NULL;
}
