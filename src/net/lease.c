/* lease.c - see lease.h. */
#include "net/lease.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "net/address.h"
#include "net/network_private.h"
#include "sys/endpoint.h"

#define FILE_MAX (16u << 20)
#define FIELDS 8

void lease_done(struct lease *l)
{
        free(l->name);
        free(l->line);
        strv_free(l->names);
        *l = (struct lease){0};
}

void lease_list_done(struct lease_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                lease_done(&l->items[i]);
        free(l->items);
        *l = (struct lease_list){0};
}

void lease_list_drop(struct lease_list *l, size_t i)
{
        lease_done(&l->items[i]);
        memmove(&l->items[i], &l->items[i + 1], (l->n - i - 1) * sizeof(*l->items));
        l->n--;
}

/* ---- lines ---- */

err *lease_format(const struct lease *l, char **ret)
{
        char four[ENDPOINT_ADDRESS_MAX], six[ENDPOINT_ADDRESS_MAX];
        const unsigned char *m = l->mac;
        _cleanup_str_ struct str s = {0};

        str_printf(&s, "%s %s %s %s %02x:%02x:%02x:%02x:%02x:%02x %s %s ", l->container, l->endpoint,
                   l->address[0].family ? endpoint_address_text(&l->address[0], true, four) : "-",
                   l->address[1].family ? endpoint_address_text(&l->address[1], true, six) : "-", m[0], m[1], m[2],
                   m[3], m[4], m[5], l->link[0] ? l->link : "-", l->name);
        for (size_t i = 0; l->names && l->names[i]; i++)
                str_printf(&s, "%s%s", i ? "," : "", l->names[i]);
        if (!l->names || !l->names[0])
                str_add(&s, "-");
        return str_take(&s, ret);
}

static bool read_address(const char *text, struct link_address *ret)
{
        *ret = (struct link_address){0};
        return str_eq(text, "-") || endpoint_address_parse(text, ret);
}

static bool read_fields(char *const *f, struct lease *l)
{
        if (strv_len(f) != FIELDS || !id_valid(f[0]) || !id_valid(f[1]) || !read_address(f[2], &l->address[0]) ||
            !read_address(f[3], &l->address[1]) || !endpoint_mac_parse(f[4], l->mac) || strlen(f[5]) > LINK_NAME_MAX)
                return false;
        memcpy(l->container, f[0], sizeof(l->container));
        memcpy(l->endpoint, f[1], sizeof(l->endpoint));
        if (!str_eq(f[5], "-"))
                memcpy(l->link, f[5], strlen(f[5]) + 1);
        return true;
}

err *lease_parse(const char *line, struct lease *ret)
{
        _cleanup_lease_ struct lease l = {0};
        _cleanup_strv_ char **f = NULL;

        TRY(strv_split(line, ' ', &f));
        if (!read_fields(f, &l))
                return err_new(ERR_CORRUPT, "a lease is damaged: '%s'", line);
        l.name = str_dup(f[6]);
        if (!l.name)
                return err_nomem();
        if (!str_eq(f[7], "-"))
                TRY(strv_split(f[7], ',', &l.names));
        *ret = l;
        l = (struct lease){0};
        return NULL;
}

/* ---- the file ---- */

/* A line that is damaged is nobody's: the next change leaves it out. */
static err *damaged(struct networks *s, const char *network_id, err *e)
{
        if (err_code(e) == ERR_NOMEM)
                return e;
        if (!s->told_lease)
                log_error_free(LOG_LEVEL_WARN, err_wrap(e,
                                                        "addresses of a network are lost: file networks/%s of the "
                                                        "state directory",
                                                        network_id));
        else
                err_free(e);
        s->told_lease = true;
        return NULL;
}

static err *parse_all(struct networks *s, const char *network_id, char *text, struct lease_list *ret)
{
        _cleanup_lease_list_ struct lease_list list = {0};

        for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
                err *e;

                if (!*line)
                        continue;
                if (mem_grow(&list.items, list.n, sizeof(*list.items)) < 0)
                        return err_nomem();
                e = lease_parse(line, &list.items[list.n]);
                list.n += !e;
                if (!e && !(list.items[list.n - 1].line = str_dup(line)))
                        return err_nomem();
                if (e)
                        TRY(damaged(s, network_id, e));
        }
        *ret = list;
        list = (struct lease_list){0};
        return NULL;
}

err *lease_list(struct networks *s, const char *network_id, struct lease_list *ret)
{
        _cleanup_free_ char *text = NULL;
        int r = file_read(s->state_fd, network_id, FILE_MAX, &text, NULL);

        *ret = (struct lease_list){0};
        if (r == -ENOENT)
                return NULL;
        if (r < 0)
                return err_sys(r, "reading the addresses of network %.12s", network_id);
        return parse_all(s, network_id, text, ret);
}

