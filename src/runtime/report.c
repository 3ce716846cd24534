/* report.c - see report.h. */
#include "runtime/report.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* strerror() as Go says it: "no such file or directory". */
static const char *words(int errnum, char *buf, size_t size)
{
        const char *text = strerror(errnum);

        (void)snprintf(buf, size, "%s", text);
        /* "Is a directory" but "RPC ..." */
        if (isupper((unsigned char)buf[0]) && !isupper((unsigned char)buf[1]))
                buf[0] = (char)tolower((unsigned char)buf[0]);
        return buf;
}

static err *lookup_error(const struct plan_report *r)
{
        char why[96];

        if (!r->errnum)
                return err_new(ERR_EXEC_NOT_FOUND, "exec: %s", r->detail);
        switch (r->errnum) {
        case ENOENT:
                return err_new(ERR_EXEC_NOT_FOUND, "exec: %s: %s", r->detail, words(r->errnum, why, sizeof(why)));
        case EISDIR: /* dockerd and podman know from the second half that the status is 126 */
                return err_new(ERR_EXEC_DENIED, "exec: %s: is a directory: permission denied", r->detail);
        default:
                return err_new(ERR_EXEC_DENIED, "exec: %s: %s", r->detail, words(r->errnum, why, sizeof(why)));
        }
}

static err *mount_error(const struct plan *p, const struct plan_report *r)
{
        const struct plan_mount *m;

        if (r->index >= p->n_mounts)
                return err_sys(r->errnum, "error mounting");
        m = &p->mounts[r->index];
        if (r->errnum == ENOTDIR && m->kind == PLAN_MOUNT_TREE)
                return err_new(ERR_INVALID,
                               "error mounting \"%s\" to rootfs at \"%s\": not a directory: Are you trying to mount a "
                               "directory onto a file (or vice-versa)? Check if the specified host path exists and is "
                               "the expected type",
                               m->shown, m->destination);
        if (r->errnum == ELOOP && m->ordinary)
                return err_new(ERR_UNSAFE_PATH,
                               "filesystem \"%s\" must be mounted on ordinary directory: %s is a symlink", m->fs.type,
                               m->destination);
        return err_sys(r->errnum, "error mounting \"%s\" to rootfs at \"%s\"%s%s", m->shown, m->destination,
                       r->detail[0] ? ": " : "", r->detail);
}

static err *cwd_error(const struct plan_report *r)
{
        char why[96];

        return err_new(r->errnum == ELOOP || r->errnum == EXDEV ? ERR_UNSAFE_PATH
                       : r->errnum == ENOENT                    ? ERR_EXEC_NOT_FOUND
                                                                : ERR_SYS,
                       "chdir to cwd %s: %s", r->detail, words(r->errnum, why, sizeof(why)));
}

err *report_to_err(const struct plan *p, const struct plan_report *r)
{
        struct plan_report safe = *r;
        const char *text;

        safe.detail[sizeof(safe.detail) - 1] = '\0';
        switch (safe.step) {
        case PLAN_STEP_LOOKUP:
                return lookup_error(&safe);
        case PLAN_STEP_MOUNT:
                return mount_error(p, &safe);
        case PLAN_STEP_CWD:
                return cwd_error(&safe);
        case PLAN_STEP_HOOK:
                if (!safe.errnum)
                        return err_new(strstr(safe.detail, "ran past specified timeout") ? ERR_TIMEOUT : ERR_SYS,
                                       "error running %s", safe.detail);
                break;
        case PLAN_STEP_RLIMIT: {
                char why[96];

                return err_new(ERR_SYS, "%s%s: %s", plan_step_text(safe.step), safe.detail,
                               words(safe.errnum, why, sizeof(why)));
        }
        case PLAN_STEP_SCHEDULER:
                if (safe.errnum == EPERM && p->has_cpus)
                        return err_new(ERR_SYS, "process scheduler can't be used together with AllowedCPUs");
                break;
        case PLAN_STEP_LABEL:
                return err_sys(safe.errnum, "setting the LSM label %s (is the profile loaded?)", safe.detail);
        default:
                break;
        }
        text = plan_step_text(safe.step);
        return err_sys(safe.errnum, "%s%s%s", text, safe.detail[0] && !str_ends(text, " ") ? ": " : "", safe.detail);
}
