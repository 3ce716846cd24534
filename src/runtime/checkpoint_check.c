/* checkpoint_check.c - see checkpoint_check.h. */
#include "runtime/checkpoint_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/cgroup.h"

#define STATUS_MAX 65536
#define DEPTH_MAX 64

struct facts {
        pid_t parent;
        uint64_t caps; /* in any set but the inheritable one, which gives nothing */
        unsigned seccomp, no_new_privs;
};

/* The number after "\nNAME:\t" in /proc/PID/status. */
static bool number(const char *text, const char *name, unsigned base, uint64_t *ret)
{
        const char *at = strstr(text, name);

        if (!at)
                return false;
        *ret = 0;
        for (at += strlen(name); *at && *at != '\n'; at++) {
                unsigned digit = *at >= 'a' ? (unsigned)(*at - 'a') + 10 : (unsigned)(*at - '0');

                if (digit >= base)
                        return false;
                *ret = *ret * base + digit;
        }
        return true;
}

static err *look_at(pid_t pid, struct facts *ret)
{
        static const char *const sets[] = {"\nCapPrm:\t", "\nCapEff:\t", "\nCapBnd:\t", "\nCapAmb:\t"};
        _cleanup_free_ char *text = NULL;
        uint64_t n, parent = 0, seccomp = 0, nnp = 0;
        char path[40];
        int r;

        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        r = file_read(AT_FDCWD, path, STATUS_MAX, &text, NULL);
        if (r < 0)
                return err_sys(-r, "reading %s", path);
        *ret = (struct facts){0};
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
                if (!number(text, sets[i], 16, &n))
                        return err_new(ERR_INTERNAL, "%s does not say %s", path, sets[i] + 1);
                ret->caps |= n;
        }
        if (!number(text, "\nPPid:\t", 10, &parent) || !number(text, "\nNoNewPrivs:\t", 10, &nnp))
                return err_new(ERR_INTERNAL, "%s does not say who the process is", path);
        (void)number(text, "\nSeccomp:\t", 10, &seccomp); /* a kernel without it has no filters */
        ret->parent = (pid_t)parent;
        ret->seccomp = (unsigned)seccomp;
        ret->no_new_privs = (unsigned)nnp;
        return NULL;
}

static bool descends(pid_t pid, pid_t from)
{
        for (unsigned i = 0; i < DEPTH_MAX && pid > 1; i++) {
                struct facts f;
                err *e;

                if (pid == from)
                        return true;
                e = look_at(pid, &f);
                if (e) {
                        err_free(e);
                        return false;
                }
                pid = f.parent;
        }
        return false;
}

/* 1: the same, 0: two, -1: one of them has none (any more). */
static int compare_namespace(pid_t a, pid_t b, const char *name)
{
        struct stat one, other;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)a, name);
        if (stat(path, &one) < 0)
                return -1;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)b, name);
        if (stat(path, &other) < 0)
                return -1;
        return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static bool same_namespace(pid_t a, pid_t b, const char *name)
{
        return compare_namespace(a, b, name) == 1;
}

bool checkpoint_may_mount(const struct checkpoint_container *c)
{
        const struct oci_process *p = c->spec->process;

        return !p || !p->caps.set || p->caps.bounding >> CAP_SYS_ADMIN & 1;
}

/* criu has the host's namespaces, but for a copy of its mounts. */
static err *check_namespaces(const struct checkpoint_container *c, pid_t init, pid_t criu, pid_t pid)
{
        const struct oci_namespace *mount = &c->spec->linux_.ns[OCI_NS_MOUNT];

        for (unsigned i = 0; i < OCI_NS_MAX_; i++) {
                const char *name = oci_ns_proc_name((enum oci_ns)i);

                /* criu may leave these two as they are, and neither is an enclosure. */
                if (i == OCI_NS_TIME || i == OCI_NS_CGROUP || !c->spec->linux_.ns[i].present)
                        continue;
                if (!c->spec->linux_.ns[i].path &&
                    (same_namespace(pid, criu, name) || same_namespace(pid, getpid(), name)))
                        return err_new(ERR_DENIED,
                                       "the checkpoint restores a process into the %s namespace of the host",
                                       oci_ns_name((enum oci_ns)i));
        }
        /* In another one nobody looks at mounts (checkpoint_enforce.c). */
        if (mount->present && !mount->path && !checkpoint_may_mount(c) && compare_namespace(pid, init, "mnt") == 0)
                return err_new(ERR_DENIED, "the checkpoint restores a process with a mount namespace of its own, which "
                                           "config.json gives it no capability for");
        return NULL;
}

static err *check_process(const struct checkpoint_container *c, pid_t init, pid_t criu, pid_t pid)
{
        const struct oci_process *p = c->spec->process;
        struct facts f;

        TRY(look_at(pid, &f));
        if (p && p->caps.set && f.caps & ~p->caps.bounding)
                return err_new(ERR_DENIED,
                               "the checkpoint restores a process with capabilities that config.json does not give "
                               "(0x%" PRIx64 ")",
                               f.caps & ~p->caps.bounding);
        if (c->spec->linux_.seccomp && f.seccomp != 2)
                return err_new(ERR_DENIED, "the checkpoint restores a process without the seccomp filter that "
                                           "config.json demands");
        if (p && p->no_new_privileges && !f.no_new_privs)
                return err_new(ERR_DENIED, "the checkpoint restores a process without no_new_privs, which config.json "
                                           "demands");
        return check_namespaces(c, init, criu, pid);
}

err *checkpoint_check(const struct checkpoint_container *c, pid_t init, pid_t criu)
{
        const struct cgroup_layout *l;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n;

        TRY(cgroup_layout_get(&l));
        if (l->mode == CGROUP_MODE_NONE)
                return check_process(c, init, criu, init);
        TRY(cgroup_pids(l, c->cgroup, true, &pids, &n));
        for (size_t i = 0; i < n; i++)
                if (!descends(pids[i], criu))
                        TRY(check_process(c, init, criu, pids[i]));
        return NULL;
}
