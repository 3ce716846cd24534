/* networks.c - see networks.h. */
#include "engine/networks.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "engine/endpoints.h"
#include "engine/networks_damaged.h"
#include "net/bridge.h"
#include "net/home.h"
#include "net/lease.h"
#include "net/parent.h"
#include "sys/endpoint.h"
#include "sys/netlink.h"
#include "sys/rate.h"

/* Of an engine that is not the host's own: one of its own, made from the place of its root. */
static void default_link(const struct engine *e, char ret[LINK_NAME_MAX + 1])
{
        char hash[65];

        sha256_hex(e->root, strlen(e->root), hash);
        (void)snprintf(ret, LINK_NAME_MAX + 1, "hod%.8s", hash);
}

err *networks_of(struct engine *e, struct networks **ret)
{
        bool usual = str_eq(e->root, "/var/lib/hod");
        char link[LINK_NAME_MAX + 1];

        default_link(e, link);
        if (!e->networks)
                TRY(networks_open(store_root_fd(e->store), store_state_fd(e->store), usual ? NULL : link,
                                  &e->networks));
        *ret = e->networks;
        return NULL;
}

/* What a network stands on is made at once: what cannot be is said here, not by the first container. */
err *networks_create(struct engine *e, const json *wanted, char **ret_id)
{
        _cleanup_network_ struct network *n = NULL;
        _cleanup_free_ char *id = NULL;
        struct networks *s;
        err *error;

        TRY(networks_of(e, &s));
        TRY(network_create(s, wanted, &id));
        TRY(network_find(s, id, &n));
        error = network_on_parent(n) ? parent_up(n) : str_eq(n->driver, "bridge") ? bridge_check(n) : NULL;
        if (error) {
                err_free(network_forget(s, n));
                return error;
        }
        *ret_id = TAKE_PTR(id);
        return NULL;
}

/* ---- looking ---- */

