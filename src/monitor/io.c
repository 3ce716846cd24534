/* io.c - the container's streams: FIFOs or a terminal on one side, the log and the attached clients on the other.
 *
 * Output is read in chunks. A chunk goes to the log and to each client; a client whose connection is full still owes
 * it, and until all have taken it nothing more is read: a slow client slows the container, as with docker, and no
 * memory grows. After init's end that rule would delay the exit, so what is left (at most what the FIFOs hold) goes to
 * the log and into the `tail`, from which slow clients are served as they come. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "monitor/monitor.h"

#define TERMINAL_REST (1u << 20) /* bytes read at most from a terminal after the end */

static const char *const names[] = {"out", "err"};

struct record {
        uint32_t stream, size;
};

/* ---- output ---- */

static enum proto_type type_of(unsigned stream)
{
        return stream == LOGS_STDOUT ? PROTO_OUT : PROTO_ERR;
}

static unsigned bit_of(unsigned stream)
{
        return stream == LOGS_STDOUT ? PROTO_STREAM_OUT : PROTO_STREAM_ERR;
}

static void watch_output(struct monitor *m)
{
        for (unsigned i = 0; i < 2; i++)
                loop_watch(m, &m->out[i], m->chunks_due ? 0 : EPOLLIN);
}

static void owe_chunk(struct monitor *m, struct client *c, bool owe)
{
        if (c->chunk_due == owe)
                return;
        c->chunk_due = owe;
        m->chunks_due += owe ? 1 : -1u;
        if (!owe && !m->chunks_due && m->phase == PHASE_RUNNING)
                watch_output(m);
}

/* Give the chunk to everybody. */
static void fan_out(struct monitor *m)
{
        for (struct client *c = m->clients; c; c = c->next) {
                int r;

                if (c->dead || !(c->streams & bit_of(m->chunk_stream)))
                        continue;
                r = c->tail_at != TAIL_NONE
                            ? -EAGAIN
                            : proto_try_send(c->source.fd, type_of(m->chunk_stream), m->chunk, m->chunk_size, NULL, 0);
                if (r == -EAGAIN) {
                        owe_chunk(m, c, true);
                        client_update(m, c);
                } else if (r < 0) {
                        client_drop(m, c);
                }
        }
        if (m->chunks_due)
                watch_output(m);
}

/* Read once. 1, 0 at the end of the stream, -EAGAIN. */
static int read_chunk(struct monitor *m, unsigned stream, size_t max)
{
        ssize_t n;

        do
                n = read(m->out[stream].fd, m->chunk, max < CHUNK_SIZE ? max : CHUNK_SIZE);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EAGAIN ? -EAGAIN : 0; /* EIO: the terminal's last user has gone */
        if (n == 0)
                return 0;
        m->chunk_stream = (enum logs_stream)stream;
        m->chunk_size = (size_t)n;
        logs_write(&m->logs, m->chunk_stream, m->chunk, m->chunk_size, clock_now_ns());
        return 1;
}

static void on_output(struct monitor *m, struct source *s, uint32_t events)
{
        unsigned stream = (unsigned)(s - m->out);
        int r;

        if (m->chunks_due)
                return;
        r = read_chunk(m, stream, CHUNK_SIZE);
        if (r > 0) {
                fan_out(m);
        } else if (r == 0 && !m->conf.tty) {
                /* Closed by everybody inside; it cannot come back. */
                logs_end(&m->logs, (enum logs_stream)stream, clock_now_ns());
                loop_close(m, s);
        } else if (r == 0) {
                /* A terminal can be opened again by name as long as its container lives: look again when it ends. */
                loop_watch(m, s, 0);
        }
}

/* ---- what is left after the end ---- */

static bool tail_add(struct monitor *m)
{
        struct record r = {m->chunk_stream, (uint32_t)m->chunk_size};
        char *p = realloc(m->tail, m->tail_size + sizeof(r) + r.size);

        if (!p)
                return false;
        m->tail = p;
        memcpy(p + m->tail_size, &r, sizeof(r));
        memcpy(p + m->tail_size + sizeof(r), m->chunk, r.size);
        m->tail_size += sizeof(r) + r.size;
        return true;
}

