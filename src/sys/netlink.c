/* netlink.c - see netlink.h. */
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

#define ANSWER_MAX 32768 /* the kernel's messages of a dump fit; rtnetlink(7) */
#define BUSY_TRIES 500
#define BUSY_PAUSE_US 2000

/* ---- building ---- */

void netbuf_done(struct netbuf *b)
{
        free(b->data);
        *b = (struct netbuf){0};
}

/* @size bytes more, aligned and zeroed; NULL when that failed. */
static char *more(struct netbuf *b, size_t size)
{
        size_t whole = NLMSG_ALIGN(size), room = b->room ? b->room : 512;
        char *at;

        if (b->failed)
                return NULL;
        while (room < b->size + whole)
                room *= 2;
        if (room > b->room) {
                char *data = realloc(b->data, room);

                if (!data) {
                        b->failed = -ENOMEM;
                        return NULL;
                }
                b->data = data;
                b->room = room;
        }
        at = b->data + b->size;
        memset(at, 0, whole);
        b->size += whole;
        return at;
}

/* The message's length follows what was added. */
static void grow_message(struct netbuf *b)
{
        struct nlmsghdr *h = (struct nlmsghdr *)(void *)(b->data + b->message);

        h->nlmsg_len = (uint32_t)(b->size - b->message);
}

void netbuf_begin(struct netbuf *b, unsigned type, unsigned flags, const void *head, size_t size)
{
        size_t at = b->size;
        char *to = more(b, NLMSG_HDRLEN + size);
        struct nlmsghdr h = {
                .nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = b->n + 1};

        if (!to)
                return;
        memcpy(to, &h, sizeof(h));
        if (size)
                memcpy(to + NLMSG_HDRLEN, head, size);
        b->message = at;
        b->n++;
        grow_message(b);
}

void netbuf_add_raw(struct netbuf *b, const void *data, size_t size)
{
        char *to = more(b, size);

        if (!to)
                return;
        if (size)
                memcpy(to, data, size);
        grow_message(b);
}

void netbuf_add(struct netbuf *b, unsigned type, const void *data, size_t size)
{
        struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = (uint16_t)type};
        char *to;

        if (size > UINT16_MAX - NLA_HDRLEN) {
                b->failed = b->failed ? b->failed : -EMSGSIZE;
                return;
        }
        to = more(b, NLA_HDRLEN + size);
        if (!to)
                return;
        memcpy(to, &a, sizeof(a));
        if (size)
                memcpy(to + NLA_HDRLEN, data, size);
        grow_message(b);
}

void netbuf_add_str(struct netbuf *b, unsigned type, const char *text)
{
        netbuf_add(b, type, text, strlen(text) + 1);
}

void netbuf_add_u8(struct netbuf *b, unsigned type, uint8_t value)
{
        netbuf_add(b, type, &value, sizeof(value));
}

void netbuf_add_u32(struct netbuf *b, unsigned type, uint32_t value)
{
        netbuf_add(b, type, &value, sizeof(value));
}

void netbuf_add_be32(struct netbuf *b, unsigned type, uint32_t value)
{
        value = htobe32(value);
        netbuf_add(b, type, &value, sizeof(value));
}

void netbuf_add_be64(struct netbuf *b, unsigned type, uint64_t value)
{
        value = htobe64(value);
        netbuf_add(b, type, &value, sizeof(value));
}

size_t netbuf_open(struct netbuf *b, unsigned type)
{
        size_t at = b->size;

        netbuf_add(b, type | NLA_F_NESTED, NULL, 0);
        return at;
}

void netbuf_close(struct netbuf *b, size_t open)
{
        struct nlattr *a;

        if (b->failed)
                return;
        if (b->size - open > UINT16_MAX) {
                b->failed = -EMSGSIZE;
                return;
        }
        a = (struct nlattr *)(void *)(b->data + open);
        a->nla_len = (uint16_t)(b->size - open);
}

/* ---- sockets ---- */

int netlink_open(int protocol)
{
        int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

        return s < 0 ? -errno : s;
}

int netlink_open_in(int ns, int protocol)
{
        _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int s;

        if (here < 0)
                return -errno;
        if (setns(ns, CLONE_NEWNET) < 0)
                return -errno;
        s = netlink_open(protocol);
        if (setns(here, CLONE_NEWNET) < 0)
                abort(); /* cannot fail: it was ours */
        return s;
}

static int kept = -1;

int netlink_firewall_open(void)
{
        int fd = kept;
        char rest[64];

        if (fd < 0)
                return netlink_open(NETLINK_NETFILTER);
        kept = -1;
        while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) /* what nobody waited for */
                ;
        return fd;
}

void netlink_firewall_close(int fd)
{
        if (fd < 0)
                return;
        if (kept < 0)
                kept = fd;
        else
                (void)file_close(fd);
}

int netlink_firewall_take(void)
{
        return TAKE_FD(kept);
}

/* ---- answers ---- */

struct answers {
        netlink_fn *fn;
        void *arg;
        unsigned waiting; /* acknowledgements, or ends of dumps, to come */
        unsigned failed;
        int error; /* the first */
        int overlooked;
        bool interrupted;
        bool marked; /* the first message asked for nothing: it begins a batch */
};

