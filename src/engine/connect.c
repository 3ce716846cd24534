/* connect.c - see connect.h. network.json, the lease, the monitor's configuration, the interface, the record: in this
 * order, so that whoever comes after a crash finds what to take back or to do anew. The monitor makes interfaces of a
 * run that its restart policy begins by that configuration; NETWORK_LOCK keeps both apart. */
#include "engine/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/endpoints_private.h"
#include "engine/guards.h"
#include "engine/netfiles.h"
#include "engine/networks.h"
#include "engine/ports.h"
#include "engine/traffic.h"
#include "monitor/conf.h"
#include "net/bridge.h"
#include "monitor/proto.h"
#include "monitor/status.h"

/* ---- the container ---- */

static bool has_process(const struct container *c)
{
        return container_is_running(c) && c->status.pid > 0 && status_pid_start(c->status.pid) == c->status.pid_start;
}

/* The network namespace of a container that runs; -1: it is about to be started again, or has just ended. */
static err *open_ns(const struct container *c, int *ret)
{
        _cleanup_close_ int fd = -1;
        char path[40];

        *ret = -1;
        if (!has_process(c))
                return NULL;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->status.pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && has_process(c))
                return err_sys(errno, "opening the network namespace of container %s", c->name);
        if (has_process(c)) /* then it was its */
                *ret = TAKE_FD(fd);
        return NULL;
}

static json *record_networks(struct container *c)
{
        return json_sub_object(json_sub_object(c->record, "NetworkSettings"), "Networks");
}

/* Under which name the record has the network, *@ret: its own, or what it was asked for by before it was there, an id
 * or the beginning of one. NULL: it is not connected. */
static err *record_key(struct container *c, const struct network *n, const char **ret)
{
        struct networks *s;

        *ret = json_has(record_networks(c), n->name) ? n->name : NULL;
        if (*ret)
                return NULL;
        TRY(networks_of(c->engine, &s));
        JSON_EACH (record_networks(c), it) {
                _cleanup_network_ struct network *other = NULL;
                err *e;

                if (!id_prefix_valid(it.key) || !str_starts(n->id, it.key))
                        continue;
                e = network_find(s, it.key, &other); /* another may be called so */
                if (!e && str_eq(other->id, n->id))
                        *ret = it.key;
                err_free(e);
        }
        return NULL;
}

static err *check_container(struct container *c)
{
        const json *wanted = record_networks(c);

        if (!endpoints_mode_is_own(json_get_str_or(container_host_config(c), "NetworkMode", "none")))
                return err_new(ERR_INVALID, "container sharing network namespace with another container or host cannot "
                                            "be connected to any other network");
        if (json_has(wanted, "none"))
                return err_new(ERR_INVALID, "container cannot be connected to multiple networks with one of the "
                                            "networks in private (none) mode");
        return NULL;
}

/* ---- one that runs ---- */

/* A line about a published port, "protocol host port TO port", leads nowhere: the address that it led to may be another
 * container's soon. The port stays busy. */
static err *lead_nowhere(char **line)
{
        _cleanup_strv_ char **f = NULL;
        char *joined;

        TRY(strv_split(*line, ' ', &f));
        if (strv_len(f) < 5)
                return NULL;
        joined = str_format("%s %s %s %s %s", f[0], f[1], f[2], strchr(f[3], ':') ? "::" : "0.0.0.0", f[4]);
        if (!joined)
                return err_nomem();
        free(*line);
        *line = joined;
        return NULL;
}

static err *port_lines(const struct attach *a, char ***lines)
{
        const json *ports = json_get(a->doc, endpoints_ports_key(a->doc));
        const char *outward[LINK_ADDRESSES];
        struct link_address to[LINK_ADDRESSES];

        endpoints_outward(a->doc, outward);
        if (!outward[0] && !outward[1]) {
                for (char **line = *lines; line && *line; line++)
                        TRY(lead_nowhere(line));
                return NULL;
        }
        TRY(endpoints_lead(a->doc, outward, to));
        strv_free(*lines);
        *lines = NULL;
        return ports_lines(a->c, ports, to, lines);
}

