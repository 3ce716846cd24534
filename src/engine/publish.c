/* publish.c - see publish.h. */
#include "engine/publish.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "engine/connect.h"
#include "engine/container.h"
#include "engine/endpoints.h"
#include "engine/hostconfig.h"
#include "engine/ports.h"
#include "monitor/conf.h"
#include "monitor/proto.h"

/* ---- what the monitor knows ---- */

static err *tell_monitor(struct container *c)
{
        _cleanup_close_ int fd = -1;

        TRY(container_connect(c, &fd));
        proto_be_patient(fd);
        TRY(proto_send(fd, PROTO_PORTS, NULL, 0, NULL, 0));
        return proto_wait_ok(fd);
}

/* The configuration with the ports @lines; as before when the monitor does not take it. */
static err *replace_lines(struct container *c, struct monitor_conf *conf, char **lines)
{
        char **before = conf->ports;
        err *e;

        conf->ports = lines;
        e = monitor_conf_write(c->state_fd, conf);
        if (!e)
                e = tell_monitor(c);
        conf->ports = before;
        if (e)
                err_free(monitor_conf_write(c->state_fd, conf));
        return e;
}

static err *copy_lines(char *const *lines, char ***ret)
{
        for (; lines && *lines; lines++)
                TRY(strv_add(ret, *lines));
        return NULL;
}

/* ---- publishing ---- */

struct note {
        struct container *c;
        json *before;    /* Ports document of the container; borrowed */
        json *published; /* what is added to it; owned */
};

static err *note_more(void *arg, json *ports)
{
        struct note *n = arg;

        json_free(n->published);
        n->published = ports;
        return endpoints_set_ports(n->c, ports_join(n->before, ports));
}

static err *publish_live(struct container *c, const json *bindings, json **ret)
{
        _cleanup_(monitor_conf_done) struct monitor_conf conf = {0};
        _cleanup_strv_ char **lines = NULL;
        _cleanup_json_ json *before = NULL;
        struct ports_target target;
        struct note n = {.c = c};
        err *e;

        TRY(endpoints_ports(c, true, &target, &before));
        TRY(monitor_conf_read(c->state_fd, &conf));
        TRY(copy_lines(conf.ports, &lines));
        n.before = before;
        e = ports_publish_more(c, before, bindings, &target, note_more, &n, &lines);
        if (!e)
                e = replace_lines(c, &conf, lines);
        if (e && n.published) {
                err_free(ports_unpublish(c, n.published, target.to));
                err_free(endpoints_set_ports(c, ports_join(before, NULL)));
        }
        if (e) {
                json_free(n.published);
                return e;
        }
        *ret = n.published ? n.published : json_new_object();
        return NULL;
}

static err *parse_specs(char *const *specs, json *bindings)
{
        char key[PORTS_KEY_MAX];

        for (; *specs; specs++) {
                _cleanup_(parse_port_done) struct parse_port p = {0};

                TRY(parse_port(*specs, &p));
                for (uint32_t port = p.first; port <= p.last; port++)
                        ports_add_binding(bindings, &p, (uint16_t)port, key);
        }
        return NULL;
}

/* Could both be asked for? Entries of PortBindings; what says no port of the host gets another one. */
static bool collide(const json *a, const json *b)
{
        const char *x = json_get_str_or(a, "HostIp", ""), *y = json_get_str_or(b, "HostIp", "");
        const char *port = json_get_str_or(a, "HostPort", "");

        return *port && !str_eq(port, "0") && str_eq(port, json_get_str_or(b, "HostPort", "")) &&
               (str_eq(x, y) || !*x || !*y);
}

