/* stream.c - see stream.h. */
#include "cli/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/explain.h"
#include "monitor/proto.h"

#define CHUNK PROTO_STDIN_MAX
#define FORCE_AFTER 3 /* signals without proxying after which we give up waiting, as docker */

/* Signals that are forwarded: everything that can be caught, without what is about ourselves. */
static void relayed_signals(sigset_t *set, bool proxy)
{
        static const int ours[] = {SIGCHLD, SIGPIPE, SIGURG, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGSEGV,
                                   SIGBUS,  SIGFPE,  SIGILL, SIGTRAP, SIGABRT, SIGSYS,  SIGPROF, SIGVTALRM};

        if (!proxy) {
                (void)sigemptyset(set);
                (void)sigaddset(set, SIGINT);
                (void)sigaddset(set, SIGTERM);
                (void)sigaddset(set, SIGWINCH);
                return;
        }
        (void)sigfillset(set);
        for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
                (void)sigdelset(set, ours[i]);
}

void stream_signals(bool proxy)
{
        sigset_t set;

        relayed_signals(&set, proxy);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
}

/* What could not be written yet. */
struct output {
        int fd;
        const char *data;
        size_t size;
};

struct relay {
        struct stream *s;
        struct output output;
        int signals;
        int stdin_fd; /* -1 once it has ended */
        bool stdin_tty;
        int forced; /* signals seen without proxying */
        bool ended, detached, lost;
        struct proto_exit exit;
        char pending[CHUNK + 16]; /* typed input that the other side does not take yet */
        size_t pending_from, pending_to;
        bool in_closing; /* close the session's input when pending is out */
        bool in_flight;  /* a STDIN packet is under way: PROTO_STDIN_OK comes (see protocol.h) */
};

static err *send_resize(struct relay *r)
{
        unsigned short rows, cols;
        struct proto_resize size;

        terminal_size(STDIN_FILENO, &rows, &cols);
        if (!rows || !cols)
                terminal_size(STDOUT_FILENO, &rows, &cols);
        if (!rows || !cols)
                return NULL;
        if (!r->s->packets) {
                struct winsize w = {.ws_row = rows, .ws_col = cols};

                (void)ioctl(r->s->in, TIOCSWINSZ, &w);
                return NULL;
        }
        size = (struct proto_resize){rows, cols};
        return proto_send(r->s->monitor, PROTO_RESIZE, &size, sizeof(size), NULL, 0);
}

static err *on_signal(struct relay *r)
{
        struct signalfd_siginfo info;
        struct proto_signal sig;

        if (read(r->signals, &info, sizeof(info)) != sizeof(info))
                return NULL;
        if (info.ssi_signo == SIGWINCH)
                return r->s->tty ? send_resize(r) : NULL;
        if (!r->s->sig_proxy) {
                bool fatal = info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM;

                if (fatal && ++r->forced == FORCE_AFTER)
                        (void)fprintf(stderr, "\ngot %d SIGTERM/SIGINTs, forcefully exiting\n", FORCE_AFTER);
                return NULL;
        }
        sig = (struct proto_signal){.signal = (int)info.ssi_signo};
        return proto_send(r->s->monitor, PROTO_SIGNAL, &sig, sizeof(sig), NULL, 0);
}

static err *close_input(struct relay *r)
{
        if (r->s->packets) {
                r->detached = r->s->input_only; /* everything has been taken */
                return proto_send(r->s->monitor, PROTO_STDIN_EOF, NULL, 0, NULL, 0);
        }
        if (!r->s->tty)
                r->s->in = file_close(r->s->in);
        return NULL;
}

/* Pass on what was typed; a pipe may take only a part now. */
static err *flush_input(struct relay *r)
{
        ssize_t n;

        if (r->s->packets) {
                err *e = proto_send(r->s->monitor, PROTO_STDIN, r->pending + r->pending_from,
                                    r->pending_to - r->pending_from, NULL, 0);

                r->pending_from = r->pending_to = 0;
                r->in_flight = true;
                return e;
        }
        n = write(r->s->in, r->pending + r->pending_from, r->pending_to - r->pending_from);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return NULL;
        if (n < 0) {
                /* The process does not read any more: what we still have is for nobody. */
                r->pending_from = r->pending_to = 0;
                r->stdin_fd = -1;
                r->s->in = r->s->tty ? r->s->in : file_close(r->s->in);
                return NULL;
        }
        r->pending_from += (size_t)n;
        if (r->pending_from == r->pending_to) {
                r->pending_from = r->pending_to = 0;
                if (r->in_closing)
                        return close_input(r);
        }
        return NULL;
}

static err *on_stdin(struct relay *r)
{
        char data[CHUNK];
        ssize_t n = read(r->stdin_fd, data, sizeof(data));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return NULL;
        if (n <= 0) {
                r->stdin_fd = -1;
                if (r->pending_to || r->in_flight) {
                        r->in_closing = true;
                        return NULL;
                }
                return close_input(r);
        }
        if (r->stdin_tty && r->s->tty)
                r->pending_to = detach_keys_filter(&r->s->keys, data, (size_t)n, r->pending, &r->detached);
        else
                memcpy(r->pending, data, r->pending_to = (size_t)n);
        return r->pending_to ? flush_input(r) : NULL;
}

/* Write what we have, as far as it goes without waiting: while our reader sleeps there are signals to pass on. The
 * descriptor is shared with others, who need not cope with O_NONBLOCK. */
