/* traffic.c - see traffic.h. */
#include "engine/traffic.h"

#include <errno.h>
#include <fcntl.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/conf.h"
#include "monitor/status.h"
#include "monitor/traffic.h"
#include "net/network.h"
#include "sys/egress.h"
#include "sys/netlink.h"
#include "sys/rate.h"
#include "sys/shortcut.h"

/* Interfaces of a container, read from their lines. */
struct ports {
        struct endpoint *list;
        size_t n;
};

static void ports_free(struct ports *p)
{
        free(p->list);
}
#define _cleanup_ports_ __attribute__((cleanup(ports_free)))

static err *read_ports(char *const *lines, struct ports *ret)
{
        _cleanup_ports_ struct ports p = {.list = MEM_NEW0(struct endpoint, strv_len(lines) + 1)};

        if (!p.list)
                return err_nomem();
        for (; lines && *lines; lines++)
                TRY(endpoint_parse(*lines, &p.list[p.n++]));
        *ret = p;
        p = (struct ports){0};
        return NULL;
}

/* ---- what is asked for ---- */

/* Only a network that was made has our name service. */
static bool has_name_service(const struct container *c)
{
        const char *mode = json_get_str_or(container_host_config(c), "NetworkMode", NETWORK_DEFAULT);

        JSON_EACH (json_path(c->record, "NetworkSettings.Networks"), it)
                if (!str_eq(it.key, NETWORK_DEFAULT))
                        return true;
        return !str_eq(mode, NETWORK_DEFAULT) && !str_eq(mode, "default");
}

static err *wanted(const struct container *c, struct traffic *t, struct egress *e)
{
        const json *host = container_host_config(c);
        const char *rate_text = json_get_str(host, "NetRate");
        struct rate rate = {0};

        if (!str_empty(rate_text))
                TRY(rate_parse(rate_text, &rate));
        if (rate.bytes) {
                t->rate = str_dup(rate_text);
                if (!t->rate)
                        return err_nomem();
        }
        TRY(json_get_strv(host, "Egress", &t->egress));
        TRY(egress_parse(t->egress, e));
        if (egress_has_names(e) && !has_name_service(c))
                return err_new(
                        ERR_UNSUPPORTED,
                        "--egress: names are learnt from the name service of networks made by `hod network create`; "
                        "on the default network use addresses");
        return NULL;
}

static err *check_kinds(const struct ports *p)
{
        for (size_t i = 0; i < p->n; i++)
                if (p->list[i].kind != ENDPOINT_BRIDGE)
                        return err_new(ERR_UNSUPPORTED, "--net-rate and --egress need bridge networks: an interface of "
                                                        "macvlan or ipvlan has no end on the host");
        return NULL;
}

/* ---- the kernel ---- */

static err *open_both(int *nft, int *route)
{
        *nft = netlink_open(NETLINK_NETFILTER);
        *route = netlink_open(NETLINK_ROUTE);
        if (*nft < 0 || *route < 0)
                return err_sys(*nft < 0 ? -*nft : -*route, "opening a netlink socket");
        return NULL;
}

static err *put_rules(const struct container *c, const struct egress *e, const struct ports *p)
{
        _cleanup_close_ int nft = -1, route = -1;

        TRY(open_both(&nft, &route));
        return e->n ? egress_install(nft, route, c->id, e, p->list, p->n) : egress_remove(nft, c->id, p->list, p->n);
}

/* Rules first: there is no moment in which it may do what neither the old ones allowed nor the new. */
static err *put(const struct container *c, int state_fd, struct traffic *t, const struct egress *e,
                const struct ports *p)
{
        TRY(traffic_write(state_fd, t));
        return put_rules(c, e, p);
}

/* Between two runs there is no pair: the monitor will see to the next one. It may go at any moment. */
static err *set_rate(int fd, const char *link, const struct rate *rate)
{
        err *e;

        if (rate->bytes && link_index(fd, link) == -ENODEV)
                return NULL;
        e = rate_set(fd, link, rate);
        if (!e || link_index(fd, link) != -ENODEV)
                return e;
        err_free(e);
        return rate_clear(fd, link);
}

