/* nameserver.h - the DNS server that a container on a user network finds at 127.0.0.11:53. Private to hod-monitor.
 *
 * The sockets are in the container's network namespace, on a port of 127.0.0.11 that nobody is likely to want; rules of
 * nf_tables for what comes in by lo there turn port 53 into it and back, without connection tracking, so that the
 * container may bind port 53 itself, even of every address. They are made by the builder before the program is
 * executed: no query is too early. A monitor that adopts the container makes them anew.
 *
 *   nameserver.c          its life, and what becomes of a query
 *   nameserver_socket.c   sockets and rules
 *   nameserver_names.c    names and addresses of the container's networks, from the files that their leases are in
 *   nameserver_forward.c  everything else is asked from other servers
 *   nameserver_upstream.c which these are, and sockets to them
 *   nameserver_stream.c   clients by TCP
 *
 * Nothing is kept between two rounds of the loop but the list of the container's networks: whoever comes or goes is
 * seen by the next query, and a server that is not asked costs a kilobyte. */
#pragma once

#include <netinet/in.h>

#include "codec/dns.h"
#include "monitor/monitor.h"

#define NAMESERVER_SECOND INT64_C(1000000000)
#define NAMESERVER_TTL 5          /* seconds: containers come and go */
#define NAMESERVER_MATCHES 512    /* addresses in one answer */
#define NAMESERVER_FORWARDS 512   /* queries that wait for other servers */
#define NAMESERVER_STREAMS 64     /* connections */
#define NAMESERVER_UPSTREAMS 3    /* as the C library and docker */
#define NAMESERVER_QUERY_MAX 4096 /* a query is short */

/* ---- names ---- */

struct nameserver_network {
        char *id, *name;
        char **links; /* of this container: "target:alias" */
        bool internal;
        char *text; /* its leases, in this round; NULL = not read yet */
        size_t size;
};
/* A line of the leases that is meant. Texts end with a space. */
struct nameserver_match {
        const char *address[2]; /* IPv4, IPv6; "-" = none */
};
struct nameserver_names {
        struct nameserver_network *network;
        size_t n;
        bool known, racy; /* network.json has been read; it had just been written */
        uint64_t seen[4]; /* which one that was */
};
/* Is the container on a user network? (--network none, or only the default bridge: no server is needed.) */
bool nameserver_wanted(int dirfd);
/* Look whether network.json has changed. @root_dir: where the networks' records are. */
void nameserver_names_refresh(struct nameserver_names *s, int dirfd, const char *root_dir);
/* Forget the leases that were read. */
void nameserver_names_release(struct nameserver_names *s);
void nameserver_names_done(struct nameserver_names *s);
/* Who is called @name, and has an address of the family (0 IPv4, 1 IPv6; 2 = any)? At most NAMESERVER_MATCHES, of one
 * network. *@ret_exists: somebody is called so. @dirfd: STATE/containers/<id>. */
size_t nameserver_names_find(struct nameserver_names *s, int dirfd, const char *name, unsigned family, bool *ret_exists,
                             struct nameserver_match *ret);
/* "name.network" of whoever has the address. */
bool nameserver_names_reverse(struct nameserver_names *s, int dirfd, int family, const unsigned char *address,
                              char ret[DNS_TEXT_MAX]);
/* May others be asked? Not when all networks are internal. */
bool nameserver_names_outside(const struct nameserver_names *s);

/* ---- who asks ---- */

struct nameserver_stream;
struct nameserver_asker {
        struct nameserver_stream *stream; /* NULL: by UDP, from @address */
        struct sockaddr_in address;
};

/* ---- other servers ---- */

struct nameserver_upstream {
        struct sockaddr_storage address;
        socklen_t size;
        bool inside; /* asked from the container's network namespace */
};
struct nameserver_upstreams {
        struct nameserver_upstream server[NAMESERVER_UPSTREAMS];
        unsigned n, first; /* who is asked first */
        int64_t first_since, checked;
        uint64_t seen[4];
};

