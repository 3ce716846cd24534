/* lookup.c - see lookup.h. A key that is known is looked up by the kernel; of one that is known in part, all elements
 * are compared with what there is. */
#include "net/lookup.h"

#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/netlink.h"
#include "sys/nft.h"

#define NAME_SIZE NFT_NAME_MAXLEN
#define PARTS 16
#define SETS_MAX 65536
#define TRIES 8
#define ASK_COST 8 /* a question costs what so many elements do */
#define COST_MAX (32 * LOOKUP_ELEMENTS_MAX)

struct set {
        char name[NAME_SIZE];
        uint32_t flags;
        size_t key_size;
        uint8_t part[PARTS]; /* sizes of a concatenation's parts where intervals are; ends with 0 */
        bool large;          /* it has too many elements to compare them all */
};

struct lookup_sets {
        int fd;
        int dump; /* a socket that may be closed within a dump; -1 = none */
        uint8_t family;
        char table[NAME_SIZE];
        struct set *list;
        size_t n;
        size_t cost; /* of all that was asked */
};

void lookup_sets_free(struct lookup_sets *s)
{
        if (s) {
                file_close(s->dump);
                free(s->list);
        }
        free(s);
}

/* Call @fn for each attribute NFTA_LIST_ELEM at @list. */
static void for_each(const char *list, size_t size, void (*fn)(const void *all, size_t size, void *arg), void *arg)
{
        while (list && size >= sizeof(struct nlattr)) {
                struct nlattr a;

                memcpy(&a, list, sizeof(a));
                if (a.nla_len < sizeof(a) || a.nla_len > size)
                        return;
                fn(list + NLA_HDRLEN, a.nla_len - (size_t)NLA_HDRLEN, arg);
                if ((size_t)NLA_ALIGN(a.nla_len) >= size)
                        return;
                list += NLA_ALIGN(a.nla_len);
                size -= (size_t)NLA_ALIGN(a.nla_len);
        }
}

/* ---- sets ---- */

static void take_part(const void *all, size_t size, void *arg)
{
        struct set *set = arg;
        size_t i = strnlen((const char *)set->part, PARTS);

        if (i < PARTS - 1)
                set->part[i] = (uint8_t)netlink_attribute_be32(all, size, NFTA_SET_FIELD_LEN, 0);
}

static int take_set(const struct nlmsghdr *h, void *arg)
{
        struct lookup_sets *s = arg;
        struct set set = {0};
        char table[NAME_SIZE];
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(struct nfgenmsg), &size), *desc;

        if (!netlink_attribute_text(all, size, NFTA_SET_TABLE, table, NAME_SIZE) || !str_eq(table, s->table) ||
            !netlink_attribute_text(all, size, NFTA_SET_NAME, set.name, NAME_SIZE) || s->n == SETS_MAX)
                return 0;
        set.flags = netlink_attribute_be32(all, size, NFTA_SET_FLAGS, 0);
        set.key_size = netlink_attribute_be32(all, size, NFTA_SET_KEY_LEN, 0);
        desc = netlink_attribute(all, size, NFTA_SET_DESC, &n);
        desc = desc ? netlink_attribute(desc, n, NFTA_SET_DESC_CONCAT, &n) : NULL;
        if (desc)
                for_each(desc, n, take_part, &set);
        if (mem_grow(&s->list, s->n, sizeof(*s->list)) < 0)
                return -ENOMEM;
        s->list[s->n++] = set;
        return 0;
}

int lookup_sets_read(int fd, uint8_t family, const char *table, struct lookup_sets **ret)
{
        struct lookup_sets *s = MEM_NEW0(struct lookup_sets, 1);
        int r;

        if (!s)
                return -ENOMEM;
        s->fd = fd;
        s->dump = -1;
        s->family = family;
        (void)snprintf(s->table, sizeof(s->table), "%s", table);
        r = nft_dump(fd, family, NFT_MSG_GETSET, NFTA_SET_TABLE, table, take_set, s);
        if (r < 0)
                lookup_sets_free(s);
        else
                *ret = s;
        return r;
}

/* ---- elements ---- */

