/* links.c - the container's network devices at its end. What of its network namespace is left to the kernel goes with
 * the namespace; but who has joined that, by whatever way, keeps it. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/file.h"
#include "monitor/nameserver.h"
#include "sys/endpoint.h"

/* How many of @lines are of the kind and on the parent of @e? */
static unsigned count_beside(char *const *lines, const struct endpoint *e)
{
        unsigned n = 0;

        for (; *lines; lines++) {
                struct endpoint other = {0};

                err_free(endpoint_parse(*lines, &other));
                n += other.kind == e->kind && strcmp(other.parent, e->parent) == 0;
        }
        return n;
}

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
                err_free(endpoint_unmake(&e, ns, count_beside(line + 1, &e))); /* nobody to tell */
        }
}
