/* firewall.c - see firewall.h. The elements of the table; the table itself is in firewall_table.c. */
#include "net/firewall.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "net/address.h"
#include "net/firewall_private.h"

#define IDLE_TRIES 8
#define MOVE_TRIES 8

err *firewall_open(struct firewall **ret)
{
        struct firewall *f = MEM_NEW0(struct firewall, 1);

        if (!f)
                return err_nomem();
        f->fd = netlink_firewall_open();
        if (f->fd < 0) {
                int r = f->fd;

                free(f);
                return err_sys(-r, "opening a netlink socket for the firewall");
        }
        *ret = f;
        return NULL;
}

void firewall_close(struct firewall *f)
{
        if (!f)
                return;
        netlink_firewall_close(f->fd);
        free(f);
}

/* ---- networks ---- */

static const char *pick(int family, const char *four, const char *six)
{
        return family == AF_INET ? four : six;
}

/* The first address after the prefix; false when there is none (it ends the address space). */
static bool after(const struct link_address *a, unsigned char ret[16])
{
        size_t size = address_size(a->family);
        unsigned carry = 1u << ((8 - a->prefix % 8) % 8);

        memcpy(ret, a->data, size);
        for (size_t i = (a->prefix + 7u) / 8; i-- > 0 && carry;) {
                carry += ret[i];
                ret[i] = (unsigned char)carry;
                carry >>= 8;
        }
        return !carry;
}

/* A change of a network, element by element. */
struct change {
        struct nft n;
        int fd;
        bool add;
        bool each; /* every element in a transaction of its own, and what is missing is fine */
        int failed;
};

/* One element, or the two ends of an interval. */
static int change_some(struct change *c, const char *set, struct nft_element *const *e, unsigned n)
{
        int r = 0;

        if (c->each)
                nft_begin(&c->n, NFPROTO_INET);
        for (unsigned i = 0; i < n; i++)
                if (c->add)
                        nft_element_add(&c->n, FIREWALL_TABLE, set, e[i]);
                else
                        nft_element_delete(&c->n, FIREWALL_TABLE, set, e[i]);
        if (c->each) {
                r = nft_commit(c->fd, &c->n, NULL);
                nft_done(&c->n);
                if (r < 0 && r != -ENOENT && !c->failed)
                        c->failed = r;
        }
        return r;
}

static void change(struct change *c, const char *set, struct nft_element *e)
{
        (void)change_some(c, set, &e, 1);
}

static void change_subnet(struct change *c, const struct link_address *a)
{
        const char *set = pick(a->family, "masquerade4", "masquerade6");
        unsigned char next[16];
        struct nft_element first = {.key = a->data, .key_size = address_size(a->family)},
                           last = {.key = next, .key_size = address_size(a->family), .interval_end = true};
        struct nft_element *both[] = {&first, &last};

        /* Together: one end alone makes the kernel refuse every subnet on one side of it, and `nft list` shows none. */
        if (change_some(c, set, both, after(a, next) ? 2 : 1) != -ENOENT)
                return;
        change(c, set, &first);
        if (after(a, next))
                change(c, set, &last);
}

static void change_name(struct change *c, const char *set, const char *name)
{
        char key[16] = "";
        struct nft_element e = {.key = key, .key_size = sizeof(key)};

        memcpy(key, name, strnlen(name, sizeof(key) - 1));
        change(c, set, &e);
}

/* What comes by the device @from, of @size bytes, may go to @bridge. */
static void change_pair(struct change *c, const char *from, size_t size, const char *bridge)
{
        char pair[32] = "";
        struct nft_element e = {.key = pair, .key_size = sizeof(pair)};

        memcpy(pair, from, size < 15 ? size : 15);
        memcpy(pair + 16, bridge, strnlen(bridge, 15));
        change(c, "pairs", &e);
}