/* The bytes inside an attribute of the kind NFTA_DATA_VALUE; their number, 0 = there are none, or too many. */
static size_t copy_value(const void *all, size_t size, unsigned type, unsigned char ret[LOOKUP_WORDS * 4])
{
        size_t n;
        const void *p = netlink_attribute(all, size, type, &n);

        p = p ? netlink_attribute(p, n, NFTA_DATA_VALUE, &n) : NULL;
        if (!p || n > LOOKUP_WORDS * (size_t)4)
                return 0;
        memcpy(ret, p, n);
        return n;
}

/* Does it only count what is found? */
static bool only_counts(const void *all, size_t size)
{
        char name[NAME_SIZE];

        return netlink_attribute_text(all, size, NFTA_EXPR_NAME, name, NAME_SIZE) &&
               (str_eq(name, "counter") || str_eq(name, "last"));
}

static void note_condition(const void *all, size_t size, void *arg)
{
        *(bool *)arg |= !only_counts(all, size);
}

static void parse(const void *all, size_t size, struct lookup_element *e)
{
        size_t n;
        const void *p;

        e->key_size = copy_value(all, size, NFTA_SET_ELEM_KEY, e->key);
        e->data_size = copy_value(all, size, NFTA_SET_ELEM_DATA, e->data);
        p = netlink_attribute(all, size, NFTA_SET_ELEM_DATA, &n);
        p = p ? netlink_attribute(p, n, NFTA_DATA_VERDICT, &n) : NULL;
        if (p) {
                e->has_verdict = true;
                e->code = (int32_t)netlink_attribute_be32(p, n, NFTA_VERDICT_CODE, (uint32_t)NFT_CONTINUE);
                (void)netlink_attribute_text(p, n, NFTA_VERDICT_CHAIN, e->chain, NAME_SIZE);
        }
        p = netlink_attribute(all, size, NFTA_SET_ELEM_EXPR, &n);
        if (p)
                note_condition(p, n, &e->conditional);
        p = netlink_attribute(all, size, NFTA_SET_ELEM_EXPRESSIONS, &n);
        if (p)
                for_each(p, n, note_condition, &e->conditional);
}

static void take_one(const void *all, size_t size, void *arg)
{
        struct lookup_element *e = arg;

        memset(e, 0, sizeof(*e));
        parse(all, size, e);
}

static int take_element(const struct nlmsghdr *h, void *arg)
{
        size_t size, n;
        const void *p = netlink_attributes(h, sizeof(struct nfgenmsg), &size);

        p = netlink_attribute(p, size, NFTA_SET_ELEM_LIST_ELEMENTS, &n);
        for_each(p, p ? n : 0, take_one, arg);
        return 0;
}

static enum lookup_answer ask(const struct lookup_sets *s, const struct set *set, const void *key,
                              struct lookup_element *ret)
{
        int r = nft_element_read(s->fd, s->family, s->table, set->name, key, set->key_size, take_element, ret);

        if (r == 0) { /* kernels before 5.13 know no such element, and refuse the question */
                r = nft_element_read(s->fd, s->family, s->table, set->name, NULL, 0, take_element, ret);
                if (r == -EINVAL || r == -EOPNOTSUPP)
                        r = 0;
        }
        ret->interval = set->flags & NFT_SET_INTERVAL;
        return r < 0 ? LOOKUP_UNKNOWN : r ? LOOKUP_YES : LOOKUP_NO;
}

/* ---- keys that are known in part ---- */

struct comparison {
        struct set *set;
        size_t n;
        const unsigned char (*key)[4];
        const bool *known;
        struct lookup_element *best;
        bool found;
};

/* Can the part of @size bytes at the word @word be between @low and @high? */
static bool part_fits(const struct comparison *c, size_t word, size_t size, const unsigned char *low,
                      const unsigned char *high)
{
        for (size_t i = 0; i < (size + 3) / 4; i++)
                if (!c->known[word + i])
                        return true;
        return memcmp(c->key[word], low, size) >= 0 && memcmp(c->key[word], high, size) <= 0;
}

