/* ports_kind.c - see ports.h: published ports whose container comes to a network of another kind. Where nothing is
 * translated they are opened at the container's own address, elsewhere at all of the host's, or at the one that the
 * network says. What names an address of the host is published there whatever the network. */
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/ports_private.h"
#include "net/address.h"

#define TRIES 100

/* ---- what does not fit ---- */

/* What the network says of those that name no address of the host; NULL: nothing. */
static const struct link_address *binding_of(const struct ports_target *t)
{
        return t->host.family && !t->routed[0] ? &t->host : NULL;
}

/* Those of a family that is not there are kept for when it comes back, unless the other is of the other kind. */
static bool fits_open(const json *list, bool six, const struct ports_target *t)
{
        if (t->to[six].family)
                return t->routed[six];
        return !t->to[!six].family || t->routed[!six] || ports_has_at_all(list, !six, NULL);
}

static bool fits_at_all(bool unnamed, bool six, const struct ports_target *t)
{
        if (t->to[six].family && t->routed[six])
                return false;
        return !unnamed || (!binding_of(t) && (t->to[six].family || !t->to[!six].family || !t->routed[!six]));
}

/* Would it have been published so in @t? */
static bool fits(const struct container *c, const char *key, const json *list, const json *one,
                 const struct ports_target *t)
{
        const char *ip = json_get_str_or(one, "HostIp", "");
        bool six = strchr(ip, ':') != NULL, unnamed = ports_names_no_address(c, key, one);
        const struct link_address *binding = binding_of(t);
        struct link_address address;

        if (json_get_bool(one, PORTS_OPEN, false))
                return fits_open(list, six, t);
        if (ports_is_at_all(one, six))
                return fits_at_all(unnamed, six, t);
        if (!unnamed || !endpoint_address_parse(ip, &address))
                return true;
        return binding && binding->family == address.family && address_compare(binding, &address) == 0;
}

/* Did the network decide where it is published? */
static bool is_free(const struct container *c, const char *key, const json *one)
{
        return json_get_bool(one, PORTS_OPEN, false) || ports_is_at_all(one, false) || ports_is_at_all(one, true) ||
               ports_names_no_address(c, key, one);
}

/* Has it @asked entries of the record, or at least one that the network decided about? (Of two at any port, one of
 * which names the network's own address, it is not known which is which.) */
static bool has_some(const struct container *c, const char *key, const json *list, size_t asked)
{
        for (size_t i = 0; i < json_len(list); i++)
                if (is_free(c, key, json_at(list, i)))
                        return true;
        return json_len(list) >= asked;
}

/* A network that was left may have made it impossible (connect.c closes such): here it is wanted again. */
static void add_missing(const struct container *c, const json *ports, json *gone)
{
        const json *host = container_host_config(c), *bindings = json_get(host, "PortBindings");
        const json *exposed = json_get(container_config(c), "ExposedPorts");

        JSON_EACH (bindings, it)
                for (size_t i = 0; i < json_len(it.value); i++)
                        if (ports_is_any(json_at(it.value, i)) &&
                            !has_some(c, it.key, json_get(ports, it.key), json_len(it.value)))
                                (void)json_sub_array(gone, it.key);
        if (!json_get_bool(host, "PublishAllPorts", false))
                return;
        JSON_EACH (exposed, it)
                if (!json_has(bindings, it.key) && !has_some(c, it.key, json_get(ports, it.key), 1))
                        (void)json_sub_array(gone, it.key);
}

bool ports_split(const struct container *c, const json *ports, const struct ports_target *t, json **ret_kept,
                 json **ret_gone)
{
        json *kept = json_new_object(), *gone = json_new_object();

        JSON_EACH (ports, it) {
                bool whole = true;

                for (size_t i = 0; i < json_len(it.value); i++)
                        whole &= fits(c, it.key, it.value, json_at(it.value, i), t);
                for (size_t i = 0; i < json_len(it.value); i++) {
                        json *one = json_at(it.value, i);

                        json_add(json_sub_array(!whole && is_free(c, it.key, one) ? gone : kept, it.key),
                                 json_ref(one));
                }
        }
        add_missing(c, ports, gone);
        *ret_kept = kept;
        *ret_gone = gone;
        return json_len(gone);
}

/* ---- what takes its place ---- */

static bool is_given(const struct ports_publish *p, const char *key, uint16_t port)
{
        for (size_t i = 0; i < p->n; i++)
                if (str_eq(p->list[i].key, key) &&
                    (p->list[i].prefer == port || (p->list[i].first == port && p->list[i].last == port)))
                        return true;
        return false;
}

/* The host's port that one of @gone had stays that of whoever has a choice. */
static void prefer(const struct ports_publish *p, struct ports_binding *b, const json *gone)
{
        for (size_t i = 0; i < json_len(gone); i++) {
                const json *one = json_at(gone, i);
                uint16_t port = 0, last;

                err_free(ports_parse_range(json_get_str(one, "HostPort"), &port, &last));
                if (json_get_bool(one, PORTS_OPEN, false) || !port || is_given(p, b->key, port) ||
                    (b->first && (port < b->first || port > b->last)))
                        continue;
                b->prefer = port;
                return;
        }
}