/* What the host sends from its 127.0.0.0/8 to @bridge, it sends from there. */
static void change_source(struct change *c, const char *bridge, const struct link_address *gateway)
{
        char key[16] = "";
        struct nft_element e = {.key = key, .key_size = sizeof(key), .data = gateway->data, .data_size = 4};

        memcpy(key, bridge, strnlen(bridge, sizeof(key) - 1));
        change(c, "source4", &e);
}

static bool wants_source(const struct firewall_network *net)
{
        return net->own && net->gateway[0].family;
}

static void change_network(struct change *c, const struct firewall_network *net)
{
        change_name(c, "bridges", net->bridge);
        if (wants_source(net))
                change_source(c, net->bridge, &net->gateway[0]);
        if (net->internal)
                change_name(c, "internal", net->bridge);
        if (net->icc)
                change_pair(c, net->bridge, strlen(net->bridge), net->bridge);
        for (const char *at = net->trusted; at && *at; at += strspn(at, ":")) {
                size_t size = strcspn(at, ":");

                if (size)
                        change_pair(c, at, size, net->bridge);
                at += size;
        }
        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                const struct link_address *gateway = &net->gateway[i];
                struct nft_element g = {.key = gateway->data, .key_size = address_size(gateway->family)};

                if (net->subnet[i].family && net->masquerade && !net->routed[i])
                        change_subnet(c, &net->subnet[i]);
                if (net->unprotected[i])
                        change_name(c, i ? "unprotected6" : "unprotected4", net->bridge);
                if (gateway->family)
                        change(c, pick(gateway->family, "gateways4", "gateways6"), &g);
        }
}

/* Is there an internal network? Its chains are put in order with all others. */
static bool has_internal(int fd)
{
        unsigned count = 0;

        (void)nft_set_count(fd, NFPROTO_INET, FIREWALL_TABLE, "internal", &count);
        return count; /* also of one that was changed while it was counted */
}

/* @replace: what there is in source4 of its bridge. *@ret_foreign: it is the table itself that is not ours. */
static int try_add(int fd, const struct firewall_network *net, bool replace, bool *ret_foreign)
{
        struct change c = {.add = !replace};
        unsigned failed = 0, of_table;
        int r;

        nft_begin(&c.n, NFPROTO_INET);
        of_table = firewall_table(&c.n, net->internal || has_internal(fd));
        if (replace)
                change_source(&c, net->bridge, &net->gateway[0]);
        c.add = true;
        change_network(&c, net);
        r = nft_commit(fd, &c.n, &failed);
        nft_done(&c.n);
        *ret_foreign = r == -EEXIST && failed < of_table;
        return r;
}

static bool has_source(int fd, const struct firewall_network *net)
{
        char key[16] = "", comment[NFT_COMMENT_MAX + 1];

        memcpy(key, net->bridge, strnlen(net->bridge, sizeof(key) - 1));
        return wants_source(net) &&
               nft_element_get(fd, NFPROTO_INET, FIREWALL_TABLE, "source4", key, sizeof(key), comment) > 0;
}

err *firewall_network_add(struct firewall *f, const struct firewall_network *net)
{
        _cleanup_close_ _unused_ int lock = nft_lock(true);
        bool foreign;
        int r = try_add(f->fd, net, false, &foreign);

        /* Somebody has changed it, or a root that is no more had the bridge's name. One that leads elsewhere is EBUSY
         * for some kernels. */
        if (!foreign && (r == -EEXIST || r == -EBUSY) && has_source(f->fd, net))
                r = try_add(f->fd, net, true, &foreign);
        if (foreign)
                return err_new(ERR_CONFLICT,
                               "setting up the firewall for bridge %s: table inet " FIREWALL_TABLE
                               " was made by another version of hod. `nft delete table inet " FIREWALL_TABLE
                               "` and `hod network reload` make it anew",
                               net->bridge);
        if (r == -EEXIST)
                return err_new(ERR_CONFLICT,
                               "setting up the firewall for bridge %s: its subnet overlaps that of another engine's "
                               "network, which is in table inet " FIREWALL_TABLE " already",
                               net->bridge);
        return r < 0 ? err_sys(-r, "setting up the firewall for bridge %s", net->bridge) : NULL;
}