struct nameserver_forward {
        struct source source;
        struct nameserver_forward *next, *older, *newer;
        struct nameserver_asker asker;
        int64_t deadline;
        uint16_t client_id, id, room;
        uint8_t first, tries, server; /* who was asked first, how many were asked, who is being asked */
        uint8_t failed;               /* servers of which nothing is to be expected: bits */
        bool connecting;
        bool inside;          /* asked from the container's network namespace */
        unsigned char *reply; /* by TCP: length and message */
        size_t got, want;
        size_t size;             /* of the query */
        unsigned char message[]; /* two bytes for its length, then the query */
};

struct nameserver_stream {
        struct source source;
        struct nameserver_stream *next, *older, *newer;
        int64_t deadline;
        struct nameserver_forward *forward; /* the query that is being asked elsewhere */
        size_t got, sent, size;
        bool taking;             /* queries are being answered that were read before */
        unsigned char *in, *out; /* NULL when nothing is under way */
};

struct nameserver {
        struct source udp, listener;
        int replies; /* that writes their headers itself; -1: not opened yet, -2: cannot be */
        struct nameserver_names names;
        struct nameserver_upstreams upstreams;
        struct nameserver_forward *oldest, *newest, *dead;
        unsigned n_forwards;
        struct nameserver_stream *oldest_stream, *newest_stream, *dead_stream;
        unsigned n_streams;
        uint8_t turn[2][32]; /* whose turn it is to be first in an answer */
};

/* ---- sockets ---- */

/* The server's sockets (UDP, TCP) in the container's network namespace @ns, and the rules that lead there. @fresh: of a
 * namespace where there are no rules yet. (What is deleted makes the kernel wait until nobody can see it any more, when
 * the socket is closed: milliseconds.) Privilege: CAP_SYS_ADMIN, CAP_NET_ADMIN. */
MUST_USE err *nameserver_socket_prepare(int ns, bool fresh, int ret[2]);
/* The rules alone, to sockets that are on @port. */
MUST_USE err *nameserver_socket_lead(int ns, uint16_t port, bool fresh);
/* Send a reply by UDP, from port 53. */
void nameserver_socket_reply(struct nameserver *s, const struct sockaddr_in *to, const unsigned char *message,
                             size_t size);

/* ---- queries ---- */

/* Answer or forward the query. False: it is malformed. */
bool nameserver_handle(struct monitor *m, const unsigned char *message, size_t size, const struct nameserver_asker *a);
/* Send a reply. @room: what the asker can take by UDP. */
void nameserver_reply(struct monitor *m, const struct nameserver_asker *a, unsigned char *message, size_t size,
                      size_t room);

/* Which servers are asked: read the host's resolv.conf again if it has changed (looked at from time to time). */
void nameserver_upstreams_refresh(struct monitor *m);
/* Is it to be asked from the container's network namespace, where the container may answer in its place? Not when
 * rules about names believe the answer, unless it is on the loopback there. */
bool nameserver_upstream_inside(struct monitor *m, const struct nameserver_upstream *u);
/* A socket to the server, in the container's network namespace or in the host's, not blocking. A descriptor or -errno;
 * TCP may still be connecting. */
int nameserver_upstream_open(struct monitor *m, const struct nameserver_upstream *u, bool inside, int type);
/* Which are asked: exported for tests. @servers of --dns, else @resolv_conf. */
void nameserver_upstreams_parse(struct nameserver_upstreams *u, char *const *servers, const char *resolv_conf);

/* Ask others, one after the other, and answer with what they say. What the same asker repeats meanwhile is not
 * asked twice; with too many under way the answer is SERVFAIL at once. */
void nameserver_forward_begin(struct monitor *m, const unsigned char *message, const struct dns_query *q, size_t size,
                              const struct nameserver_asker *a);
/* Whoever asked has gone. */
void nameserver_forward_drop(struct monitor *m, struct nameserver_forward *f);
/* Go on to the next server where one has not answered by @now. */
void nameserver_forward_timers(struct monitor *m, int64_t now);

/* Connections that wait: the event of the listening socket. The one that was silent for longest makes room. */
void nameserver_stream_accept(struct monitor *m, struct source *s, uint32_t events);
/* Send a reply; what is read of the connection meanwhile waits. */
void nameserver_stream_reply(struct monitor *m, struct nameserver_stream *c, const unsigned char *message, size_t size);
void nameserver_stream_close(struct monitor *m, struct nameserver_stream *c);
/* Close those that were silent too long at @now. */
void nameserver_stream_timers(struct monitor *m, int64_t now);
