/* nft.c - see nft.h. Tables, chains, sets; rules are in nft_rule.c. */
#include "sys/nft.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/nft_private.h"

#define UDATA_SET_KEYBYTEORDER 0
#define UDATA_COMMENT 0
#define BATCH_RECEIVE (1 << 20)
#define ANSWER_ROOM 1024 /* what the kernel counts for an answer, whose text is 36 bytes */
#define LOCK_STEP_NS 1000000
#define LOCK_STEPS 500

/* ---- messages ---- */

void nft_message(struct nft *n, unsigned type, unsigned flags)
{
        struct nfgenmsg head = {.nfgen_family = n->family, .version = NFNETLINK_V0};

        netbuf_begin(&n->buf, (NFNL_SUBSYS_NFTABLES << 8) | type, flags, &head, sizeof(head));
}

static void batch_mark(struct netbuf *b, unsigned type)
{
        struct nfgenmsg head = {.version = NFNETLINK_V0, .res_id = htobe16(NFNL_SUBSYS_NFTABLES)};

        netbuf_begin(b, type, 0, &head, sizeof(head));
}

void nft_begin(struct nft *n, uint8_t family)
{
        *n = (struct nft){.family = family};
        batch_mark(&n->buf, NFNL_MSG_BATCH_BEGIN);
}

void nft_begin_at(struct nft *n, uint8_t family, uint32_t generation)
{
        nft_begin(n, family);
        netbuf_add_be32(&n->buf, NFNL_BATCH_GENID, generation);
}

static int take_generation(const struct nlmsghdr *h, void *arg)
{
        size_t size, n;
        const void *all = netlink_attributes(h, sizeof(struct nfgenmsg), &size);
        const void *id = netlink_attribute(all, size, NFTA_GEN_ID, &n);

        if (id && n == sizeof(uint32_t)) {
                memcpy(arg, id, n);
                *(uint32_t *)arg = be32toh(*(uint32_t *)arg);
        }
        return 0;
}

int nft_generation(int fd, uint32_t *ret)
{
        _cleanup_nft_ struct nft n = {.family = NFPROTO_UNSPEC};

        *ret = 0;
        nft_message(&n, NFT_MSG_GETGEN, 0);
        return netlink_ask(fd, &n.buf, take_generation, ret);
}

void nft_done(struct nft *n)
{
        netbuf_done(&n->buf);
}

