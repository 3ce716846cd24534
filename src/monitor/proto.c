/* proto.c - see proto.h. */
#include "monitor/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define LINGER_MS 5000
#define PATIENCE_MS 15000 /* longer than it may be busy */
#define ASK_MS 5000       /* of silence, after which it is asked whether it is there */

#define SMALL 4096 /* more than any answer of a monitor that a waiting client looks at */

void proto_packet_close(struct proto_packet *p)
{
        for (size_t i = 0; i < p->n_fds; i++)
                p->fds[i] = file_close(p->fds[i]);
        p->n_fds = 0;
}

/* ---- what a packet looks like ---- */

static const struct {
        size_t min, max; /* size of the body */
        unsigned char fds_min, fds_max;
} requests[] = {
        [PROTO_START] = {sizeof(struct proto_start), sizeof(struct proto_start), 0, 1},
        [PROTO_ATTACH] = {sizeof(struct proto_attach), sizeof(struct proto_attach), 0, 0},
        [PROTO_STDIN] = {0, PROTO_MAX, 0, 0},
        [PROTO_STDIN_EOF] = {0, 0, 0, 0},
        [PROTO_WAIT] = {0, 0, 0, 0},
        [PROTO_EXEC] = {sizeof(struct proto_exec), PROTO_MAX, 3, 5},
        [PROTO_SIGNAL] = {sizeof(struct proto_signal), sizeof(struct proto_signal), 0, 0},
        [PROTO_RESIZE] = {sizeof(struct proto_resize), sizeof(struct proto_resize), 0, 0},
        [PROTO_PAUSE] = {0, sizeof(struct proto_pause), 0, 0},
        [PROTO_RESUME] = {0, 0, 0, 0},
        [PROTO_STATUS] = {0, 0, 0, 0},
        [PROTO_ROOTFS] = {0, 0, 0, 0},
        [PROTO_DETACH] = {0, 0, 0, 0},
        [PROTO_CLEANED] = {0, 0, 0, 1}, /* a socket whose end takes its time (netlink_firewall_take()) */
        [PROTO_PORTS] = {0, 0, 0, 0},
        [PROTO_NETWORK] = {0, 0, 0, 0},
};

int proto_check(const struct proto_header *h, size_t size, size_t n_fds)
{
        if (size < sizeof(*h))
                return -EBADMSG;
        if (h->version != PROTO_VERSION)
                return -EPROTONOSUPPORT;
        if (h->size != size - sizeof(*h) || size > PROTO_MAX)
                return -EBADMSG;
        if (h->type < PROTO_START || h->type >= ARRAY_SIZE(requests))
                return -EBADMSG;
        if (h->size < requests[h->type].min || h->size > requests[h->type].max)
                return -EBADMSG;
        if (n_fds < requests[h->type].fds_min || n_fds > requests[h->type].fds_max)
                return -EBADMSG;
        return 0;
}

err *proto_exec_split(const struct proto_exec *x, char *text, size_t size, struct proto_exec_strings *ret)
{
        _cleanup_free_ char **list = NULL;
        size_t wanted = (size_t)x->argc + x->envc + 2, n = 0;
        struct proto_exec_strings s;
        char *p = text, *end = text + size;

        /* Each string has at least its terminator: no count can ask for more memory than the text is long. */
        if (wanted > size || x->argc == 0)
                return err_new(ERR_CORRUPT, "malformed request: %u arguments and %u variables in %zu bytes", x->argc,
                               x->envc, size);
        list = MEM_NEW0(char *, wanted + 2);
        if (!list)
                return err_nomem();
        while (p < end && n < wanted) {
                char *stop = memchr(p, '\0', (size_t)(end - p));

                if (!stop)
                        break;
                /* One NULL behind the arguments and one behind the environment. */
                list[n + (n >= x->argc) + (n >= (size_t)x->argc + x->envc)] = p;
                n++;
                p = stop + 1;
        }
        if (n != wanted || p != end)
                return err_new(ERR_CORRUPT, "malformed request: %zu of %zu strings", n, wanted);
        s.cwd = list[wanted];
        s.user = list[wanted + 1];
        s.argv = TAKE_PTR(list);
        s.envp = s.argv + x->argc + 1;
        *ret = s;
        return NULL;
}

