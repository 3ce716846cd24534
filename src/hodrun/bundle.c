/* bundle.c - see bundle.h. */
#include "hodrun/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "hodrun/hodrun.h"
#include "runtime/rdt.h"
#include "sys/cgroup.h"

void bundle_done(struct bundle *b)
{
        (void)file_close(b->fd);
        free(b->path);
        free(b->text);
        oci_spec_free(b->spec);
        seccomp_known_done(&b->seccomp);
}

static err *read_config(struct bundle *b, const char *seccomp_cache)
{
        TRY(json_load(b->config_dir, b->config, &b->text, &b->size));
        TRY_WRAP(seccomp_ops_parse(b->text, b->size, seccomp_cache, &b->seccomp, &b->spec), "%s", b->config);
        return oci_spec_check(b->spec);
}

err *bundle_open(const char *path, const char *config, const char *seccomp_cache, struct bundle *b)
{
        char link[40], text[4096];
        struct trace_span span = trace_begin(TRACE_SPEC_READ);
        struct stat st;
        ssize_t n;

        if (str_empty(path))
                path = ".";
        b->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (b->fd < 0)
                return err_sys(errno, "chdir %s", path);
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", b->fd);
        n = readlink(link, text, sizeof(text) - 1);
        if (n < 0)
                return err_sys(errno, "readlink %s", link);
        text[n] = '\0';
        b->path = str_dup(text);
        if (!b->path)
                return err_nomem();
        b->config = str_empty(config) ? "config.json" : config;
        b->config_dir = str_empty(config) ? b->fd : AT_FDCWD;
        if (fstatat(b->config_dir, b->config, &st, 0) < 0)
                return errno == ENOENT ? err_new(ERR_NOT_FOUND, "JSON specification file %s not found", b->config)
                                       : err_sys(errno, "stat %s", b->config);
        if (!S_ISREG(st.st_mode)) /* a FIFO would keep us waiting */
                return err_new(ERR_INVALID, "%s is not a regular file", b->config);
        TRY(read_config(b, seccomp_cache));
        trace_end(&span, 0, b->path);
        return NULL;
}

err *bundle_check_terminal(const struct oci_spec *s, const char *console_socket, bool detached)
{
        bool socket = !str_empty(console_socket);

        if (s->process->terminal && detached && !socket)
                return err_new(ERR_INVALID, "cannot allocate tty if %s will detach without setting console socket",
                               hodrun_name());
        if ((!s->process->terminal || !detached) && socket)
                return err_new(ERR_INVALID, "cannot use console socket if %s will not detach or allocate tty",
                               hodrun_name());
        return NULL;
}

/* What `kill` and `delete` need to know, whatever becomes of config.json. */
static err *remember_spec(const struct oci_spec *spec, struct state *s)
{
        const struct oci_namespace *pids = &spec->linux_.ns[OCI_NS_PID];
        struct resctrl_group g;

        s->own_pids_known = true;
        s->own_pids = pids->present && !pids->path;
        s->has_rdt = rdt_group(spec, s->id, &g);
        s->ends_quietly = spec->hooks[OCI_HOOK_POSTSTOP].n == 0 && !s->has_rdt;
        if (!s->has_rdt)
                return NULL;
        s->rdt.clos = str_dup(g.clos);
        s->rdt.monitoring = g.monitoring;
        return g.clos && !s->rdt.clos ? err_nomem() : NULL;
}

err *bundle_remember(const struct bundle *b, bool systemd, struct state *s)
{
        const char *root = b->spec->root_path, *cgroup = b->spec->linux_.cgroups_path;
        _cleanup_free_ char *by_id = str_format("/%s", s->id);
        int r;

        s->bundle = str_dup(b->path);
        s->rootfs = *root == '/' ? str_dup(root) : str_format("%s/%s", b->path, root);
        if (!s->bundle || !s->rootfs || !by_id)
                return err_nomem();
        TRY(state_know_stdio(s, b->spec->process->terminal));
        if (systemd) {
                TRY(state_where(&s->unit, state_is_rootless()));
                TRY(runtime_unit_resolve(b->spec, hodrun_name(), s->id, &s->unit, &s->cgroup));
        } else if (b->no_cgroup) {
                s->cgroup = str_dup("");
                if (!s->cgroup)
                        return err_nomem();
        } else {
                TRY(cgroup_path_clean(cgroup ? cgroup : by_id, &s->cgroup));
        }
        TRY(remember_spec(b->spec, s));
        r = file_create(s->dirfd, "config.json", b->text, b->size, 0600); /* whole before there is a state.json */
        if (r < 0)
                return err_sys(-r, "keeping config.json");
        return state_save(s);
}
