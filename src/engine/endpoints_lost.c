/* endpoints_lost.c - giving back what a container has in its networks when its network.json is damaged: as much as its
 * leases and its monitor's configuration tell. See endpoints_private.h. */
#include <netinet/in.h>

#include "base/parse.h"
#include "base/str.h"
#include "engine/endpoints_private.h"
#include "engine/networks.h"
#include "engine/traffic.h"
#include "monitor/status.h"
#include "net/firewall.h"
#include "net/guard.h"

static void keep_first(err **first, err *e)
{
        if (*first)
                err_free(e);
        else
                *first = e;
}

/* "protocol host port TO port", as the monitor has it; the name of a link is borrowed from @f. */
static bool read_port(char *const *f, struct firewall_port *ret)
{
        uint64_t protocol, host_port, port;
        struct firewall_port p = {0};

        if (strv_len((char **)f) < 5 || !parse_u64(f[0], &protocol) || !parse_u64(f[2], &host_port) ||
            !endpoint_address_parse(f[3], &p.to) || !parse_u64(f[4], &port) || protocol > UINT8_MAX ||
            host_port > UINT16_MAX || port > UINT16_MAX)
                return false;
        p.protocol = (uint8_t)protocol;
        p.host_port = (uint16_t)host_port;
        p.port = (uint16_t)port;
        if (!str_eq(f[1], "0.0.0.0") && !str_eq(f[1], "::") && !endpoint_address_parse(f[1], &p.host))
                p.link = f[1];
        *ret = p;
        return true;
}

static err *give_ports(const struct container *c)
{
        _cleanup_(monitor_conf_done) struct monitor_conf conf = {0};
        _cleanup_firewall_ struct firewall *f = NULL;

        if (c->state_fd < 0)
                return NULL;
        TRY(monitor_conf_read(c->state_fd, &conf));
        TRY(firewall_open(&f));
        for (char **line = conf.ports; line && *line; line++) {
                _cleanup_strv_ char **words = NULL;
                struct firewall_port p;

                TRY(strv_split(*line, ' ', &words));
                if (read_port(words, &p))
                        TRY(firewall_unpublish(f, c->id, &p, 1));
        }
        return NULL;
}

/* Which guard it had is not known: that of whoever may configure its network, or the other. */
static err *give_guard(const struct network *n, const struct lease *l)
{
        struct endpoint e = {.kind = ENDPOINT_BRIDGE, .ipv6 = n->pool[1].subnet.family != 0};
        err *first;

        memcpy(e.parent, n->link, sizeof(e.parent));
        memcpy(e.host_name, l->link, sizeof(e.host_name));
        memcpy(e.mac, l->mac, sizeof(e.mac));
        memcpy(e.address, l->address, sizeof(e.address));
        first = guard_remove(&e, false);
        keep_first(&first, guard_remove(&e, true));
        return first;
}

static err *give_network(struct networks *s, const struct network *n, const char *id)
{
        _cleanup_lease_list_ struct lease_list list = {0};
        err *first = NULL;

        TRY(lease_list(s, n->id, &list));
        for (size_t i = 0; i < list.n; i++) {
                if (!str_eq(list.items[i].container, id))
                        continue;
                if (list.items[i].link[0])
                        keep_first(&first, give_guard(n, &list.items[i]));
                keep_first(&first, lease_release_endpoint(s, n->id, &list.items[i]));
        }
        return first;
}

static err *give_networks(const struct container *c)
{
        _cleanup_network_list_ struct network_list list = {0};
        struct networks *s;
        err *first = NULL;

        TRY(networks_of(c->engine, &s));
        TRY(network_list(s, &list));
        for (size_t i = 0; i < list.n; i++)
                keep_first(&first, give_network(s, list.items[i], c->id));
        return first;
}

err *endpoints_detach_lost(struct container *c)
{
        err *first = give_ports(c);

        keep_first(&first, traffic_detach(c));
        keep_first(&first, give_networks(c));
        return first;
}