/* ---- transport ---- */

static int send_packet(int fd, enum proto_type type, const void *data, size_t size, const int *fds, size_t n_fds,
                       int flags)
{
        struct proto_header h = {.version = PROTO_VERSION, .type = (uint16_t)type, .size = (uint32_t)size};
        struct iovec iov[2] = {{.iov_base = &h, .iov_len = sizeof(h)}, {.iov_base = (void *)data, .iov_len = size}};
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = size ? 2 : 1};
        union {
                char space[CMSG_SPACE(PROTO_FDS_MAX * sizeof(int))];
                struct cmsghdr align;
        } control;

        if (size > PROTO_MAX - sizeof(h) || n_fds > PROTO_FDS_MAX)
                return -EMSGSIZE;
        if (n_fds) {
                struct cmsghdr *c;

                memset(&control, 0, sizeof(control));
                msg.msg_control = control.space;
                msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
        }
        for (;;) {
                if (sendmsg(fd, &msg, flags | MSG_NOSIGNAL) >= 0)
                        return 0;
                if (errno != EINTR)
                        return -errno;
        }
}

/* 1 with *@h and @p filled, 0 at the end, -errno. @p's descriptors are closed on failure. */
static int receive_packet(int fd, struct proto_header *h, struct proto_packet *p, size_t *ret_size, int flags)
{
        struct iovec iov[2] = {{.iov_base = h, .iov_len = sizeof(*h)}, {.iov_base = p->data, .iov_len = p->room}};
        union {
                char space[CMSG_SPACE(PROTO_FDS_MAX * sizeof(int))];
                struct cmsghdr align;
        } control;
        struct msghdr msg = {
                .msg_iov = iov,
                .msg_iovlen = 2,
                .msg_control = control.space,
                .msg_controllen = sizeof(control.space),
        };
        ssize_t n;

        p->n_fds = 0;
        do
                n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                p->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(p->fds, CMSG_DATA(c), p->n_fds * sizeof(int));
        }
        if (n == 0) {
                proto_packet_close(p);
                return 0;
        }
        if ((size_t)n < sizeof(*h) || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
                proto_packet_close(p);
                return -EBADMSG;
        }
        p->type = h->type;
        p->size = (size_t)n - sizeof(*h);
        *ret_size = (size_t)n;
        return 1;
}

int proto_try_send(int fd, enum proto_type type, const void *data, size_t size, const int *descriptors, size_t n)
{
        return send_packet(fd, type, data, size, descriptors, n, MSG_DONTWAIT);
}

int proto_try_receive(int fd, struct proto_packet *p)
{
        struct proto_header h;
        size_t size;
        int r = receive_packet(fd, &h, p, &size, MSG_DONTWAIT);

        if (r <= 0)
                return r;
        r = proto_check(&h, size, p->n_fds);
        if (r < 0) {
                proto_packet_close(p);
                return r;
        }
        return 1;
}

static err *gone(void)
{
        return err_new(ERR_NOT_RUNNING, "the container's monitor has gone");
}

static err *transport_error(int errnum, const char *what)
{
        errnum = errnum < 0 ? -errnum : errnum;
        if (errnum == EPIPE || errnum == ECONNRESET || errnum == ECONNREFUSED || errnum == ENOENT || errnum == ENOTCONN)
                return gone();
        if (errnum == EAGAIN)
                return err_new(ERR_TIMEOUT, "the container's monitor does not answer: it was stopped, or waits for the "
                                            "kernel");
        return err_sys(errnum, "%s the container's monitor", what);
}

