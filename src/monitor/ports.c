/* ports.c - published ports are bound on the host by the monitor for as long as the container has them: other programs
 * see that they are taken. Nothing is received here: the kernel translates before a socket is looked for. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "sys/endpoint.h"

static err *open_port(uint8_t protocol, const char *host, uint16_t port, int *ret)
{
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
        int type = protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1, r;
        _cleanup_close_ int s = -1;
        struct link_address a;
        bool v6;

        *ret = -1;
        if (!endpoint_address_parse(host, &a))
                return err_new(ERR_CORRUPT, "published port: '%s' is no address", host);
        v6 = a.family == AF_INET6;
        s = socket(a.family, type | SOCK_CLOEXEC, protocol);
        if (s < 0)
                return NULL; /* a kernel without this protocol: nobody else can take it */
        if (v6)
                (void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
        memcpy(&four.sin_addr, a.data, 4);
        memcpy(&six.sin6_addr, a.data, 16);
        r = v6 ? bind(s, (struct sockaddr *)&six, sizeof(six)) : bind(s, (struct sockaddr *)&four, sizeof(four));
        if (r < 0)
                return err_sys(errno, "failed to bind host port %s:%u/%s", host, port,
                               protocol == IPPROTO_UDP    ? "udp"
                               : protocol == IPPROTO_SCTP ? "sctp"
                                                          : "tcp");
        *ret = TAKE_FD(s);
        return NULL;
}

static err *open_line(const char *line, int *ret)
{
        _cleanup_strv_ char **f = NULL;
        uint64_t protocol, port;

        TRY(strv_split(line, ' ', &f));
        if (strv_len(f) < 5 || !parse_u64(f[0], &protocol) || !parse_u64(f[2], &port) || port > UINT16_MAX ||
            protocol > UINT8_MAX)
                return err_new(ERR_CORRUPT, "published port '%s' is not understood", line);
        return open_port((uint8_t)protocol, f[1], (uint16_t)port, ret);
}

err *ports_hold(struct monitor *m)
{
        size_t n = strv_len(m->conf.ports);

        if (!n || m->ports)
                return NULL;
        m->ports = MEM_NEW0(int, n);
        if (!m->ports)
                return err_nomem();
        for (; m->n_ports < n; m->n_ports++) {
                err *e = open_line(m->conf.ports[m->n_ports], &m->ports[m->n_ports]);

                if (e) {
                        ports_release(m);
                        return e;
                }
        }
        return NULL;
}

void ports_release(struct monitor *m)
{
        for (size_t i = 0; i < m->n_ports; i++)
                (void)file_close(m->ports[i]);
        free(m->ports);
        m->ports = NULL;
        m->n_ports = 0;
}
