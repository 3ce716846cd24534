/* network.c - see network.h. Keeping and finding; what a new network may be is in network_create.c. */
#include "net/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "net/address.h"
#include "net/network_private.h"
#include "sys/endpoint.h"

#define LOCK "lock"
#define ENDING ".json"

static const struct {
        const char *name, *driver;
} predefined[] = {{NETWORK_DEFAULT, "bridge"}, {"host", "host"}, {"none", "null"}};

/* ---- one network ---- */

void network_free(struct network *n)
{
        if (!n)
                return;
        json_free(n->doc);
        free(n->id);
        free(n->name);
        free(n->driver);
        free(n);
}

void network_list_done(struct network_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                network_free(l->items[i]);
        free(l->items);
        *l = (struct network_list){0};
}

bool network_on_parent(const struct network *n)
{
        return str_eq(n->driver, "macvlan") || str_eq(n->driver, "ipvlan");
}

const char *network_option(const struct network *n, const char *name)
{
        return json_get_str(json_get(n->doc, "Options"), name);
}

/* An option that is true or false; docker takes what Go's ParseBool takes. */
static bool option_bool(const struct network *n, const char *name, bool otherwise)
{
        const char *text = network_option(n, name);

        return !text ? otherwise : strchr("1tT", *text) != NULL && *text;
}

static err *read_pool(const json *config, struct network *n)
{
        struct link_address subnet;
        struct network_pool *p;

        if (!endpoint_address_parse(json_get_str_or(config, "Subnet", ""), &subnet))
                return err_new(ERR_CORRUPT, "network %s: '%s' is no subnet", n->name,
                               json_get_str_or(config, "Subnet", ""));
        p = &n->pool[subnet.family == AF_INET ? 0 : 1];
        if (p->subnet.family)
                return NULL; /* addresses are given out of the first of a family */
        p->subnet = p->range = subnet;
        if (json_get_str(config, "IPRange") && !endpoint_address_parse(json_get_str(config, "IPRange"), &p->range))
                return err_new(ERR_CORRUPT, "network %s: bad range", n->name);
        if (json_get_str(config, "Gateway") && endpoint_address_parse(json_get_str(config, "Gateway"), &p->gateway))
                p->gateway.prefix = subnet.prefix;
        JSON_EACH (json_get(config, "AuxiliaryAddresses"), it)
                if (p->n_aux < NETWORK_AUX && json_str(it.value) &&
                    endpoint_address_parse(json_str(it.value), &p->aux[p->n_aux]))
                        p->n_aux++;
        return NULL;
}

static void read_link(struct network *n)
{
        const char *name = network_option(n, "parent");

        if (str_eq(n->driver, "bridge")) {
                name = network_option(n, OPTION_BRIDGE_NAME);
                if (n->predefined)
                        name = name ? name : NETWORK_DEFAULT_LINK;
                else if (!name)
                        (void)snprintf(n->link, sizeof(n->link), "br-%.12s", n->id); /* as docker names them */
        } else if (network_on_parent(n) && !name) {
                (void)snprintf(n->link, sizeof(n->link), "dm-%.12s", n->id); /* as docker names them, too */
                n->internal = true;
        }
        if (name)
                (void)snprintf(n->link, sizeof(n->link), "%s", name);
}

static void read_mode(struct network *n)
{
        const char *mode = network_option(n, "mode"), *flag = NULL;

        if (str_eq(n->driver, "ipvlan"))
                flag = network_option(n, "ipvlan_flag");
        if (str_eq(flag, "bridge")) /* is what there is without */
                flag = NULL;

        if (str_eq(n->driver, "macvlan"))
                mode = network_option(n, "macvlan_mode") ? network_option(n, "macvlan_mode") : mode ? mode : "bridge";
        if (str_eq(n->driver, "ipvlan"))
                mode = network_option(n, "ipvlan_mode") ? network_option(n, "ipvlan_mode") : mode ? mode : "l2";
        (void)snprintf(n->mode, sizeof(n->mode), "%s%s%s", mode ? mode : "", flag ? "-" : "", flag ? flag : "");
}