err *proto_send(int fd, enum proto_type type, const void *data, size_t size, const int *fds, size_t n_fds)
{
        int r = send_packet(fd, type, data, size, fds, n_fds, 0);

        return r < 0 ? transport_error(r, "talking to") : NULL;
}

err *proto_receive(int fd, struct proto_packet *p)
{
        struct proto_header h;
        size_t size;
        int r = receive_packet(fd, &h, p, &size, 0);

        if (r == 0)
                return gone();
        if (r < 0 && r != -EBADMSG)
                return transport_error(r, "listening to");
        if (r < 0 || h.size != p->size) {
                proto_packet_close(p);
                return err_new(ERR_CORRUPT, "the container's monitor sent a malformed packet");
        }
        if (h.version != PROTO_VERSION) {
                proto_packet_close(p);
                return err_new(ERR_UNSUPPORTED,
                               "the container's monitor speaks version %u of the protocol, we speak %d", h.version,
                               PROTO_VERSION);
        }
        return NULL;
}

static void limit(int fd, int option, int64_t ms)
{
        struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

        (void)setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t));
}

void proto_be_patient(int fd)
{
        limit(fd, SO_SNDTIMEO, PATIENCE_MS);
        limit(fd, SO_RCVTIMEO, PATIENCE_MS);
}

err *proto_connect(int dirfd, int *ret_fd)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};

        if (fd < 0)
                return err_sys(errno, "making a socket");
        /* A monitor that takes no connections does not hold us for ever. */
        limit(fd, SO_SNDTIMEO, PATIENCE_MS);
        /* The directory's own name may be longer than sun_path. */
        (void)snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/monitor.sock", dirfd);
        while (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
                if (errno != EINTR)
                        return transport_error(errno, "connecting to");
        limit(fd, SO_SNDTIMEO, 0);
        *ret_fd = TAKE_FD(fd);
        return NULL;
}

/* ---- answers ---- */

/* The error that an ERROR packet carries. */
static err *error_of(const struct proto_packet *p)
{
        const struct proto_error *x = p->data;
        enum err_code code;
        int length;

        if (p->size < sizeof(*x))
                return err_new(ERR_CORRUPT, "the container's monitor sent a malformed error");
        code = x->code > 0 && x->code < ERR_CODE_MAX_ ? (enum err_code)x->code : ERR_INTERNAL;
        length = (int)(p->size - sizeof(*x));
        /* The text already ends in strerror(errnum). */
        return err_new(code, "%.*s", length, x->text);
}

/* Receive one packet: *@ret_done if it is of type @type; ERROR becomes an error, others are dropped. */
static err *take(int fd, enum proto_type type, struct proto_packet *p, bool *ret_done)
{
        TRY(proto_receive(fd, p));
        *ret_done = p->type == type;
        if (*ret_done)
                return NULL;
        proto_packet_close(p);
        return p->type == PROTO_ERROR ? error_of(p) : NULL;
}

/* The next packet of type @type. */
static err *await(int fd, enum proto_type type, struct proto_packet *p)
{
        bool done = false;

        while (!done)
                TRY(take(fd, type, p, &done));
        return NULL;
}

/* Output may arrive that nobody wants here, so these buffers have room for every packet. Static: clients have one
 * thread, and 64 KiB do not belong on a stack. */
static char scratch[PROTO_MAX];

err *proto_wait_ok(int fd)
{
        struct proto_packet p = {.data = scratch, .room = sizeof(scratch)};

        TRY(await(fd, PROTO_OK, &p));
        proto_packet_close(&p);
        return NULL;
}

err *proto_wait_descriptor(int fd, int *ret)
{
        struct proto_packet p = {.data = scratch, .room = sizeof(scratch)};

        TRY(await(fd, PROTO_OK, &p));
        if (p.n_fds != 1) {
                proto_packet_close(&p);
                return err_new(ERR_CORRUPT, "the container's monitor sent a malformed answer");
        }
        *ret = TAKE_FD(p.fds[0]);
        return NULL;
}