/* What one and the same container publishes twice no start could have. */
static err *check_own(const struct container *c, const json *bindings)
{
        JSON_EACH (bindings, wanted)
                JSON_EACH (json_get(container_host_config(c), "PortBindings"), it)
                        for (size_t i = 0; i < json_len(wanted.value) * json_len(it.value); i++) {
                                const json *one = json_at(wanted.value, i / json_len(it.value)),
                                           *there = json_at(it.value, i % json_len(it.value));
                                const char *ip = json_get_str_or(there, "HostIp", "");

                                if (!str_eq(strchr(wanted.key, '/'), strchr(it.key, '/')) || !collide(one, there))
                                        continue;
                                return err_new(ERR_CONFLICT,
                                               "Bind for %s:%s failed: port is already allocated (by container %s "
                                               "itself: %s%s%s->%s)",
                                               *ip ? ip : "0.0.0.0", json_get_str_or(one, "HostPort", ""), c->name, ip,
                                               *ip ? ":" : "", json_get_str_or(there, "HostPort", ""), it.key);
                        }
        return NULL;
}

/* The record asks for them, too; refused where run would refuse them. */
static err *add_to_record(struct container *c, const json *bindings)
{
        json *host = json_sub_object(c->record, "HostConfig"), *config = json_sub_object(c->record, "Config");
        const char *mode = json_get_str_or(host, "NetworkMode", "");
        _cleanup_strv_ char **warnings = NULL;

        TRY(check_own(c, bindings));
        JSON_EACH (bindings, it)
                (void)json_sub_object(json_sub_object(config, "ExposedPorts"), it.key);
        json_set(host, "PortBindings", ports_join(json_get(host, "PortBindings"), bindings));
        TRY(hostconfig_check(config, host, &warnings));
        if (str_eq(mode, "host"))
                return err_new(ERR_INVALID, "container %s has the host's network: its ports are the host's already",
                               c->name);
        if (!endpoints_mode_is_own(mode))
                return err_new(ERR_INVALID, "container %s has no network of its own (%s): its ports are not its",
                               c->name, mode);
        return NULL;
}

static err *add_locked(struct container *c, const json *bindings, json **ret)
{
        TRY(add_to_record(c, bindings));
        if (container_is_alive(c))
                TRY(publish_live(c, bindings, ret));
        return container_save(c);
}

err *publish_add(struct engine *e, const char *ref, char *const *specs, json **ret_ports)
{
        _cleanup_json_ json *bindings = json_new_object(), *published = NULL;
        _cleanup_container_ struct container *c = NULL;
        int lock = -1;
        err *error;

        TRY(parse_specs(specs, bindings));
        TRY(container_find(e, ref, &c));
        TRY(container_lock_reload(c, &lock));
        log_error_free(LOG_LEVEL_WARN, connect_repair(c, lock));
        error = add_locked(c, bindings, &published);
        container_unlock(c, lock);
        TRY(error);
        if (ret_ports)
                *ret_ports = published ? TAKE_PTR(published) : json_new_object();
        return NULL;
}

/* ---- taking back ---- */

struct wanted {
        char *ip;                 /* "" = whatever it is */
        uint16_t first, last;     /* of the host; 0 = what was left to us */
        uint16_t port, port_last; /* of the container; 0 = whatever it is */
        bool bare;                /* numbers alone: of the host, if they are */
        char proto[8];
        json *asked; /* the record's PortBindings; owned */
};

static void wanted_done(struct wanted *w)
{
        free(w->ip);
        json_free(w->asked);
}

/* ADDRESS:PORT, as `hod port` shows it: the last colon comes after no number. *@ret: as -p would have it, with any port
 * of the container (owned); NULL: it is something else. */
static err *with_address(const char *text, char **ret)
{
        const char *colon = strrchr(text, ':'), *slash = strchrnul(colon ? colon : text, '/');
        size_t n = colon ? (size_t)(colon - text) : 0;

        *ret = NULL;
        if (!n || strspn(text, "0123456789-") == n || strchr(text, '='))
                return NULL;
        if (text[n - 1] != ']' && memchr(text, ':', n)) /* ADDRESS:PORT:PORT */
                return NULL;
        *ret = str_format("%.*s:1%s", (int)(slash - text), text, slash);
        return *ret ? NULL : err_nomem();
}