/* The chunk for everybody, or only for those who owe it; who cannot take it now finds it in the tail. */
static void fan_out_last(struct monitor *m, bool only_owing)
{
        size_t at = m->tail_size;
        bool needed = false;

        for (struct client *c = m->clients; c; c = c->next) {
                int r = 0;

                if (c->dead || !(only_owing ? c->chunk_due : c->streams & bit_of(m->chunk_stream)))
                        continue;
                if (c->tail_at == TAIL_NONE && !only_owing)
                        r = proto_try_send(c->source.fd, type_of(m->chunk_stream), m->chunk, m->chunk_size, NULL, 0);
                else
                        r = -EAGAIN;
                if (r == -EAGAIN) {
                        c->tail_at = c->tail_at == TAIL_NONE ? at : c->tail_at;
                        needed = true;
                } else if (r < 0) {
                        client_drop(m, c);
                }
                c->chunk_due = false;
        }
        if (needed && !tail_add(m))
                for (struct client *c = m->clients; c; c = c->next)
                        if (c->tail_at == at)
                                client_drop(m, c);
}

static void tail_free(struct monitor *m)
{
        for (struct client *c = m->clients; c; c = c->next)
                if (!c->dead && c->tail_at != TAIL_NONE)
                        return;
        free(m->tail);
        m->tail = NULL;
        m->tail_size = 0;
}

int io_flush(struct monitor *m, struct client *c)
{
        while (c->tail_at != TAIL_NONE) {
                struct record rec;
                int r;

                if (c->tail_at >= m->tail_size) {
                        c->tail_at = TAIL_NONE;
                        tail_free(m);
                        break;
                }
                memcpy(&rec, m->tail + c->tail_at, sizeof(rec));
                r = proto_try_send(c->source.fd, type_of(rec.stream), m->tail + c->tail_at + sizeof(rec), rec.size,
                                   NULL, 0);
                if (r < 0)
                        return r;
                c->tail_at += sizeof(rec) + rec.size;
        }
        if (c->chunk_due) {
                int r = proto_try_send(c->source.fd, type_of(m->chunk_stream), m->chunk, m->chunk_size, NULL, 0);

                if (r < 0)
                        return r;
                owe_chunk(m, c, false);
        }
        return 0;
}

/* Read what @stream holds now: not more, because something that has escaped may go on writing. */
static void finish_stream(struct monitor *m, unsigned stream)
{
        int waiting = 0;
        size_t left = TERMINAL_REST;

        if (m->out[stream].fd < 0)
                return;
        if (!m->conf.tty)
                left = ioctl(m->out[stream].fd, FIONREAD, &waiting) == 0 ? (size_t)waiting : 0;
        while (left) {
                int r = read_chunk(m, stream, left);

                if (r <= 0)
                        break;
                fan_out_last(m, false);
                left -= m->chunk_size;
        }
        logs_end(&m->logs, (enum logs_stream)stream, clock_now_ns());
        loop_close(m, &m->out[stream]);
}

void io_finish(struct monitor *m)
{
        /* The chunk that somebody still owes comes first. */
        if (m->chunks_due)
                fan_out_last(m, true);
        m->chunks_due = 0;
        m->terminal_end = file_close(m->terminal_end);
        finish_stream(m, LOGS_STDOUT);
        finish_stream(m, LOGS_STDERR);
        loop_close(m, &m->in);
        m->in_broken = false;
        for (struct client *c = m->clients; c; c = c->next)
                client_update(m, c);
}

/* ---- input ---- */

static bool can_write(const struct monitor *m)
{
        return m->phase == PHASE_RUNNING && m->in.fd >= 0 && !m->in_broken;
}

/* Is there an input, now or later? */
static bool has_input(const struct monitor *m)
{
        bool later = m->phase == PHASE_IDLE || m->phase == PHASE_STARTING;

        return can_write(m) || (later && (m->conf.tty || m->conf.open_stdin));
}

