/* reload.c - see reload.h. */
#include "engine/reload.h"

#include <errno.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/connect.h"
#include "engine/container.h"
#include "engine/endpoints_private.h"
#include "engine/guards.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "engine/traffic.h"
#include "net/address.h"
#include "net/bridge.h"
#include "net/firewall.h"
#include "sys/netlink.h"
#include "sys/shortcut.h"

/* Whoever moves published ports tells the monitor, which may not answer for 15 s. */
#define MOVE_TRIES 2000
#define MOVE_US 10000

struct reload {
        struct engine *engine;
        const char *own; /* id of the container whose lock is the caller's; NULL */
        struct networks *networks;
        struct container_list containers;
        err *first;
};

static void keep_error(struct reload *r, err *e)
{
        if (r->first)
                err_free(e);
        else
                r->first = e;
}

/* ---- networks ---- */

static bool has_container(const struct reload *r, const struct network *n)
{
        for (size_t i = 0; i < r->containers.n; i++) {
                _cleanup_json_ json *doc = NULL;

                if (!container_is_alive(r->containers.items[i]))
                        continue;
                err_free(endpoints_read(r->containers.items[i], &doc));
                JSON_EACH (json_get(doc, "Networks"), it)
                        if (str_eq(json_get_str(it.value, "NetworkID"), n->id))
                                return true;
        }
        return false;
}

static err *reload_network(struct reload *r, const struct network *n, char ***ret_names)
{
        bool used;

        if (!str_eq(n->driver, "bridge") || (!n->pool[0].subnet.family && !n->pool[1].subnet.family))
                return NULL;
        used = has_container(r, n);
        if (!used && !if_nametoindex(n->link))
                return NULL;
        TRY(bridge_restore(n));
        return ret_names ? strv_add(ret_names, n->name) : NULL;
}

/* ---- containers ---- */

/* Its bridge was missing, and was made anew: here, or by a start. Between two runs there is no port. */
static err *join(struct container *c, const json *entry)
{
        const char *line = json_get_str(entry, ENDPOINTS_LINE);
        _cleanup_close_ int fd = -1;
        struct endpoint e;
        int error;

        if (!line)
                return NULL;
        TRY(endpoint_parse(line, &e));
        if (e.kind != ENDPOINT_BRIDGE)
                return NULL;
        fd = netlink_open(NETLINK_ROUTE);
        error = fd < 0 ? fd : link_port_is_on(fd, e.host_name, e.parent);
        if (error > 0 || error == -ENODEV)
                return NULL;
        if (error == 0) {
                (void)shortcut_remove(e.host_name); /* it leads to the bridge that has gone */
                error = link_port_join(fd, e.host_name, e.parent, e.isolated, e.hairpin);
        }
        return error < 0 ? err_sys(-error, "joining %s to bridge %s", e.host_name, e.parent)
                         : traffic_connected(c->state_fd, &e);
}

/* Nobody takes away, at the same time, what is put in place here: as it is now, with its lock. Whoever has that may be
 * us (a start that has found the rules gone), or may be waiting for its end: then without. */
static bool lock_living(struct container *c, int *ret_lock)
{
        int fd = openat(c->engine->containers_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        bool gone;
        err *e;

        if (fd < 0)
                return false;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                (void)file_close(fd);
                return true;
        }
        *ret_lock = fd;
        e = container_reload(c);
        gone = err_code(e) == ERR_NOT_FOUND;
        err_free(e);
        return !gone && container_is_alive(c);
}

/* With its lock; or without, but then nobody is moving its published ports now: meanwhile network.json has both what
 * was and what is to be. false: it has ended. */
static bool lock_settled(struct reload *r, struct container *c, int *lock)
{
        for (unsigned i = 0; i < MOVE_TRIES; i++) {
                _cleanup_json_ json *doc = NULL;

                if (!lock_living(c, lock))
                        return false;
                if (*lock >= 0) {
                        keep_error(r, connect_repair(c, *lock));
                        return true;
                }
                err_free(endpoints_read(c, &doc));
                if (str_eq(c->id, r->own) || !json_get_bool(doc, ENDPOINTS_MOVING, false))
                        return true;
                (void)usleep(MOVE_US);
        }
        return true;
}

/* ---- published ports ---- */

struct published {
        json *doc; /* network.json; owned, as the list */
        struct firewall_port *list;
        size_t n;
};

static void published_done(struct published *p)
{
        json_free(p->doc);
        free(p->list);
        *p = (struct published){0};
}

static err *read_published(const struct container *c, struct published *ret)
{
        struct link_address to[LINK_ADDRESSES];
        const char *names[LINK_ADDRESSES];

        TRY(endpoints_read(c, &ret->doc));
        endpoints_leading(ret->doc, names);
        TRY(endpoints_lead(ret->doc, names, to));
        return ports_elements(json_get(ret->doc, "Ports"), to, &ret->list, &ret->n);
}