/* What the monitor makes when its restart policy begins another run, and where ports lead. */
static err *write_conf(struct attach *a)
{
        _cleanup_(monitor_conf_done) struct monitor_conf conf = {0};

        TRY(monitor_conf_read(a->state_fd, &conf));
        if (!a->held)
                TRY(strv_copy(conf.ports, &a->held));
        strv_free(conf.endpoints);
        conf.endpoints = NULL;
        TRY(endpoints_lines(a->doc, &conf.endpoints));
        TRY(port_lines(a, &conf.ports));
        return monitor_conf_write(a->state_fd, &conf);
}

static err *tell(struct container *c, enum proto_type what)
{
        _cleanup_close_ int fd = -1;

        TRY(container_connect(c, &fd));
        proto_be_patient(fd);
        TRY(proto_send(fd, what, NULL, 0, NULL, 0));
        return proto_wait_ok(fd);
}

/* Of the monitor's @lines those of ports of the host that are among @held: "protocol host port " is the same. */
static err *held_lines(char *const *lines, char *const *held, char ***ret)
{
        for (; lines && *lines; lines++) {
                size_t n = 0;

                for (unsigned spaces = 0; (*lines)[n] && spaces < 3; n++)
                        spaces += (*lines)[n] == ' ';
                for (char *const *h = held; h && *h; h++)
                        if (strncmp(*h, *lines, n) == 0) {
                                TRY(strv_add(ret, *lines));
                                break;
                        }
        }
        return NULL;
}

/* A monitor of a program before this one does not let go of a port at all addresses to bind it at one, or the other way
 * round: first it is told of those that it has. What it cannot bind is left out, or it could be told nothing else. */
static err *tell_in_two(struct attach *a)
{
        _cleanup_(monitor_conf_done) struct monitor_conf conf = {0};
        _cleanup_strv_ char **stay = NULL;
        char **whole;
        err *e;

        TRY(monitor_conf_read(a->state_fd, &conf));
        TRY(held_lines(conf.ports, a->held, &stay));
        whole = conf.ports;
        conf.ports = stay;
        e = monitor_conf_write(a->state_fd, &conf);
        if (!e)
                e = tell(a->c, PROTO_PORTS);
        conf.ports = whole;
        if (!e)
                e = monitor_conf_write(a->state_fd, &conf);
        if (!e)
                e = tell(a->c, PROTO_PORTS);
        conf.ports = stay;
        if (e)
                err_free(monitor_conf_write(a->state_fd, &conf));
        conf.ports = whole;
        return e;
}

/* The monitor leads ports as its configuration says now, and ends what it relays to where the container is no more. */
static err *tell_ports(struct attach *a)
{
        err *e = a->deaf ? NULL : tell(a->c, PROTO_PORTS);

        if (e && err_code(e) != ERR_TIMEOUT && err_code(e) != ERR_NOT_RUNNING) {
                err_free(e);
                e = tell_in_two(a);
        }
        strv_free(a->held);
        a->held = NULL;
        a->deaf |= err_code(e) == ERR_TIMEOUT;
        return err_code(e) == ERR_NOT_RUNNING ? err_free(e) : e; /* it has ended, and relays nothing */
}

/* Default routes by the networks that have them now. */
static err *reroute(const struct attach *a)
{
        JSON_EACH (json_get(a->doc, "Networks"), it) {
                struct endpoint e;

                if (a->ns < 0 || json_get_bool(it.value, ENDPOINTS_PENDING, false))
                        continue;
                TRY(endpoints_endpoint(a->doc, it.key, &e));
                if (e.n_routes)
                        TRY(endpoint_reroute(&e, a->ns));
        }
        return NULL;
}

/* None of its networks could have them before. */
static err *publish_first(struct attach *a, const char *const names[LINK_ADDRESSES])
{
        _cleanup_strv_ char **lines = NULL; /* of the document */
        err *e;

        endpoints_note_leading(a->doc, names);
        if (!ports_wanted(a->c))
                return NULL;
        e = endpoints_publish(a, &lines);
        if (e)
                err_free(endpoints_unpublish(a));
        return e;
}