/* Are there chains of internal networks that none needs, or none but @net (may be NULL)? 1, 0 or -errno (-EAGAIN: look
 * again). Whoever asks has the lock, so nobody puts one in. */
static int internal_is_over(int fd, const struct firewall_network *net, uint32_t *ret_generation)
{
        char key[16] = "", comment[NFT_COMMENT_MAX + 1];
        unsigned count = 0;
        int r = nft_generation(fd, ret_generation);

        if (r == 0)
                r = nft_chain_get(fd, NFPROTO_INET, FIREWALL_TABLE, FIREWALL_INTERNAL_CHAIN);
        if (r <= 0)
                return r;
        r = nft_set_count(fd, NFPROTO_INET, FIREWALL_TABLE, "internal", &count);
        if (r < 0 || !net || !net->internal)
                return r < 0 ? r : !count;
        memcpy(key, net->bridge, strnlen(net->bridge, sizeof(key) - 1));
        r = nft_element_get(fd, NFPROTO_INET, FIREWALL_TABLE, "internal", key, sizeof(key), comment);
        return r < 0 ? r : count == (unsigned)r;
}

/* All of @net (unless it is NULL), or nothing: -ENOENT, something of it lacks. With @chains also those of internal
 * networks, if that was the last. -EAGAIN: the ruleset has changed meanwhile. */
static int try_remove(int fd, const struct firewall_network *net, bool chains)
{
        struct change c = {.fd = fd};
        uint32_t generation = 0;
        int over = chains ? internal_is_over(fd, net, &generation) : 0, r;

        if (over < 0 || (!over && !net))
                return over;
        if (over)
                nft_begin_at(&c.n, NFPROTO_INET, generation);
        else
                nft_begin(&c.n, NFPROTO_INET);
        if (net)
                change_network(&c, net);
        if (over)
                firewall_table_no_internal(&c.n);
        r = nft_commit(fd, &c.n, NULL);
        nft_done(&c.n);
        return nft_outdated(r) ? -EAGAIN : r;
}

static int remove_with_chains(int fd, const struct firewall_network *net)
{
        _cleanup_close_ int lock = nft_lock(false);
        int r = lock < 0 ? lock : -EAGAIN;

        for (unsigned i = 0; i < IDLE_TRIES && r == -EAGAIN; i++)
                r = try_remove(fd, net, true);
        /* Changed or held all the time: the next network that is removed takes the chains along. */
        return r < 0 && r != -ENOENT && net ? try_remove(fd, net, false) : r;
}

err *firewall_network_remove(struct firewall *f, const struct firewall_network *net)
{
        struct change c = {.fd = f->fd, .each = true};
        int r = remove_with_chains(f->fd, net);

        if (r == -ENOENT) { /* something of it, or all: the rest has to go all the same */
                change_network(&c, net);
                r = c.failed;
                (void)remove_with_chains(f->fd, NULL);
        }
        return r < 0 ? err_sys(-r, "taking bridge %s out of the firewall", net->bridge) : NULL;
}

err *firewall_network_known(struct firewall *f, const struct firewall_network *net, bool *ret)
{
        char key[16] = "", comment[NFT_COMMENT_MAX + 1];
        int r;

        memcpy(key, net->bridge, strnlen(net->bridge, sizeof(key) - 1));
        r = nft_element_get(f->fd, NFPROTO_INET, FIREWALL_TABLE, "bridges", key, sizeof(key), comment);
        if (r == -EINVAL) /* another version's set: putting the network in says so */
                r = 0;
        if (r < 0)
                return err_sys(-r, "looking for bridge %s in the firewall", net->bridge);
        *ret = r > 0;
        return NULL;
}

/* ---- published ports ---- */

struct entry {
        unsigned char key[24], data[20];
        struct nft_element e;
        const char *set;
};