static err *set_rates(const struct traffic *t, const struct ports *p)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        struct rate rate = {0};

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        if (t->rate)
                TRY(rate_parse(t->rate, &rate));
        for (size_t i = 0; i < p->n; i++)
                if (p->list[i].kind == ENDPOINT_BRIDGE)
                        TRY(set_rate(fd, p->list[i].host_name, &rate));
        return NULL;
}

/* ---- start and end ---- */

err *traffic_attach(struct container *c, int state_fd, char *const *endpoints)
{
        _cleanup_traffic_ struct traffic t = {0};
        _cleanup_egress_ struct egress e = {0};
        _cleanup_ports_ struct ports p = {0};
        _cleanup_close_ int lock = -1;

        TRY(wanted(c, &t, &e));
        if (!t.rate && !e.n)
                return NULL;
        TRY(read_ports(endpoints, &p));
        TRY(check_kinds(&p));
        TRY(strv_copy(endpoints, &t.endpoints));
        TRY(traffic_lock(state_fd, &lock));
        return e.n ? put(c, state_fd, &t, &e, &p) : traffic_write(state_fd, &t);
}

/* What still waits in a limited link's queue keeps its container's dead connections, and they their namespace, for a
 * minute: the pair is not waited for. */
static err *drop_link(int route, const struct endpoint *e, bool limited)
{
        err *first = limited ? link_delete(route, e->host_name) : NULL, *next = rate_clear(route, e->host_name);

        if (!first)
                return next;
        err_free(next);
        return first;
}

err *traffic_detach(struct container *c)
{
        _cleanup_traffic_ struct traffic t = {0};
        _cleanup_ports_ struct ports p = {0};
        _cleanup_close_ int nft = -1, route = -1, dir = -1;
        err *first;

        dir = openat(c->engine->containers_fd, c->id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0)
                return errno == ENOENT ? NULL : err_sys(errno, "opening the run directory of container %s", c->id);
        TRY(traffic_read(dir, &t));
        if (!t.rate && !t.egress && !t.endpoints)
                return NULL;
        TRY(read_ports(t.endpoints, &p));
        TRY(open_both(&nft, &route));
        first = egress_remove(nft, c->id, p.list, p.n);
        for (size_t i = 0; i < p.n; i++) {
                err *e = p.list[i].kind == ENDPOINT_BRIDGE ? drop_link(route, &p.list[i], t.rate) : NULL;

                if (first)
                        err_free(e);
                else
                        first = e;
        }
        return first;
}

err *traffic_forget(const struct container *c, char *const *endpoints)
{
        _cleanup_close_ int nft = -1, route = -1;
        _cleanup_ports_ struct ports p = {0};

        TRY(open_both(&nft, &route));
        TRY(read_ports(endpoints, &p));
        for (size_t i = 0; i < p.n; i++)
                if (p.list[i].kind == ENDPOINT_BRIDGE)
                        TRY(rate_clear(route, p.list[i].host_name));
        return egress_remove(nft, c->id, p.list, p.n);
}

/* ---- while it runs ---- */

err *traffic_connect(struct container *c, int state_fd, const struct endpoint *endpoint)
{
        _cleanup_traffic_ struct traffic t = {0}, now = {0};
        const struct ports one = {.list = (struct endpoint *)endpoint, .n = 1};
        _cleanup_egress_ struct egress e = {0};
        _cleanup_close_ int lock = -1;
        char *line;

        TRY(wanted(c, &t, &e));
        if (!t.rate && !e.n)
                return NULL;
        TRY(check_kinds(&one));
        TRY(traffic_lock(state_fd, &lock));
        TRY(traffic_read(state_fd, &now));
        t.endpoints = TAKE_PTR(now.endpoints);
        TRY(endpoint_format(endpoint, &line));
        if (strv_contains(t.endpoints, line))
                free(line);
        else
                TRY(strv_push(&t.endpoints, line));
        return e.n ? put(c, state_fd, &t, &e, &one) : traffic_write(state_fd, &t);
}

err *traffic_connected(int state_fd, const struct endpoint *endpoint)
{
        return traffic_limit(state_fd, endpoint);
}

