/* nameserver.c - see nameserver.h. */
#include "monitor/nameserver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "sys/ns.h"

#define BATCH 64

static bool is_wanted(const struct monitor *m)
{
        return m->conf.names || nameserver_wanted(m->dirfd);
}

err *nameserver_prepare(const struct monitor *m, int ns, int ret[2])
{
        ret[0] = ret[1] = -1;
        return is_wanted(m) ? nameserver_socket_prepare(ns, true, ret) : NULL;
}

/* ---- life ---- */

static void on_query(struct monitor *m, struct source *s, uint32_t events);

void nameserver_begin(struct monitor *m, int udp, int tcp)
{
        struct nameserver *s;

        if (udp < 0 || tcp < 0)
                return;
        nameserver_end(m);
        s = MEM_NEW0(struct nameserver, 1);
        if (!s) {
                (void)file_close(udp);
                (void)file_close(tcp);
                return;
        }
        s->udp = (struct source){on_query, udp, 0};
        s->listener = (struct source){nameserver_stream_accept, tcp, 0};
        s->replies = -1;
        m->nameserver = s;
        loop_watch(m, &s->udp, EPOLLIN);
        loop_watch(m, &s->listener, EPOLLIN);
}

/* Of the container, as long as it runs. */
static err *open_ns(const struct monitor *m, int *ret)
{
        char path[40];
        err *e;

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", m->status.pid);
        e = ns_open(path, CLONE_NEWNET, ret);
        if (err_code(e) != ERR_NOT_FOUND) { /* a process that has ended, which we have not seen yet, has none */
                TRY(e);
                if (m->status.pid && status_pid_start(m->status.pid) == m->status.pid_start)
                        return NULL;
                *ret = file_close(*ret);
        }
        err_free(e);
        return err_new(ERR_NOT_RUNNING, "container %s is not running", m->conf.id);
}

err *nameserver_refresh(struct monitor *m)
{
        _cleanup_close_ int ns = -1;
        struct sockaddr_in a;
        socklen_t size = sizeof(a);
        int fds[2] = {-1, -1};

        if (m->phase != PHASE_RUNNING || (!m->nameserver && !is_wanted(m)))
                return NULL;
        TRY(open_ns(m, &ns));
        if (m->nameserver && m->nameserver->listener.fd >= 0) {
                if (getsockname(m->nameserver->udp.fd, (struct sockaddr *)&a, &size) < 0)
                        return err_sys(errno, "finding the port of the container's DNS server");
                return nameserver_socket_lead(ns, ntohs(a.sin_port), false);
        }
        TRY(nameserver_socket_prepare(ns, false, fds));
        nameserver_begin(m, fds[0], fds[1]);
        return NULL;
}

void nameserver_end(struct monitor *m)
{
        struct nameserver *s = m->nameserver;

        if (!s)
                return;
        loop_close(m, &s->udp);
        loop_close(m, &s->listener);
        s->replies = file_close(s->replies);
        while (s->oldest)
                nameserver_forward_drop(m, s->oldest);
        while (s->oldest_stream)
                nameserver_stream_close(m, s->oldest_stream);
        nameserver_names_done(&s->names);
        m->nameserver = NULL;
        m->old_nameserver = s; /* an event of this round may still name it */
}

static void free_dead(struct nameserver *s)
{
        struct nameserver_forward *f;
        struct nameserver_stream *c;

        while (s && (f = s->dead)) {
                s->dead = f->next;
                free(f->reply);
                free(f);
        }
        while (s && (c = s->dead_stream)) {
                s->dead_stream = c->next;
                free(c->in);
                free(c->out);
                free(c);
        }
}

void nameserver_reap(struct monitor *m)
{
        free_dead(m->nameserver);
        free_dead(m->old_nameserver);
        free(m->old_nameserver);
        m->old_nameserver = NULL;
}

int64_t nameserver_deadline(const struct monitor *m)
{
        const struct nameserver *s = m->nameserver;
        int64_t at = -1;

        if (s && s->oldest)
                at = s->oldest->deadline;
        if (s && s->oldest_stream && (at < 0 || s->oldest_stream->deadline < at))
                at = s->oldest_stream->deadline;
        return at;
}

void nameserver_timers(struct monitor *m)
{
        int64_t at = nameserver_deadline(m), now;

        if (at < 0 || (now = loop_now_ns()) < at)
                return;
        nameserver_forward_timers(m, now);
        nameserver_stream_timers(m, now);
}

/* ---- answers ---- */

void nameserver_reply(struct monitor *m, const struct nameserver_asker *a, unsigned char *message, size_t size,
                      size_t room)
{
        if (a->stream) {
                nameserver_stream_reply(m, a->stream, message, size);
                return;
        }
        if (size > room)
                size = dns_truncate(message, size);
        if (size)
                nameserver_socket_reply(m->nameserver, &a->address, message, size);
}

