/* endpoint.c - see endpoint.h. */
#include "sys/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "sys/netlink.h"

static const char *const kinds[] = {"bridge", "macvlan", "ipvlan"};

/* ---- addresses ---- */

const char *endpoint_address_text(const struct link_address *a, bool prefix, char buf[ENDPOINT_ADDRESS_MAX])
{
        char text[INET6_ADDRSTRLEN] = "";

        buf[0] = '\0';
        if (!a->family || !inet_ntop(a->family, a->data, text, sizeof(text)))
                return buf;
        if (prefix)
                (void)snprintf(buf, ENDPOINT_ADDRESS_MAX, "%s/%u", text, a->prefix);
        else
                (void)snprintf(buf, ENDPOINT_ADDRESS_MAX, "%s", text);
        return buf;
}

bool endpoint_address_is_any(const struct link_address *a)
{
        static const unsigned char any[sizeof(a->data)];

        return memcmp(a->data, any, sizeof(any)) == 0;
}

bool endpoint_address_is_loopback(const struct link_address *a)
{
        static const unsigned char one[sizeof(a->data)] = {[15] = 1};

        return (a->family == AF_INET && a->data[0] == 127) ||
               (a->family == AF_INET6 && memcmp(a->data, one, sizeof(one)) == 0);
}

bool endpoint_address_parse(const char *text, struct link_address *ret)
{
        size_t n = strcspn(text, "/");
        struct link_address a = {0};
        char part[INET6_ADDRSTRLEN];
        uint64_t prefix, most;

        if (n >= sizeof(part))
                return false;
        memcpy(part, text, n);
        part[n] = '\0';
        if (inet_pton(AF_INET, part, a.data) == 1)
                a.family = AF_INET;
        else if (inet_pton(AF_INET6, part, a.data) == 1)
                a.family = AF_INET6;
        else
                return false;
        most = a.family == AF_INET ? 32 : 128;
        prefix = most;
        if (text[n] == '/' && (!parse_u64(text + n + 1, &prefix) || prefix > most ||
                               (text[n + 1] == '0' && text[n + 2]))) /* other programs take 024 for an octal number */
                return false;
        a.prefix = (unsigned char)prefix;
        *ret = a;
        return true;
}

/* ---- the line ---- */

static void add_word(struct str *s, const char *key, const char *value)
{
        str_printf(s, "%s%s=%s", s->len ? " " : "", key, value);
}

err *endpoint_format(const struct endpoint *e, char **ret)
{
        char to[ENDPOINT_ADDRESS_MAX], via[ENDPOINT_ADDRESS_MAX];
        _cleanup_str_ struct str s = {0};

        add_word(&s, "kind", kinds[e->kind]);
        add_word(&s, "parent", e->parent);
        if (e->host_name[0])
                add_word(&s, "host", e->host_name);
        add_word(&s, "name", e->name);
        if (e->mode[0])
                add_word(&s, "mode", e->mode);
        if (e->mtu)
                str_printf(&s, " mtu=%u", e->mtu);
        str_printf(&s, " mac=%02x:%02x:%02x:%02x:%02x:%02x", e->mac[0], e->mac[1], e->mac[2], e->mac[3], e->mac[4],
                   e->mac[5]);
        if (e->ipv6)
                add_word(&s, "ipv6", "1");
        if (e->isolated)
                add_word(&s, "isolated", "1");
        if (e->hairpin)
                add_word(&s, "hairpin", "1");
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (e->address[i].family)
                        add_word(&s, "ip", endpoint_address_text(&e->address[i], true, to));
        for (unsigned i = 0; i < e->n_extra; i++)
                add_word(&s, "extra", endpoint_address_text(&e->extra[i], true, to));
        if (e->sysctls[0])
                add_word(&s, "sysctls", e->sysctls);
        for (unsigned i = 0; i < e->n_routes; i++)
                str_printf(&s, " route=%s,%s,%u", endpoint_address_text(&e->route[i].to, true, to),
                           endpoint_address_text(&e->route[i].via, false, via), e->route[i].metric);
        return str_take(&s, ret);
}