static void add_container(json *containers, const struct lease *l)
{
        char text[ENDPOINT_ADDRESS_MAX], mac[18];
        const unsigned char *m = l->mac;
        json *o = json_new_object();

        (void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
        json_set_str(o, "Name", l->name);
        json_set_str(o, "EndpointID", l->endpoint);
        json_set_str(o, "MacAddress", mac);
        json_set_str(o, "IPv4Address", endpoint_address_text(&l->address[0], true, text));
        json_set_str(o, "IPv6Address", endpoint_address_text(&l->address[1], true, text));
        json_set(containers, l->container, o);
}

static void copy_members(json *to, const json *from, const char *const *keys)
{
        for (; *keys; keys++)
                if (json_has(from, *keys))
                        json_set(to, *keys, json_get(from, *keys) ? json_ref(json_get(from, *keys)) : NULL);
}

/* docker's members in docker's order. */
static json *show(const struct network *n, json *containers)
{
        static const char *const first[] = {"Name",   "Id",         "Created",    "Scope",
                                            "Driver", "EnableIPv4", "EnableIPv6", NULL};
        static const char *const ipam[] = {"Driver", "Options", "Config", NULL};
        static const char *const pool[] = {"Subnet", "IPRange", "Gateway", "AuxiliaryAddresses", NULL};
        static const char *const then[] = {"Internal", "Attachable", "Ingress", "ConfigFrom", "ConfigOnly", NULL};
        static const char *const last[] = {"Options", "Labels", NULL};
        const json *configs = json_path(n->doc, "IPAM.Config");
        json *doc = json_new_object(), *pools = json_new_array(), *in;

        copy_members(doc, n->doc, first);
        in = json_sub_object(doc, "IPAM");
        copy_members(in, json_get(n->doc, "IPAM"), ipam);
        for (size_t i = 0; i < json_len(configs); i++) {
                json *one = json_new_object();

                copy_members(one, json_at(configs, i), pool);
                json_add(pools, one);
        }
        json_set(in, "Config", pools);
        copy_members(doc, n->doc, then);
        if (containers)
                json_set(doc, "Containers", json_ref(containers));
        copy_members(doc, n->doc, last);
        return doc;
}

/* Leases of containers that live; those of others are given back on the way. */
static err *living(struct engine *e, struct networks *s, const struct network *n, struct lease_list *ret)
{
        TRY(lease_list(s, n->id, ret));
        for (size_t i = ret->n; i-- > 0;)
                if (endpoints_reclaim(e, ret->items[i].container)) {
                        err_free(lease_release_endpoint(s, n->id, &ret->items[i]));
                        lease_list_drop(ret, i);
                }
        return NULL;
}

err *networks_inspect(struct engine *e, const char *ref, json **ret)
{
        _cleanup_json_ json *containers = json_new_object();
        _cleanup_lease_list_ struct lease_list list = {0};
        _cleanup_network_ struct network *n = NULL;
        struct networks *s;

        TRY(networks_of(e, &s));
        TRY(network_find(s, ref, &n));
        TRY(living(e, s, n, &list));
        for (size_t i = 0; i < list.n; i++)
                add_container(containers, &list.items[i]);
        *ret = show(n, containers);
        return NULL;
}

err *networks_list(struct engine *e, json **ret)
{
        _cleanup_network_list_ struct network_list list = {0};
        _cleanup_json_ json *all = json_new_array();
        struct networks *s;

        TRY(networks_of(e, &s));
        TRY(network_list(s, &list));
        for (size_t i = 0; i < list.n; i++)
                json_add(all, show(list.items[i], NULL));
        *ret = TAKE_PTR(all);
        return NULL;
}

/* ---- removing ---- */

static err *still_used(const struct network *n, const struct lease_list *list)
{
        _cleanup_str_ struct str who = {0};

        for (size_t i = 0; i < list->n; i++)
                str_printf(&who, "%sname:\"%s\" id:\"%.12s\"", i ? ", " : "", list->items[i].name,
                           list->items[i].endpoint);
        TRY(str_done(&who));
        return err_new(ERR_CONFLICT, "error while removing network: network %s has active endpoints (%s)", n->name,
                       str_text(&who));
}

static err *leave_parent(struct networks *s, const struct network *n)
{
        _cleanup_network_list_ struct network_list all = {0};

        TRY(network_list(s, &all));
        return parent_down(n, &all);
}

/* Interface and rules, then what is on disk: a crash in between leaves a network that can be removed again. The lock
 * that we hold goes last: whoever makes it anew finds no network. */
static err *take_down(struct networks *s, const struct network *n, int use)
{
        TRY(home_check(use, n));
        if (str_eq(n->driver, "bridge"))
                TRY(bridge_down(n));
        if (network_on_parent(n))
                TRY(leave_parent(s, n));
        if (n->predefined)
                return home_forget(use);
        TRY(network_forget(s, n));
        return lease_forget(s, n->id);
}

/* Others may have removed it while we waited, and made one with its bridge's name since. */
static err *still_there(struct networks *s, const struct network *n)
{
        _cleanup_network_ struct network *now = NULL;
        err *e = network_find(s, n->id, &now);

        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        err_free(lease_forget(s, n->id)); /* with the lock that we have just made */
        return err_new(ERR_NOT_FOUND, "network %s not found", n->name);
}

static err *remove_held(struct engine *e, struct networks *s, const struct network *n, int held)
{
        _cleanup_lease_list_ struct lease_list list = {0};

        TRY(living(e, s, n, &list));
        return list.n ? still_used(n, &list) : take_down(s, n, held);
}

err *networks_take_away(struct engine *e, const struct network *n)
{
        _cleanup_close_ int held = -1;
        struct networks *s;

        TRY(networks_of(e, &s));
        TRY(lease_hold(s, n->id, true, &held));
        return remove_held(e, s, n, held);
}

static err *remove_unused(struct engine *e, struct networks *s, const struct network *n)
{
        _cleanup_close_ int held = -1;

        TRY(lease_hold(s, n->id, true, &held));
        TRY(still_there(s, n));
        return remove_held(e, s, n, held);
}

err *networks_remove(struct engine *e, const char *ref, char **ret_name)
{
        _cleanup_network_ struct network *n = NULL;
        struct networks *s;
        err *error;

        TRY(networks_of(e, &s));
        error = network_find(s, ref, &n);
        if (err_code(error) == ERR_NOT_FOUND) {
                err_free(error);
                return networks_remove_damaged(e, ref, ret_name);
        }
        TRY(error);
        if (n->predefined)
                return err_new(ERR_DENIED, "%s is a pre-defined network and cannot be removed", n->name);
        TRY(remove_unused(e, s, n));
        *ret_name = TAKE_PTR(n->name);
        return NULL;
}

static bool matches(const struct network *n, const struct prune_filter *f)
{
        int64_t created = 0;

        err_free(clock_parse(json_get_str_or(n->doc, "Created", ""), &created));
        return (!f->until_ns || created < f->until_ns) && prune_labels_match(f, json_get(n->doc, "Labels"));
}

/* What limited links that have gone, of engines whose state has gone, too. */
static err *sweep(void)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_strv_ char **names = NULL;

        return fd < 0 ? NULL : rate_sweep(fd, true, &names);
}

err *networks_prune(struct engine *e, const struct prune_filter *f, struct prune_report *ret)
{
        _cleanup_network_list_ struct network_list list = {0};
        struct networks *s;

        TRY(networks_of(e, &s));
        TRY(network_list(s, &list));
        for (size_t i = 0; i < list.n; i++) {
                const struct network *one = list.items[i];
                err *error;

                if (!str_eq(one->driver, "bridge") && one->predefined)
                        continue;
                if (!one->predefined && !matches(one, f))
                        continue;
                error = remove_unused(e, s, one);
                if (err_code(error) == ERR_CONFLICT || err_code(error) == ERR_NOT_FOUND) {
                        err_free(error);
                        continue;
                }
                TRY(error);
                if (!one->predefined)
                        TRY(strv_add(&ret->lines, one->name));
        }
        return sweep();
}