static void forget_input(struct client *c)
{
        free(c->input);
        c->input = NULL;
        c->input_from = c->input_to = c->input_room = 0;
}

/* Bytes that the container took; all of them when nobody will ever read (they are for nobody). */
static size_t put_input(struct monitor *m, const char *data, size_t size)
{
        size_t done = 0;

        while (done < size && can_write(m)) {
                ssize_t n = write(m->in.fd, data + done, size - done);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return done;
                if (n < 0)
                        m->in_broken = true;
                else
                        done += (size_t)n;
        }
        return done;
}

static void close_input(struct monitor *m)
{
        /* A terminal has no end; without stdin_once the next client may go on. */
        if (!m->conf.tty && m->conf.stdin_once && m->phase == PHASE_RUNNING)
                loop_close(m, &m->in);
}

static void acknowledge(struct monitor *m, struct client *c)
{
        c->stdin_ok_due = true;
        client_flush(m, c);
}

/* Pass on what @c still has. */
static void pump(struct monitor *m, struct client *c)
{
        if (c->input_to > c->input_from) {
                c->input_from += put_input(m, c->input + c->input_from, c->input_to - c->input_from);
                if (!has_input(m)) {
                        forget_input(c); /* no acknowledgement: the client may stop reading its own input */
                        return;
                }
                if (c->input_from < c->input_to)
                        return;
                forget_input(c);
                acknowledge(m, c);
        }
        if (c->eof_due && !c->dead && m->phase == PHASE_RUNNING) {
                c->eof_due = false;
                close_input(m);
        }
}

static void on_input(struct monitor *m, struct source *s, uint32_t events)
{
        io_input_ready(m);
}

void io_input_ready(struct monitor *m)
{
        bool waiting = false;

        for (struct client *c = m->clients; c; c = c->next) {
                if (c->dead)
                        continue;
                pump(m, c);
                client_update(m, c);
                waiting |= !c->dead && c->input_to > c->input_from;
        }
        loop_watch(m, &m->in, waiting && can_write(m) ? EPOLLOUT : 0);
}

void io_stdin(struct monitor *m, struct client *c, const char *data, size_t size)
{
        size_t done = 0, used = c->input_to - c->input_from;

        if (!(c->streams & PROTO_STREAM_IN) || !has_input(m))
                return;
        if (!used && can_write(m))
                done = put_input(m, data, size);
        if (!has_input(m))
                return;
        if (done == size) {
                acknowledge(m, c);
                return;
        }
        if (used + size - done > c->input_room - c->input_from) {
                char *p = malloc(used + size - done);

                if (!p)
                        return;
                if (used)
                        memcpy(p, c->input + c->input_from, used);
                free(c->input);
                c->input = p;
                c->input_from = 0;
                c->input_to = used;
                c->input_room = used + size - done;
        }
        memcpy(c->input + c->input_to, data + done, size - done);
        c->input_to += size - done;
        if (can_write(m))
                loop_watch(m, &m->in, EPOLLOUT);
}

void io_stdin_eof(struct monitor *m, struct client *c)
{
        if (!(c->streams & PROTO_STREAM_IN))
                return;
        c->eof_due = true;
        pump(m, c);
}

/* ---- attaching ---- */

void io_attach(struct monitor *m, struct client *c, unsigned streams)
{
        c->streams = streams & (PROTO_STREAM_IN | PROTO_STREAM_OUT | PROTO_STREAM_ERR);
}

void io_detach(struct monitor *m, struct client *c)
{
        bool had_input = c->streams & PROTO_STREAM_IN;

        c->streams = 0;
        owe_chunk(m, c, false);
        if (c->tail_at != TAIL_NONE) {
                c->tail_at = TAIL_NONE;
                tail_free(m);
        }
        forget_input(c);
        if (had_input)
                close_input(m);
}

void io_resize(struct monitor *m, unsigned rows, unsigned cols)
{
        struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

        if (!m->conf.tty)
                return;
        m->rows = w.ws_row;
        m->cols = w.ws_col;
        if (m->phase == PHASE_RUNNING && m->out[0].fd >= 0)
                (void)ioctl(m->out[0].fd, TIOCSWINSZ, &w);
}

