/* child_hook.c - hooks: how one is run (everywhere), and those that run inside: createContainer (before pivot_root:
 * programs of the host) and startContainer. */
#include "runtime/child/child_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/child/child.h"
#include "sys/process.h"

/* What a hook's process says on its standard error when it cannot become the program; the errno follows. */
static const char cannot_start[] = {'\0', 'H', 'O', 'O', 'K'};

/* ---- one hook ---- */

_noreturn_ static void become(const struct plan_hook *h, const struct child_hook_place *place, const int out[2])
{
        char words[sizeof(cannot_start) + 1];
        uint64_t none = 0;

        (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
        (void)syscall(SYS_setpgid, 0, 0); /* so that all of it can be killed */
        (void)umask(0022);                /* ours may be 0, for the nodes that we make */
        if (place->dirfd >= 0)
                (void)!fchdir(place->dirfd);
        else if (place->dir)
                (void)!chdir(place->dir);
        if (dup2(place->state, 0) >= 0 && dup2(out[0], 1) >= 0 && dup2(out[1], 2) >= 0) {
                (void)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
                (void)execve(h->path, h->argv, h->envp);
        }
        memcpy(words, cannot_start, sizeof(cannot_start));
        words[sizeof(cannot_start)] = (char)errno;
        (void)!write(2, words, sizeof(words));
        _exit(127);
}

static int64_t now_ms(void)
{
        struct timespec t = {0};

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One read of @fd behind what @to has. False at the end. */
static bool collect(int fd, char to[CHILD_HOOK_OUTPUT_MAX], size_t *used)
{
        char buf[512];
        ssize_t n = read(fd, buf, sizeof(buf));

        if (n <= 0)
                return n < 0 && (errno == EINTR || errno == EAGAIN);
        for (ssize_t i = 0; i < n && *used < CHILD_HOOK_OUTPUT_MAX - 1; i++)
                to[(*used)++] = buf[i];
        to[*used] = '\0';
        return true;
}

/* Listen until it has ended, or the time is over. Whoever it left behind may keep its output open. */
static int listen_to(int pidfd, int out[2], int parent, int timeout_ms, struct child_hook_result *ret, size_t used[2])
{
        int64_t end = now_ms() + timeout_ms;

        for (;;) {
                struct pollfd f[] = {{out[0], POLLIN, 0}, {out[1], POLLIN, 0}, {pidfd, POLLIN, 0}, {parent, 0, 0}};
                int64_t left = timeout_ms < 0 ? -1 : end - now_ms();
                bool heard = false;

                if (timeout_ms >= 0 && left <= 0)
                        return -ETIMEDOUT;
                if (poll(f, 4, (int)left) < 0) {
                        if (errno != EINTR)
                                return -errno;
                        continue;
                }
                for (int i = 0; i < 2; i++)
                        if (f[i].revents) {
                                heard = true;
                                if (!collect(out[i], ret->out[i], &used[i]))
                                        out[i] = file_close(out[i]);
                        }
                if (!heard && f[2].revents)
                        return 0;
                if (f[3].revents)
                        return -EPIPE;
        }
}

static void kill_all(pid_t pid, int pidfd)
{
        (void)process_signal(pidfd, SIGKILL);
        (void)syscall(SYS_kill, -pid, SIGKILL); /* not reaped yet: the number is still its own */
}

static void conclude(pid_t pid, int pidfd, int r, struct child_hook_result *ret, size_t err_size)
{
        const size_t n = sizeof(cannot_start);

        if (r < 0)
                kill_all(pid, pidfd);
        ret->errnum = -r;
        r = process_reap(pidfd, &ret->status);
        if (r < 0 && !ret->errnum)
                ret->errnum = -r; /* SIGCHLD is ignored: nobody knows how it ended */
        if (err_size == n + 1 && memcmp(ret->out[1], cannot_start, n) == 0) {
                ret->errnum = (unsigned char)ret->out[1][n];
                ret->unstarted = true;
        }
}

bool child_hook_run(const struct plan_hook *h, const struct child_hook_place *place, struct child_hook_result *ret)
{
        int pipes[2][2] = {{-1, -1}, {-1, -1}}, ours[2], theirs[2], pidfd = -1, r = 0;
        size_t used[2] = {0, 0};
        pid_t pid = -1;

        *ret = (struct child_hook_result){0};
        for (int i = 0; i < 2 && r == 0; i++)
                r = file_pipe(pipes[i]);
        for (int i = 0; i < 2; i++) {
                ours[i] = pipes[i][0];
                theirs[i] = pipes[i][1];
        }
        if (r == 0) {
                (void)lseek(place->state, 0, SEEK_SET);
                pid = place->filtered ? process_clone_filtered(0, &pidfd)
                                      : process_clone(CLONE_CLEAR_SIGHAND, -1, &pidfd);
                if (pid == 0) {
                        for (int i = 0; i < 2; i++)
                                if (place->out[i] >= 0)
                                        theirs[i] = place->out[i];
                        become(h, place, theirs);
                }
                r = pid < 0 ? pid : 0;
        }
        for (int i = 0; i < 2; i++)
                (void)file_close(theirs[i]);
        if (pid > 0) {
                r = listen_to(pidfd, ours, place->parent, h->timeout_ms, ret, used);
                conclude(pid, pidfd, r, ret, used[1]);
        } else {
                ret->errnum = -r;
        }
        for (int i = 0; i < 2; i++)
                (void)file_close(ours[i]);
        (void)file_close(pidfd);
        return !ret->errnum && !ret->status;
}

/* As Go names signals, which is what runc says. */
static const char *signal_name(int number)
{
        switch (number) {
        case SIGHUP:
                return "hangup";
        case SIGINT:
                return "interrupt";
        case SIGABRT:
                return "aborted";
        case SIGKILL:
                return "killed";
        case SIGSEGV:
                return "segmentation fault";
        case SIGPIPE:
                return "broken pipe";
        case SIGTERM:
                return "terminated";
        case SIGSYS:
                return "bad system call";
        default:
                return NULL;
        }
}

static void describe_errno(const struct plan_hook *h, const struct child_hook_result *r, struct child_text *t)
{
        const char *why = r->errnum == ENOENT    ? "no such file or directory"
                          : r->errnum == EACCES  ? "permission denied"
                          : r->errnum == ENOEXEC ? "exec format error"
                          : r->errnum == EAGAIN  ? "resource temporarily unavailable"
                                                 : NULL;

        if (r->errnum == ETIMEDOUT && !r->unstarted) {
                child_text_add(t, "hook ran past specified timeout of ");
                child_text_number(t, h->timeout_ms / 1000);
                child_text_add(t, ".");
                child_text_number(t, h->timeout_ms % 1000 / 100);
                child_text_add(t, "s");
                return;
        }
        child_text_add(t, r->unstarted ? "fork/exec " : "running ");
        child_text_add(t, h->path);
        child_text_add(t, ": ");
        if (why) {
                child_text_add(t, why);
        } else {
                child_text_add(t, "errno ");
                child_text_number(t, r->errnum);
        }
}

void child_hook_describe(const struct plan_hook *h, const struct child_hook_result *r, char *buf, size_t size)
{
        struct child_text t = {buf, size, 0};
        int number = r->status & 0x7f;

        buf[0] = '\0';
        if (r->errnum) {
                describe_errno(h, r, &t);
                return;
        }
        child_text_add(&t, number ? "signal: " : "exit status ");
        if (number && signal_name(number))
                child_text_add(&t, signal_name(number));
        else
                child_text_number(&t, number ? number : r->status >> 8);
        if (r->status & 0x80)
                child_text_add(&t, " (core dumped)");
        for (int i = 0; i < 2; i++) {
                child_text_add(&t, i ? ", stderr: " : ", stdout: ");
                child_text_add(&t, r->out[i]);
                if (t.len && buf[t.len - 1] == '\n')
                        buf[--t.len] = '\0';
        }
}

/* ---- inside ---- */

/* The state document for the hooks' standard input. */
static int state_file(const struct child *c, const char *status)
{
        CHILD_TEXT(pid, 24);
        const char *parts[] = {c->p->hook_state_before, status, "\",\"pid\":", pid.buf, c->p->hook_state_after};
        _cleanup_close_ int fd = (int)syscall(SYS_memfd_create, "state", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        child_text_number(&pid, c->pid);
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                int r = file_write_all(fd, parts[i], strlen(parts[i]));

                if (r < 0)
                        return r;
        }
        return TAKE_FD(fd);
}

int child_hooks_state(struct child *c, const char *status)
{
        c->hook_state = file_close(c->hook_state);
        c->hook_state = state_file(c, status);
        return c->hook_state < 0 ? child_fail(c, PLAN_STEP_HOOK, c->hook_state, "writing the state") : 0;
}

int child_hooks(struct child *c, const struct plan_hook *hooks, size_t n, const char *kind)
{
        bool start = kind[0] == 's';
        struct child_hook_place place = {
                .state = c->hook_state,
                .dirfd = start ? -1 : c->root,
                .filtered = start && c->p->seccomp_set,
                .out = {c->p->hook_out[0], c->p->hook_out[1]},
                .parent = start && c->p->start_fd >= 0 ? -1 : c->p->socket, /* `create` has gone by then */
        };

        for (size_t i = 0; i < n; i++) {
                struct child_hook_result result;
                struct child_text t = {c->report.detail, sizeof(c->report.detail), 0};

                if (child_hook_run(&hooks[i], &place, &result))
                        continue;
                (void)child_fail(c, PLAN_STEP_HOOK, 0, NULL);
                child_text_add(&t, kind);
                child_text_add(&t, " hook #");
                child_text_number(&t, (long)i);
                child_text_add(&t, ": ");
                child_hook_describe(&hooks[i], &result, t.buf + t.len, t.size - t.len);
                return -1;
        }
        return 0;
}