static void read_gateways(struct network *n)
{
        static const int families[LINK_ADDRESSES] = {AF_INET, AF_INET6};
        const char *binding = network_option(n, OPTION_HOST_BINDING);

        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                const char *mode = network_options_gateway_mode(json_get(n->doc, "Options"), families[i]);

                n->unprotected[i] = str_eq(mode, "nat-unprotected");
                n->routed[i] = str_eq(mode, "routed");
                n->isolated[i] = str_eq(mode, "isolated");
        }
        n->inhibit_ipv4 = option_bool(n, OPTION_INHIBIT_IPV4, false);
        if (binding && !str_eq(binding, "0.0.0.0") && !str_eq(binding, "::"))
                (void)endpoint_address_parse(binding, &n->host_binding);
}

static err *read_doc(struct network *n)
{
        const json *configs = json_path(n->doc, "IPAM.Config");
        uint64_t mtu = 0;

        n->id = str_dup(json_get_str_or(n->doc, "Id", ""));
        n->name = str_dup(json_get_str_or(n->doc, "Name", ""));
        n->driver = str_dup(json_get_str_or(n->doc, "Driver", ""));
        if (!n->id || !n->name || !n->driver)
                return err_nomem();
        if (!id_valid(n->id) || str_empty(n->name))
                return err_new(ERR_CORRUPT, "a network's document has no id or no name");
        for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
                n->predefined |= str_eq(n->name, predefined[i].name);
        n->internal = json_get_bool(n->doc, "Internal", false);
        n->configured = json_get_bool(n->doc, "HodConfigured", false);
        n->masquerade = option_bool(n, OPTION_MASQUERADE, true) && !n->internal;
        n->icc = option_bool(n, OPTION_ICC, true);
        n->guard = option_bool(n, OPTION_GUARD, true);
        if (network_option(n, OPTION_MTU) && parse_u64(network_option(n, OPTION_MTU), &mtu))
                n->mtu = (unsigned)mtu;
        read_link(n);
        read_mode(n);
        read_gateways(n);
        for (size_t i = 0; i < json_len(configs); i++)
                TRY(read_pool(json_at(configs, i), n));
        return NULL;
}

err *network_from_doc(json *doc, struct network **ret)
{
        _cleanup_network_ struct network *n = MEM_NEW0(struct network, 1);

        if (!n) {
                json_free(doc);
                return err_nomem();
        }
        n->doc = doc;
        TRY(read_doc(n));
        *ret = TAKE_PTR(n);
        return NULL;
}

void network_firewall(const struct network *n, struct firewall_network *ret)
{
        *ret = (struct firewall_network){
                .bridge = n->link,
                .trusted = network_option(n, OPTION_TRUSTED),
                .own = n->predefined || !network_option(n, OPTION_BRIDGE_NAME),
                .masquerade = n->masquerade,
                .internal = n->internal,
                .icc = n->icc,
        };
        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                ret->subnet[i] = n->pool[i].subnet;
                if (i || !n->inhibit_ipv4)
                        ret->gateway[i] = n->pool[i].gateway;
                ret->routed[i] = n->routed[i];
                ret->unprotected[i] = n->unprotected[i] && n->pool[i].subnet.family;
        }
}

/* ---- the directory ---- */

