/* links.c - the container's network devices at its end. The kernel takes them away with its network namespace; but who
 * has joined that keeps it, by whatever way: another container or engine, a mount, a descriptor that was handed on, a
 * connection that still has something to send. */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "monitor/nameserver.h"
#include "sys/endpoint.h"
#include "sys/netlink.h"

void links_end(struct monitor *m)
{
        _cleanup_close_ int ns = -1;

        if (!m->nameserver) /* which is on every network that has such devices, and holds the namespace */
                return;
        for (char *const *line = m->conf.endpoints; line && *line; line++) {
                struct endpoint e = {0};

                err_free(endpoint_parse(*line, &e));
                if (e.kind == ENDPOINT_BRIDGE)
                        continue;
                if (ns < 0)
                        ns = ioctl(m->nameserver->udp.fd, SIOCGSKNS);
                if (ns < 0)
                        return;
                err_free(endpoint_unmake(&e, ns, LINK_SUB_ANY)); /* nobody to tell */
        }
}

/* How many are still there, and not about to go? With @remove, they go. */
static unsigned look(char *const *lines, int fd, bool remove)
{
        unsigned n = 0;

        for (; lines && *lines; lines++) {
                struct endpoint e = {0};
                bool kept;

                err_free(endpoint_parse(*lines, &e));
                kept = e.host_name[0] && link_endpoint_is_kept(fd, e.host_name) != 0;
                n += kept;
                if (kept && remove)
                        err_free(link_delete(fd, e.host_name));
        }
        return n;
}

static bool has_pairs(char *const *lines)
{
        for (; lines && *lines; lines++) {
                struct endpoint e = {0};

                err_free(endpoint_parse(*lines, &e));
                if (e.host_name[0])
                        return true;
        }
        return false;
}

void links_leave(struct monitor *m)
{
        static const long after_ms[] = {100, 200, 700};
        bool watches = m->watch_lock >= 0;
        int fd;

        if (m->phase != PHASE_ENDED || !has_pairs(m->conf.endpoints) || close_range(3, ~0u, 0) < 0)
                return;
        if (watches && fork() != 0) /* the end of this process is what others wait for, to watch the ruleset */
                return;
        fd = netlink_open(NETLINK_ROUTE);
        for (unsigned i = 0; fd >= 0 && i < ARRAY_SIZE(after_ms); i++) {
                (void)nanosleep(&(struct timespec){0, after_ms[i] * 1000000}, NULL);
                if (!look(m->conf.endpoints, fd, i + 1 == ARRAY_SIZE(after_ms)))
                        return;
        }
}