static unsigned hash(const char *name)
{
        unsigned h = 5381;

        for (; *name; name++)
                h = h * 33 + (unsigned char)(*name | 0x20);
        return h;
}

static bool add_address(struct monitor *m, struct dns_reply *r, const char *text, int family)
{
        const char *end = text + strcspn(text, "/ ");
        char part[INET6_ADDRSTRLEN];
        unsigned char a[16];

        if (end - text >= (ptrdiff_t)sizeof(part))
                return true;
        memcpy(part, text, (size_t)(end - text));
        part[end - text] = '\0';
        if (inet_pton(family, part, a) != 1)
                return true; /* "-" */
        if (m->names_told)
                m->names_told(m, r->query->name, family, a, NAMESERVER_TTL);
        return dns_reply_address(r, family, a, NAMESERVER_TTL);
}

/* Addresses of whoever has the name; every one of them is the first in its turn. */
static bool answer_addresses(struct monitor *m, struct dns_reply *r)
{
        static struct nameserver_match found[NAMESERVER_MATCHES];
        static const int families[] = {AF_INET, AF_INET6};
        struct nameserver *s = m->nameserver;
        uint16_t type = r->query->type;
        bool exists, more = true;
        size_t n, from = 0;

        n = nameserver_names_find(&s->names, m->dirfd, r->query->name,
                                  type == DNS_A      ? 0
                                  : type == DNS_AAAA ? 1
                                                     : 2,
                                  &exists, found);
        if (type != DNS_A && type != DNS_AAAA && type != DNS_ANY)
                n = 0; /* there is such a name, and nothing of that kind */
        if (n > 1)
                from = s->turn[type == DNS_AAAA][hash(r->query->name) % ARRAY_SIZE(s->turn[0])]++ % n;
        for (unsigned family = 0; family < 2; family++)
                for (size_t i = 0; i < n && more && type != (family ? DNS_A : DNS_AAAA); i++)
                        more = add_address(m, r, found[(from + i) % n].address[family], families[family]);
        return exists;
}

static bool answer_reverse(struct monitor *m, struct dns_reply *r)
{
        unsigned char address[16];
        char name[DNS_TEXT_MAX];
        int family;

        return dns_reverse(r->query->name, &family, address) &&
               nameserver_names_reverse(&m->nameserver->names, m->dirfd, family, address, name) &&
               dns_reply_ptr(r, name, NAMESERVER_TTL);
}

/* Is the answer ours to give? Else somebody else is to be asked. */
static bool answer(struct monitor *m, struct dns_reply *r)
{
        const struct dns_query *q = r->query;

        if (q->version > 0) {
                r->rcode = DNS_BADVERS;
                return true;
        }
        if (DNS_OPCODE(q->flags) != 0) {
                r->rcode = DNS_NOTIMP;
                return true;
        }
        if (q->class != DNS_IN && q->class != DNS_CLASS_ANY) {
                r->rcode = DNS_REFUSED;
                return true;
        }
        nameserver_names_refresh(&m->nameserver->names, m->dirfd, m->conf.root_dir);
        if (q->type == DNS_PTR ? answer_reverse(m, r) : answer_addresses(m, r))
                return true;
        r->rcode = DNS_SERVFAIL; /* docker's answer where nobody can be asked */
        return !nameserver_names_outside(&m->nameserver->names) || (m->names_ask && !m->names_ask(m, q->name));
}

bool nameserver_handle(struct monitor *m, const unsigned char *message, size_t size, const struct nameserver_asker *a)
{
        static unsigned char out[65535];
        struct dns_query q;
        struct dns_reply r;

        if (!dns_read_query(message, size, &q))
                return false;
        dns_reply_begin(&r, out, a->stream ? sizeof(out) : q.room < sizeof(out) ? q.room : sizeof(out), message, &q);
        if (answer(m, &r))
                nameserver_reply(m, a, out, dns_reply_end(&r), sizeof(out));
        else
                nameserver_forward_begin(m, message, &q, size, a);
        return true;
}

static void on_query(struct monitor *m, struct source *source, uint32_t events)
{
        static unsigned char message[NAMESERVER_QUERY_MAX + 1];
        struct nameserver *s = m->nameserver;

        for (int i = 0; i < BATCH; i++) {
                struct nameserver_asker a = {0};
                socklen_t size = sizeof(a.address);
                ssize_t n = recvfrom(source->fd, message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&a.address,
                                     &size);

                if (n < 0)
                        break;
                if (n <= NAMESERVER_QUERY_MAX)
                        (void)nameserver_handle(m, message, (size_t)n, &a);
        }
        nameserver_names_release(&s->names);
}