/* ---- opening ---- */

static int open_fifo(struct monitor *m, const char *name, int flags)
{
        int fd = openat(m->dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd;
}

static int make_fifo(struct monitor *m, const char *name)
{
        return mkfifoat(m->dirfd, name, 0600) < 0 && errno != EEXIST ? -errno : 0;
}

/* Read-write for the container, so that it lives on, and its output is kept, while there is no monitor. */
static err *open_output(struct monitor *m, unsigned stream, int *ret)
{
        int r = make_fifo(m, names[stream]), reader;

        if (r == 0)
                r = open_fifo(m, names[stream], O_RDWR);
        if (r < 0)
                return err_sys(-r, "making the FIFO %s", names[stream]);
        *ret = r;
        reader = open_fifo(m, names[stream], O_RDONLY | O_NONBLOCK);
        if (reader < 0)
                return err_sys(-reader, "opening the FIFO %s", names[stream]);
        m->out[stream] = (struct source){on_output, reader, 0};
        return NULL;
}

static err *open_input(struct monitor *m, int *ret)
{
        int r = make_fifo(m, "in"), writer;

        /* Only a reader that does not wait for a writer gets it open; then it becomes an ordinary one. */
        if (r == 0)
                r = open_fifo(m, "in", O_RDONLY | O_NONBLOCK);
        if (r < 0)
                return err_sys(-r, "making the FIFO in");
        *ret = r;
        writer = open_fifo(m, "in", O_WRONLY | O_NONBLOCK);
        if (writer < 0)
                return err_sys(-writer, "opening the FIFO in");
        m->in = (struct source){on_input, writer, 0};
        if (fcntl(*ret, F_SETFL, 0) < 0)
                return err_sys(errno, "opening the FIFO in");
        return NULL;
}

err *io_open(struct monitor *m, int stdio[3])
{
        stdio[0] = STDIN_FILENO; /* /dev/null */
        stdio[1] = stdio[2] = -1;
        if (m->conf.tty)
                return NULL;
        if (m->conf.open_stdin)
                TRY(open_input(m, &stdio[0]));
        TRY(open_output(m, LOGS_STDOUT, &stdio[1]));
        return open_output(m, LOGS_STDERR, &stdio[2]);
}

void io_close_ends(int stdio[3])
{
        for (int i = 0; i < 3; i++)
                if (stdio[i] > STDERR_FILENO)
                        stdio[i] = file_close(stdio[i]);
}

void io_run(struct monitor *m, int terminal)
{
        if (terminal >= 0) {
                int copy = fcntl(terminal, F_DUPFD_CLOEXEC, 0);

                (void)file_set_nonblock(terminal, true);
                /* While nobody has it open, reading gives EIO, and there is no event for "again": so somebody has. */
                m->terminal_end = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
                m->out[0] = (struct source){on_output, terminal, 0};
                m->in = (struct source){on_input, copy, 0};
                if (m->rows && m->cols)
                        io_resize(m, m->rows, m->cols);
        }
        watch_output(m);
        io_input_ready(m);
}

/* The FIFOs of a container whose monitor has died. A terminal has died with it. */
err *io_adopt(struct monitor *m)
{
        m->in_broken = true;
        if (m->conf.tty)
                return NULL;
        for (unsigned i = 0; i < 2; i++) {
                int fd = open_fifo(m, names[i], O_RDONLY | O_NONBLOCK);

                if (fd < 0)
                        return err_sys(-fd, "opening the FIFO %s", names[i]);
                m->out[i] = (struct source){on_output, fd, 0};
        }
        if (m->conf.open_stdin) {
                int fd = open_fifo(m, "in", O_WRONLY | O_NONBLOCK);

                m->in = (struct source){on_input, fd < 0 ? -1 : fd, 0};
                m->in_broken = fd < 0; /* it has closed its input, or has seen the end of it */
        }
        watch_output(m);
        return NULL;
}