static err *want(struct ports_publish *p, const char *key, const char *ip, const char *range, const json *gone)
{
        size_t before = p->n;

        TRY(ports_want(p, key, ip, range));
        for (size_t i = before; i < p->n; i++) {
                struct ports_binding *b = &p->list[i];

                if (!b->port.open && !b->twin && (!b->first || b->first != b->last))
                        prefer(p, b, gone);
        }
        return NULL;
}

/* Fixed ones first: they are not given to those that have a choice. */
static err *want_key(struct ports_publish *p, const char *key, const json *gone)
{
        const json *host = container_host_config(p->c), *bindings = json_get(host, "PortBindings");
        const json *list = json_get(bindings, key);

        for (unsigned pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < json_len(list); i++) {
                        const char *range = json_get_str_or(json_at(list, i), "HostPort", "");
                        bool choice = str_empty(range) || str_eq(range, "0") || strchr(range, '-');

                        if (choice == (pass == 1) && ports_is_any(json_at(list, i)))
                                TRY(want(p, key, json_get_str_or(json_at(list, i), "HostIp", ""), range, gone));
                }
        if (!json_has(bindings, key) && json_get_bool(host, "PublishAllPorts", false))
                TRY(want(p, key, "", "", gone));
        return NULL;
}

/* What @p wants, and what of its container's stays (@kept), in place of all that it had (@before): in one transaction.
 * If somebody else has one of them, way is made for it. */
static err *exchange(struct ports_publish *p, struct firewall *f, const json *before, const json *kept, bool *ret_done)
{
        const struct link_address any[LINK_ADDRESSES] = {{.family = AF_INET}, {.family = AF_INET6}};
        _cleanup_free_ struct firewall_port *from = NULL, *more = NULL, *stay = NULL, *to = NULL;
        _cleanup_free_ size_t *which = NULL;
        size_t n_from, n_more, n_stay, taken = 0;
        char owner[FIREWALL_OWNER_MAX] = "";
        err *e;

        TRY(ports_elements(before, any, &from, &n_from));
        TRY(ports_elements(kept, p->to, &stay, &n_stay));
        TRY(ports_entries(p, &more, &which, &n_more));
        to = MEM_NEW0(struct firewall_port, n_more + n_stay + 1);
        if (!to)
                return err_nomem();
        for (size_t i = 0; i < n_more + n_stay; i++)
                to[i] = i < n_more ? more[i] : stay[i - n_more];
        e = firewall_move(f, p->c->id, from, n_from, to, n_more + n_stay, &taken, owner);
        *ret_done = !e;
        if (err_code(e) != ERR_CONFLICT)
                return e;
        err_free(e);
        return taken < n_more ? ports_resolve(p, f, which[taken], owner) : ports_make_way(p->c, f, &to[taken], owner);
}

static err *replace(struct ports_publish *p, const json *before, const json *kept, ports_note *note, void *arg,
                    json **ret)
{
        _cleanup_json_ json *old = ports_merge(before, kept); /* something may be opened elsewhere */
        _cleanup_firewall_ struct firewall *f = NULL;

        TRY(firewall_open(&f));
        for (unsigned i = 0; i < TRIES; i++) {
                _cleanup_json_ json *more = ports_document(p);
                bool done;

                TRY(note(arg, ports_merge(old, more)));
                TRY(exchange(p, f, before, kept, &done));
                if (!done)
                        continue;
                *ret = ports_merge(kept, more);
                return NULL;
        }
        return err_new(ERR_BUSY, "others publish ports as fast as they are found");
}

static err *choose(struct ports_publish *p, const json *gone)
{
        JSON_EACH (gone, it)
                TRY(want_key(p, it.key, it.value));
        return ports_choose_all(p);
}

/* Those of @gone that can be had, each by itself. Of the others it is said that they cannot; owned. */
static json *find_to_be_had(const struct ports_publish *p, const json *gone)
{
        json *ret = json_new_object();

        JSON_EACH (gone, it) {
                struct ports_publish one = {.c = p->c, .has = p->has, .target = p->target};
                err *e;

                memcpy(one.to, p->to, sizeof(one.to));
                e = want_key(&one, it.key, it.value);
                if (!e)
                        e = ports_choose_all(&one);
                free(one.list);
                if (!e)
                        json_set(ret, it.key, json_ref(it.value));
                log_error_free(LOG_LEVEL_WARN,
                               err_wrap(e, "container %s: port %s is closed, which its network would have otherwise",
                                        p->c->name, it.key));
        }
        return ret;
}

err *ports_convert(struct container *c, const json *has, const struct ports_target *t, bool must, ports_note *note,
                   void *arg, json **ret)
{
        _cleanup_json_ json *split = NULL, *kept = NULL, *gone = NULL, *had = NULL;
        struct ports_publish p = {.c = c, .target = t};
        err *e;

        *ret = NULL;
        if (!ports_split(c, has, t, &split, &gone))
                return NULL;
        TRY(json_copy(split, &kept)); /* @has is what is taken back if this fails */
        ports_move_open(kept, t->to);
        p.has = kept;
        memcpy(p.to, t->to, sizeof(p.to));
        e = choose(&p, gone);
        if (!must && err_code(e) == ERR_CONFLICT) {
                err_free(e);
                free(p.list);
                p.list = NULL;
                p.n = 0;
                had = find_to_be_had(&p, gone);
                e = choose(&p, had);
        }
        if (!e)
                e = replace(&p, has, kept, note, arg, ret);
        free(p.list);
        return e ? err_wrap(e, "driver failed programming external connectivity on endpoint %s", c->name) : NULL;
}