static err *open_directory(int at, int *ret)
{
        int fd;

        if (mkdirat(at, "networks", 0700) < 0 && errno != EEXIST)
                return err_sys(errno, "making the directory of the networks");
        fd = file_open_beneath(at, "networks", O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return err_sys(fd, "opening the directory of the networks");
        *ret = fd;
        return NULL;
}

err *networks_open(int root_fd, int state_fd, const char *default_link, struct networks **ret)
{
        _cleanup_networks_ struct networks *s = MEM_NEW0(struct networks, 1);

        if (!s)
                return err_nomem();
        s->root_fd = s->state_fd = -1;
        (void)snprintf(s->default_link, sizeof(s->default_link), "%s",
                       default_link ? default_link : NETWORK_DEFAULT_LINK);
        TRY(open_directory(root_fd, &s->root_fd));
        TRY(open_directory(state_fd, &s->state_fd));
        *ret = TAKE_PTR(s);
        return NULL;
}

void networks_close(struct networks *s)
{
        if (!s)
                return;
        s->root_fd = file_close(s->root_fd);
        s->state_fd = file_close(s->state_fd);
        free(s);
}

err *network_save(struct networks *s, const struct network *n)
{
        _cleanup_free_ char *text = NULL;
        char name[ID_LEN + 6];
        int r;

        TRY(json_print(n->doc, JSON_COMPACT, &text));
        (void)snprintf(name, sizeof(name), "%s.json", n->id);
        r = file_replace_locked(s->root_fd, name, text, strlen(text), 0600, FILE_DURABLE);
        return r < 0 ? err_sys(r, "writing network %s", n->name) : NULL;
}

static err *load(struct networks *s, const char *file, struct network **ret)
{
        _cleanup_network_ struct network *n = NULL;
        json *doc;

        TRY(json_read(s->root_fd, file, &doc));
        TRY_WRAP(network_from_doc(doc, &n), "%s", file);
        if (!str_starts(file, n->id)) /* a copy: whoever removed the network would not remove it */
                return err_new(ERR_CORRUPT, "%s: it is the document of network %.12s", file, n->id);
        *ret = TAKE_PTR(n);
        return NULL;
}

/* The same on every machine, so that it can be opened without a search. */
static void predefined_id(const char *name, char ret[ID_LEN + 1])
{
        char text[64];

        (void)snprintf(text, sizeof(text), "hod network %s", name);
        sha256_hex(text, strlen(text), ret);
}

static err *make_predefined(const struct networks *s, const char *name, const char *driver, struct network **ret)
{
        json *doc = json_new_object(), *ipam;
        char id[ID_LEN + 1];

        predefined_id(name, id);
        json_set_str(doc, "Name", name);
        json_set_str(doc, "Id", id);
        json_set_str(doc, "Created", "0001-01-01T00:00:00Z");
        json_set_str(doc, "Scope", "local");
        json_set_str(doc, "Driver", driver);
        json_set_bool(doc, "EnableIPv4", true);
        json_set_bool(doc, "EnableIPv6", false);
        ipam = json_sub_object(doc, "IPAM");
        json_set_str(ipam, "Driver", "default");
        json_set(ipam, "Options", NULL);
        (void)json_sub_array(ipam, "Config");
        json_set_bool(doc, "Internal", false);
        json_set_bool(doc, "Attachable", false);
        json_set_bool(doc, "Ingress", false);
        json_set_str(json_sub_object(doc, "ConfigFrom"), "Network", "");
        json_set_bool(doc, "ConfigOnly", false);
        if (str_eq(driver, "bridge"))
                json_set_str(json_sub_object(doc, "Options"), OPTION_BRIDGE_NAME, s->default_link);
        (void)json_sub_object(doc, "Options");
        (void)json_sub_object(doc, "Labels");
        return network_from_doc(doc, ret);
}

static err *find_predefined(struct networks *s, const char *ref, struct network **ret)
{
        char file[ID_LEN + 6], id[ID_LEN + 1];
        err *e;

        *ret = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(predefined); i++) {
                predefined_id(predefined[i].name, id);
                if (!str_eq(ref, predefined[i].name) && !str_eq(ref, id))
                        continue;
                (void)snprintf(file, sizeof(file), "%s.json", id);
                e = str_eq(predefined[i].driver, "bridge") ? load(s, file, ret) : err_new(ERR_NOT_FOUND, "-");
                if (err_code(e) != ERR_NOT_FOUND)
                        return err_wrap(e, "the default network cannot be used: its file is damaged (`hod system "
                                           "check --repair` removes it)");
                err_free(e);
                return make_predefined(s, predefined[i].name, predefined[i].driver, ret);
        }
        return NULL;
}