static bool copy(char *to, size_t size, const char *from)
{
        size_t n = strlen(from);

        if (n >= size)
                return false;
        memcpy(to, from, n + 1);
        return true;
}

static bool read_kind(const char *value, enum endpoint_kind *ret)
{
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (str_eq(kinds[i], value)) {
                        *ret = (enum endpoint_kind)i;
                        return true;
                }
        return false;
}

static int digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool endpoint_mac_parse(const char *value, unsigned char ret[6])
{
        if (strlen(value) != 17)
                return false;
        for (int i = 0; i < 6; i++) {
                int high = digit(value[3 * i]), low = digit(value[3 * i + 1]);

                if (high < 0 || low < 0 || (i < 5 && value[3 * i + 2] != ':'))
                        return false;
                ret[i] = (unsigned char)(high << 4 | low);
        }
        return true;
}

static bool read_ip(const char *value, struct endpoint *e)
{
        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (!e->address[i].family)
                        return endpoint_address_parse(value, &e->address[i]);
        return false;
}

static bool read_extra(const char *value, struct endpoint *e)
{
        return e->n_extra < ENDPOINT_EXTRA && endpoint_address_parse(value, &e->extra[e->n_extra++]);
}

/* TO,VIA,METRIC; TO or VIA may be empty. */
static bool read_route(char *value, struct endpoint *e)
{
        struct link_route *r = &e->route[e->n_routes];
        char *via = strchr(value, ','), *metric = via ? strchr(via + 1, ',') : NULL;
        uint64_t number;

        if (!metric || e->n_routes == ENDPOINT_ROUTES)
                return false;
        *via++ = '\0';
        *metric++ = '\0';
        if ((*value && !endpoint_address_parse(value, &r->to)) || (*via && !endpoint_address_parse(via, &r->via)) ||
            !parse_u64(metric, &number) || number > UINT32_MAX)
                return false;
        r->metric = (uint32_t)number;
        e->n_routes++;
        return true;
}

static bool read_word(const char *key, char *value, struct endpoint *e)
{
        uint64_t number;

        if (str_eq(key, "kind"))
                return read_kind(value, &e->kind);
        if (str_eq(key, "parent"))
                return copy(e->parent, sizeof(e->parent), value);
        if (str_eq(key, "host"))
                return copy(e->host_name, sizeof(e->host_name), value);
        if (str_eq(key, "name"))
                return copy(e->name, sizeof(e->name), value);
        if (str_eq(key, "mode"))
                return copy(e->mode, sizeof(e->mode), value);
        if (str_eq(key, "mac"))
                return endpoint_mac_parse(value, e->mac);
        if (str_eq(key, "ip"))
                return read_ip(value, e);
        if (str_eq(key, "sysctls"))
                return copy(e->sysctls, sizeof(e->sysctls), value);
        if (str_eq(key, "extra"))
                return read_extra(value, e);
        if (str_eq(key, "route"))
                return read_route(value, e);
        e->ipv6 |= str_eq(key, "ipv6");
        e->isolated |= str_eq(key, "isolated");
        e->hairpin |= str_eq(key, "hairpin");
        if (!str_eq(key, "mtu"))
                return true;
        if (!parse_u64(value, &number) || number > UINT16_MAX)
                return false;
        e->mtu = (unsigned)number;
        return true;
}

err *endpoint_parse(const char *text, struct endpoint *ret)
{
        _cleanup_free_ char *copied = str_dup(text);
        struct endpoint e = {0};
        char *rest = copied, *word;

        if (!copied)
                return err_nomem();
        while ((word = strsep(&rest, " "))) {
                char *value = strchr(word, '=');

                if (!*word)
                        continue;
                if (value)
                        *value++ = '\0';
                if (!value || !read_word(word, value, &e))
                        return err_new(ERR_CORRUPT, "network endpoint '%s': '%s' is not understood", text, word);
        }
        if (!e.parent[0] || !e.name[0])
                return err_new(ERR_CORRUPT, "network endpoint '%s' is incomplete", text);
        *ret = e;
        return NULL;
}