static bool is_same_address(const struct link_address *a, const struct link_address *b)
{
        return a->family == b->family && (!a->family || address_compare(a, b) == 0);
}

static bool is_same(const struct published *a, const struct published *b)
{
        for (size_t i = 0; a->n == b->n && i < a->n; i++) {
                const struct firewall_port *x = &a->list[i], *y = &b->list[i];

                if (!is_same_address(&x->host, &y->host) || !is_same_address(&x->to, &y->to) ||
                    !str_eq(x->link, y->link) || x->open != y->open || x->protocol != y->protocol ||
                    x->host_port != y->host_port || x->port != y->port)
                        return false;
        }
        return a->n == b->n;
}

static err *republish(const struct container *c, struct firewall *f, const struct published *was,
                      const struct published *now)
{
        char owner[FIREWALL_OWNER_MAX];
        size_t taken;

        if (!was->doc)
                return firewall_republish(f, c->id, now->list, now->n);
        return firewall_move(f, c->id, was->list, was->n, now->list, now->n, &taken, owner);
}

/* Without the container's lock somebody may have moved them before they were put back: then what he has left. */
static err *republish_all(struct reload *r, struct container *c, struct firewall *f, int *lock)
{
        _cleanup_(published_done) struct published was = {0};
        const char *names[LINK_ADDRESSES];

        do {
                _cleanup_(published_done) struct published now = {0};

                TRY(read_published(c, &now));
                if (*lock < 0 && json_get_bool(now.doc, ENDPOINTS_MOVING, false))
                        return err_new(ERR_BUSY, "container %s: its published ports are being moved", c->name);
                if (was.doc && is_same(&was, &now))
                        break;
                TRY(republish(c, f, &was, &now));
                published_done(&was);
                was = now;
                now = (struct published){0};
        } while (*lock < 0 && lock_settled(r, c, lock));
        endpoints_leading(was.doc, names);
        return was.n ? endpoints_allow_loopback(r->networks, was.doc, names) : NULL;
}

/* ---- a container ---- */

/* Without its lock: it may have ended, and given back what it had, before this was put in place. */
static void undo_if_ended(struct reload *r, struct container *c, const json *doc)
{
        struct link_address any[LINK_ADDRESSES] = {{.family = AF_INET}, {.family = AF_INET6}};
        _cleanup_strv_ char **lines = NULL;
        err *e = container_reload(c);
        bool gone = err_code(e) == ERR_NOT_FOUND;

        err_free(e);
        if (!gone && container_is_alive(c))
                return;
        keep_error(r, endpoints_lines(doc, &lines));
        keep_error(r, traffic_forget(c, lines));
        JSON_EACH (json_get(doc, "Networks"), it)
                keep_error(r, guards_remove(it.value));
        if (json_get(doc, "Ports"))
                keep_error(r, ports_unpublish(c, json_get(doc, "Ports"), any));
}

static void reload_container(struct reload *r, struct container *c, struct firewall *f)
{
        _cleanup_json_ json *doc = NULL;
        _cleanup_close_ int lock = -1;
        bool without;
        err *e;

        if (!container_is_alive(c) || !lock_settled(r, c, &lock))
                return;
        without = lock < 0;
        keep_error(r, endpoints_read(c, &doc));
        JSON_EACH (json_get(doc, "Networks"), it) {
                if (json_get_bool(it.value, ENDPOINTS_PENDING, false))
                        continue;
                keep_error(r, guards_add(it.value));
                keep_error(r, join(c, it.value));
        }
        keep_error(r, without ? traffic_restore(c, c->state_fd) : traffic_apply(c, c->state_fd));
        keep_error(r, republish_all(r, c, f, &lock));
        if (without)
                undo_if_ended(r, c, doc);
        lock = file_close(lock);
        if (!json_len(json_get(doc, "Networks")))
                return;
        e = connect_wake(c);
        keep_error(r, err_code(e) == ERR_NOT_RUNNING ? err_free(e) : e); /* it has ended meanwhile */
}

err *reload_networks(struct engine *e, const char *own, char ***ret_names)
{
        _cleanup_firewall_ struct firewall *f = NULL;
        _cleanup_network_list_ struct network_list networks = {0};
        struct reload r = {.engine = e, .own = own};

        TRY(networks_of(e, &r.networks));
        TRY(firewall_open(&f));
        TRY(container_list(e, &r.containers));
        keep_error(&r, network_list(r.networks, &networks));
        if (!r.first) {
                for (size_t i = 0; i < networks.n; i++)
                        keep_error(&r, reload_network(&r, networks.items[i], ret_names));
                for (size_t i = 0; i < r.containers.n; i++)
                        reload_container(&r, r.containers.items[i], f);
        }
        container_list_done(&r.containers);
        return r.first;
}