static err *parse_wanted(const char *text, struct wanted *ret)
{
        _cleanup_(parse_port_done) struct parse_port p = {0};
        bool whole = strpbrk(text, ":=") != NULL;
        _cleanup_free_ char *long_text = NULL;
        err *e;

        TRY(with_address(text, &long_text));
        e = whole ? parse_port(long_text ? long_text : text, &p) : parse_expose(text, &p);

        if (e && !whole) { /* its error speaks of another option */
                err_free(e);
                e = err_new(ERR_INVALID, "invalid port: %s", text);
        }
        TRY(e);
        *ret = (struct wanted){
                .first = whole ? p.host_first : p.first, .last = whole ? p.host_last : p.last, .bare = !whole};
        if (whole && !long_text && (!p.host_first || p.first == p.last)) {
                ret->port = p.first;
                ret->port_last = p.last;
        }
        memcpy(ret->proto, p.proto, sizeof(ret->proto));
        if (!ret->first && (!whole || long_text))
                return err_new(ERR_INVALID, "invalid port: %s: a port of the host is needed", text);
        ret->ip = str_dup(p.ip ? p.ip : "");
        return ret->ip ? NULL : err_nomem();
}

/* Is @key one of the container's ports from @first on (0: any)? */
static bool is_key(const char *key, const char *proto, uint16_t first, uint16_t last)
{
        _cleanup_(parse_port_done) struct parse_port p = {0};

        err_free(parse_expose(key, &p));
        return str_eq(p.proto, proto) && (!first || (p.first >= first && p.first <= last));
}

static bool has_key(const struct wanted *w, const char *key)
{
        return is_key(key, w->proto, w->port, w->port_last);
}

static bool is_meant(const struct wanted *w, const char *key, const json *one, bool choice);

/* What is open at the container's own address (a routed network) may have been asked for with a port of the host. */
static bool was_asked(const struct wanted *w, const char *key)
{
        const json *list = json_get(w->asked, key);

        for (size_t i = 0; i < json_len(list); i++)
                if (ports_is_any(json_at(list, i)) && is_meant(w, key, json_at(list, i), false))
                        return true;
        return false;
}

static bool is_left_to_us(const json *binding)
{
        const char *number = json_get_str_or(binding, "HostPort", "");

        return str_empty(number) || str_eq(number, "0");
}

/* Of the record, or one that has come of it: which of the host's ports it gets was left to us. */
static bool was_left_to_us(const struct wanted *w, const char *key, const json *one)
{
        const json *list = json_get(w->asked, key);

        for (size_t i = 0; i < json_len(list); i++)
                if (str_eq(json_get_str(json_at(list, i), "HostPort"), json_get_str(one, "HostPort")) &&
                    (ports_is_any(json_at(list, i)) ||
                     str_eq(json_get_str(json_at(list, i), "HostIp"), json_get_str(one, "HostIp"))))
                        return is_left_to_us(one) || strchr(json_get_str_or(one, "HostPort", ""), '-');
        return true;
}

/* Does the entry of PortBindings or Ports mean one of the wanted ports? "" and ranges of the record do when @choice. */
static bool is_meant(const struct wanted *w, const char *key, const json *one, bool choice)
{
        const char *ip = json_get_str_or(one, "HostIp", ""), *number = json_get_str_or(one, "HostPort", "");
        _cleanup_(parse_port_done) struct parse_port p = {0};

        if (json_get_bool(one, PORTS_OPEN, false) && was_asked(w, key))
                return true;
        if (!has_key(w, key) || (*w->ip && !str_eq(ip, w->ip)))
                return false;
        if (!w->first)
                return was_left_to_us(w, key, one);
        if (is_left_to_us(one))
                return choice;
        err_free(parse_expose(number, &p));
        return p.first == p.last ? p.first >= w->first && p.first <= w->last
                                 : choice && p.first <= w->last && p.last >= w->first;
}

