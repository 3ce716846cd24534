/* io.c - see io.h. */
#include "hodrun/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sys/fdpass.h"
#include "sys/process.h"
#include "sys/pty.h"

err *io_block_signals(void)
{
        sigset_t all;

        (void)sigfillset(&all);
        return sigprocmask(SIG_SETMASK, &all, NULL) < 0 ? err_sys(errno, "blocking signals") : NULL;
}

/* ---- terminal ---- */

struct relay {
        int master;   /* -1: no terminal */
        bool in_open; /* our standard input has not ended */
        bool is_raw;
        struct termios before;
        char pending[4096]; /* from standard input, not yet taken by the terminal */
        size_t used;
};

static void relay_resize(const struct relay *r)
{
        struct winsize size;

        if (r->master >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
                (void)pty_set_size(r->master, size.ws_row, size.ws_col);
}

static void relay_begin(struct relay *r)
{
        struct termios raw;

        if (r->master < 0)
                return;
        r->in_open = true;
        (void)file_set_nonblock(r->master, true);
        relay_resize(r);
        if (tcgetattr(0, &r->before) < 0)
                return;
        raw = r->before;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST; /* ours makes the line ends, the container's does not */
        r->is_raw = tcsetattr(0, TCSANOW, &raw) == 0;
}

static void relay_end(struct relay *r)
{
        if (r->is_raw)
                (void)tcsetattr(0, TCSANOW, &r->before);
        r->is_raw = false;
}

/* The container's output to ours. False when there is no more. */
static bool relay_out(struct relay *r)
{
        char buf[16384];
        ssize_t n = read(r->master, buf, sizeof(buf));

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        return n > 0 && file_write_all(1, buf, (size_t)n) == 0;
}

static void relay_in(struct relay *r)
{
        ssize_t n = read(0, r->pending, sizeof(r->pending));

        if (n > 0)
                r->used = (size_t)n;
        else if (n == 0 || errno != EINTR)
                r->in_open = false;
}

static void relay_push(struct relay *r)
{
        ssize_t n = write(r->master, r->pending, r->used);

        if (n <= 0)
                return;
        memmove(r->pending, r->pending + n, r->used - (size_t)n);
        r->used -= (size_t)n;
}

/* ---- signals ---- */

/* As subreaper we are the parent of what the container leaves behind; the container itself is reaped by its descriptor.
 */
static void reap_others(pid_t keep)
{
        for (;;) {
                siginfo_t info = {0};

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 || info.si_pid == keep)
                        return;
                (void)waitpid(info.si_pid, NULL, WNOHANG);
        }
}

static void on_signal(int fd, const struct runtime_process *p, const struct relay *r)
{
        struct signalfd_siginfo info;

        if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
                return;
        switch (info.ssi_signo) {
        case SIGCHLD:
                reap_others(p->pid);
                break;
        case SIGWINCH:
                relay_resize(r);
                break;
        case SIGPIPE: /* ours */
        case SIGURG:
                break;
        default:
                (void)process_signal(p->pidfd, (int)info.ssi_signo);
        }
}

/* ---- wait ---- */

static err *wait_for_end(const struct runtime_process *p, struct relay *r, int signals)
{
        enum { SIGNALS, END, MASTER, INPUT };

        for (;;) {
                struct pollfd f[] = {
                        [SIGNALS] = {signals, POLLIN, 0},
                        [END] = {p->pidfd, POLLIN, 0},
                        [MASTER] = {r->master, (short)(POLLIN | (r->used ? POLLOUT : 0)), 0},
                        [INPUT] = {r->in_open && !r->used ? 0 : -1, POLLIN, 0},
                };

                if (poll(f, ARRAY_SIZE(f), -1) < 0 && errno != EINTR)
                        return err_sys(errno, "poll");
                if (f[SIGNALS].revents)
                        on_signal(signals, p, r);
                if (f[INPUT].revents)
                        relay_in(r);
                if (f[MASTER].revents & POLLOUT)
                        relay_push(r);
                if (f[MASTER].revents & (POLLIN | POLLHUP | POLLERR) && !relay_out(r))
                        r->master = -1; /* every slave is closed; the descriptor is the caller's */
                if (f[END].revents)
                        return NULL;
        }
}

err *io_foreground(const struct runtime_process *p, int *ret_status)
{
        struct relay r = {.master = p->terminal_fd};
        _cleanup_close_ int signals = -1;
        sigset_t all;
        int status, ret;
        err *e;

        (void)sigfillset(&all);
        signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals < 0)
                return err_sys(errno, "signalfd");
        relay_begin(&r);
        e = wait_for_end(p, &r, signals);
        for (int i = 0; r.master >= 0 && i < 1024; i++) { /* what it wrote last */
                struct pollfd f = {r.master, POLLIN, 0};

                if (poll(&f, 1, 0) <= 0 || !relay_out(&r))
                        break;
        }
        relay_end(&r);
        if (e)
                return e;
        ret = process_reap(p->pidfd, &status);
        if (ret < 0)
                return err_sys(-ret, "waiting for the container");
        *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        return NULL;
}

/* ---- sockets ---- */

err *io_send_fd(const char *path, const char *text, int fd)
{
        return fdpass_deliver(path, text, strlen(text), fd);
}
