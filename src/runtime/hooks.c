/* hooks.c - see hooks.h. */
#include "runtime/hooks.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/trace.h"
#include "sys/process.h"

#define TIMEOUT_MAX_S 1000000000
#define OUTPUT_MAX 2048

err *hooks_state(const struct oci_spec *s, const char *id, const char *bundle, char **ret_before, char **ret_after)
{
        _cleanup_json_ json *head = json_new_object(), *tail = json_new_object();
        _cleanup_free_ char *before = NULL, *after = NULL, *cut = NULL;

        json_set_str(head, "ociVersion", s->oci_version ? s->oci_version : OCI_SPEC_VERSION);
        json_set_str(head, "id", id);
        json_set_str(tail, "bundle", bundle ? bundle : "");
        if (s->n_annotations) {
                json *a = json_sub_object(tail, "annotations");

                for (size_t i = 0; i < s->n_annotations; i++)
                        json_set_str(a, s->annotations[i].key, s->annotations[i].value);
        }
        TRY(json_print(head, JSON_COMPACT, &before));
        TRY(json_print(tail, JSON_COMPACT, &after));
        before[strlen(before) - 1] = '\0'; /* "}" */
        cut = str_format("%s,\"status\":\"", before);
        if (!cut)
                return err_nomem();
        after[0] = ',';
        *ret_before = TAKE_PTR(cut);
        *ret_after = TAKE_PTR(after);
        return NULL;
}

struct running {
        int pidfd, out; /* its output */
};

_noreturn_ static void become(const struct oci_hook *h, int in, int out)
{
        char *argv[] = {(char *)(uintptr_t)h->path, NULL}, *none[] = {NULL};
        sigset_t empty;

        (void)sigemptyset(&empty);
        (void)sigprocmask(SIG_SETMASK, &empty, NULL);
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
                _exit(126);
        (void)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        (void)execve(h->path, h->args ? h->args : argv, h->env ? h->env : none);
        /* Our voice on its stderr: the exit status alone cannot say why. */
        {
                const char *why = strerror(errno);

                if (write(2, why, strlen(why)) < 0) {
                }
        }
        _exit(errno == ENOENT ? 127 : 126);
}

/* The document as a file: a hook that does not read it, or a large one, can neither block nor kill us. */
static int state_file(const char *state)
{
        _cleanup_close_ int fd = memfd_create("state", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = file_write_all(fd, state, strlen(state));
        if (r < 0)
                return r;
        return lseek(fd, 0, SEEK_SET) < 0 ? -errno : TAKE_FD(fd);
}

static err *start(const struct oci_hook *h, const char *state, struct running *ret)
{
        _cleanup_close_ int in = state_file(state), out_r = -1, out_w = -1;
        int p[2], r, pidfd = -1;
        pid_t pid;

        if (in < 0)
                return err_sys(-in, "writing the state for hook %s", h->path);
        r = file_pipe(p);
        if (r < 0)
                return err_sys(-r, "making a pipe");
        out_r = p[0];
        out_w = p[1];
        pid = process_clone(CLONE_CLEAR_SIGHAND, -1, &pidfd);
        if (pid < 0)
                return err_sys(-pid, "starting hook %s", h->path);
        if (pid == 0)
                become(h, in, out_w);
        *ret = (struct running){pidfd, TAKE_FD(out_r)};
        return NULL;
}

/* Collect what it says until it has ended or the time is over. */
static int listen_to(struct running *h, int64_t deadline, char *output)
{
        size_t used = 0;

        for (;;) {
                struct pollfd fds[] = {{.fd = h->out, .events = POLLIN}, {.fd = h->pidfd, .events = POLLIN}};
                int64_t left = deadline ? (deadline - clock_monotonic_ns()) / 1000000 : -1;
                char buf[512];
                ssize_t n;

                if (deadline && left <= 0)
                        return -ETIMEDOUT;
                if (poll(fds, 2, deadline ? (int)(left < INT_MAX ? left : INT_MAX) : -1) < 0 && errno != EINTR)
                        return -errno;
                if (fds[0].revents) {
                        n = read(h->out, buf, sizeof(buf));
                        if (n > 0) {
                                size_t room = OUTPUT_MAX - 1 - used, take = (size_t)n < room ? (size_t)n : room;

                                memcpy(output + used, buf, take);
                                used += take;
                                output[used] = '\0';
                                continue;
                        }
                        h->out = file_close(h->out);
                }
                if (fds[1].revents) /* whoever it left behind may keep the output open */
                        return 0;
        }
}

static err *finish(const struct oci_hook *h, enum oci_hook_kind kind, size_t number, struct running *run)
{
        int64_t seconds = h->timeout.n < TIMEOUT_MAX_S ? h->timeout.n : TIMEOUT_MAX_S;
        int64_t deadline = h->timeout.set ? clock_monotonic_ns() + seconds * 1000000000 : 0;
        const char *name = oci_hook_name(kind);
        char output[OUTPUT_MAX] = "";
        int r, reaped, status = 0;

        r = listen_to(run, deadline, output);
        if (r < 0)
                (void)process_signal(run->pidfd, SIGKILL);
        reaped = process_reap(run->pidfd, &status);
        if (r == -ETIMEDOUT)
                return err_new(ERR_TIMEOUT, "error running %s hook #%zu: hook ran past specified timeout of %.1fs",
                               name, number, (double)h->timeout.n);
        if (r < 0)
                return err_sys(-r, "error running %s hook #%zu", name, number);
        if (reaped < 0) /* SIGCHLD is ignored: nobody knows how it ended */
                return err_sys(-reaped, "error running %s hook #%zu: waiting for it", name, number);
        if (status & 0x7f)
                return err_new(ERR_SYS, "error running %s hook #%zu: signal %d, stdout: , stderr: %s", name, number,
                               status & 0x7f, output);
        if (status)
                return err_new(ERR_SYS, "error running %s hook #%zu: exit status %d, stdout: , stderr: %s", name,
                               number, status >> 8, output);
        return NULL;
}

static err *run_one(const struct oci_hook *h, enum oci_hook_kind kind, size_t number, const char *state)
{
        struct running run = {-1, -1};
        err *e;

        if (access(h->path, X_OK) < 0)
                return err_sys(errno, "error running %s hook #%zu: fork/exec %s", oci_hook_name(kind), number, h->path);
        e = start(h, state, &run);
        if (!e)
                e = finish(h, kind, number, &run);
        (void)file_close(run.out);
        (void)file_close(run.pidfd);
        return e;
}

err *hooks_run(const struct oci_spec *s, enum oci_hook_kind kind, const char *id, const char *bundle,
               const char *status, pid_t pid)
{
        const struct oci_hooks *hooks = &s->hooks[kind];
        _cleanup_free_ char *before = NULL, *after = NULL, *state = NULL;
        struct trace_span span;

        if (!hooks->n)
                return NULL;
        span = trace_begin(TRACE_HOOKS);
        TRY(hooks_state(s, id, bundle, &before, &after));
        state = str_format("%s%s\",\"pid\":%d%s", before, status, (int)pid, after);
        if (!state)
                return err_nomem();
        for (size_t i = 0; i < hooks->n; i++)
                TRY(run_one(&hooks->hook[i], kind, i, state));
        trace_end(&span, 0, oci_hook_name(kind));
        return NULL;
}
