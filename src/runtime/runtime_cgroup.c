/* runtime_cgroup.c - see runtime_private.h: the cgroup of a new process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "runtime/cgroup_ops.h"
#include "runtime/runtime_private.h"
#include "sys/cgroup.h"

#define DELEGATE "run.oci.delegate-cgroup"

err *runtime_cgroup_open(struct runtime_session *s)
{
        struct plan *p = &s->plan;
        const char *unified = s->layout->unified >= 0 ? s->sub.path[(int)s->layout->unified] : NULL;

        /* v2: the clone puts the child there. v1: the child writes "0" itself, which spares the kernel's global lock.
         */
        s->clone_fd = p->split ? -ENOENT : cgroup_clone_fd(s->layout, unified ? unified : s->cgroup);
        if (s->clone_fd < 0 && s->clone_fd != -ENOENT)
                return err_sys(-s->clone_fd, "opening cgroup %s", s->cgroup);
        return cgroup_join_open_each(s->layout, s->cgroup, s->sub.path, s->clone_fd < 0, p->cgroup_fds,
                                     &p->n_cgroup_fds);
}

static bool is_permission(const err *e)
{
        return err_errno(e) == EACCES || err_errno(e) == EPERM || err_errno(e) == EROFS;
}

static err *refuse_limits(const struct runtime_session *s)
{
        const char *limit = cgroup_ops_limit(&s->request->spec->linux_.resources);

        return limit ? err_new(ERR_DENIED, "cannot set %s limit: container could not join or create cgroup", limit)
                     : NULL;
}

/* Next to where we are ourselves, as a login has it delegated on v2 (below us a cgroup could have no controllers: we
 * are in it). False: no. */
static bool make_cgroup_beside(struct runtime_session *s)
{
        _cleanup_free_ char *own = s->layout->mode == CGROUP_MODE_V2 ? exec_cgroup_of(getpid()) : NULL, *path = NULL;
        char *slash = own ? strrchr(own, '/') : NULL;
        err *e;

        if (!slash || slash == own)
                return false;
        *slash = '\0';
        path = str_format("%s/%s", own, s->request->id);
        if (!path)
                return false;
        e = cgroup_ops_create(s->layout, path, &s->request->spec->linux_.resources, &s->cgroup_made);
        if (e) {
                err_free(e);
                return false;
        }
        free(s->cgroup);
        s->cgroup = TAKE_PTR(path);
        return true;
}

/* @e (consumed) says that no cgroup may be made: as runc, that is none's loss unless one was asked for. */
static err *no_cgroup(struct runtime_session *s, err *e)
{
        if (s->request->spec->linux_.cgroups_path || !str_empty(oci_spec_annotation(s->request->spec, DELEGATE)))
                return e;
        err_free(e);
        TRY(refuse_limits(s));
        free(s->cgroup);
        s->cgroup = NULL;
        return NULL;
}

/* crun's annotation: the container begins in a cgroup below its own, which is left to it: with processes of its own the
 * latter could not give it controllers. */
static err *check_delegate(const struct runtime_session *s)
{
        if (str_empty(oci_spec_annotation(s->request->spec, DELEGATE)))
                return NULL;
        if (s->layout->mode != CGROUP_MODE_V2)
                return err_new(ERR_UNSUPPORTED, "annotation " DELEGATE ": only cgroup v2 can delegate");
        if (s->request->unit || s->request->no_cgroup)
                return err_new(ERR_UNSUPPORTED, "annotation " DELEGATE ": only with the cgroup manager cgroupfs");
        return NULL;
}

static err *delegate(struct runtime_session *s)
{
        const char *sub = oci_spec_annotation(s->request->spec, DELEGATE);
        _cleanup_free_ char *path = NULL;
        int fd;

        if (str_empty(sub))
                return NULL;
        TRY_WRAP(exec_cgroup_below(s->cgroup, sub, &path), "annotation " DELEGATE);
        if (str_eq(path, s->cgroup))
                return err_new(ERR_INVALID, "annotation " DELEGATE ": %s is the container's own cgroup", sub);
        TRY(cgroup_sub_open(s->layout, path, &fd));
        s->plan.delegate_fd = plan_own_fd(&s->plan, fd);
        TRY(arena_check(&s->plan.arena));
        return cgroup_ops_give(s->layout, path, s->request->spec);
}

err *runtime_cgroup_make(struct runtime_session *s)
{
        const struct oci_linux *l = &s->request->spec->linux_;
        _cleanup_free_ char *by_id = NULL;
        const char *path = s->request->cgroup_path;
        struct trace_span span;
        err *e;

        TRY(cgroup_layout_get(&s->layout));
        TRY(check_delegate(s));
        if (s->request->no_cgroup)
                return refuse_limits(s);
        if (!path)
                path = l->cgroups_path;
        if (!path) {
                path = by_id = str_format("/%s", s->request->id);
                if (!by_id)
                        return err_nomem();
        }
        TRY(cgroup_path_clean(path, &s->cgroup));
        span = trace_begin(TRACE_CGROUP_CREATE);
        if (s->request->unit) {
                /* Mounts want its directories now; it becomes systemd's when there is a process to put into it. */
                s->unit = s->request->unit;
                s->plan.wait_cgroup = true;
                TRY(cgroup_create_ours(s->layout, s->cgroup, &s->cgroup_made));
        } else {
                e = cgroup_ops_create(s->layout, s->cgroup, &l->resources, &s->cgroup_made);
                if (e && s->request->rootless_cgroups && is_permission(e) && !l->cgroups_path && make_cgroup_beside(s))
                        e = err_free(e);
                if (e)
                        return s->request->rootless_cgroups && is_permission(e) ? no_cgroup(s, e) : e;
                TRY(cgroup_ops_give(s->layout, s->cgroup, s->request->spec));
                TRY(delegate(s));
                TRY(runtime_cgroup_open(s));
        }
        trace_end(&span, 0, s->cgroup);
        return NULL;
}