/* With what is leaving: it has not been given back yet. */
static err *write_all(struct attach *a)
{
        json *networks = json_get(a->doc, "Networks");
        err *e;

        if (a->leaving)
                json_set(networks, a->leaving, json_ref(a->leaving_entry));
        e = endpoints_write(a);
        if (a->leaving)
                json_del(networks, a->leaving);
        return e;
}

struct more {
        struct attach *a;
        const json *before;
        json *ports; /* what is added; owned */
};

static err *note_more(void *arg, json *ports)
{
        struct more *m = arg;

        json_free(m->ports);
        m->ports = ports;
        json_set(m->a->doc, "Ports", ports_join(m->before, ports));
        return write_all(m->a);
}

/* There is a family that there was not before. */
static err *publish_others(struct attach *a, const struct ports_target *t, bool *ret_more)
{
        _cleanup_json_ json *before = json_ref(json_get(a->doc, "Ports"));
        struct more m = {.a = a, .before = before};
        err *e = ports_publish_others(a->c, before, t, note_more, &m);

        if (e && m.ports) {
                err_free(ports_unpublish(a->c, m.ports, t->to));
                json_set(a->doc, "Ports", json_ref(before));
        }
        *ret_more = !e && m.ports;
        json_free(m.ports);
        return e;
}

static err *note_all(void *arg, json *ports)
{
        struct attach *a = arg;

        json_set(a->doc, "Ports", ports);
        return write_all(a);
}

/* Some network that is left demands another kind of ports, which could not be had: rather none than what it does not
 * allow. */
static err *close_others(struct attach *a, const struct ports_target *t)
{
        struct link_address any[LINK_ADDRESSES] = {{.family = AF_INET}, {.family = AF_INET6}};
        _cleanup_json_ json *kept = NULL, *gone = NULL;

        (void)ports_split(a->c, json_get(a->doc, "Ports"), t, &kept, &gone);
        TRY(ports_unpublish(a->c, gone, any));
        json_set(a->doc, "Ports", TAKE_PTR(kept));
        return NULL;
}

/* Nothing is translated any more, or now it is, or at another address of the host. */
static err *convert(struct attach *a, const struct ports_target *t, bool must, bool *ret_more)
{
        _cleanup_json_ json *before = json_ref(json_get(a->doc, "Ports")), *now = NULL;
        err *e = ports_convert(a->c, before, t, must, note_all, a, &now);

        if (e || now)
                json_set(a->doc, "Ports", e ? json_ref(before) : json_ref(now));
        *ret_more = now != NULL;
        if (!e || must)
                return e;
        log_error_free(LOG_LEVEL_WARN,
                       err_wrap(e, "container %s: published ports are closed that its network would have otherwise",
                                a->c->name));
        return close_others(a, t);
}

static err *move_to(struct attach *a, const char *const names[LINK_ADDRESSES], bool must, bool *ret_more)
{
        _cleanup_json_ json *before = NULL, *now = NULL;
        struct ports_target target;
        bool converted, more;
        err *e;

        TRY(endpoints_target(a->networks, a->doc, names, NULL, &target));
        TRY(convert(a, &target, must, &converted));
        e = publish_others(a, &target, &more);
        *ret_more = converted || more;
        if (e && must)
                return e;
        log_error_free(LOG_LEVEL_WARN, e);
        before = json_ref(json_get(a->doc, "Ports"));
        e = ports_move(a->c, before, target.to, note_all, a, &now);
        json_set(a->doc, "Ports", e ? json_ref(before) : json_ref(now));
        if (!e)
                endpoints_note_leading(a->doc, names);
        return e;
}

/* Which they were is kept: the monitor has them bound. */
static err *close_ports(struct attach *a)
{
        if (json_get(a->doc, "Ports"))
                json_set(a->doc, ENDPOINTS_CLOSED, json_ref(json_get(a->doc, "Ports")));
        return endpoints_unpublish(a);
}