/* @doc without what is meant; that into @gone. */
static json *without(const json *doc, const struct wanted *w, bool choice, json *gone)
{
        json *rest = json_new_object();

        JSON_EACH (doc, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        json *one = json_at(it.value, i);
                        bool meant = is_meant(w, it.key, one, choice);

                        json_add(json_sub_array(meant ? gone : rest, it.key), json_ref(one));
                }
        return rest;
}

static bool is_line_of(const char *line, const char *key, const json *one)
{
        const char *proto = strchr(key, '/');
        int number = str_eq(proto, "/udp") ? IPPROTO_UDP : str_eq(proto, "/sctp") ? IPPROTO_SCTP : IPPROTO_TCP;
        _cleanup_free_ char *begin = str_format("%d %s %s ", number, json_get_str_or(one, "HostIp", ""),
                                                json_get_str_or(one, "HostPort", ""));

        return begin && str_starts(line, begin);
}

static err *keep_lines(char *const *lines, const json *gone, char ***ret)
{
        for (; lines && *lines; lines++) {
                bool drop = false;

                JSON_EACH (gone, it)
                        for (size_t i = 0; i < json_len(it.value); i++)
                                drop |= is_line_of(*lines, it.key, json_at(it.value, i));
                if (!drop)
                        TRY(strv_add(ret, *lines));
        }
        return NULL;
}

static err *unpublish_live(struct container *c, const struct wanted *w, json *gone, json **ret_rest)
{
        _cleanup_(monitor_conf_done) struct monitor_conf conf = {0};
        _cleanup_json_ json *before = NULL;
        _cleanup_strv_ char **lines = NULL;
        struct ports_target target;
        err *e = endpoints_ports(c, false, &target, &before);
        bool open = err_code(e) != ERR_INVALID; /* else no network leads out just now */

        if (!open) {
                err_free(e);
                e = endpoints_ports_kept(c, &before);
        }
        TRY(e);
        *ret_rest = without(before, w, false, gone);
        if (!json_len(gone))
                return NULL;
        TRY(monitor_conf_read(c->state_fd, &conf));
        TRY(keep_lines(conf.ports, gone, &lines));
        /* It may fail: first, so that all is as before then. */
        TRY(replace_lines(c, &conf, lines));
        if (open)
                TRY(ports_unpublish(c, gone, target.to));
        return endpoints_set_ports(c, json_ref(*ret_rest));
}

/* -P publishes all that are exposed; to leave one out the others have to be named. */
static void spell_out(struct container *c)
{
        json *host = json_sub_object(c->record, "HostConfig"), *bindings = json_sub_object(host, "PortBindings");

        if (!json_get_bool(host, "PublishAllPorts", false))
                return;
        json_set_bool(host, "PublishAllPorts", false);
        JSON_EACH (json_get(container_config(c), "ExposedPorts"), it) {
                json *one;

                if (json_has(bindings, it.key))
                        continue;
                one = json_new_object();
                json_set_str(one, "HostIp", "");
                json_set_str(one, "HostPort", "");
                json_add(json_sub_array(bindings, it.key), one);
        }
}

/* Whatever port of the host was asked for: it was the container's own address that had it. */
static void forget_open(json *host, const char *key, json *ret_gone)
{
        json *list = json_get(json_get(host, "PortBindings"), key), *rest = json_new_object();

        for (size_t i = 0; i < json_len(list); i++)
                json_add(json_sub_array(ports_is_any(json_at(list, i)) ? ret_gone : rest, key),
                         json_ref(json_at(list, i)));
        if (json_has(rest, key))
                json_set(json_get(host, "PortBindings"), key, json_ref(json_get(rest, key)));
        else
                json_del(json_get(host, "PortBindings"), key);
        json_free(rest);
}

