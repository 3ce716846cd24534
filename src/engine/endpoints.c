/* endpoints.c - see endpoints.h. */
#include "engine/endpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/endpoints_private.h"
#include "engine/guards.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "engine/traffic.h"
#include "monitor/status.h"
#include "net/bridge.h"
#include "net/lease.h"
#include "net/network.h"
#include "sys/endpoint.h"
#include "sys/link.h"
#include "sys/netlink.h"

#define FILE_NAME "network.json"

bool endpoints_mode_is_own(const char *mode)
{
        return !str_eq(mode, "host") && !str_starts(mode, "container:") && !str_starts(mode, "ns:");
}

bool endpoints_mode_is_network(const char *mode)
{
        return endpoints_mode_is_own(mode) && !str_empty(mode) && !str_eq(mode, "none");
}

/* ---- what it has ---- */

static err *damaged(const struct container *c, err *e)
{
        char text[512];

        (void)err_text(e, text, sizeof(text));
        err_free(e);
        return err_new(ERR_CORRUPT,
                       "what container %s has in its networks is lost (`hod rm -f` or a restart mends it): %s",
                       c->name ? c->name : c->id, text);
}

err *endpoints_read(const struct container *c, json **ret)
{
        _cleanup_free_ char *path = str_format("%s/" FILE_NAME, c->id);
        err *e;

        *ret = NULL;
        if (!path)
                return err_nomem();
        e = json_read(c->engine->containers_fd, path, ret);
        if (err_code(e) == ERR_INVALID || err_code(e) == ERR_LIMIT)
                return damaged(c, e);
        return err_code(e) == ERR_NOT_FOUND ? err_free(e) : e;
}

err *endpoints_begin(struct attach *a, struct container *c, int state_fd)
{
        *a = (struct attach){.c = c, .state_fd = state_fd, .ns = -1};
        TRY(networks_of(c->engine, &a->networks));
        TRY(endpoints_read(c, &a->doc));
        if (!a->doc)
                a->doc = json_new_object();
        return NULL;
}

void endpoints_end(struct attach *a)
{
        json_free(a->doc);
        strv_free(a->held);
        (void)file_close(a->ns);
        *a = (struct attach){.ns = -1};
}

err *endpoints_write(const struct attach *a)
{
        _cleanup_free_ char *text = NULL;
        int r;

        TRY(json_print(a->doc, JSON_COMPACT, &text));
        r = file_replace(a->state_fd, FILE_NAME, text, strlen(text), 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(r, "writing " FILE_NAME) : NULL;
}

/* Is somebody at work on it? Whoever starts a container holds its lock; one that was killed does not any more. */
static bool is_busy(const struct container *c)
{
        if (flock(c->state_fd, LOCK_SH | LOCK_NB) < 0)
                return true;
        (void)flock(c->state_fd, LOCK_UN);
        return false;
}

bool endpoints_holder_lives(struct engine *e, const char *id)
{
        _cleanup_container_ struct container *other = NULL;
        err *error = container_find(e, id, &other);

        if (error) {
                bool gone = err_code(error) == ERR_NOT_FOUND;

                err_free(error);
                return !gone;
        }
        /* What has ended is only waiting to be cleaned up; what has not begun is being started, or was. */
        if (container_is_alive(other) || other->state_fd < 0)
                return container_is_alive(other);
        return !(other->has_status && other->state == STATUS_EXITED) && (other->monitor_alive || is_busy(other));
}

/* Elements are found by what they lead to, too: any address of the right family will do. */
static err *unpublish(const struct container *c, const json *doc)
{
        struct link_address to[LINK_ADDRESSES] = {{.family = AF_INET}, {.family = AF_INET6}};

        return json_get(doc, "Ports") ? ports_unpublish(c, json_get(doc, "Ports"), to) : NULL;
}

bool endpoints_reclaim(struct engine *e, const char *id)
{
        _cleanup_container_ struct container *c = NULL;
        _cleanup_json_ json *doc = NULL;
        _cleanup_close_ int lock = -1;
        err *error;

        if (endpoints_holder_lives(e, id))
                return false;
        lock = openat(e->containers_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) /* nothing is left, or somebody is at it */
                return true;
        error = container_find(e, id, &c);
        if (!error && container_is_alive(c))
                return false;
        if (!error)
                error = endpoints_read(c, &doc);
        if (!error)
                error = unpublish(c, doc);
        log_error_free(LOG_LEVEL_DEBUG, error);
        return true;
}

/* ---- ports ---- */

static err *note_ports(void *arg, json *ports)
{
        struct attach *a = arg;

        json_set(a->doc, "Ports", ports);
        return endpoints_write(a);
}

/* A container may reach its own ports by the host's address. */
static err *allow_hairpin(struct networks *s, const struct network *n, const struct container *c)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_lease_list_ struct lease_list list = {0};
        int r = 0;

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        TRY(lease_list(s, n->id, &list));
        for (size_t i = 0; i < list.n; i++)
                if (str_eq(list.items[i].container, c->id) && list.items[i].link[0])
                        r = link_port_hairpin(fd, list.items[i].link);
        return r < 0 ? err_sys(-r, "setting up the bridge port of container %s", c->name) : NULL;
}