/* ---- making it ---- */

void endpoint_by_family(const struct link_address address[LINK_ADDRESSES], struct link_address ret[LINK_ADDRESSES])
{
        struct link_address sorted[LINK_ADDRESSES] = {0};

        for (unsigned i = 0; i < LINK_ADDRESSES; i++)
                if (address[i].family)
                        sorted[address[i].family == AF_INET6] = address[i];
        memcpy(ret, sorted, sizeof(sorted));
}

err *endpoint_make(const struct endpoint *e, int ns)
{
        _cleanup_close_ int host = netlink_open(NETLINK_ROUTE), there = netlink_open_in(ns, NETLINK_ROUTE);
        struct link_endpoint l = {
                .host_name = e->host_name,
                .name = e->name,
                .mtu = e->mtu,
                .ipv6 = e->ipv6,
                .isolated = e->isolated,
                .hairpin = e->hairpin,
                .sysctls = e->sysctls,
                .extra = e->extra,
                .n_extra = e->n_extra,
                .route = (struct link_route *)e->route,
                .n_routes = e->n_routes,
        };
        err *error;
        int parent;

        if (host < 0 || there < 0)
                return err_sys(host < 0 ? -host : -there, "opening a netlink socket");
        memcpy(l.mac, e->mac, sizeof(l.mac));
        memcpy(l.address, e->address, sizeof(l.address));
        parent = link_index(host, e->parent);
        if (parent == -ENODEV)
                return err_new(ERR_NOT_FOUND, "network device %s is not there", e->parent);
        if (parent < 0)
                return err_sys(-parent, "finding network device %s", e->parent);
        if (e->kind != ENDPOINT_BRIDGE)
                return link_endpoint_sub(host, ns, there, &l, parent, kinds[e->kind], e->mode);
        l.bridge = parent;
        error = link_endpoint_make(host, ns, there, &l);
        if (err_code(error) != ERR_CONFLICT)
                return error;
        /* The pair of the last run (restart policy), whose namespace the kernel has not taken apart yet. */
        err_free(error);
        TRY(link_delete(host, e->host_name));
        return link_endpoint_make(host, ns, there, &l);
}

err *endpoint_reroute(const struct endpoint *e, int ns)
{
        _cleanup_close_ int there = netlink_open_in(ns, NETLINK_ROUTE);
        int r = there < 0 ? there : link_routes(there, e->name, e->route, e->n_routes);

        return r < 0 ? err_sys(-r, "setting the routes by network device %s of the container", e->name) : NULL;
}

/* Its name inside may have been changed; the device that it is on has not. */
static err *unmake_sub(const struct endpoint *e, int ns, unsigned others)
{
        _cleanup_close_ int host = netlink_open(NETLINK_ROUTE), there = netlink_open_in(ns, NETLINK_ROUTE);
        int parent;

        if (host < 0 || there < 0)
                return err_sys(host < 0 ? -host : -there, "opening a netlink socket");
        parent = link_index(host, e->parent);
        return parent < 0 ? link_delete(there, e->name) /* renamed, or gone with all that was on it */
                          : link_sub_delete(there, parent, kinds[e->kind], e->name, e->mac, others);
}

err *endpoint_unmake(const struct endpoint *e, int ns, unsigned others)
{
        _cleanup_close_ int fd = -1;

        if (e->kind != ENDPOINT_BRIDGE)
                return ns < 0 ? NULL : unmake_sub(e, ns, others);
        /* The host's end of a pair has a name that is nobody else's; that inside may have been changed. */
        fd = netlink_open(NETLINK_ROUTE);
        return fd < 0 ? err_sys(-fd, "opening a netlink socket") : link_delete(fd, e->host_name);
}

err *endpoint_name_taken(int ns, const char *name, bool *ret)
{
        _cleanup_close_ int there = netlink_open_in(ns, NETLINK_ROUTE);
        int r = there < 0 ? there : link_index(there, name);

        if (r < 0 && r != -ENODEV)
                return err_sys(-r, "looking for network device %s in the container", name);
        *ret = r != -ENODEV;
        return NULL;
}