/* What would be published under a port that is not known before the next start: numbers are the container's, too. */
static bool is_meant_later(const struct wanted *w, const char *key, const json *one)
{
        if (*w->ip && !str_eq(json_get_str_or(one, "HostIp", ""), w->ip))
                return false;
        if (is_left_to_us(one))
                return w->bare ? is_key(key, w->proto, w->first, w->last) : w->port && has_key(w, key);
        return !w->bare && w->port && is_meant(w, key, one, true);
}

static void take_later(const struct wanted *w, json *host, json *ret_gone)
{
        json *rest = json_new_object();

        JSON_EACH (json_get(host, "PortBindings"), it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        json *one = json_at(it.value, i);

                        json_add(json_sub_array(is_meant_later(w, it.key, one) ? ret_gone : rest, it.key),
                                 json_ref(one));
                }
        json_set(host, "PortBindings", rest);
}

/* Of the record's @list, which one has @one (of the Ports document) come of? json_len(): none. */
static size_t find_asked(const json *list, const json *one)
{
        const char *ip = json_get_str_or(one, "HostIp", ""), *number = json_get_str_or(one, "HostPort", "");
        size_t found = json_len(list);
        unsigned best = 0;

        for (size_t i = 0; i < json_len(list); i++) {
                const json *asked = json_at(list, i);
                const char *text = json_get_str_or(asked, "HostPort", ""),
                           *where = json_get_str_or(asked, "HostIp", "");
                _cleanup_(parse_port_done) struct parse_port p = {0}, at = {0};
                unsigned fit;

                err_free(parse_expose(number, &at));
                if (!is_left_to_us(asked))
                        err_free(parse_expose(text, &p));
                if (!is_left_to_us(asked) && (at.first < p.first || at.first > p.last))
                        continue;
                fit = str_eq(where, ip) ? 3 : str_empty(where) ? 2 : ports_is_any(asked) ? 1 : 0;
                if (fit && str_eq(text, number))
                        fit += 3;
                if (fit > best) {
                        best = fit;
                        found = i;
                }
        }
        return found;
}

static bool has_number(const json *list, size_t n, const json *one)
{
        for (size_t i = 0; i < n; i++)
                if (ports_is_any(json_at(list, i)) &&
                    str_eq(json_get_str(json_at(list, i), "HostPort"), json_get_str(one, "HostPort")))
                        return true;
        return false;
}

static void take_one(json *bindings, const char *key, size_t which, json *ret_gone)
{
        json *list = json_get(bindings, key), *rest = json_new_object();

        for (size_t i = 0; i < json_len(list); i++)
                json_add(json_sub_array(i == which ? ret_gone : rest, key), json_ref(json_at(list, i)));
        if (json_has(rest, key))
                json_set(bindings, key, json_ref(json_get(rest, key)));
        else
                json_del(bindings, key);
        json_free(rest);
}

/* What @gone came of, unless the other family's part of it is still among @rest. */
static void take_asked(json *bindings, const json *gone, const json *rest, json *ret_gone)
{
        JSON_EACH (gone, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const json *one = json_at(it.value, i), *list = json_get(bindings, it.key),
                                   *still = json_get(rest, it.key);
                        size_t found = find_asked(list, one);

                        if (found < json_len(list) && !json_get_bool(one, PORTS_OPEN, false) &&
                            !(ports_is_any(one) &&
                              (has_number(it.value, i, one) || has_number(still, json_len(still), one))))
                                take_one(bindings, it.key, found, ret_gone);
                }
}

/* What was published goes from the record, too: what says its very port, or else what left the choice to us. */
static void remove_from_record(struct container *c, const struct wanted *w, const json *gone, const json *rest,
                               json *ret_gone)
{
        json *host = json_sub_object(c->record, "HostConfig");

        spell_out(c);
        json_set(host, "PortBindings", without(json_get(host, "PortBindings"), w, false, ret_gone));
        if (!json_len(ret_gone) && json_len(gone))
                take_asked(json_get(host, "PortBindings"), gone, rest, ret_gone);
        else if (!json_len(ret_gone) && !container_is_alive(c))
                take_later(w, host, ret_gone);
        JSON_EACH (gone, it)
                for (size_t i = 0; i < json_len(it.value); i++)
                        if (json_get_bool(json_at(it.value, i), PORTS_OPEN, false))
                                forget_open(host, it.key, ret_gone);
}