err *endpoints_target(struct networks *s, const json *doc, const char *const names[LINK_ADDRESSES],
                      const struct container *running, struct ports_target *ret)
{
        _cleanup_network_ struct network *n = NULL;

        *ret = (struct ports_target){0};
        TRY(endpoints_lead(doc, names, ret->to));
        for (unsigned k = 0; k < LINK_ADDRESSES; k++) {
                const json *entry = names[k] ? json_get(json_get(doc, "Networks"), names[k]) : NULL;

                if (!entry)
                        continue;
                if (!n || !str_eq(names[k], names[0])) { /* finding one reads all */
                        network_free(TAKE_PTR(n));
                        TRY(network_find(s, json_get_str_or(entry, "NetworkID", ""), &n));
                        TRY(bridge_allow_loopback(n));
                        if (running) {
                                TRY(allow_hairpin(s, n, running));
                                bridge_warn_published(n);
                        }
                }
                ret->routed[k] = n->routed[k];
                if (!ret->host.family)
                        ret->host = n->host_binding;
        }
        return NULL;
}

err *endpoints_publish(struct attach *a, char ***ret_lines)
{
        const char *names[LINK_ADDRESSES];
        struct ports_target target;

        if (!ports_wanted(a->c))
                return NULL;
        endpoints_outward(a->doc, names);
        if (!names[0] && !names[1]) { /* docker says nothing */
                log_warn("container %s: published ports are discarded: none of its networks is a bridge that leads out",
                         a->c->name);
                return NULL;
        }
        TRY(endpoints_target(a->networks, a->doc, names, NULL, &target));
        return ports_publish(a->c, &target, note_ports, a, ret_lines);
}

err *endpoints_unpublish(struct attach *a)
{
        const char *none[LINK_ADDRESSES] = {NULL};

        TRY(unpublish(a->c, a->doc));
        json_del(a->doc, "Ports");
        endpoints_note_leading(a->doc, none);
        return NULL;
}

/* ---- from start to end ---- */

static err *shared_alone(void)
{
        return err_new(ERR_INVALID, "container sharing network namespace with another container or host cannot be "
                                    "connected to any other network");
}

static err *none_alone(void)
{
        return err_new(ERR_INVALID, "container cannot be connected to multiple networks with one of the networks in "
                                    "private (none) mode");
}

/* Who shares a namespace has the networks of that one. */
static err *check_shared(const struct container *c, const char *mode)
{
        JSON_EACH (json_path(c->record, "NetworkSettings.Networks"), it)
                if (!str_eq(it.key, mode))
                        return shared_alone();
        return NULL;
}

/* The network of the mode comes first: it is eth0. */
static err *attach_all(struct attach *a, const char *mode, struct monitor_conf *conf)
{
        const json *wanted = json_path(a->c->record, "NetworkSettings.Networks");
        const char *first = str_eq(mode, "default") ? NETWORK_DEFAULT : mode, *outward[LINK_ADDRESSES];

        if (json_has(wanted, "none"))
                return json_len(wanted) == 1 ? NULL : none_alone();
        for (int rest = 0; rest < 2; rest++)
                JSON_EACH (wanted, it) {
                        _cleanup_free_ char *name = NULL;

                        if (str_eq(it.key, first) == rest)
                                continue;
                        if (str_starts(it.key, "container:") || str_starts(it.key, "ns:"))
                                return shared_alone();
                        TRY(endpoints_take(a, it.key, it.value, &name));
                        json_del(json_get(json_get(a->doc, "Networks"), name), ENDPOINTS_PENDING);
                }
        if (!json_len(json_get(a->doc, "Networks")))
                return NULL;
        endpoints_outward(a->doc, outward);
        endpoints_note_leading(a->doc, outward);
        TRY(endpoints_publish(a, &conf->ports));
        TRY(endpoints_lines(a->doc, &conf->endpoints));
        TRY(endpoints_write(a));
        JSON_EACH (json_get(a->doc, "Networks"), it)
                TRY(guards_add(it.value));
        return NULL;
}