/* (address or link) . protocol . port → address . port; parts are padded to 4 bytes. */
static void make_entry(const struct firewall_port *p, struct entry *ret)
{
        size_t size = address_size(p->to.family), at = 0;
        uint16_t host_port = htobe16(p->host_port), port = htobe16(p->port);
        bool four = p->to.family == AF_INET;

        *ret = (struct entry){0};
        if (p->open) {
                memcpy(ret->key, p->to.data, size);
                ret->set = four ? "open4" : "open6";
                ret->key[size] = p->protocol;
                memcpy(ret->key + size + 4, &port, sizeof(port));
                ret->e = (struct nft_element){.key = ret->key, .key_size = size + 8, .exclusive = true};
                return;
        }
        if (p->link) {
                memcpy(ret->key, p->link, strnlen(p->link, 15));
                at = 16;
        } else if (p->host.family) {
                memcpy(ret->key, p->host.data, size);
                at = size;
        }
        ret->set = p->link          ? (four ? "link_ports4" : "link_ports6")
                   : p->host.family ? (four ? "ports4" : "ports6")
                                    : (four ? "all_ports4" : "all_ports6");
        ret->key[at] = p->protocol;
        memcpy(ret->key + at + 4, &host_port, sizeof(host_port));
        memcpy(ret->data, p->to.data, size);
        memcpy(ret->data + size, &port, sizeof(port));
        ret->e = (struct nft_element){
                .key = ret->key, .key_size = at + 8, .data = ret->data, .data_size = size + 4, .exclusive = true};
}

/* Which of @ports belongs to somebody (other than @but, unless it is NULL) already? */
static void find_taken(struct firewall *f, const char *but, const struct firewall_port *ports, size_t n,
                       size_t *ret_taken, char ret_owner[FIREWALL_OWNER_MAX])
{
        *ret_taken = 0;
        for (size_t i = 0; i < n; i++) {
                struct entry entry;

                make_entry(&ports[i], &entry);
                if (nft_element_get(f->fd, NFPROTO_INET, FIREWALL_TABLE, entry.set, entry.key, entry.e.key_size,
                                    ret_owner) <= 0 ||
                    (but && str_eq(ret_owner, but)))
                        continue;
                *ret_taken = i;
                return;
        }
        ret_owner[0] = '\0';
}

err *firewall_publish(struct firewall *f, const char *owner, const struct firewall_port *ports, size_t count,
                      size_t *ret_taken, char ret_owner[FIREWALL_OWNER_MAX])
{
        _cleanup_nft_ struct nft n;
        int r;

        nft_begin(&n, NFPROTO_INET);
        for (size_t i = 0; i < count; i++) {
                struct entry entry;

                make_entry(&ports[i], &entry);
                entry.e.comment = owner;
                nft_element_add(&n, FIREWALL_TABLE, entry.set, &entry.e);
        }
        r = nft_commit(f->fd, &n, NULL);
        /* One that leads elsewhere is EBUSY for some kernels. */
        if (r == -EEXIST || r == -EBUSY) {
                find_taken(f, NULL, ports, count, ret_taken, ret_owner);
                return err_new(ERR_CONFLICT, "port is already allocated");
        }
        if (r < 0)
                return err_sys(-r, "publishing ports");
        firewall_forget(f->fd, ports, count, true);
        return NULL;
}

/* Is there an element in its place? *@ret_owner is "" for one without a comment. */
static bool is_there(const struct firewall *f, const struct entry *entry, char ret_owner[NFT_COMMENT_MAX + 1])
{
        return nft_element_get(f->fd, NFPROTO_INET, FIREWALL_TABLE, entry->set, entry->key, entry->e.key_size,
                               ret_owner) > 0;
}

static bool is_owners(const struct firewall *f, const struct entry *entry, const char *owner)
{
        char whose[NFT_COMMENT_MAX + 1];

        return is_there(f, entry, whose) && str_eq(whose, owner);
}