static int whole(const struct nlmsghdr *h, size_t size)
{
        return h->nlmsg_len >= NLMSG_LENGTH(size) ? 0 : -EBADMSG;
}

static int take_end(const struct nlmsghdr *h, struct answers *a)
{
        int code;

        if (whole(h, sizeof(int)) < 0)
                return -EBADMSG;
        memcpy(&code, NLMSG_DATA(h), sizeof(code)); /* of NLMSG_ERROR and NLMSG_DONE alike */
        if (code < 0 && code != a->overlooked && !a->error) {
                a->error = code;
                a->failed = h->nlmsg_seq ? h->nlmsg_seq - 1 : 0;
        }
        a->waiting -= a->waiting > 0;
        /* A batch that is refused as a whole (no right to, no such subsystem) has this one answer. */
        if (code < 0 && a->marked && h->nlmsg_seq <= 1)
                a->waiting = 0;
        return 0;
}

/* The messages of one datagram. 0 or -errno. */
static int take(const char *data, size_t size, struct answers *a)
{
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)data;

        for (int left = (int)size; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
                int r = 0;

                a->interrupted |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
                if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
                        r = take_end(h, a);
                } else if (a->fn) {
                        r = a->fn(h, a->arg);
                        /* A request without NLM_F_ACK and NLM_F_DUMP has one answer. */
                        if (!(h->nlmsg_flags & NLM_F_MULTI))
                                a->waiting -= a->waiting > 0;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

static int receive(int fd, struct answers *a)
{
        _cleanup_free_ char *data = malloc(ANSWER_MAX);

        if (!data)
                return -ENOMEM;
        while (a->waiting) {
                struct sockaddr_nl from = {0};
                socklen_t from_size = sizeof(from);
                ssize_t n = recvfrom(fd, data, ANSWER_MAX, MSG_TRUNC, (struct sockaddr *)&from, &from_size);
                int r;

                if (n < 0 && errno != EINTR)
                        return -errno;
                /* In a namespace that is joined others may have the right to write to us. */
                if (n < 0 || from.nl_pid != 0)
                        continue;
                if (n > ANSWER_MAX)
                        return -EMSGSIZE;
                r = take(data, (size_t)n, a);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int transmit(int fd, const struct netbuf *b)
{
        struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
        ssize_t n;

        if (b->failed)
                return b->failed;
        do
                n = sendto(fd, b->data, b->size, 0, (struct sockaddr *)&kernel, sizeof(kernel));
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int netlink_send(int fd, const struct netbuf *b, unsigned *ret_failed)
{
        struct answers a = {.overlooked = b->overlooked};
        int r = transmit(fd, b);

        for (size_t at = 0; r == 0 && at < b->size;) {
                const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(b->data + at);

                a.marked |= at == 0 && !(h->nlmsg_flags & NLM_F_ACK);
                a.waiting += (h->nlmsg_flags & NLM_F_ACK) != 0;
                at += NLMSG_ALIGN(h->nlmsg_len);
        }
        if (r == 0)
                r = receive(fd, &a);
        if (ret_failed)
                *ret_failed = a.failed;
        return r < 0 ? r : a.error;
}

int netlink_send_patiently(int fd, const struct netbuf *b)
{
        int r = -EBUSY;

        for (unsigned i = 0; i < BUSY_TRIES && r == -EBUSY; i++) {
                if (i)
                        (void)usleep(BUSY_PAUSE_US);
                r = netlink_send(fd, b, NULL);
        }
        return r;
}

int netlink_ask(int fd, const struct netbuf *b, netlink_fn *fn, void *arg)
{
        struct answers a = {.fn = fn, .arg = arg, .waiting = 1};
        int r = transmit(fd, b);

        if (r == 0)
                r = receive(fd, &a);
        if (r == 0)
                r = a.error;
        return r == 0 && a.interrupted ? -EAGAIN : r;
}

const void *netlink_attribute(const void *data, size_t size, unsigned type, size_t *ret_size)
{
        const char *p = data;

        while (size >= sizeof(struct nlattr)) {
                struct nlattr a;

                memcpy(&a, p, sizeof(a));
                if (a.nla_len < NLA_HDRLEN || a.nla_len > size)
                        return NULL;
                if ((a.nla_type & NLA_TYPE_MASK) == type) {
                        *ret_size = a.nla_len - (size_t)NLA_HDRLEN;
                        return p + NLA_HDRLEN;
                }
                if ((size_t)NLA_ALIGN(a.nla_len) >= size)
                        return NULL;
                p += NLA_ALIGN(a.nla_len);
                size -= NLA_ALIGN(a.nla_len);
        }
        return NULL;
}

bool netlink_attribute_text(const void *data, size_t size, unsigned type, char *ret, size_t room)
{
        size_t n;
        const char *text = netlink_attribute(data, size, type, &n);

        if (!text || !n || n > room || text[n - 1])
                return false;
        memcpy(ret, text, n);
        return true;
}

uint32_t netlink_attribute_be32(const void *data, size_t size, unsigned type, uint32_t otherwise)
{
        uint32_t value;
        size_t n;
        const void *p = netlink_attribute(data, size, type, &n);

        if (!p || n != sizeof(value))
                return otherwise;
        memcpy(&value, p, n);
        return be32toh(value);
}