err *endpoints_attach(struct container *c, int state_fd, struct monitor_conf *conf)
{
        const char *mode = json_get_str_or(container_host_config(c), "NetworkMode", NETWORK_DEFAULT);
        _cleanup_attach_ struct attach a = {.ns = -1};
        err *e;

        if (!endpoints_mode_is_own(mode))
                return err_wrap(check_shared(c, mode), "failed to set up container networking");
        e = endpoints_begin(&a, c, state_fd);
        if (err_code(e) == ERR_CORRUPT) {
                err_free(e);
                e = endpoints_detach_lost(c);
        }
        TRY(e);
        if (json_len(a.doc)) /* of a start that was killed: every later one would write over what it names */
                log_error_free(LOG_LEVEL_WARN, endpoints_detach(c));
        json_free(a.doc);
        a.doc = json_new_object();
        e = attach_all(&a, mode, conf);
        if (!e)
                e = traffic_attach(c, state_fd, conf->endpoints);
        if (e)
                err_free(endpoints_detach(c));
        return e ? err_wrap(e, "failed to set up container networking") : NULL;
}

/* Where @c's processes were, @other's still are: what has no end on the host can be found by theirs only. */
static err *unmake_where(const struct container *other, const struct endpoint *e)
{
        _cleanup_close_ int ns = -1;
        char path[40];

        if (!container_is_running(other))
                return NULL;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)other->status.pid);
        ns = open(path, O_RDONLY | O_CLOEXEC);
        return ns < 0 ? NULL : endpoint_unmake(e, ns, 0);
}

/* Who has joined its namespace keeps that, and would keep the interface, whose address is to be another's. Who keeps
 * it without our knowledge the monitor finds out (links.c), unless it was killed. */
static err *unmake_shared(const struct container *c, const json *entry)
{
        _cleanup_container_list_ struct container_list all = {0};
        const char *line = json_get_str(entry, ENDPOINTS_LINE);
        struct endpoint e;

        if (!line || (c->monitor_alive && faccessat(c->state_fd, STATUS_SHARED_NET, F_OK, 0) < 0))
                return NULL;
        TRY(endpoint_parse(line, &e));
        if (e.kind == ENDPOINT_BRIDGE)
                return endpoint_unmake(&e, -1, 0);
        TRY(container_list(c->engine, &all));
        for (size_t i = 0; i < all.n; i++) {
                const char *mode = json_get_str_or(container_host_config(all.items[i]), "NetworkMode", "");

                if (str_eq(str_after(mode, "container:"), c->id))
                        TRY(unmake_where(all.items[i], &e));
        }
        return NULL;
}

err *endpoints_detach(struct container *c)
{
        _cleanup_json_ json *doc = NULL;
        struct networks *networks;
        err *first, *next;

        first = endpoints_read(c, &doc);
        if (err_code(first) == ERR_CORRUPT) {
                err_free(first);
                return endpoints_detach_lost(c);
        }
        TRY(first);
        if (!doc)
                return NULL;
        TRY(networks_of(c->engine, &networks));
        first = unpublish(c, doc);
        next = traffic_detach(c);
        if (first)
                err_free(next);
        else
                first = next;
        JSON_EACH (json_get(doc, "Networks"), it) {
                err *e[] = {unmake_shared(c, it.value), guards_remove(it.value),
                            lease_release(networks, json_get_str_or(it.value, "NetworkID", ""), c->id)};

                for (unsigned i = 0; i < ARRAY_SIZE(e); i++)
                        if (first)
                                err_free(e[i]);
                        else
                                first = e[i];
        }
        return first;
}

/* One of docker's EndpointSettings, complete and in its order. */
static json *show(const json *entry)
{
        static const char *const keys[] = {"IPAMConfig", "Links", "Aliases", "MacAddress", "DriverOpts"};
        static const char *const texts[] = {"NetworkID", "EndpointID", "Gateway", "IPAddress"};
        json *doc = json_new_object();

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                json_set(doc, keys[i], json_get(entry, keys[i]) ? json_ref(json_get(entry, keys[i])) : NULL);
        json_set_str(doc, "MacAddress", json_get_str_or(entry, "MacAddress", ""));
        json_set_int(doc, "GwPriority", json_get_int(entry, "GwPriority", 0));
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                json_set_str(doc, texts[i], json_get_str_or(entry, texts[i], ""));
        json_set_int(doc, "IPPrefixLen", json_get_int(entry, "IPPrefixLen", 0));
        json_set_str(doc, "IPv6Gateway", json_get_str_or(entry, "IPv6Gateway", ""));
        json_set_str(doc, "GlobalIPv6Address", json_get_str_or(entry, "GlobalIPv6Address", ""));
        json_set_int(doc, "GlobalIPv6PrefixLen", json_get_int(entry, "GlobalIPv6PrefixLen", 0));
        json_set(doc, "DNSNames", json_get(entry, "DNSNames") ? json_ref(json_get(entry, "DNSNames")) : NULL);
        return doc;
}