static err *write_all(struct networks *s, const char *network_id, const struct lease_list *list)
{
        _cleanup_str_ struct str text = {0};
        int r;

        for (size_t i = 0; i < list->n; i++) {
                _cleanup_free_ char *line = NULL;

                if (!list->items[i].line)
                        TRY(lease_format(&list->items[i], &line));
                str_add(&text, line ? line : list->items[i].line);
                str_add_char(&text, '\n');
        }
        TRY(str_done(&text));
        r = file_replace_locked(s->state_fd, network_id, str_text(&text), text.len, 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(r, "writing the addresses of network %.12s", network_id) : NULL;
}

static err *lock(struct networks *s, const char *network_id, int *ret)
{
        char name[ID_LEN + 6];
        int fd;

        (void)snprintf(name, sizeof(name), "%s.lock", network_id);
        fd = file_lock(s->state_fd, name, false);
        if (fd < 0)
                return err_sys(fd, "locking network %.12s", network_id);
        *ret = fd;
        return NULL;
}

err *lease_hold(struct networks *s, const char *network_id, bool alone, int *ret_lock)
{
        char name[ID_LEN + 6];
        int fd;

        (void)snprintf(name, sizeof(name), "%s.use", network_id);
        fd = file_lock(s->state_fd, name, !alone);
        if (fd < 0)
                return err_sys(fd, "locking network %.12s", network_id);
        *ret_lock = fd;
        return NULL;
}

/* ---- choosing ---- */

/* Who has the address? t->n = nobody. */
static size_t holder(const struct lease_list *t, const struct link_address *a)
{
        unsigned k = a->family == AF_INET ? 0 : 1;

        for (size_t i = 0; i < t->n; i++)
                if (t->items[i].address[k].family && address_compare(&t->items[i].address[k], a) == 0)
                        return i;
        return t->n;
}

/* Take the line of a container that has ended away; true when the address is free then. */
static bool make_free(struct lease_list *t, const struct link_address *a, const struct lease_request *r)
{
        size_t i = holder(t, a);

        if (i == t->n)
                return true;
        if (!r->lives || r->lives(t->items[i].container, r->arg))
                return false;
        lease_list_drop(t, i);
        return true;
}

static bool reserved(const struct network_pool *p, const struct link_address *a)
{
        struct link_address last = address_last(&p->subnet);

        if (address_compare(&p->subnet, a) == 0 || (p->gateway.family && address_compare(&p->gateway, a) == 0) ||
            (a->family == AF_INET && address_compare(&last, a) == 0))
                return true;
        for (unsigned i = 0; i < p->n_aux; i++)
                if (p->aux[i].family == a->family && address_compare(&p->aux[i], a) == 0)
                        return true;
        return false;
}

static int by_address(const void *a, const void *b)
{
        return address_compare(a, b);
}

/* The lowest free one: walk along the sorted ones that are taken. */
static err *lowest(const struct lease_list *t, const struct network_pool *p, struct link_address *ret)
{
        struct link_address last = address_last(&p->range), at = p->range;
        unsigned k = p->subnet.family == AF_INET ? 0 : 1;
        _cleanup_free_ struct link_address *used = MEM_NEW0(struct link_address, t->n + 1);
        char text[ENDPOINT_ADDRESS_MAX];
        size_t n = 0, i = 0;

        if (!used)
                return err_nomem();
        for (size_t x = 0; x < t->n; x++)
                if (t->items[x].address[k].family)
                        used[n++] = t->items[x].address[k];
        if (n)
                qsort(used, n, sizeof(*used), by_address);
        for (;; at = address_add(&at, 1)) {
                while (i < n && address_compare(&used[i], &at) < 0)
                        i++;
                if ((i == n || address_compare(&used[i], &at) != 0) && !reserved(p, &at)) {
                        *ret = at;
                        return NULL;
                }
                if (address_compare(&at, &last) == 0)
                        return err_new(ERR_CONFLICT, "no available %s addresses on this network's address pools: %s",
                                       k ? "IPv6" : "IPv4", endpoint_address_text(&p->range, true, text));
        }
}

/* Lines of containers that have ended; only when the pool is exhausted, because each is asked about. */
static void drop_dead(struct lease_list *t, const struct lease_request *r)
{
        for (size_t i = t->n; r->lives && i-- > 0;)
                if (!r->lives(t->items[i].container, r->arg))
                        lease_list_drop(t, i);
}

static err *choose(struct lease_list *t, const struct network *n, unsigned k, const struct lease_request *r,
                   struct link_address *ret)
{
        const struct network_pool *p = &n->pool[k];
        struct link_address a = r->wanted[k];
        char text[ENDPOINT_ADDRESS_MAX];
        err *e = NULL;

        if (!a.family) {
                e = lowest(t, p, &a);
                if (e && r->lives) {
                        err_free(e);
                        drop_dead(t, r);
                        e = lowest(t, p, &a);
                }
        } else if (!address_within(&p->subnet, &a)) {
                e = err_new(ERR_INVALID,
                            "invalid endpoint settings: no configured subnet or ip-range contain the IP address %s",
                            endpoint_address_text(&a, false, text));
        } else if (reserved(p, &a)) {
                e = err_new(ERR_CONFLICT, "Address already in use (%s is %s)", endpoint_address_text(&a, false, text),
                            p->gateway.family && address_compare(&p->gateway, &a) == 0 ? "the gateway's"
                                                                                       : "for no container");
        } else if (!make_free(t, &a, r)) {
                e = err_new(ERR_CONFLICT, "Address already in use (%s is container %s's)",
                            endpoint_address_text(&a, false, text), t->items[holder(t, &a)].name);
        }
        TRY(e);
        a.prefix = p->subnet.prefix;
        *ret = a;
        return NULL;
}

static void name_link(struct lease *l)
{
        (void)snprintf(l->link, sizeof(l->link), LEASE_LINK "%.12s", l->endpoint);
}

/* Whose link address is it? t->n = nobody's. */
static size_t mac_holder(const struct lease_list *t, const unsigned char mac[6])
{
        size_t i = 0;

        while (i < t->n && memcmp(t->items[i].mac, mac, sizeof(t->items[i].mac)) != 0)
                i++;
        return i;
}

/* One bridge cannot send to two that have the same, and what guards one of them would let the other in. */
static err *want_mac(struct lease_list *t, const struct network *n, const struct lease_request *r)
{
        const unsigned char *m = r->mac;

        for (size_t i; (i = mac_holder(t, m)) < t->n; lease_list_drop(t, i))
                if (!r->lives || r->lives(t->items[i].container, r->arg))
                        return err_new(ERR_CONFLICT,
                                       "MAC address %02x:%02x:%02x:%02x:%02x:%02x is already in use on network %s (by "
                                       "container %s)",
                                       m[0], m[1], m[2], m[3], m[4], m[5], n->name, t->items[i].name);
        return NULL;
}

/* docker's way: 02:42 and the IPv4 address, so that neighbours need not learn anew who has it. (Somebody may have asked
 * for that very one; and two IPv6 addresses may end alike.) */
static err *choose_mac(struct lease_list *t, const struct network *n, const struct lease_request *r, struct lease *l)
{
        static const unsigned char none[6] = {0};
        const unsigned char *from = l->address[0].family ? l->address[0].data : l->address[1].data + 12;

        if (memcmp(r->mac, none, sizeof(none)) != 0) {
                TRY(want_mac(t, n, r));
                memcpy(l->mac, r->mac, sizeof(none));
                return NULL;
        }
        l->mac[0] = 0x02;
        l->mac[1] = 0x42;
        memcpy(l->mac + 2, from, 4);
        for (unsigned i = 1; mac_holder(t, l->mac) < t->n && i <= UINT8_MAX; i++)
                l->mac[1]++;
        return NULL;
}

/* What is to be one word of a line. */
static err *check_name(const char *name)
{
        for (const char *p = name; *p; p++)
                if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == ',')
                        return err_new(ERR_INVALID, "'%s' cannot be a name in a network", name);
        return *name ? NULL : err_new(ERR_INVALID, "a name in a network is empty");
}