static err *add(struct network_list *list, struct network *one)
{
        if (mem_grow(&list->items, list->n, sizeof(*list->items)) < 0) {
                network_free(one);
                return err_nomem();
        }
        list->items[list->n++] = one;
        return NULL;
}

/* Is it the document, and not the moment or the disk, that is to blame? What is damaged may be removed. */
static bool is_damage(const err *e)
{
        int r = err_errno(e);

        return err_code(e) != ERR_NOMEM && (err_code(e) != ERR_SYS || r == EISDIR || r == ELOOP);
}

/* A network that cannot be used is left out: the others can be. */
static err *leave_out(struct networks *s, const char *id, bool damage, err *e)
{
        if (s->told)
                return err_free(e);
        if (damage)
                e = err_wrap(e, "a network is left out, its file is damaged (`hod network rm %s` removes it)", id);
        else
                e = err_wrap(e, "network %.12s is left out", id);
        log_error_free(LOG_LEVEL_WARN, e);
        return NULL;
}

/* Of @file, which could not be loaded. */
static err *not_loaded(struct networks *s, const char *file, err *e, char ***ret_damaged)
{
        _cleanup_free_ char *id = NULL;
        bool damage = is_damage(e);

        if (err_code(e) == ERR_NOT_FOUND) /* removed meanwhile */
                return err_free(e);
        if (!damage && err_errno(e) != EIO)
                return e;
        id = strndup(file, strlen(file) - strlen(ENDING));
        if (!id) {
                err_free(e);
                return err_nomem();
        }
        if (!ret_damaged)
                return leave_out(s, id, damage, e);
        err_free(e);
        return damage ? strv_add(ret_damaged, id) : NULL;
}

/* @ret_damaged: NULL = they are warned of, once. */
static err *read_all(struct networks *s, struct network_list *list, char ***ret_damaged)
{
        int fd = openat(s->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);
        err *e = NULL;

        if (!d) {
                int r = errno;

                (void)file_close(fd);
                return err_sys(r, "reading the networks");
        }
        for (struct dirent *x; !e && (x = readdir(d));) {
                struct network *one = NULL;

                if (!str_ends(x->d_name, ENDING))
                        continue;
                e = load(s, x->d_name, &one);
                e = e ? not_loaded(s, x->d_name, e, ret_damaged) : add(list, one);
        }
        (void)closedir(d);
        s->told |= !ret_damaged;
        return e;
}

err *network_list_damaged(struct networks *s, char ***ret)
{
        _cleanup_network_list_ struct network_list list = {0};

        return read_all(s, &list, ret);
}

static int by_name(const void *a, const void *b)
{
        return strcmp((*(struct network *const *)a)->name, (*(struct network *const *)b)->name);
}

static bool has_name(const struct network_list *list, const char *name)
{
        for (size_t i = 0; i < list->n; i++)
                if (str_eq(list->items[i]->name, name))
                        return true;
        return false;
}

err *network_list(struct networks *s, struct network_list *ret)
{
        _cleanup_network_list_ struct network_list list = {0};

        TRY(read_all(s, &list, NULL));
        for (size_t i = 0; i < ARRAY_SIZE(predefined); i++) {
                struct network *one;

                if (has_name(&list, predefined[i].name))
                        continue;
                TRY(make_predefined(s, predefined[i].name, predefined[i].driver, &one));
                TRY(add(&list, one));
        }
        qsort(list.items, list.n, sizeof(*list.items), by_name);
        *ret = list;
        list = (struct network_list){0};
        return NULL;
}