/* Nothing has been opened yet, but whoever cleans up may find that it was. */
static err *note_moving(struct attach *a, bool reopen)
{
        if (reopen && json_get(a->doc, ENDPOINTS_CLOSED)) {
                json_set(a->doc, "Ports", json_ref(json_get(a->doc, ENDPOINTS_CLOSED)));
                json_del(a->doc, ENDPOINTS_CLOSED);
        }
        if (!json_get(a->doc, "Ports"))
                return NULL;
        json_set_bool(a->doc, ENDPOINTS_MOVING, true);
        return write_all(a);
}

/* A bridge that has just been made has been warned of. */
static void warn_of_obstacles(const struct attach *a, const char *const now[LINK_ADDRESSES], const bool *changed)
{
        for (unsigned k = 0; k < LINK_ADDRESSES && !a->made && json_len(json_get(a->doc, "Ports")); k++) {
                const json *entry = now[k] ? json_get(json_get(a->doc, "Networks"), now[k]) : NULL;
                _cleanup_network_ struct network *n = NULL;
                err *e;

                if (!entry || !changed[k] || (k && changed[0] && str_eq(now[1], now[0])))
                        continue;
                e = network_find(a->networks, json_get_str_or(entry, "NetworkID", ""), &n);
                if (!e)
                        bridge_warn_published(n);
                err_free(e);
        }
}

/* Published ports lead by the networks that lead out now. Without one they are closed. @must: all that a start would
 * publish there. *@ret_more: there are some that the monitor has to bind. */
static err *move_ports(struct attach *a, bool must, bool *ret_more)
{
        const char *now[LINK_ADDRESSES], *before[LINK_ADDRESSES];
        bool out, changed[LINK_ADDRESSES];

        *ret_more = false;
        endpoints_outward(a->doc, now);
        endpoints_leading(a->doc, before);
        if (str_eq(now[0], before[0]) && str_eq(now[1], before[1]) && !json_get_bool(a->doc, ENDPOINTS_MOVING, false))
                return NULL;
        for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                changed[k] = !str_eq(now[k], before[k]);
        out = now[0] || now[1];
        TRY(note_moving(a, out));
        if (!out)
                TRY(close_ports(a));
        else if (json_get(a->doc, "Ports"))
                TRY(move_to(a, now, must, ret_more));
        else
                TRY(publish_first(a, now));
        json_del(a->doc, ENDPOINTS_MOVING);
        if (must)
                warn_of_obstacles(a, now, changed);
        return write_conf(a);
}

/* How many of its other interfaces stand on what @e stands on. */
static err *count_beside(const struct attach *a, const struct endpoint *e, unsigned *ret)
{
        *ret = 0;
        JSON_EACH (json_get(a->doc, "Networks"), it) {
                const char *line = json_get_str(it.value, ENDPOINTS_LINE);
                struct endpoint other;

                if (!line)
                        continue;
                TRY(endpoint_parse(line, &other));
                *ret += other.kind == e->kind && str_eq(other.parent, e->parent);
        }
        return NULL;
}

/* The interface @entry goes, and what leads there. */
static err *take_away(struct attach *a, const json *entry)
{
        const char *line = json_get_str(entry, ENDPOINTS_LINE);
        struct endpoint e;
        unsigned others;
        bool more;

        TRY(write_conf(a));
        if (line) {
                TRY(endpoint_parse(line, &e));
                TRY(count_beside(a, &e, &others));
                TRY(endpoint_unmake(&e, a->ns, others));
                TRY(traffic_disconnect(a->c, a->state_fd, &e));
                TRY(reroute(a));
        }
        TRY(move_ports(a, false, &more));
        log_error_free(LOG_LEVEL_WARN, tell_ports(a)); /* before somebody else may have the address */
        return NULL;
}

