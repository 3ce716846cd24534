/* legacy.c - see legacy.h. All rules are one block of entries, one after the other; chains are places in it. */
#include "net/legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/str.h"
#include "net/verdict_private.h"

#ifndef SOL_IP /* <netinet/in.h> has what the kernel's headers above have, too */
#define SOL_IP 0
#endif
#ifndef SOL_IPV6
#define SOL_IPV6 41
#endif

#define NAMES_MAX 4096
#define SIZE_MAX_READ (64u << 20)
#define TRIES 8
#define DEPTH_MAX 64
#define STEPS_MAX 200000

struct legacy_rules {
        uint8_t family;
        char *data; /* entries */
        size_t size;
        unsigned hooks; /* bits */
        size_t begin[NF_INET_NUMHOOKS], policy[NF_INET_NUMHOOKS];
};

const struct legacy_table legacy_tables[LEGACY_TABLES] = {{"raw", NF_IP_PRI_RAW},
                                                          {"mangle", NF_IP_PRI_MANGLE},
                                                          {"filter", NF_IP_PRI_FILTER},
                                                          {"security", NF_IP_PRI_SECURITY}};

const char *legacy_chain(unsigned hook)
{
        static const char *const names[NF_INET_NUMHOOKS] = {[NF_INET_PRE_ROUTING] = "PREROUTING",
                                                            [NF_INET_LOCAL_IN] = "INPUT",
                                                            [NF_INET_FORWARD] = "FORWARD",
                                                            [NF_INET_LOCAL_OUT] = "OUTPUT",
                                                            [NF_INET_POST_ROUTING] = "POSTROUTING"};

        return hook < NF_INET_NUMHOOKS ? names[hook] : "";
}

void legacy_rules_free(struct legacy_rules *r)
{
        if (r)
                free(r->data);
        free(r);
}

/* ---- reading ---- */

unsigned legacy_tables_present(uint8_t family)
{
        const char *list = family == NFPROTO_IPV4 ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
        _cleanup_free_ char *text = NULL;
        unsigned ret = 0;

        if (file_read(AT_FDCWD, list, NAMES_MAX, &text, NULL) < 0)
                return 0;
        for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
                for (unsigned i = 0; i < LEGACY_TABLES; i++)
                        if (str_eq(line, legacy_tables[i].name))
                                ret |= 1u << i;
        return ret;
}

/* iptables and ip6tables ask with the same numbers and structures. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
                       offsetof(struct ipt_get_entries, entrytable) == offsetof(struct ip6t_get_entries, entrytable),
               "one layout for both families");

static int read_once(int s, int level, const char *table, struct legacy_rules *r)
{
        struct ipt_getinfo info = {0};
        _cleanup_free_ struct ipt_get_entries *all = NULL;
        socklen_t size = sizeof(info);

        (void)snprintf(info.name, sizeof(info.name), "%s", table);
        if (getsockopt(s, level, IPT_SO_GET_INFO, &info, &size) < 0)
                return -errno;
        if (info.size > SIZE_MAX_READ)
                return -E2BIG;
        size = (socklen_t)(sizeof(*all) + info.size);
        all = calloc(1, size);
        if (!all)
                return -ENOMEM;
        memcpy(all->name, info.name, sizeof(all->name));
        all->size = info.size;
        if (getsockopt(s, level, IPT_SO_GET_ENTRIES, all, &size) < 0)
                return errno == EINVAL ? -EAGAIN : -errno; /* its size is another by now */
        r->size = info.size;
        r->hooks = info.valid_hooks;
        for (unsigned i = 0; i < NF_INET_NUMHOOKS; i++) {
                r->begin[i] = info.hook_entry[i];
                r->policy[i] = info.underflow[i];
        }
        r->data = malloc(r->size + 1);
        if (!r->data)
                return -ENOMEM;
        memcpy(r->data, all->entrytable, r->size);
        return 0;
}