static bool fits(const struct comparison *c, const struct lookup_element *e, const unsigned char *end)
{
        size_t words = c->set->key_size / 4;

        if (!e->key_size)
                return true;
        for (size_t word = 0, i = 0; word < words; i++) {
                /* Without intervals only whole words are compared, and all of them are equal. */
                size_t size = c->set->part[i] ? c->set->part[i] : 4;

                if (i == PARTS - 1 || word * 4 + size > c->set->key_size)
                        return true;
                if (!part_fits(c, word, size, e->key + word * 4, end + word * 4))
                        return false;
                word += (size + 3) / 4;
        }
        return true;
}

/* What is taken where several elements fit: the rule that asks is doubtful, and then only what accepts counts. */
static int rank(const struct lookup_element *e)
{
        return !e->has_verdict ? 0 : e->code == NF_ACCEPT ? 2 : e->code == NFT_JUMP || e->code == NFT_GOTO;
}

static void compare(const void *all, size_t size, void *arg)
{
        struct comparison *c = arg;
        struct lookup_element e = {.interval = c->set->flags & NFT_SET_INTERVAL};
        unsigned char end[LOOKUP_WORDS * 4] = {0};

        c->n++;
        parse(all, size, &e);
        if (copy_value(all, size, NFTA_SET_ELEM_KEY_END, end) != e.key_size)
                memcpy(end, e.key, sizeof(end));
        if (!fits(c, &e, end) || (c->found && rank(&e) <= rank(c->best)))
                return;
        *c->best = e;
        c->found = true;
}

static int take_all(const struct nlmsghdr *h, void *arg)
{
        size_t size, n;
        const void *p = netlink_attributes(h, sizeof(struct nfgenmsg), &size);

        p = netlink_attribute(p, size, NFTA_SET_ELEM_LIST_ELEMENTS, &n);
        for_each(p, p ? n : 0, compare, arg);
        return ((struct comparison *)arg)->n > LOOKUP_ELEMENTS_MAX ? -E2BIG : 0;
}

static int dump(struct lookup_sets *s, struct comparison *c)
{
        int r;

        if (s->dump < 0)
                s->dump = netlink_open(NETLINK_NETFILTER);
        if (s->dump < 0)
                return s->dump;
        c->found = false;
        c->n = 0;
        r = nft_elements_dump(s->dump, s->family, s->table, c->set->name, take_all, c);
        s->cost += ASK_COST + c->n;
        c->set->large |= r == -E2BIG;
        if (r < 0 && r != -EAGAIN) /* the rest is not waited for */
                s->dump = file_close(s->dump);
        return r;
}

static enum lookup_answer compare_all(struct lookup_sets *s, struct comparison *c)
{
        int r = -EAGAIN;

        /* An interval of a plain set has its end in another element: nothing is known of its only part anyhow. */
        if ((c->set->flags & NFT_SET_INTERVAL) && !c->set->part[0])
                return LOOKUP_UNKNOWN;
        if (c->set->large)
                return LOOKUP_TOO_MUCH;
        for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++) /* somebody has changed something meanwhile */
                r = dump(s, c);
        if (r == 0)
                return c->found ? LOOKUP_PERHAPS : LOOKUP_NO;
        memset(c->best, 0, sizeof(*c->best)); /* there may be better ones */
        return r == -E2BIG ? LOOKUP_TOO_MUCH : LOOKUP_UNKNOWN;
}

enum lookup_answer lookup_find(struct lookup_sets *s, const char *set, const unsigned char (*key)[4], const bool *known,
                               size_t words, struct lookup_element *ret)
{
        struct comparison c = {.key = key, .known = known, .best = ret};
        size_t have = 0, need;

        memset(ret, 0, sizeof(*ret));
        for (size_t i = 0; s && i < s->n && !c.set; i++)
                if (str_eq(s->list[i].name, set))
                        c.set = &s->list[i];
        if (!c.set || !c.set->key_size || c.set->key_size > words * 4)
                return LOOKUP_UNKNOWN;
        if (s->cost > COST_MAX)
                return LOOKUP_TOO_MUCH;
        need = (c.set->key_size + 3) / 4;
        for (size_t i = 0; i < need; i++)
                have += known[i];
        if (have == need) {
                s->cost += ASK_COST;
                return ask(s, c.set, key, ret);
        }
        return have && c.set->key_size % 4 == 0 ? compare_all(s, &c) : LOOKUP_UNKNOWN;
}
