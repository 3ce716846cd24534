/* dbus.c - see dbus.h. */
#include "sys/dbus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define LINE_MAX_ 512
#define READ_SIZE 16384
#define CONNECT_SECONDS 10

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

struct dbus {
        int fd;
        bool is_bus;
        uint32_t serial;
        uint8_t *data; /* received; @taken bytes of it have been given out */
        size_t size, used, taken;
};

int64_t dbus_deadline(int ms)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
}

void dbus_close(struct dbus *d)
{
        (void)file_close(d->fd);
        free(d->data);
        free(d);
}

bool dbus_is_bus(const struct dbus *d)
{
        return d->is_bus;
}

/* ---- bytes ---- */

static err *put(struct dbus *d, const void *data, size_t size)
{
        const char *p = data;

        while (size) {
                ssize_t n = send(d->fd, p, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? err_new(ERR_TIMEOUT, "D-Bus: the other side takes nothing")
                                               : err_sys(errno, "D-Bus: sending");
                p += n;
                size -= (size_t)n;
        }
        return NULL;
}

/* Room for @n bytes from `taken` on, all that was received kept. */
static err *reserve(struct dbus *d, size_t n)
{
        if (d->taken) {
                memmove(d->data, d->data + d->taken, d->used - d->taken);
                d->used -= d->taken;
                d->taken = 0;
        }
        if (n > d->size) {
                uint8_t *bigger = realloc(d->data, n);

                if (!bigger)
                        return err_nomem();
                d->data = bigger;
                d->size = n;
        }
        return NULL;
}

/* Read more, at least one byte. There is room. */
static err *get(struct dbus *d, int64_t deadline)
{
        for (;;) {
                struct pollfd f = {d->fd, POLLIN, 0};
                int64_t left = deadline - dbus_deadline(0);
                /* Also when there is something to read: what is waited for may never come. */
                int r = left <= 0 ? 0 : poll(&f, 1, left > INT32_MAX ? INT32_MAX : (int)left);
                ssize_t n;

                if (r == 0)
                        return err_new(ERR_TIMEOUT, "D-Bus: no answer in time");
                if (r < 0 && errno != EINTR)
                        return err_sys(errno, "D-Bus: waiting");
                if (r < 0)
                        continue;
                n = recv(d->fd, d->data + d->used, d->size - d->used, MSG_DONTWAIT);
                if (n < 0 && (errno == EINTR || errno == EAGAIN))
                        continue;
                if (n <= 0)
                        return err_sys(n < 0 ? errno : ECONNRESET, "D-Bus: receiving");
                d->used += (size_t)n;
                return NULL;
        }
}

/* ---- authentication: lines ---- */

/* The next line without its end, terminated, in @line. */
static err *get_line(struct dbus *d, int64_t deadline, char line[LINE_MAX_])
{
        for (;;) {
                uint8_t *start = d->data + d->taken;
                size_t n = d->used - d->taken;
                uint8_t *end = n ? memchr(start, '\n', n) : NULL;

                if (end) {
                        n = (size_t)(end - start);
                        d->taken += n + 1;
                        n -= n && start[n - 1] == '\r';
                        memcpy(line, start, n);
                        line[n] = '\0';
                        return NULL;
                }
                if (n >= LINE_MAX_ - 1)
                        return err_new(ERR_CORRUPT, "D-Bus: the answer to the authentication is too long");
                TRY(reserve(d, LINE_MAX_ - 1));
                TRY(get(d, deadline));
        }
}

static bool is_ok(const char *line)
{
        return str_eq(line, "OK") || str_starts(line, "OK ");
}

/* BEGIN is sent before the answer is known: systemd must not find the first message in one read with it, it would not
 * look at that before something else comes. @by_uid: as the uid that we know; who is in a user namespace has another
 * one outside, and leaves it to the kernel. @ret_ok: accepted. */
static err *authenticate(struct dbus *d, bool by_uid, int64_t deadline, bool *ret_ok)
{
        char line[LINE_MAX_], text[LINE_MAX_], id[16];
        int n = 1, digits = snprintf(id, sizeof(id), "%u", (unsigned)geteuid());

        text[0] = '\0'; /* the first byte of a connection is this */
        n += snprintf(text + n, sizeof(text) - (size_t)n, by_uid ? "AUTH EXTERNAL " : "AUTH EXTERNAL\r\nDATA");
        for (int i = 0; by_uid && i < digits; i++)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", (unsigned)id[i]);
        n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\nBEGIN\r\n");
        TRY(put(d, text, (size_t)n));
        TRY(get_line(d, deadline, line));
        if (!by_uid && str_starts(line, "DATA"))
                TRY(get_line(d, deadline, line));
        *ret_ok = is_ok(line);
        if (*ret_ok || str_starts(line, "REJECTED"))
                return NULL;
        return err_new(ERR_DENIED, "D-Bus: authentication: the other side says \"%.100s\"", line);
}

/* ---- messages ---- */

err *dbus_send(struct dbus *d, struct dbus_call *c)
{
        _cleanup_str_ struct str s = {0};
        struct dbus_call copy = *c;

        if (!d->is_bus)
                copy.destination = NULL;
        copy.serial = c->serial = ++d->serial;
        TRY(dbus_call_write(&copy, &s));
        return put(d, s.data, s.len);
}

err *dbus_receive(struct dbus *d, int64_t deadline, struct dbus_message *ret)
{
        size_t want = DBUS_HEADER_SIZE;

        for (;;) {
                if (d->used - d->taken >= DBUS_HEADER_SIZE) {
                        want = dbus_message_size(d->data + d->taken);
                        if (!want)
                                return err_new(ERR_CORRUPT, "D-Bus: received what is no message");
                }
                if (d->used - d->taken >= want)
                        break;
                TRY(reserve(d, want > READ_SIZE ? want : READ_SIZE));
                TRY(get(d, deadline));
        }
        if (!dbus_message_parse(d->data + d->taken, want, ret))
                return err_new(ERR_CORRUPT, "D-Bus: received a malformed message");
        d->taken += want;
        return NULL;
}

err *dbus_call(struct dbus *d, struct dbus_call *c, int64_t deadline, struct dbus_message *ret)
{
        TRY_WRAP(dbus_send(d, c), "%s", c->member);
        do
                TRY_WRAP(dbus_receive(d, deadline, ret), "%s", c->member);
        while ((ret->type != DBUS_RETURN && ret->type != DBUS_ERROR) || ret->reply_serial != c->serial);
        return NULL;
}

const char *dbus_error_text(const struct dbus_message *m)
{
        struct dbus_reader body = m->body;
        const char *text = *m->signature == 's' ? dbus_read_string(&body) : "";

        return *text ? text : m->error;
}

/* ---- open ---- */

static err *connect_to(struct dbus *d, const char *path)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        struct timeval limit = {.tv_sec = CONNECT_SECONDS};
        int r;

        if (strlen(path) >= sizeof(a.sun_path))
                return err_new(ERR_INVALID, "the name of the socket %s is too long", path);
        memcpy(a.sun_path, path, strlen(path) + 1);
        d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (d->fd < 0)
                return err_sys(errno, "making a socket");
        (void)setsockopt(d->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        do
                r = connect(d->fd, (struct sockaddr *)&a, sizeof(a));
        while (r < 0 && errno == EINTR);
        if (r < 0 && (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR))
                return err_new(ERR_NOT_FOUND, "nobody listens at %s", path);
        return r < 0 ? err_sys(errno, "connecting to %s", path) : NULL;
}

static err *open_once(const char *path, bool by_uid, int64_t deadline, struct dbus **ret)
{
        _cleanup_dbus_ struct dbus *d = MEM_NEW0(struct dbus, 1);
        bool ok = false;

        if (!d)
                return err_nomem();
        d->fd = -1;
        TRY(connect_to(d, path));
        TRY_WRAP(authenticate(d, by_uid, deadline, &ok), "%s", path);
        *ret = ok ? TAKE_PTR(d) : NULL;
        return NULL;
}

err *dbus_open(const char *path, bool is_bus, int64_t deadline, struct dbus **ret)
{
        _cleanup_dbus_ struct dbus *d = NULL;
        struct dbus_message answer;
        struct dbus_call hello = {
                .destination = BUS_NAME, .path = BUS_PATH, .interface = BUS_NAME, .member = "Hello", .signature = ""};

        TRY(open_once(path, true, deadline, &d));
        if (!d)
                TRY(open_once(path, false, deadline, &d));
        if (!d)
                return err_new(ERR_DENIED, "%s: D-Bus: authentication is rejected", path);
        d->is_bus = is_bus;
        if (is_bus) {
                TRY_WRAP(dbus_call(d, &hello, deadline, &answer), "%s", path);
                if (answer.type == DBUS_ERROR)
                        return err_new(ERR_DENIED, "%s: %s", path, dbus_error_text(&answer));
        }
        *ret = TAKE_PTR(d);
        return NULL;
}