static err *fill(struct lease_list *t, const struct network *n, const struct lease_request *r, struct lease *l)
{
        int error = id_new(l->endpoint);

        if (error < 0)
                return err_sys(-error, "making an id");
        (void)snprintf(l->container, sizeof(l->container), "%s", r->container);
        for (unsigned k = 0; k < LINK_ADDRESSES; k++)
                if (n->pool[k].subnet.family)
                        TRY(choose(t, n, k, r, &l->address[k]));
        TRY(choose_mac(t, n, r, l));
        if (str_eq(n->driver, "bridge"))
                name_link(l);
        l->name = str_dup(r->name);
        if (!l->name)
                return err_nomem();
        for (size_t i = 0; r->names && r->names[i]; i++)
                TRY(strv_add(&l->names, r->names[i]));
        return NULL;
}

static err *copy(const struct lease *from, struct lease *to)
{
        *to = *from;
        to->line = NULL;
        to->names = NULL;
        to->name = str_dup(from->name);
        if (!to->name)
                return err_nomem();
        for (size_t i = 0; from->names && from->names[i]; i++)
                TRY(strv_add(&to->names, from->names[i]));
        return NULL;
}

err *lease_take(struct networks *s, const struct network *n, const struct lease_request *r, struct lease *ret)
{
        _cleanup_lease_list_ struct lease_list t = {0};
        _cleanup_lease_ struct lease mine = {0};
        _cleanup_close_ int held = -1;

        TRY(check_name(r->name));
        for (size_t i = 0; r->names && r->names[i]; i++)
                TRY(check_name(r->names[i]));
        TRY(lock(s, n->id, &held));
        TRY(lease_list(s, n->id, &t));
        for (size_t i = t.n; i-- > 0;)
                if (str_eq(t.items[i].container, r->container))
                        lease_list_drop(&t, i);
        TRY(fill(&t, n, r, &mine));
        if (mem_grow(&t.items, t.n, sizeof(*t.items)) < 0)
                return err_nomem();
        t.items[t.n] = (struct lease){0};
        TRY(copy(&mine, &t.items[t.n]));
        t.n++;
        TRY(write_all(s, n->id, &t));
        *ret = mine;
        mine = (struct lease){0};
        return NULL;
}