int nft_commit(int fd, struct nft *n, unsigned *ret_failed)
{
        unsigned failed = 0;
        int size = BATCH_RECEIVE, r;

        /* A large batch is one datagram; each of its messages is acknowledged, in one of its own, or refused with a
         * copy. */
        if (n->buf.size + (size_t)n->buf.n * ANSWER_ROOM > BATCH_RECEIVE / 2)
                size = (int)(n->buf.size + (size_t)n->buf.n * ANSWER_ROOM) * 2;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
                (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        batch_mark(&n->buf, NFNL_MSG_BATCH_END);
        r = netlink_send(fd, &n->buf, &failed);
        if (ret_failed)
                *ret_failed = failed ? failed - 1 : 0; /* the mark does not count */
        return r;
}

/* ---- tables, chains ---- */

void nft_table_add(struct nft *n, const char *table)
{
        nft_message(n, NFT_MSG_NEWTABLE, NLM_F_ACK | NLM_F_CREATE);
        netbuf_add_str(&n->buf, NFTA_TABLE_NAME, table);
        netbuf_add_be32(&n->buf, NFTA_TABLE_FLAGS, 0);
}

void nft_table_delete(struct nft *n, const char *table)
{
        nft_message(n, NFT_MSG_DELTABLE, NLM_F_ACK);
        netbuf_add_str(&n->buf, NFTA_TABLE_NAME, table);
}

void nft_chain_add(struct nft *n, const char *table, const char *chain, const struct nft_hook *hook)
{
        size_t open;

        nft_message(n, NFT_MSG_NEWCHAIN, NLM_F_ACK | NLM_F_CREATE);
        netbuf_add_str(&n->buf, NFTA_CHAIN_TABLE, table);
        netbuf_add_str(&n->buf, NFTA_CHAIN_NAME, chain);
        if (!hook || !hook->type)
                return;
        open = netbuf_open(&n->buf, NFTA_CHAIN_HOOK);
        netbuf_add_be32(&n->buf, NFTA_HOOK_HOOKNUM, hook->hook);
        netbuf_add_be32(&n->buf, NFTA_HOOK_PRIORITY, (uint32_t)hook->priority);
        if (hook->device)
                netbuf_add_str(&n->buf, NFTA_HOOK_DEV, hook->device);
        netbuf_close(&n->buf, open);
        netbuf_add_be32(&n->buf, NFTA_CHAIN_POLICY, hook->drop ? NF_DROP : NF_ACCEPT);
        netbuf_add_str(&n->buf, NFTA_CHAIN_TYPE, hook->type);
}

void nft_chain_flush(struct nft *n, const char *table, const char *chain)
{
        nft_message(n, NFT_MSG_DELRULE, NLM_F_ACK);
        netbuf_add_str(&n->buf, NFTA_RULE_TABLE, table);
        netbuf_add_str(&n->buf, NFTA_RULE_CHAIN, chain);
}

void nft_chain_delete(struct nft *n, const char *table, const char *chain)
{
        nft_message(n, NFT_MSG_DELCHAIN, NLM_F_ACK);
        netbuf_add_str(&n->buf, NFTA_CHAIN_TABLE, table);
        netbuf_add_str(&n->buf, NFTA_CHAIN_NAME, chain);
}

static int overlook(const struct nlmsghdr *h, void *arg)
{
        return 0;
}

int nft_chain_get(int fd, uint8_t family, const char *table, const char *chain)
{
        _cleanup_nft_ struct nft n = {.family = family};
        int r;

        nft_message(&n, NFT_MSG_GETCHAIN, 0);
        netbuf_add_str(&n.buf, NFTA_CHAIN_TABLE, table);
        netbuf_add_str(&n.buf, NFTA_CHAIN_NAME, chain);
        r = netlink_ask(fd, &n.buf, overlook, NULL);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

/* ---- sets ---- */

/* What only nft(8) reads: without it addresses and ports are listed in the wrong byte order. */
static void add_set_userdata(struct netbuf *b, bool host_order)
{
        unsigned char data[] = {UDATA_SET_KEYBYTEORDER, 4, host_order ? 1 : 2, 0, 0, 0};

        netbuf_add(b, NFTA_SET_USERDATA, data, sizeof(data));
}

static void add_concat(struct netbuf *b, const struct nft_set *set)
{
        size_t desc = netbuf_open(b, NFTA_SET_DESC), concat = netbuf_open(b, NFTA_SET_DESC_CONCAT);

        for (unsigned i = 0; i < sizeof(set->part) && set->part[i]; i++) {
                size_t field = netbuf_open(b, NFTA_LIST_ELEM);

                netbuf_add_be32(b, NFTA_SET_FIELD_LEN, set->part[i]);
                netbuf_close(b, field);
        }
        netbuf_close(b, concat);
        netbuf_close(b, desc);
}

void nft_set_add(struct nft *n, const char *table, const struct nft_set *set)
{
        struct netbuf *b = &n->buf;

        nft_message(n, NFT_MSG_NEWSET, NLM_F_ACK | NLM_F_CREATE);
        netbuf_add_str(b, NFTA_SET_TABLE, table);
        netbuf_add_str(b, NFTA_SET_NAME, set->name);
        netbuf_add_be32(b, NFTA_SET_FLAGS, set->flags);
        netbuf_add_be32(b, NFTA_SET_KEY_TYPE, set->key_type);
        netbuf_add_be32(b, NFTA_SET_KEY_LEN, set->key_size);
        if (set->flags & NFT_SET_MAP) {
                netbuf_add_be32(b, NFTA_SET_DATA_TYPE, set->data_type);
                if (set->data_type != NFT_DATA_VERDICT)
                        netbuf_add_be32(b, NFTA_SET_DATA_LEN, set->data_size);
        }
        netbuf_add_be32(b, NFTA_SET_ID, ++n->sets);
        if (set->part[0])
                add_concat(b, set);
        add_set_userdata(b, set->host_order);
}

void nft_set_delete(struct nft *n, const char *table, const char *set)
{
        nft_message(n, NFT_MSG_DELSET, NLM_F_ACK);
        netbuf_add_str(&n->buf, NFTA_SET_TABLE, table);
        netbuf_add_str(&n->buf, NFTA_SET_NAME, set);
}

/* ---- elements ---- */

static void add_value(struct netbuf *b, unsigned type, const void *data, size_t size)
{
        size_t open = netbuf_open(b, type);

        netbuf_add(b, NFTA_DATA_VALUE, data, size);
        netbuf_close(b, open);
}

void nft_comment(struct netbuf *b, unsigned type, const char *text)
{
        size_t size = strnlen(text, NFT_COMMENT_MAX) + 1;
        unsigned char data[NFT_COMMENT_MAX + 3] = {UDATA_COMMENT, (unsigned char)size};

        memcpy(data + 2, text, size - 1);
        netbuf_add(b, type, data, size + 2);
}

static void add_element_data(struct netbuf *b, const struct nft_element *e)
{
        size_t data, verdict;

        if (e->data) {
                add_value(b, NFTA_SET_ELEM_DATA, e->data, e->data_size);
        } else if (e->has_verdict) {
                data = netbuf_open(b, NFTA_SET_ELEM_DATA);
                verdict = netbuf_open(b, NFTA_DATA_VERDICT);
                netbuf_add_be32(b, NFTA_VERDICT_CODE, (uint32_t)(e->jump ? NFT_JUMP : e->verdict));
                if (e->jump)
                        netbuf_add_str(b, NFTA_VERDICT_CHAIN, e->jump);
                netbuf_close(b, verdict);
                netbuf_close(b, data);
        }
}

static void element_message(struct nft *n, unsigned type, unsigned flags, const char *table, const char *set,
                            const struct nft_element *e, bool with_data)
{
        struct netbuf *b = &n->buf;
        size_t list, element;

        nft_message(n, type, flags);
        netbuf_add_str(b, NFTA_SET_ELEM_LIST_TABLE, table);
        netbuf_add_str(b, NFTA_SET_ELEM_LIST_SET, set);
        list = netbuf_open(b, NFTA_SET_ELEM_LIST_ELEMENTS);
        element = netbuf_open(b, NFTA_LIST_ELEM);
        if (e->key)
                add_value(b, NFTA_SET_ELEM_KEY, e->key, e->key_size);
        else
                netbuf_add_be32(b, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_CATCHALL);
        if (e->key_end)
                add_value(b, NFTA_SET_ELEM_KEY_END, e->key_end, e->key_size);
        if (e->interval_end)
                netbuf_add_be32(b, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        if (with_data)
                add_element_data(b, e);
        if (with_data && e->timeout_ms)
                netbuf_add_be64(b, NFTA_SET_ELEM_TIMEOUT, e->timeout_ms);
        if (with_data && e->expired)
                netbuf_add_be64(b, NFTA_SET_ELEM_EXPIRATION, 1);
        if (with_data && e->comment)
                nft_comment(b, NFTA_SET_ELEM_USERDATA, e->comment);
        netbuf_close(b, element);
        netbuf_close(b, list);
}

void nft_element_add(struct nft *n, const char *table, const char *set, const struct nft_element *e)
{
        element_message(n, NFT_MSG_NEWSETELEM, NLM_F_ACK | NLM_F_CREATE | (e->exclusive ? NLM_F_EXCL : 0), table, set,
                        e, true);
}

void nft_element_delete(struct nft *n, const char *table, const char *set, const struct nft_element *e)
{
        element_message(n, NFT_MSG_DELSETELEM, NLM_F_ACK, table, set, e, false);
}

void nft_element_end(struct nft *n, const char *table, const char *set, const struct nft_element *e)
{
        struct nft_element last = *e;

        last.timeout_ms = 1;
        last.expired = true;
        element_message(n, NFT_MSG_NEWSETELEM, NLM_F_ACK, table, set, &last, true);
}

const char *nft_comment_find(const unsigned char *data, size_t size)
{
        for (; data && size >= 2 && size >= 2u + data[1]; size -= 2u + data[1], data += 2u + data[1])
                if (data[0] == UDATA_COMMENT && data[1] && data[1] <= NFT_COMMENT_MAX + 1 && !data[1 + data[1]])
                        return (const char *)data + 2;
        return NULL;
}

struct wanted {
        char *comment;
        bool found, ends;
};

static int take_element(const struct nlmsghdr *h, void *arg)
{
        struct wanted *w = arg;
        const char *comment;
        size_t size, n;
        const void *p = netlink_attributes(h, sizeof(struct nfgenmsg), &size);

        p = netlink_attribute(p, size, NFTA_SET_ELEM_LIST_ELEMENTS, &n);
        p = p ? netlink_attribute(p, n, NFTA_LIST_ELEM, &n) : NULL;
        if (!p)
                return 0;
        w->found = true;
        w->ends = netlink_attribute(p, n, NFTA_SET_ELEM_EXPIRATION, &size);
        p = netlink_attribute(p, n, NFTA_SET_ELEM_USERDATA, &n);
        comment = p ? nft_comment_find(p, n) : NULL;
        if (comment)
                memcpy(w->comment, comment, strlen(comment) + 1);
        return 0;
}

static int get(int fd, uint8_t family, const char *table, const char *set, const struct nft_element *e,
               struct wanted *w)
{
        _cleanup_nft_ struct nft n = {.family = family};
        int r;

        element_message(&n, NFT_MSG_GETSETELEM, 0, table, set, e, false);
        r = netlink_ask(fd, &n.buf, take_element, w);
        return r == -ENOENT ? 0 : r;
}

int nft_element_get(int fd, uint8_t family, const char *table, const char *set, const void *key, size_t key_size,
                    char comment[NFT_COMMENT_MAX + 1])
{
        const struct nft_element e = {.key = key, .key_size = key_size};
        struct wanted w = {.comment = comment};
        int r;

        comment[0] = '\0';
        r = get(fd, family, table, set, &e, &w);
        return r < 0 ? r : w.found;
}

int nft_element_read(int fd, uint8_t family, const char *table, const char *set, const void *key, size_t key_size,
                     netlink_fn *fn, void *arg)
{
        const struct nft_element e = {.key = key, .key_size = key_size};
        _cleanup_nft_ struct nft n = {.family = family};
        int r;

        element_message(&n, NFT_MSG_GETSETELEM, 0, table, set, &e, false);
        r = netlink_ask(fd, &n.buf, fn, arg);
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int nft_element_ends(int fd, uint8_t family, const char *table, const char *set, const struct nft_element *e)
{
        char comment[NFT_COMMENT_MAX + 1];
        struct wanted w = {.comment = comment};
        int r = get(fd, family, table, set, e, &w);

        return r < 0 ? r : !w.found || w.ends;
}

static int count_elements(const struct nlmsghdr *h, void *arg)
{
        size_t size, n;
        const char *list = netlink_attributes(h, sizeof(struct nfgenmsg), &size);

        list = netlink_attribute(list, size, NFTA_SET_ELEM_LIST_ELEMENTS, &n);
        while (list && n >= sizeof(struct nlattr)) {
                struct nlattr a;

                memcpy(&a, list, sizeof(a));
                if (a.nla_len < sizeof(a) || a.nla_len > n)
                        break;
                ++*(unsigned *)arg;
                if ((size_t)NLA_ALIGN(a.nla_len) >= n)
                        break;
                list += NLA_ALIGN(a.nla_len);
                n -= (size_t)NLA_ALIGN(a.nla_len);
        }
        return 0;
}

int nft_lock(bool shared)
{
        _cleanup_close_ int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        for (unsigned i = 0; flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0; i++) {
                if (errno != EWOULDBLOCK)
                        return -errno;
                if (i == LOCK_STEPS)
                        return -ETIMEDOUT;
                (void)nanosleep(&(struct timespec){0, LOCK_STEP_NS}, NULL);
        }
        return TAKE_FD(fd);
}

int nft_elements_dump(int fd, uint8_t family, const char *table, const char *set, netlink_fn *fn, void *arg)
{
        _cleanup_nft_ struct nft n = {.family = family};

        nft_message(&n, NFT_MSG_GETSETELEM, NLM_F_DUMP);
        netbuf_add_str(&n.buf, NFTA_SET_ELEM_LIST_TABLE, table);
        netbuf_add_str(&n.buf, NFTA_SET_ELEM_LIST_SET, set);
        return netlink_ask(fd, &n.buf, fn, arg);
}

int nft_set_count(int fd, uint8_t family, const char *table, const char *set, unsigned *ret)
{
        *ret = 0;
        return nft_elements_dump(fd, family, table, set, count_elements, ret);
}

int nft_dump(int fd, uint8_t family, unsigned type, unsigned attribute, const char *value, netlink_fn *fn, void *arg)
{
        _cleanup_nft_ struct nft n = {.family = family};

        nft_message(&n, type, NLM_F_DUMP);
        if (attribute)
                netbuf_add_str(&n.buf, attribute, value);
        return netlink_ask(fd, &n.buf, fn, arg);
}