/* As await(). Hooks, mounts and a slow machine may make it last; meanwhile the monitor, which has a builder for all of
 * that, can say that it is there. */
static err *await_patiently(int fd, enum proto_type type, struct proto_packet *p)
{
        struct pollfd one = {.fd = fd, .events = POLLIN};
        bool done = false;
        int silent = 0;

        while (!done) {
                int r = poll(&one, 1, ASK_MS);

                if (r < 0 && errno != EINTR)
                        return err_sys(errno, "waiting for the container's monitor");
                if (r == 0 && ++silent == PATIENCE_MS / ASK_MS)
                        return transport_error(EAGAIN, "waiting for");
                if (r == 0 && silent == 1) /* if that fails, the next poll says why */
                        (void)proto_try_send(fd, PROTO_STATUS, NULL, 0, NULL, 0);
                if (r <= 0)
                        continue;
                silent = 0;
                TRY(take(fd, type, p, &done));
        }
        return NULL;
}

err *proto_wait_started(int fd, pid_t *ret_pid, int *ret_terminal)
{
        struct proto_packet p = {.data = scratch, .room = sizeof(scratch)};
        struct proto_started s;

        TRY(await_patiently(fd, PROTO_STARTED, &p));
        if (p.size != sizeof(s)) {
                proto_packet_close(&p);
                return err_new(ERR_CORRUPT, "the container's monitor sent a malformed answer");
        }
        memcpy(&s, p.data, sizeof(s));
        if (ret_pid)
                *ret_pid = s.pid;
        if (ret_terminal)
                *ret_terminal = p.n_fds ? TAKE_FD(p.fds[0]) : -1;
        proto_packet_close(&p);
        return NULL;
}

err *proto_wait_attached(int fd)
{
        struct proto_packet p = {.data = scratch, .room = sizeof(scratch)};

        TRY(await_patiently(fd, PROTO_ATTACHED, &p));
        proto_packet_close(&p);
        return NULL;
}

static int64_t now_ms(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

err *proto_wait_exit_for(int fd, int64_t timeout_ms, struct proto_exit *ret)
{
        struct proto_packet p = {.data = scratch, .room = sizeof(scratch)};
        int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : 0;

        for (;;) {
                struct pollfd one = {.fd = fd, .events = POLLIN};
                int64_t left = timeout_ms < 0 ? -1 : timeout_ms == 0 ? 0 : end - now_ms();
                int r;

                left = timeout_ms >= 0 && left < 0 ? 0 : left;
                r = poll(&one, 1, left > INT_MAX ? INT_MAX : (int)left);
                if (r < 0 && errno != EINTR)
                        return err_sys(errno, "waiting for the container");
                if (r == 0 && left <= INT_MAX)
                        return err_new(ERR_TIMEOUT, "the container did not end in time");
                if (r <= 0)
                        continue;
                TRY(proto_receive(fd, &p));
                proto_packet_close(&p);
                if (p.type != PROTO_EXIT)
                        continue; /* also ERROR: a signal that came too late */
                if (p.size != sizeof(*ret))
                        return err_new(ERR_CORRUPT, "the container's monitor sent a malformed exit");
                memcpy(ret, p.data, sizeof(*ret));
                return NULL;
        }
}

err *proto_wait_exit(int fd, struct proto_exit *ret)
{
        return proto_wait_exit_for(fd, -1, ret);
}

void proto_cleaned(int fd)
{
        struct proto_packet p = {.data = scratch, .room = sizeof(scratch)};
        err *e = proto_send(fd, PROTO_CLEANED, NULL, 0, NULL, 0);
        struct pollfd one = {.fd = fd, .events = POLLIN};

        while (!e && poll(&one, 1, LINGER_MS) > 0) {
                e = proto_receive(fd, &p);
                if (!e)
                        proto_packet_close(&p);
        }
        err_free(e); /* normally: the end of the connection */
}