/* PortBindings as -p has them: "8080:80/tcp, 127.0.0.1::53/udp". */
static err *asked_text(const json *bindings, char **ret)
{
        _cleanup_str_ struct str out = {0};

        JSON_EACH (bindings, it)
                for (size_t i = 0; i < json_len(it.value); i++) {
                        const char *ip = json_get_str_or(json_at(it.value, i), "HostIp", "");
                        const char *port = json_get_str_or(json_at(it.value, i), "HostPort", "");
                        bool six = strchr(ip, ':');

                        str_printf(&out, "%s%s%s%s%s", out.len ? ", " : "", six ? "[" : "", ip, six ? "]" : "",
                                   *ip ? ":" : "");
                        str_printf(&out, "%s%s%s", port, *ip || *port ? ":" : "", it.key);
                }
        return str_take(&out, ret);
}

/* What is there instead, and what would take it back. */
static err *not_published(struct container *c, const struct wanted *w)
{
        const json *bindings = json_get(container_host_config(c), "PortBindings");
        _cleanup_json_ json *before = NULL;
        _cleanup_free_ char *text = NULL;
        struct ports_target target;
        char key[PORTS_KEY_MAX];
        const char *instead;

        (void)snprintf(key, sizeof(key), "%u/%s", w->first ? w->first : w->port, w->proto);
        if (container_is_alive(c))
                err_free(endpoints_ports(c, false, &target, &before));
        TRY(before ? ports_text(before, &text) : asked_text(bindings, &text));
        if (!*text)
                return err_new(ERR_NOT_FOUND, "No public port '%s' published for %s: it publishes none", key, c->name);
        instead = json_get_str(json_at(json_get(before ? before : bindings, key), 0), "HostPort");
        if (str_empty(instead) || w->port)
                return err_new(ERR_NOT_FOUND, "No public port '%s' published for %s: it publishes %s", key, c->name,
                               text);
        return err_new(ERR_NOT_FOUND,
                       "No public port '%s' published for %s: it publishes %s (the host's port is to be named: hod "
                       "container unpublish %s %s%s%s)",
                       key, c->name, text, c->name, instead, str_eq(w->proto, "tcp") ? "" : "/",
                       str_eq(w->proto, "tcp") ? "" : w->proto);
}

static err *remove_one(struct container *c, const struct wanted *w)
{
        _cleanup_json_ json *gone = json_new_object(), *forgotten = json_new_object(), *rest = NULL;

        if (container_is_alive(c))
                TRY(unpublish_live(c, w, gone, &rest));
        remove_from_record(c, w, gone, rest, forgotten);
        if (!json_len(gone) && !json_len(forgotten))
                return not_published(c, w);
        return container_save(c);
}

static err *remove_locked(struct container *c, char *const *specs)
{
        for (; *specs; specs++) {
                _cleanup_(wanted_done) struct wanted w = {0};

                TRY(parse_wanted(*specs, &w));
                w.asked = json_ref(json_get(json_get(c->record, "HostConfig"), "PortBindings"));
                TRY(remove_one(c, &w));
        }
        return NULL;
}

err *publish_remove(struct engine *e, const char *ref, char *const *specs)
{
        _cleanup_container_ struct container *c = NULL;
        int lock = -1;
        err *error;

        for (char *const *s = specs; *s; s++) { /* nothing is changed when one is no port */
                _cleanup_(wanted_done) struct wanted w = {0};

                TRY(parse_wanted(*s, &w));
        }
        TRY(container_find(e, ref, &c));
        TRY(container_lock_reload(c, &lock));
        log_error_free(LOG_LEVEL_WARN, connect_repair(c, lock));
        error = remove_locked(c, specs);
        container_unlock(c, lock);
        return error;
}