err *endpoints_inspect(const struct container *c, json *settings)
{
        static const char *const same[] = {"EndpointID", "Gateway",     "GlobalIPv6Address", "GlobalIPv6PrefixLen",
                                           "IPAddress",  "IPPrefixLen", "IPv6Gateway",       "MacAddress"};
        json *all = json_new_object();
        _cleanup_json_ json *doc = NULL;
        const json *bridge;
        err *e;

        JSON_EACH (json_get(settings, "Networks"), it)
                json_set(all, it.key, show(it.value));
        json_set(settings, "Networks", all);
        e = endpoints_read(c, &doc);
        if (err_code(e) == ERR_CORRUPT) { /* no reason not to show the rest, or the other containers */
                log_error_free(LOG_LEVEL_WARN, e);
                return NULL;
        }
        TRY(e);
        if (!doc)
                return NULL;
        JSON_EACH (json_get(doc, "Ports"), it)
                json_set(json_sub_object(settings, "Ports"), it.key, json_ref(it.value));
        JSON_EACH (json_get(doc, "Networks"), it)
                json_set(all, it.key, show(it.value));
        /* docker still repeats the default bridge's here. */
        bridge = json_get(all, NETWORK_DEFAULT);
        for (size_t i = 0; bridge && i < ARRAY_SIZE(same); i++)
                json_set(settings, same[i], json_ref(json_get(bridge, same[i])));
        return NULL;
}

void endpoints_remember(struct container *c)
{
        static const char *const kept[] = {"NetworkID", "DNSNames"};
        json *record = json_get(json_get(c->record, "NetworkSettings"), "Networks");
        _cleanup_json_ json *doc = NULL;

        log_error_free(LOG_LEVEL_DEBUG, endpoints_read(c, &doc));
        JSON_EACH (json_get(doc, "Networks"), it) {
                json *mine = json_get(record, it.key);

                /* One that was asked for by its id is shown by that again until the next start. */
                for (size_t i = 0; mine && i < ARRAY_SIZE(kept); i++)
                        json_set(mine, kept[i],
                                 json_get(it.value, kept[i]) ? json_ref(json_get(it.value, kept[i])) : NULL);
        }
}

/* ---- published ports of a running container ---- */

err *endpoints_ports(const struct container *c, bool more, struct ports_target *ret, json **ret_ports)
{
        const char *names[LINK_ADDRESSES];
        _cleanup_json_ json *doc = NULL;
        struct networks *s;

        TRY(endpoints_read(c, &doc));
        endpoints_leading(doc, names);
        *ret = (struct ports_target){0};
        TRY(endpoints_lead(doc, names, ret->to));
        if (!ret->to[0].family && !ret->to[1].family)
                return err_new(ERR_INVALID,
                               "ports of container %s cannot be published: it is on no bridge network that leads out",
                               c->name);
        if (more) {
                TRY(networks_of(c->engine, &s));
                TRY(endpoints_target(s, doc, names, c, ret));
        }
        *ret_ports = json_get(doc, "Ports") ? json_ref(json_get(doc, "Ports")) : json_new_object();
        return NULL;
}

const char *endpoints_ports_key(const json *doc)
{
        return json_get(doc, ENDPOINTS_CLOSED) ? ENDPOINTS_CLOSED : "Ports";
}

err *endpoints_ports_kept(const struct container *c, json **ret)
{
        _cleanup_json_ json *doc = NULL;
        json *ports;

        TRY(endpoints_read(c, &doc));
        ports = json_get(doc, endpoints_ports_key(doc));
        *ret = ports ? json_ref(ports) : json_new_object();
        return NULL;
}

err *endpoints_set_ports(const struct container *c, json *ports)
{
        struct attach a = {.state_fd = c->state_fd, .ns = -1};
        _cleanup_json_ json *doc = NULL, *mine = ports;

        TRY(endpoints_read(c, &doc));
        if (!doc)
                return err_new(ERR_NOT_RUNNING, "container %s is not running", c->id);
        json_set(doc, endpoints_ports_key(doc), TAKE_PTR(mine));
        a.doc = doc;
        return endpoints_write(&a);
}