/* @endpoint: NULL = every one of the container. */
static err *release(struct networks *s, const char *network_id, const char *container, const char *endpoint)
{
        _cleanup_lease_list_ struct lease_list t = {0};
        _cleanup_close_ int held = -1;
        bool found = false;

        if (!file_exists(s->state_fd, network_id)) /* the lock's file would stay */
                return NULL;
        TRY(lock(s, network_id, &held));
        TRY(lease_list(s, network_id, &t));
        for (size_t i = t.n; i-- > 0;)
                if (str_eq(t.items[i].container, container) && (!endpoint || str_eq(t.items[i].endpoint, endpoint))) {
                        lease_list_drop(&t, i);
                        found = true;
                }
        return found ? write_all(s, network_id, &t) : NULL;
}

err *lease_release(struct networks *s, const char *network_id, const char *container)
{
        return release(s, network_id, container, NULL);
}

err *lease_release_endpoint(struct networks *s, const char *network_id, const struct lease *l)
{
        return release(s, network_id, l->container, l->endpoint);
}

static err *rename_one(struct lease *l, const char *name)
{
        for (char **n = l->names; n && *n; n++) {
                char *other = str_eq(*n, l->name) ? str_dup(name) : NULL;

                if (!str_eq(*n, l->name))
                        continue;
                if (!other)
                        return err_nomem();
                free(*n);
                *n = other;
        }
        free(l->line); /* not any more */
        l->line = NULL;
        free(l->name);
        l->name = str_dup(name);
        return l->name ? NULL : err_nomem();
}

err *lease_rename(struct networks *s, const char *network_id, const char *container, const char *name)
{
        _cleanup_lease_list_ struct lease_list t = {0};
        _cleanup_close_ int held = -1;
        bool found = false;

        TRY(check_name(name));
        if (!file_exists(s->state_fd, network_id))
                return NULL;
        TRY(lock(s, network_id, &held));
        TRY(lease_list(s, network_id, &t));
        for (size_t i = 0; i < t.n; i++)
                if (str_eq(t.items[i].container, container)) {
                        TRY(rename_one(&t.items[i], name));
                        found = true;
                }
        return found ? write_all(s, network_id, &t) : NULL;
}

err *lease_mend(struct networks *s, const char *network_id, bool mend, unsigned *ret_damaged)
{
        _cleanup_lease_list_ struct lease_list t = {0};
        _cleanup_close_ int held = -1;
        _cleanup_free_ char *text = NULL;
        size_t lines = 0;

        *ret_damaged = 0;
        if (!file_exists(s->state_fd, network_id))
                return NULL;
        TRY(lock(s, network_id, &held));
        TRY(lease_list(s, network_id, &t));
        if (file_read(s->state_fd, network_id, FILE_MAX, &text, NULL) < 0)
                return NULL;
        for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
                lines += *p != '\n';
        *ret_damaged = (unsigned)(lines - t.n);
        return mend && lines != t.n ? write_all(s, network_id, &t) : NULL;
}

err *lease_forget(struct networks *s, const char *network_id)
{
        static const char *const names[] = {FILE_NEW_FORMAT, "%s", "%s.lock", "%s.use"};
        char name[ID_LEN + 6];

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                (void)snprintf(name, sizeof(name), names[i], network_id);
                if (unlinkat(s->state_fd, name, 0) < 0 && errno != ENOENT)
                        return err_sys(errno, "forgetting the addresses of network %.12s", network_id);
        }
        return NULL;
}