/* All that are missing, or all that are @owner's: in one transaction. */
static int put_back(const struct firewall *f, const char *owner, const struct firewall_port *ports, size_t count)
{
        _cleanup_nft_ struct nft n;
        size_t missing = 0;

        nft_begin(&n, NFPROTO_INET);
        for (size_t i = 0; i < count; i++) {
                char whose[NFT_COMMENT_MAX + 1];
                struct entry entry;

                make_entry(&ports[i], &entry);
                if (is_there(f, &entry, whose))
                        continue;
                entry.e.comment = owner;
                nft_element_add(&n, FIREWALL_TABLE, entry.set, &entry.e);
                missing++;
        }
        return missing ? nft_commit(f->fd, &n, NULL) : 0;
}

static int take_back(const struct firewall *f, const char *owner, const struct firewall_port *ports, size_t count)
{
        _cleanup_nft_ struct nft n;
        size_t there = 0;

        nft_begin(&n, NFPROTO_INET);
        for (size_t i = 0; i < count; i++) {
                struct entry entry;

                make_entry(&ports[i], &entry);
                if (!is_owners(f, &entry, owner))
                        continue;
                nft_element_delete(&n, FIREWALL_TABLE, entry.set, &entry.e);
                there++;
        }
        return there ? nft_commit(f->fd, &n, NULL) : 0;
}

/* When all at once fails, one by one: what somebody has taken, removed or put back meanwhile is not to keep the rest.
 */
err *firewall_republish(struct firewall *f, const char *owner, const struct firewall_port *ports, size_t count)
{
        int failed = 0;

        if (put_back(f, owner, ports, count) < 0)
                for (size_t i = 0; i < count; i++) {
                        int r = put_back(f, owner, &ports[i], 1);

                        if (r < 0 && r != -EEXIST && r != -EBUSY && !failed)
                                failed = r;
                }
        firewall_forget(f->fd, ports, count, true);
        return failed ? err_sys(-failed, "publishing ports") : NULL;
}

err *firewall_unpublish(struct firewall *f, const char *owner, const struct firewall_port *ports, size_t count)
{
        int failed = 0;

        if (take_back(f, owner, ports, count) < 0)
                for (size_t i = 0; i < count; i++) {
                        int r = take_back(f, owner, &ports[i], 1);

                        if (r < 0 && r != -ENOENT && !failed)
                                failed = r;
                }
        firewall_forget(f->fd, ports, count, false);
        return failed ? err_sys(-failed, "taking back published ports") : NULL;
}

static int compare_places(const struct entry *a, const struct entry *b)
{
        int r = strcmp(a->set, b->set);

        return r != 0 ? r : memcmp(a->key, b->key, sizeof(a->key));
}

static int by_place(const void *a, const void *b)
{
        const struct entry *const *x = a, *const *y = b;
        int r = compare_places(*x, *y);

        return r != 0 ? r : (*x > *y) - (*x < *y); /* the first that was asked for comes first */
}

/* Elements of the maps, each place once. */
struct places {
        struct entry *entries;
        struct entry **sorted;
        size_t n; /* of @sorted */
};

static void places_done(struct places *p)
{
        free(p->entries);
        free(p->sorted);
}

static err *make_places(const struct firewall_port *a, size_t n_a, const struct firewall_port *b, size_t n_b,
                        struct places *ret)
{
        size_t all = n_a + n_b;

        ret->entries = MEM_NEW0(struct entry, all + 1);
        ret->sorted = MEM_NEW0(struct entry *, all + 1);
        if (!ret->entries || !ret->sorted)
                return err_nomem();
        for (size_t i = 0; i < all; i++) {
                ret->sorted[i] = &ret->entries[i];
                make_entry(i < n_a ? &a[i] : &b[i - n_a], ret->sorted[i]);
        }
        qsort(ret->sorted, all, sizeof(*ret->sorted), by_place);
        for (size_t i = 0; i < all; i++)
                if (!ret->n || compare_places(ret->sorted[ret->n - 1], ret->sorted[i]) != 0)
                        ret->sorted[ret->n++] = ret->sorted[i];
        return NULL;
}

