/* child.c - from clone to exec, see child.h. */
#include "runtime/child/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/trace.h"
#include "sys/fdpass.h"
#include "sys/keyring.h"
#include "sys/ns.h"

#define EXIT_SETUP_FAILED 255
#define SIGNAL_LAST 64
#define KERNEL_SIGSET_SIZE 8

int child_fail_at(struct child *c, enum plan_step step, int errnum, size_t index, const char *detail)
{
        struct child_text t = {c->report.detail, sizeof(c->report.detail), 0};

        c->report.kind = PLAN_REPORT_FAILED;
        c->report.step = step;
        c->report.errnum = errnum < 0 ? -errnum : errnum;
        c->report.index = (uint32_t)index;
        c->report.detail[0] = '\0';
        if (detail)
                child_text_add(&t, detail);
        return -1;
}

int child_fail(struct child *c, enum plan_step step, int errnum, const char *detail)
{
        return child_fail_at(c, step, errnum, 0, detail);
}

int child_send(struct child *c, enum plan_report_kind kind, int fd)
{
        struct plan_report r = {.kind = kind};
        ssize_t n = fd < 0 ? child_say(c, &r) : fdpass_send(c->p->socket, &r, sizeof(r), fd);

        return n < 0 ? child_fail(c, PLAN_STEP_SYNC, (int)n, NULL) : 0;
}

/* With write, which any filter that is installed by now has to permit. (SIGPIPE, if nobody listens any more, ends what
 * nobody waits for.) */