int legacy_rules_read(uint8_t family, const char *table, struct legacy_rules **ret)
{
        _cleanup_legacy_rules_ struct legacy_rules *r = NULL;
        _cleanup_close_ int s = -1;
        int error = -EAGAIN;

        r = MEM_NEW0(struct legacy_rules, 1);
        s = socket(family == NFPROTO_IPV4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
        if (!r || s < 0)
                return r ? -errno : -ENOMEM;
        r->family = family;
        for (unsigned i = 0; i < TRIES && error == -EAGAIN; i++)
                error = read_once(s, family == NFPROTO_IPV4 ? SOL_IP : SOL_IPV6, table, r);
        if (error < 0)
                return error;
        *ret = TAKE_PTR(r);
        return 0;
}

/* ---- one entry ---- */

/* What both families have, in one form. */
struct entry {
        const unsigned char *address[2], *mask[2]; /* from, to */
        const char *link[2];                       /* in, out */
        const unsigned char *link_mask[2];
        size_t address_size;
        unsigned protocol, inverse; /* IPT_INV_... */
        bool fragment, go;          /* goto, not jump */
        size_t at, matches, target, next;
};

static void read4(const struct ipt_entry *e, struct entry *ret)
{
        *ret = (struct entry){.address = {(const void *)&e->ip.src, (const void *)&e->ip.dst},
                              .mask = {(const void *)&e->ip.smsk, (const void *)&e->ip.dmsk},
                              .link = {e->ip.iniface, e->ip.outiface},
                              .link_mask = {e->ip.iniface_mask, e->ip.outiface_mask},
                              .address_size = 4,
                              .protocol = e->ip.proto,
                              .inverse = e->ip.invflags,
                              .fragment = e->ip.flags & IPT_F_FRAG,
                              .go = e->ip.flags & IPT_F_GOTO,
                              .matches = sizeof(*e),
                              .target = e->target_offset,
                              .next = e->next_offset};
}

static void read6(const struct ip6t_entry *e, struct entry *ret)
{
        *ret = (struct entry){.address = {(const void *)&e->ipv6.src, (const void *)&e->ipv6.dst},
                              .mask = {(const void *)&e->ipv6.smsk, (const void *)&e->ipv6.dmsk},
                              .link = {e->ipv6.iniface, e->ipv6.outiface},
                              .link_mask = {e->ipv6.iniface_mask, e->ipv6.outiface_mask},
                              .address_size = 16,
                              .protocol = e->ipv6.flags & IP6T_F_PROTO ? e->ipv6.proto : 0,
                              .inverse = e->ipv6.invflags,
                              .go = e->ipv6.flags & IP6T_F_GOTO,
                              .matches = sizeof(*e),
                              .target = e->target_offset,
                              .next = e->next_offset};
}

/* Entries are aligned as the kernel wants them, in memory that malloc() gave. */
static bool read_entry(const struct legacy_rules *r, size_t at, struct entry *ret)
{
        size_t head = r->family == NFPROTO_IPV4 ? sizeof(struct ipt_entry) : sizeof(struct ip6t_entry);

        if (at >= r->size || r->size - at < head)
                return false;
        if (r->family == NFPROTO_IPV4)
                read4((const void *)(r->data + at), ret);
        else
                read6((const void *)(r->data + at), ret);
        if (ret->target < head || ret->next < ret->target + sizeof(struct xt_entry_target) || ret->next > r->size - at)
                return false;
        ret->at = at;
        ret->matches += at;
        ret->target += at;
        ret->next += at;
        return true;
}

struct state {
        const struct legacy_rules *rules;
        const struct verdict_packet *packet;
        bool doubtful, named;
};

static bool is_zero(const unsigned char *mask, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (mask[i])
                        return false;
        return true;
}

/* Are the bytes equal where the mask is? @have NULL: not known. */
static bool meets(struct state *s, const void *have, const void *want, const unsigned char *mask, size_t n,
                  bool inverse)
{
        size_t length = 0;
        bool equal = true;

        if (is_zero(mask, n))
                return !inverse;
        if (!have) {
                s->doubtful = true;
                return true;
        }
        for (size_t i = 0; i < n; i++)
                equal &= !((((const unsigned char *)have)[i] ^ ((const unsigned char *)want)[i]) & mask[i]);
        while (length < n && mask[length] == 0xff)
                length++;
        s->named |= equal && !inverse && verdict_is_ours(s->packet, want, length, false);
        return equal != inverse;
}

static bool meets_head(struct state *s, const struct entry *e)
{
        static const unsigned links[] = {IPT_INV_VIA_IN, IPT_INV_VIA_OUT}, addresses[] = {IPT_INV_SRCIP, IPT_INV_DSTIP};
        const char *const have[] = {s->packet->in, s->packet->out};
        const struct link_address *const address[] = {s->packet->from, s->packet->to};

        for (unsigned i = 0; i < 2; i++) {
                char name[IFNAMSIZ] = "";

                (void)snprintf(name, sizeof(name), "%s", have[i]);
                if (!meets(s, *name ? name : NULL, e->link[i], e->link_mask[i], IFNAMSIZ, e->inverse & links[i]) ||
                    !meets(s, address[i] ? address[i]->data : NULL, e->address[i], e->mask[i], e->address_size,
                           e->inverse & addresses[i]))
                        return false;
        }
        if (e->protocol && (e->protocol == IPPROTO_TCP) == !!(e->inverse & IPT_INV_PROTO))
                return false;
        return e->fragment ? e->inverse & IPT_INV_FRAG : true;
}

static bool meets_matches(struct state *s, const struct entry *e)
{
        const char *data = s->rules->data;

        for (size_t at = e->matches; at + sizeof(struct xt_entry_match) <= e->target;) {
                const struct xt_entry_match *m = (const void *)(data + at);
                size_t size = m->u.user.match_size;
                char name[XT_EXTENSION_MAXNAMELEN + 1] = "";

                if (size < sizeof(*m) || size > e->target - at)
                        return false;
                memcpy(name, m->u.user.name, sizeof(m->u.user.name));
                if (!verdict_match(s->packet, name, m->u.user.revision, m->data, size - sizeof(*m), &s->doubtful))
                        return false;
                at += size;
        }
        return true;
}

/* ---- chains ---- */

static const char *target_of(const struct legacy_rules *r, const struct entry *e)
{
        return ((const struct xt_entry_target *)(const void *)(r->data + e->target))->u.user.name;
}

/* The name of the chain that begins at @at: it is in the entry before. */
static void chain_name(const struct legacy_rules *r, size_t at, char ret[XT_FUNCTION_MAXNAMELEN + 1])
{
        struct entry e;

        *ret = '\0';
        for (size_t i = 0; i < at && read_entry(r, i, &e); i = e.next)
                if (e.next == at && str_eq(target_of(r, &e), XT_ERROR_TARGET) &&
                    e.next - e.target >= sizeof(struct xt_error_target))
                        memcpy(ret, r->data + e.target + offsetof(struct xt_error_target, errorname),
                               XT_FUNCTION_MAXNAMELEN);
        ret[XT_FUNCTION_MAXNAMELEN] = '\0';
}

struct frame {
        size_t back;
        bool doubtful; /* it is not certain that the packet went there */
        char chain[XT_FUNCTION_MAXNAMELEN + 1];
};

struct walk {
        struct state s;
        struct verdict *verdict;
        struct frame stack[DEPTH_MAX];
        size_t depth, at, policy;
        char chain[XT_FUNCTION_MAXNAMELEN + 1];
};

/* Back to where the last jump came from, or the last doubtful one: false if there is none. */
static bool come_back(struct walk *w, bool doubtful)
{
        while (w->depth) {
                const struct frame *f = &w->stack[--w->depth];

                if (doubtful && !f->doubtful)
                        continue;
                w->at = f->back;
                memcpy(w->chain, f->chain, sizeof(w->chain));
                verdict_set_chain(w->verdict, w->chain);
                return true;
        }
        return false;
}

static bool jump(struct walk *w, const struct entry *e, size_t to)
{
        if (to != e->next && (!e->go || w->s.doubtful)) {
                struct frame *f = &w->stack[w->depth];

                if (w->depth == DEPTH_MAX)
                        return false;
                f->back = e->next;
                f->doubtful = w->s.doubtful;
                w->verdict->perhaps |= e->go; /* it may not come back */
                memcpy(f->chain, w->chain, sizeof(f->chain));
                w->depth++;
        }
        if (to != e->next) {
                chain_name(w->s.rules, to, w->chain);
                verdict_enter(w->verdict, w->chain);
        }
        w->at = to;
        return true;
}

enum end { ON, ACCEPTED, REFUSED };

static enum end do_target(struct walk *w, const struct entry *e)
{
        const struct legacy_rules *r = w->s.rules;
        const char *name = target_of(r, e);
        struct xt_standard_target t;

        w->at = e->next;
        if (str_eq(name, "NFQUEUE"))
                return ACCEPTED;
        if (str_eq(name, "REJECT"))
                return w->s.doubtful ? ON : REFUSED;
        if (*name || e->next - e->target < sizeof(t)) /* it counts, notes or changes something */
                return ON;
        memcpy(&t, r->data + e->target, sizeof(t));
        if (t.verdict >= 0)
                return jump(w, e, (size_t)t.verdict) ? ON : ACCEPTED;
        if (t.verdict == XT_RETURN) {
                if (w->s.doubtful)
                        w->verdict->perhaps = true;
                else if (!come_back(w, false))
                        w->at = w->policy;
                return ON;
        }
        if (t.verdict == -NF_DROP - 1)
                return w->s.doubtful ? ON : REFUSED;
        return ACCEPTED;
}

/* It is passed over, for it is not certain that it holds. */
static void pass_over(struct walk *w, const struct entry *e)
{
        const char *name = target_of(w->s.rules, e);
        struct xt_standard_target t = {0};

        if (!*name && e->next - e->target >= sizeof(t))
                memcpy(&t, w->s.rules->data + e->target, sizeof(t));
        else if (!*name)
                return;
        if (!*name ? t.verdict != -NF_DROP - 1 && (t.verdict < 0 || (size_t)t.verdict != e->next)
                   : str_eq(name, "NFQUEUE"))
                w->verdict->perhaps = true;
}

bool legacy_has(const struct legacy_rules *r, unsigned hook)
{
        struct xt_standard_target t;
        struct entry e;

        if (hook >= NF_INET_NUMHOOKS || !(r->hooks & 1u << hook))
                return false;
        if (r->begin[hook] != r->policy[hook] || !read_entry(r, r->policy[hook], &e) || e.next - e.target < sizeof(t))
                return true;
        memcpy(&t, r->data + e.target, sizeof(t));
        return t.verdict == -NF_DROP - 1;
}

void legacy_find(const struct legacy_rules *r, unsigned hook, const struct verdict_packet *p, struct verdict *ret)
{
        struct walk w = {
                .s = {.rules = r, .packet = p}, .verdict = ret, .at = r->begin[hook], .policy = r->policy[hook]};
        enum end end = ON;
        struct entry e;

        memset(ret, 0, sizeof(*ret));
        (void)snprintf(w.chain, sizeof(w.chain), "%s", legacy_chain(hook));
        verdict_enter(ret, w.chain);
        for (unsigned i = 0; i < STEPS_MAX && end == ON && read_entry(r, w.at, &e); i++) {
                w.s.doubtful = w.s.named = false;
                if (!meets_head(&w.s, &e) || !meets_matches(&w.s, &e)) {
                        w.at = e.next;
                        continue;
                }
                if (w.s.doubtful && !w.s.named) {
                        pass_over(&w, &e);
                        w.at = e.next;
                        continue;
                }
                end = do_target(&w, &e);
                if (end == REFUSED && come_back(&w, true))
                        end = ON;
        }
        ret->refused = end == REFUSED;
        ret->policy = ret->refused && e.at == w.policy;
}