err *network_find(struct networks *s, const char *ref, struct network **ret)
{
        _cleanup_network_list_ struct network_list list = {0};
        struct network **found = NULL;

        if (str_empty(ref))
                return err_new(ERR_INVALID, "invalid network name or ID: value is empty");
        TRY(find_predefined(s, ref, ret));
        if (*ret)
                return NULL;
        TRY(network_list(s, &list));
        for (size_t i = 0; i < list.n; i++) /* names win, then whole ids */
                if (str_eq(list.items[i]->name, ref) || (!found && str_eq(list.items[i]->id, ref)))
                        found = &list.items[i];
        if (!found && id_prefix_valid(ref))
                for (size_t i = 0; i < list.n; i++) {
                        if (!str_starts(list.items[i]->id, ref))
                                continue;
                        if (found)
                                return err_new(ERR_CONFLICT, "network %s is ambiguous (2 matches found on ID prefix)",
                                               ref);
                        found = &list.items[i];
                }
        if (!found)
                return err_new(ERR_NOT_FOUND, "network %s not found", ref);
        *ret = TAKE_PTR(*found);
        return NULL;
}

/* ---- changes ---- */

static err *lock(struct networks *s, int *ret)
{
        int fd = file_lock(s->root_fd, LOCK, false);

        if (fd < 0)
                return err_sys(fd, "locking the networks");
        *ret = fd;
        return NULL;
}

err *network_create(struct networks *s, const json *wanted, char **ret_id)
{
        _cleanup_network_list_ struct network_list others = {0};
        _cleanup_network_ struct network *made = NULL;
        _cleanup_json_ json *doc = NULL;
        _cleanup_close_ int held = -1;

        TRY(json_copy((json *)wanted, &doc));
        TRY(lock(s, &held));
        TRY(network_list(s, &others));
        TRY(network_complete(doc, &others));
        TRY(network_from_doc(TAKE_PTR(doc), &made));
        TRY(network_save(s, made));
        *ret_id = TAKE_PTR(made->id);
        return NULL;
}

err *network_forget(struct networks *s, const struct network *n)
{
        char file[ID_LEN + 6], name[ID_LEN + 16];

        if (n->predefined)
                return err_new(ERR_DENIED, "%s is a pre-defined network and cannot be removed", n->name);
        (void)snprintf(file, sizeof(file), "%s.json", n->id);
        (void)snprintf(name, sizeof(name), FILE_NEW_FORMAT, file);
        (void)unlinkat(s->root_fd, name, 0);
        if (unlinkat(s->root_fd, file, 0) < 0 && errno != ENOENT)
                return err_sys(errno, "removing network %s", n->name);
        if (fsync(s->root_fd) < 0)
                return err_sys(errno, "removing network %s", n->name);
        return NULL;
}

static err *settle(struct networks *s, struct network *n)
{
        _cleanup_network_list_ struct network_list others = {0};
        char text[ENDPOINT_ADDRESS_MAX];
        struct link_address subnet;
        json *config;

        TRY(network_list(s, &others));
        TRY(network_choose_subnet(AF_INET, &others, n->link, &subnet));
        config = json_new_object();
        json_set_str(config, "Subnet", endpoint_address_text(&subnet, true, text));
        n->pool[0].subnet = n->pool[0].range = subnet;
        n->pool[0].gateway = address_add(&subnet, 1);
        json_set_str(config, "Gateway", endpoint_address_text(&n->pool[0].gateway, false, text));
        json_add(json_sub_array(json_sub_object(n->doc, "IPAM"), "Config"), config);
        return network_save(s, n);
}

err *network_settle(struct networks *s, struct network *n)
{
        _cleanup_network_ struct network *now = NULL;
        _cleanup_close_ int held = -1;

        if (!n->predefined || !str_eq(n->driver, "bridge") || n->pool[0].subnet.family)
                return NULL;
        TRY(lock(s, &held));
        TRY(find_predefined(s, NETWORK_DEFAULT, &now));
        if (!now->pool[0].subnet.family)
                TRY(settle(s, now));
        memcpy(n->pool, now->pool, sizeof(n->pool));
        json_free(n->doc);
        n->doc = TAKE_PTR(now->doc);
        return NULL;
}