static err *flush_output(struct relay *r)
{
        struct output *o = &r->output;

        while (o->size) {
                struct pollfd p = {.fd = o->fd, .events = POLLOUT};
                ssize_t w;

                if (poll(&p, 1, 0) == 0)
                        return NULL;
                /* As much as a pipe that is ready takes without blocking (pipe(7)). */
                w = write(o->fd, o->data, o->size < PIPE_BUF ? o->size : PIPE_BUF);
                if (w < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (w < 0 && errno == EPIPE)
                        return err_new(ERR_INTERRUPTED, "nobody reads the output any more");
                if (w < 0)
                        return err_sys(errno, "writing the output");
                o->data += w;
                o->size -= (size_t)w;
        }
        return NULL;
}

/* @data stays where it is until it has been written: nothing is read meanwhile. */
static err *put_out(struct relay *r, int fd, const char *data, size_t n)
{
        r->output = (struct output){fd, data, n};
        return flush_output(r);
}

/* One packet from the monitor. */
static err *on_monitor(struct relay *r)
{
        static char body[PROTO_MAX];
        struct proto_packet p = {.data = body, .room = sizeof(body)};
        err *e = proto_receive(r->s->monitor, &p);

        if (e) {
                err_free(e);
                r->lost = true;
                return NULL;
        }
        switch (p.type) {
        case PROTO_OUT:
                return put_out(r, STDOUT_FILENO, p.data, p.size);
        case PROTO_ERR:
                return put_out(r, STDERR_FILENO, p.data, p.size);
        case PROTO_STDIN_OK:
                r->in_flight = false;
                return r->in_closing ? close_input(r) : NULL;
        case PROTO_EXIT:
                if (p.size >= sizeof(r->exit))
                        memcpy(&r->exit, p.data, sizeof(r->exit));
                r->ended = true;
                return NULL;
        default:
                proto_packet_close(&p);
                return NULL; /* OK to a resize, ERROR to a signal that came too late */
        }
}

/* Output of an exec session. The end of a pipe (or EIO of a terminal) closes that stream. */
static err *on_output(struct relay *r, int *fd, int to)
{
        static char data[CHUNK];
        ssize_t n = read(*fd, data, sizeof(data));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return NULL;
        if (n <= 0) {
                *fd = -1; /* closed by the caller of stream_relay: a terminal's is shared with the input */
                return NULL;
        }
        return put_out(r, to, data, (size_t)n);
}

/* The program's output, onwards. Whatever does not go out at once keeps the rest waiting. */
static err *move_output(struct relay *r, short ready, short out, short errors)
{
        if (ready)
                TRY(flush_output(r));
        if (out)
                TRY(on_output(r, &r->s->out, STDOUT_FILENO));
        return errors && !r->output.size ? on_output(r, &r->s->errors, STDERR_FILENO) : NULL;
}

static err *step(struct relay *r)
{
        struct stream *s = r->s;
        bool blocked = r->pending_to != 0 || r->in_flight, full = r->output.size != 0;
        struct pollfd p[] = {
                {.fd = r->ended || full ? -1 : s->monitor, .events = POLLIN},
                {.fd = r->signals, .events = POLLIN},
                {.fd = blocked || r->ended ? -1 : r->stdin_fd, .events = POLLIN},
                {.fd = full ? -1 : s->out, .events = POLLIN},
                {.fd = full ? -1 : s->errors, .events = POLLIN},
                {.fd = blocked && !s->packets ? s->in : -1, .events = POLLOUT},
                {.fd = s->trace, .events = POLLIN},
                {.fd = full ? r->output.fd : -1, .events = POLLOUT},
        };

        /* After the end, what is in the pipes is read, but nobody is waited for: a descendant may keep them open. */
        if (poll(p, ARRAY_SIZE(p), r->ended && !full ? 0 : -1) < 0 && errno != EINTR)
                return err_sys(errno, "waiting for output");
        if (p[6].revents)
                explain_read(s->trace);
        TRY(move_output(r, p[7].revents, p[3].revents, p[4].revents));
        if (p[1].revents)
                TRY(on_signal(r));
        if (p[5].revents)
                TRY(flush_input(r));
        if (p[2].revents)
                TRY(on_stdin(r));
        if (p[0].revents && !r->output.size)
                return on_monitor(r);
        if (r->ended && !full && !p[3].revents && !p[4].revents)
                s->out = s->errors = -1;
        return NULL;
}

err *stream_relay(struct stream *s, enum stream_end *ret_end, struct proto_exit *ret_exit)
{
        _cleanup_free_ struct relay *r = MEM_NEW0(struct relay, 1);
        _cleanup_close_ int signals = -1;
        sigset_t set;
        err *e = NULL;

        if (!r)
                return err_nomem();
        relayed_signals(&set, s->sig_proxy);
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signals < 0)
                return err_sys(errno, "waiting for signals");
        r->s = s;
        r->signals = signals;
        r->stdin_fd = s->stdin_wanted ? STDIN_FILENO : -1;
        r->stdin_tty = isatty(STDIN_FILENO) == 1;
        r->exit = (struct proto_exit){.code = 255, .flags = PROTO_EXIT_UNKNOWN};
        if (!s->packets && s->in >= 0)
                (void)file_set_nonblock(s->in, true);
        if (r->stdin_tty && s->tty && s->stdin_wanted)
                TRY(terminal_raw(STDIN_FILENO));
        if (s->tty)
                TRY(send_resize(r));
        while (!e && !r->detached && !r->lost && r->forced < FORCE_AFTER &&
               (!r->ended || s->out >= 0 || s->errors >= 0 || r->output.size))
                e = step(r);
        terminal_restore();
        *ret_exit = r->exit;
        if (err_code(e) == ERR_INTERRUPTED) {
                *ret_end = STREAM_BROKEN;
                return err_free(e);
        }
        TRY(e);
        *ret_end = r->ended ? STREAM_EXITED : r->detached ? STREAM_DETACHED : r->lost ? STREAM_LOST : STREAM_FORCED;
        return NULL;
}