/* Take an interface of network.json away, with its address. */
static err *leave(struct attach *a, const char *network)
{
        json *networks = json_get(a->doc, "Networks");
        _cleanup_free_ char *name = str_dup(network); /* it is the key of what goes */
        _cleanup_json_ json *entry = NULL;
        err *e;

        if (!name)
                return err_nomem();
        entry = json_ref(json_get(networks, name));
        json_del(networks, name);
        a->leaving = name;
        a->leaving_entry = entry;
        e = take_away(a, entry);
        a->leaving = NULL;
        TRY(e);
        json_set(networks, name, json_ref(entry));
        TRY(endpoints_give(a, name));
        return endpoints_write(a);
}

/* It is in network.json: make it. */
static err *enter(struct attach *a, const char *name)
{
        json *entry = json_get(json_get(a->doc, "Networks"), name);
        struct endpoint e;
        err *error = NULL;
        bool more;

        TRY(endpoints_write(a));
        TRY(write_conf(a));
        TRY(guards_add(entry));
        TRY(endpoints_endpoint(a->doc, name, &e));
        TRY(traffic_connect(a->c, a->state_fd, &e));
        if (a->ns >= 0)
                error = endpoint_make(&e, a->ns);
        if (!error && a->ns >= 0)
                error = traffic_connected(a->state_fd, &e);
        if (a->ns >= 0 && !has_process(a->c)) { /* its next run has it, if there is one */
                error = err_free(error);
                if (e.kind != ENDPOINT_BRIDGE) /* not who has joined the namespace */
                        error = endpoint_unmake(&e, a->ns, 0);
        }
        TRY(error);
        TRY(move_ports(a, true, &more));
        error = tell_ports(a);
        if (error && more)
                return error;
        log_error_free(LOG_LEVEL_WARN, error); /* what it had it has */
        json_del(entry, ENDPOINTS_PENDING);
        return NULL;
}

err *connect_wake(struct container *c)
{
        TRY(tell(c, PROTO_NETWORK));
        return tell(c, PROTO_PORTS);
}