int child_say(struct child *c, const struct plan_report *r)
{
        ssize_t n;

        do
                n = write(c->p->socket, r, sizeof(*r));
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int child_wait_go(struct child *c)
{
        for (;;) {
                struct plan_go go;
                int fd = -1;
                ssize_t n = fdpass_receive(c->p->socket, &go, sizeof(go), &fd);

                if (n != (ssize_t)sizeof(go))
                        return child_fail(c, PLAN_STEP_SYNC, n < 0 ? (int)n : EPIPE, NULL);
                if (go.what == PLAN_GO) {
                        c->pid = go.pid;
                        return 0;
                }
                if (fd < 0)
                        return child_fail(c, PLAN_STEP_SYNC, EBADF, NULL);
                if (go.what == PLAN_GO_ROOT)
                        c->root = fd;
                else if (go.what - PLAN_GO_MOUNT < c->p->n_mounts)
                        c->p->mounts[go.what - PLAN_GO_MOUNT].tree_fd = fd;
        }
}

_noreturn_ void child_end(struct child *c)
{
        if (c->report.kind == PLAN_REPORT_FAILED)
                (void)child_say(c, &c->report);
        _exit(EXIT_SETUP_FAILED);
}

/* Nothing of whoever started us may show through: ignored signals and the signal mask survive an exec.
 * CLONE_CLEAR_SIGHAND resets handlers only. The kernel's own call: glibc keeps two signals to itself. */
static void reset_signals(void)
{
        struct {
                void (*handler)(int);
                unsigned long flags;
                void (*restorer)(void);
                uint64_t mask;
        } action = {.handler = SIG_DFL};
        uint64_t none = 0;

        for (int s = 1; s <= SIGNAL_LAST; s++)
                if (s != SIGKILL && s != SIGSTOP)
                        (void)syscall(SYS_rt_sigaction, s, &action, NULL, KERNEL_SIGSET_SIZE);
        (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_SIZE);
}

/* Before anything of a container can see this process: nobody in there may trace it or look at its descriptors, memory
 * or program (CVE-2016-9962, CVE-2019-5736). execve makes it dumpable again. */
static int seal(struct child *c)
{
        /* A runtime that is not root could not write the maps of what is not dumpable. Nobody but this process is in
         * its new user namespace yet, and nobody in a lower one may trace it; become_userns_root() makes up for it. */
        if (!(c->p->rootless && c->p->new_user && !c->p->exec) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        reset_signals();
        (void)umask(0);
        child_new_session();
        return 0;
}

/* A session of its own: no terminal of the caller's can be reached (TIOCSTI). Fails only for who leads one already. */
void child_new_session(void)
{
        (void)setsid();
}

static int join_cgroup(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CGROUP_JOIN);
        int r;

        if (c->p->wait_cgroup && (child_send(c, PLAN_REPORT_WANT_CGROUP, -1) < 0 || child_wait_go(c) < 0))
                return -1;
        r = cgroup_join_self(c->p->cgroup_fds, c->p->n_cgroup_fds);
        if (r < 0)
                return child_fail(c, PLAN_STEP_CGROUP, r, NULL);
        /* Only now: the root of the namespace is where its first member is. */
        if (c->p->new_cgroup && unshare(CLONE_NEWCGROUP) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "cgroup");
        if (c->p->delegate_fd >= 0 && write(c->p->delegate_fd, "0", 1) < 0)
                return child_fail(c, PLAN_STEP_CGROUP, errno, NULL);
        trace_end(&span, 0, NULL);
        return 0;
}

static int become_userns_root(struct child *c)
{
        if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_USERNS, errno, NULL);
        /* Changing ids makes a process undumpable, never dumpable; be sure. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return child_fail(c, PLAN_STEP_SELF, errno, NULL);
        return 0;
}

/* Rootless: only the user namespace gives the privilege. Offsets are written as long as nobody is inside. */
static int new_time(struct child *c)
{
        const char *offsets = c->p->time_offsets;
        _cleanup_close_ int file = -1, ns = -1;

        if (unshare(CLONE_NEWTIME) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "time");
        if (offsets) {
                file = openat(c->p->proc_fd, "self/timens_offsets", O_WRONLY | O_CLOEXEC);
                if (file < 0 || write(file, offsets, strlen(offsets)) < 0)
                        return child_fail(c, PLAN_STEP_NAMESPACE, errno, "time: setting its offsets");
        }
        ns = openat(c->p->proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        if (ns < 0 || setns(ns, CLONE_NEWTIME) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "time");
        return 0;
}

static int enter_namespaces(struct child *c)
{
        const struct plan *p = c->p;
        struct trace_span span;

        if (p->new_user || p->user_fd >= 0) {
                if (child_send(c, PLAN_REPORT_WANT_MAP, -1) < 0 || child_wait_go(c) < 0)
                        return -1;
                if (p->lower_mount && child_open_trees(c) < 0) /* as who we were: that is who may see the sources */
                        return -1;
                if (p->new_time && p->rootless && new_time(c) < 0) /* as long as our files in /proc are ours */
                        return -1;
                if (become_userns_root(c) < 0)
                        return -1;
        } else if (p->lower_mount && child_open_trees(c) < 0) {
                return -1;
        }
        span = trace_begin(TRACE_CHILD_JOIN);
        for (size_t i = 0; i < p->n_join && !p->split; i++)
                if (setns(p->join[i].fd, p->join[i].flag) < 0)
                        return child_fail(c, PLAN_STEP_NAMESPACE, errno, p->join[i].name);
        trace_end(&span, 0, NULL);
        return 0;
}

static int set_names(struct child *c)
{
        const struct plan *p = c->p;
        int r;

        if (p->hostname) {
                r = ns_set_hostname(p->hostname);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_HOSTNAME, r, p->hostname);
        }
        if (p->domainname) {
                r = ns_set_domainname(p->domainname);
                if (r < 0)
                        return child_fail(c, PLAN_STEP_DOMAINNAME, r, p->domainname);
        }
        return 0;
}

static int loopback(struct child *c)
{
        struct trace_span span = trace_begin(TRACE_CHILD_NET);
        int r = c->p->new_net ? ns_loopback_up() : 0;

        trace_end(&span, -r, "lo");
        return r < 0 ? child_fail(c, PLAN_STEP_NET, r, NULL) : 0;
}

/* Everything inside the new mount namespace, in the order of reference/security.md 4.3. */
static int file_systems(struct child *c)
{
        const struct plan *p = c->p;

        if (child_root_attach(c) < 0 || child_mounts(c) < 0)
                return -1;
        if (p->setup_dev && child_devices(c) < 0)
                return -1;
        if (p->process.terminal && child_console(c) < 0)
                return -1;
        if (p->hooks_runtime && (child_send(c, PLAN_REPORT_WANT_HOOKS, -1) < 0 || child_wait_go(c) < 0))
                return -1;
        if (p->n_hooks_container && child_hooks_state(c, "creating") < 0)
                return -1;
        if (child_hooks(c, p->hooks_container, p->n_hooks_container, "createContainer") < 0)
                return -1;
        if (child_mounts_readonly(c) < 0 || child_masks(c) < 0 || child_sysctls(c) < 0)
                return -1;
        return child_root_pivot(c);
}

/* Keys that the caller has are not the container's. */
static int join_keyring(struct child *c)
{
        int r = c->p->keyring ? keyring_join_session(c->p->keyring) : 0;

        return r < 0 ? child_fail(c, PLAN_STEP_KEYRING, r, NULL) : 0;
}

/* The last steps but execve: inside, with 0, 1 and 2 in their places. @span: of what has been begun. */
static int become_program(struct child *c, const struct trace_span *span, char path[4096])
{
        struct trace_span lookup;

        if (join_keyring(c) < 0 || child_control_terminal(c) < 0 || child_process_early(c) < 0 || child_home(c) < 0)
                return -1;
        if (child_close_inherited(c) < 0 || (c->p->n_hooks_start && child_hooks_state(c, "created") < 0))
                return -1;
        trace_end(span, 0, NULL);
        if (child_become_user(c) < 0)
                return -1;
        lookup = trace_begin(TRACE_CHILD_LOOKUP);
        if (child_lookup(c, path) < 0)
                return -1;
        trace_end(&lookup, 0, path);
        return 0;
}

static int create(struct child *c)
{
        const struct plan *p = c->p;
        struct trace_span begin = trace_begin(TRACE_CHILD_BEGIN), process;
        char path[4096];

        /* What is not dumpable is root's in /proc: who is not root has to be first. */
        if (p->rootless && child_oom_score(c) < 0)
                return -1;
        if (p->split && child_split(c) < 0)
                return -1;
        if (seal(c) < 0 || (!p->rootless && child_oom_score(c) < 0))
                return -1;
        trace_end(&begin, 0, NULL);
        if (join_cgroup(c) < 0 || enter_namespaces(c) < 0)
                return -1;
        /* Hooks in the child print the pid as the runtime sees it: only the runtime knows that. */
        if (!p->hooks_runtime && (p->n_hooks_container || p->n_hooks_start) &&
            (child_send(c, PLAN_REPORT_WANT_HOOKS, -1) < 0 || child_wait_go(c) < 0))
                return -1;
        if (loopback(c) < 0 || set_names(c) < 0 || file_systems(c) < 0)
                return -1;
        process = trace_begin(TRACE_CHILD_PROCESS);
        if (child_cwd(c) < 0 || child_stdio(c) < 0)
                return -1;
        if (p->stages && (child_labels(c) < 0 || child_stage_split(c) < 0))
                return -1;
        if (become_program(c, &process, path) < 0)
                return -1;
        child_execve(c, path);
}

_noreturn_ void child_create(const struct plan *p)
{
        struct child c = {.p = p, .root = -1, .dev = -1, .null = -1, .master = -1, .slave = -1, .hook_state = -1};

        /* Else we would never see that our parent has died: its end would still be open, here. */
        (void)close(p->parent_socket);
        (void)create(&c);
        child_end(&c);
}

static int enter(struct child *c)
{
        const struct plan *p = c->p;
        struct trace_span span = trace_begin(TRACE_EXEC_JOIN);
        int r;

        if ((p->rootless && child_oom_score(c) < 0) || seal(c) < 0 || (!p->rootless && child_oom_score(c) < 0))
                return -1;
        if (p->wait_cgroup && (child_send(c, PLAN_REPORT_WANT_CGROUP, -1) < 0 || child_wait_go(c) < 0))
                return -1;
        r = p->stages && !p->rootless ? 0 : cgroup_join_self(p->cgroup_fds, p->n_cgroup_fds);
        if (r < 0)
                return child_fail(c, PLAN_STEP_CGROUP, r, NULL);
        /* All at once and by pidfd: the kernel takes them of one process at one moment. */
        if (p->join_all_flags && setns(p->join_all_pidfd, p->join_all_flags) < 0)
                return child_fail(c, PLAN_STEP_NAMESPACE, errno, "of the container");
        trace_end(&span, 0, NULL);
        if (p->new_user && become_userns_root(c) < 0)
                return -1;
        /* Entering a mount namespace has set root and directory to its root. */
        if (!p->has_mount && (fchdir(p->rootfs_fd) < 0 || chroot(".") < 0))
                return child_fail(c, PLAN_STEP_PIVOT, errno, "chroot");
        c->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return c->root < 0 ? child_fail(c, PLAN_STEP_ROOT, errno, NULL) : 0;
}

static int exec_session(struct child *c)
{
        struct trace_span process;
        char path[4096];

        if (enter(c) < 0)
                return -1;
        if (c->p->process.terminal && child_terminal_open(c, c->root) < 0)
                return -1;
        process = trace_begin(TRACE_CHILD_PROCESS);
        if (child_cwd(c) < 0 || child_stdio(c) < 0)
                return -1;
        if (c->p->stages && (child_labels(c) < 0 || child_stage_split(c) < 0))
                return -1;
        if (become_program(c, &process, path) < 0)
                return -1;
        child_execve(c, path);
}

_noreturn_ void child_exec(const struct plan *p)
{
        struct child c = {.p = p, .root = -1, .dev = -1, .null = -1, .master = -1, .slave = -1, .hook_state = -1};

        (void)close(p->parent_socket);
        (void)exec_session(&c);
        child_end(&c);
}