err *traffic_disconnect(struct container *c, int state_fd, const struct endpoint *endpoint)
{
        _cleanup_traffic_ struct traffic t = {0}, left = {0};
        _cleanup_close_ int nft = -1, route = -1, lock = -1;
        bool found = false;

        TRY(traffic_read(state_fd, &t));
        if (!t.endpoints)
                return NULL;
        TRY(traffic_lock(state_fd, &lock));
        for (char **line = t.endpoints; line && *line; line++) {
                struct endpoint other;

                TRY(endpoint_parse(*line, &other));
                if (str_eq(other.host_name, endpoint->host_name))
                        found = true;
                else
                        TRY(strv_add(&left.endpoints, *line));
        }
        if (!found)
                return NULL;
        TRY(open_both(&nft, &route));
        if (t.egress) /* it would leave a chain that nobody else looks for */
                TRY(egress_remove_port(nft, c->id, endpoint));
        TRY(rate_clear(route, endpoint->host_name));
        strv_free(t.endpoints);
        t.endpoints = TAKE_PTR(left.endpoints);
        return traffic_write(state_fd, &t);
}

/* They would lead past the limits. */
static err *remove_shortcuts(const struct ports *p)
{
        for (size_t i = 0; i < p->n; i++) {
                int r = p->list[i].kind == ENDPOINT_BRIDGE ? shortcut_remove(p->list[i].host_name) : 0;

                if (r < 0)
                        return err_sys(-r, "taking the short way to the host from network device %s",
                                       p->list[i].host_name);
        }
        return NULL;
}

err *traffic_apply(struct container *c, int state_fd)
{
        _cleanup_(monitor_conf_done) struct monitor_conf conf = {0};
        _cleanup_traffic_ struct traffic t = {0}, old = {0};
        _cleanup_egress_ struct egress e = {0};
        _cleanup_ports_ struct ports p = {0};
        _cleanup_close_ int lock = -1;

        TRY(wanted(c, &t, &e));
        TRY(traffic_read(state_fd, &old));
        /* On no network just now, what was asked for before is still there for the next one. */
        if (!t.rate && !e.n && !old.rate && !old.egress && !old.endpoints)
                return NULL;
        TRY(traffic_lock(state_fd, &lock));
        TRY(monitor_conf_read(state_fd, &conf));
        TRY(read_ports(conf.endpoints, &p));
        if (t.rate || e.n)
                TRY(check_kinds(&p));
        TRY(strv_copy(conf.endpoints, &t.endpoints));
        TRY(remove_shortcuts(&p));
        TRY(put(c, state_fd, &t, &e, &p));
        TRY(remove_shortcuts(&p)); /* a run that began meanwhile had not been told yet (traffic_limit()) */
        TRY(set_rates(&t, &p));
        for (size_t i = 0; i < p.n && !t.rate && !e.n; i++)
                shortcut_make(&p.list[i]);
        return NULL;
}

/* What the file says is in place, with its lock. */
static err *restore_locked(const struct container *c, int state_fd)
{
        _cleanup_traffic_ struct traffic t = {0};
        _cleanup_egress_ struct egress e = {0};
        _cleanup_ports_ struct ports p = {0};

        TRY(traffic_read(state_fd, &t));
        TRY(read_ports(t.endpoints, &p));
        TRY(egress_parse(t.egress, &e));
        if (t.rate || e.n)
                TRY(remove_shortcuts(&p));
        if (e.n)
                TRY(put_rules(c, &e, &p));
        return t.rate ? set_rates(&t, &p) : NULL;
}

err *traffic_restore(const struct container *c, int state_fd)
{
        _cleanup_traffic_ struct traffic t = {0};
        _cleanup_close_ int lock = -1;
        err *e;

        TRY(traffic_read(state_fd, &t));
        if (!t.rate && !t.egress)
                return NULL;
        e = traffic_lock(state_fd, &lock);
        if (err_errno(e) == ENOENT) /* the directory has gone: it has ended */
                return err_free(e);
        TRY(e);
        return restore_locked(c, state_fd);
}