static int try_move(struct firewall *f, const char *owner, const struct places *gone, const struct places *come)
{
        _cleanup_nft_ struct nft n;

        nft_begin(&n, NFPROTO_INET);
        for (size_t i = 0; i < gone->n; i++)
                if (is_owners(f, gone->sorted[i], owner))
                        nft_element_delete(&n, FIREWALL_TABLE, gone->sorted[i]->set, &gone->sorted[i]->e);
        for (size_t i = 0; i < come->n; i++) {
                come->sorted[i]->e.comment = owner;
                nft_element_add(&n, FIREWALL_TABLE, come->sorted[i]->set, &come->sorted[i]->e);
        }
        return nft_commit(f->fd, &n, NULL);
}

err *firewall_move(struct firewall *f, const char *owner, const struct firewall_port *from, size_t n_from,
                   const struct firewall_port *to, size_t n_to, size_t *ret_taken, char ret_owner[FIREWALL_OWNER_MAX])
{
        _cleanup_(places_done) struct places gone = {0}, come = {0};
        int r = -ENOENT;

        TRY(make_places(from, n_from, to, n_to, &gone));
        TRY(make_places(to, n_to, NULL, 0, &come));
        /* Somebody has flushed them while we looked; or a change of somebody's kept us from seeing that they are ours.
         */
        for (unsigned i = 0; i < MOVE_TRIES && (r == -ENOENT || r == -EEXIST || r == -EBUSY); i++)
                r = try_move(f, owner, &gone, &come);
        if (r == -EEXIST || r == -EBUSY) {
                find_taken(f, owner, to, n_to, ret_taken, ret_owner);
                return err_new(ERR_CONFLICT, "a published port has been taken by somebody else meanwhile");
        }
        if (r < 0)
                return err_sys(-r, "moving published ports");
        firewall_forget(f->fd, from, n_from, false);
        firewall_forget(f->fd, to, n_to, true);
        return NULL;
}

err *firewall_remove(struct firewall *f)
{
        _cleanup_nft_ struct nft n;
        int r;

        nft_begin(&n, NFPROTO_INET);
        nft_table_delete(&n, FIREWALL_TABLE);
        r = nft_commit(f->fd, &n, NULL);
        return r < 0 && r != -ENOENT ? err_sys(-r, "removing table inet hod") : NULL;
}

/* 0, -EAGAIN when the ruleset has changed meanwhile, or -errno. */
static int try_remove_idle(int fd)
{
        _cleanup_nft_ struct nft n = {0};
        uint32_t generation;
        unsigned count = 0;
        int r = nft_generation(fd, &generation);

        if (r == 0)
                r = nft_set_count(fd, NFPROTO_INET, FIREWALL_TABLE, "bridges", &count);
        if (r < 0 || count)
                return r == -ENOENT ? 0 : r;
        nft_begin_at(&n, NFPROTO_INET, generation);
        nft_table_delete(&n, FIREWALL_TABLE);
        r = nft_set_count(fd, NFPROTO_BRIDGE, FIREWALL_TABLE, "bridge", &count); /* guard.h */
        if (r == 0 || r == -EAGAIN) { /* counted while something changed: the generation says whether it matters */
                n.family = NFPROTO_BRIDGE;
                nft_table_delete(&n, FIREWALL_TABLE);
        }
        r = nft_commit(fd, &n, NULL);
        if (nft_outdated(r))
                return -EAGAIN;
        return r == -ENOENT ? 0 : r;
}

err *firewall_remove_idle(struct firewall *f)
{
        _cleanup_close_ int lock = nft_lock(false);
        int r = lock < 0 ? lock : -EAGAIN;

        for (int i = 0; i < IDLE_TRIES && r == -EAGAIN; i++)
                r = try_remove_idle(f->fd);
        /* Changed or held all the time: whoever takes the last bridge out is the next to try. */
        return r < 0 && r != -EAGAIN && r != -ETIMEDOUT ? err_sys(-r, "removing table inet hod") : NULL;
}