/* What is inside and in the monitor follows; the change itself has been made. */
static void follow(const struct attach *a, const json *before)
{
        _cleanup_close_ int rw = openat(a->c->engine->rw_fd, a->c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct netfiles files = {.record = a->c->record, .networks = json_get(a->doc, "Networks")};

        if (rw >= 0)
                log_error_free(LOG_LEVEL_WARN, netfiles_update(rw, &files, json_get(before, "Networks")));
        if (a->ns >= 0 && !a->deaf) /* it answers names */
                log_error_free(LOG_LEVEL_WARN, tell(a->c, PROTO_NETWORK));
}

static err *begin_live(struct attach *a, struct container *c, int state_fd, int *ret_lock)
{
        int fd = file_lock(state_fd, NETWORK_LOCK, false);

        if (fd < 0)
                return err_sys(-fd, "locking the networks of container %s", c->name);
        *ret_lock = fd;
        TRY(container_refresh(c));
        TRY(endpoints_begin(a, c, state_fd));
        return open_ns(c, &a->ns);
}

static err *enter_and_record(struct attach *a, const char *name, const json *settings)
{
        TRY(enter(a, name));
        json_set(record_networks(a->c), name, json_ref((json *)settings));
        TRY(container_save(a->c));
        return endpoints_write(a);
}

static err *add_live(struct container *c, const struct network *n, const json *settings, int state_fd)
{
        _cleanup_attach_ struct attach a = {.ns = -1};
        _cleanup_json_ json *before = NULL;
        _cleanup_free_ char *name = NULL;
        _cleanup_close_ int lock = -1;
        const char *old;
        err *e;

        TRY(begin_live(&a, c, state_fd, &lock));
        if (endpoints_entry(&a, n->id, &old)) /* somebody was killed at this */
                TRY(leave(&a, old));
        TRY(json_copy(a.doc, &before));
        e = endpoints_take(&a, n->name, settings, &name);
        if (!e)
                e = enter_and_record(&a, name, settings);
        if (!e)
                follow(&a, before);
        if (e && endpoints_entry(&a, n->id, &old))
                err_free(leave(&a, old));
        return e;
}

/* ---- what was not finished ---- */

/* The record changes first when a network is left, and last when one comes; it may have been asked for by an id. */
static bool is_recorded(struct container *c, const json *doc, const char *name, const json *entry)
{
        if (json_has(record_networks(c), name))
                return true;
        JSON_EACH (record_networks(c), it)
                if (id_prefix_valid(it.key) && str_starts(json_get_str_or(entry, "NetworkID", ""), it.key) &&
                    !json_has(json_get(doc, "Networks"), it.key))
                        return true;
        return false;
}

/* A network of network.json that is to be left, or (*@ret_again) to be joined anew; NULL: there is none but @but. */
static const char *find_unfinished(struct container *c, const json *doc, const char *but, bool *ret_again)
{
        JSON_EACH (json_get(doc, "Networks"), it) {
                *ret_again = json_has(record_networks(c), it.key);
                if (str_eq(json_get_str(it.value, "NetworkID"), but))
                        continue;
                if (*ret_again ? json_get_bool(it.value, ENDPOINTS_PENDING, false)
                               : !is_recorded(c, doc, it.key, it.value))
                        return it.key;
        }
        return NULL;
}

static err *finish_one(struct attach *a, const char *network, bool again)
{
        _cleanup_json_ json *settings = json_ref(json_get(record_networks(a->c), network));
        _cleanup_free_ char *name = NULL, *copy = str_dup(network);

        if (!copy)
                return err_nomem();
        TRY(leave(a, copy));
        if (!again)
                return NULL;
        TRY(endpoints_take(a, copy, settings, &name));
        return enter_and_record(a, name, settings);
}

static err *finish(struct container *c, int state_fd, const char *but)
{
        _cleanup_attach_ struct attach a = {.ns = -1};
        _cleanup_json_ json *before = NULL;
        _cleanup_close_ int lock = -1;
        bool again, more;

        TRY(begin_live(&a, c, state_fd, &lock));
        TRY(json_copy(a.doc, &before));
        for (const char *name; (name = find_unfinished(c, a.doc, but, &again));)
                TRY(finish_one(&a, name, again));
        if (json_get_bool(a.doc, ENDPOINTS_MOVING, false)) {
                TRY(move_ports(&a, false, &more));
                log_error_free(LOG_LEVEL_WARN, tell_ports(&a));
                TRY(endpoints_write(&a));
        }
        follow(&a, before);
        return NULL;
}

/* The networks but @but. */
static err *repair(struct container *c, int state_fd, const char *but)
{
        _cleanup_json_ json *doc = NULL;
        bool again;

        if (!container_is_alive(c))
                return NULL;
        TRY(endpoints_read(c, &doc));
        if (!find_unfinished(c, doc, but, &again) && (but || !json_get_bool(doc, ENDPOINTS_MOVING, false)))
                return NULL;
        return err_wrap(finish(c, state_fd, but),
                        "container %s: finishing a connect or disconnect that somebody was killed at", c->name);
}

err *connect_repair(struct container *c, int state_fd)
{
        return repair(c, state_fd, NULL);
}

/* ---- connect ---- */

static bool is_connected(struct container *c, const struct network *n)
{
        _cleanup_attach_ struct attach a = {.ns = -1};
        json *entry = NULL;

        err_free(endpoints_begin(&a, c, c->state_fd));
        entry = endpoints_entry(&a, n->id, NULL);
        return entry && !json_get_bool(entry, ENDPOINTS_PENDING, false);
}

static err *add_locked(struct container *c, const struct network *n, const json *settings, int lock)
{
        const char *key;

        TRY(record_key(c, n, &key));
        TRY(check_container(c));
        TRY(endpoints_check(n, settings));
        log_error_free(LOG_LEVEL_WARN, repair(c, lock, n->id));
        if (container_is_alive(c)) {
                if (key && is_connected(c, n))
                        return err_new(ERR_CONFLICT, "endpoint with name %s already exists in network %s", c->name,
                                       n->name);
                return add_live(c, n, settings, lock);
        }
        json_set(record_networks(c), key ? key : n->name, json_ref((json *)settings));
        return container_save(c);
}

err *connect_add(struct engine *e, const char *network, const char *container, const json *settings)
{
        _cleanup_container_ struct container *c = NULL;
        _cleanup_network_ struct network *n = NULL;
        struct networks *s;
        int lock = -1;
        err *error;

        TRY(networks_of(e, &s));
        TRY(network_find(s, network, &n));
        TRY(container_find(e, container, &c));
        TRY(container_lock_reload(c, &lock));
        error = add_locked(c, n, settings, lock);
        container_unlock(c, lock);
        return error;
}

/* ---- disconnect ---- */

static err *not_connected(const struct container *c, const char *network)
{
        return err_new(ERR_INVALID, "container %s is not connected to network %s", c->id, network);
}

static err *remove_live(struct container *c, const struct network *n, int state_fd, bool *ret_was)
{
        _cleanup_attach_ struct attach a = {.ns = -1};
        _cleanup_close_ int lock = -1;
        _cleanup_json_ json *before = NULL;
        const char *name;

        TRY(begin_live(&a, c, state_fd, &lock));
        *ret_was = endpoints_entry(&a, n->id, &name) != NULL;
        if (!*ret_was)
                return NULL;
        TRY(json_copy(a.doc, &before));
        TRY(leave(&a, name));
        follow(&a, before);
        return NULL;
}

static err *remove_locked(struct container *c, const struct network *n, int lock)
{
        bool was, live = false;
        const char *key;

        log_error_free(LOG_LEVEL_WARN, repair(c, lock, n->id));
        TRY(record_key(c, n, &key));
        was = key != NULL;
        if (str_eq(n->driver, "host") && key)
                return err_new(ERR_INVALID, "cannot disconnect container from host network - container was created in "
                                            "host network mode");
        if (key) {
                json_del(record_networks(c), key);
                TRY(container_save(c));
        }
        if (container_is_alive(c))
                TRY(remove_live(c, n, lock, &live));
        return was || live ? NULL : not_connected(c, n->name);
}

/* A network that has been removed since can still be in the record. */
static err *remove_gone(struct container *c, const char *network)
{
        if (!json_has(record_networks(c), network))
                return err_new(ERR_NOT_FOUND, "network %s not found", network);
        json_del(record_networks(c), network);
        return container_save(c);
}

/* What a container that is no more has there, by its name or id. */
static err *remove_stale(struct networks *s, const struct network *n, const char *container)
{
        _cleanup_lease_list_ struct lease_list list = {0};
        bool found = false;

        TRY(lease_list(s, n->id, &list));
        for (size_t i = 0; i < list.n; i++) {
                const struct lease *l = &list.items[i];

                if (!str_eq(l->name, container) && !str_eq(l->container, container))
                        continue;
                found = true;
                TRY(lease_release_endpoint(s, n->id, l));
        }
        return found ? NULL : err_new(ERR_NOT_FOUND, "endpoint %s not found", container);
}

err *connect_remove(struct engine *e, const char *network, const char *container, bool force)
{
        _cleanup_container_ struct container *c = NULL;
        _cleanup_network_ struct network *n = NULL;
        err *missing, *error;
        struct networks *s;
        int lock = -1;

        TRY(networks_of(e, &s));
        missing = network_find(s, network, &n);
        if (missing && err_code(missing) != ERR_NOT_FOUND)
                return missing;
        err_free(missing);
        error = container_find(e, container, &c);
        if (n && force && err_code(error) == ERR_NOT_FOUND) {
                err_free(error);
                return remove_stale(s, n, container);
        }
        if (!n && error) {
                err_free(error);
                return err_new(ERR_NOT_FOUND, "network %s not found", network);
        }
        TRY(error);
        TRY(container_lock_reload(c, &lock));
        error = n ? remove_locked(c, n, lock) : remove_gone(c, network);
        container_unlock(c, lock);
        return error;
}
