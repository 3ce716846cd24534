/* learn.c - names of egress rules: what our name service is about to answer is told to the rules first; names that are
 * denied are not asked for. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "monitor/monitor.h"
#include "monitor/traffic.h"
#include "sys/egress.h"
#include "sys/netlink.h"

#define RECENT 64
#define FRESH_NS INT64_C(1000000000)

/* What was learnt a moment ago: who asks ten thousand times a second is not to change the ruleset as often. */
static struct {
        uint64_t what;
        int64_t at;
} recent[RECENT];

/* The rules as they were read last; the file is replaced when they change. */
static struct {
        ino_t ino;
        struct timespec changed;
        struct egress rules;
        bool names;
        int fd;
} learn = {.fd = -1};

static bool is_current(const struct stat *st)
{
        return learn.ino == st->st_ino && learn.changed.tv_sec == st->st_ctim.tv_sec &&
               learn.changed.tv_nsec == st->st_ctim.tv_nsec;
}

static err *read_rules(const struct monitor *m, const struct stat *st)
{
        _cleanup_traffic_ struct traffic t = {0};

        egress_done(&learn.rules);
        learn.names = false;
        memset(recent, 0, sizeof(recent));
        TRY(traffic_read(m->dirfd, &t));
        TRY(egress_parse(t.egress, &learn.rules));
        learn.names = egress_has_names(&learn.rules);
        learn.ino = st->st_ino;
        learn.changed = st->st_ctim;
        return NULL;
}

/* Are there rules with names? */
static bool has_names(const struct monitor *m)
{
        struct stat st;

        if (fstatat(m->dirfd, TRAFFIC_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        if (!is_current(&st))
                err_free(read_rules(m, &st));
        return learn.names;
}

bool learn_rules(struct monitor *m)
{
        return has_names(m);
}

/* The first rule that decides about the name as a whole; one about some of its ports does not. */
bool learn_ask(struct monitor *m, const char *name)
{
        if (!has_names(m))
                return true;
        for (size_t i = 0; i < learn.rules.n; i++) {
                const struct egress_rule *r = &learn.rules.rules[i];

                if (r->name && egress_name_fits(r->name, name) && (r->allow || (!r->protocol && !r->first)))
                        return r->allow;
        }
        return true;
}

static uint64_t hash(const char *name, const struct link_address *a)
{
        uint64_t sum = HASH_FNV64;

        for (; *name; name++)
                sum = hash_fnv64(sum, &(char){(char)(*name | 0x20)}, 1); /* of any case */
        return hash_fnv64(sum, a->data, sizeof(a->data));
}

void learn_told(struct monitor *m, const char *name, int family, const unsigned char *address, uint32_t ttl)
{
        struct link_address a = {.family = family, .prefix = family == AF_INET ? 32 : 128};
        int64_t now = loop_now_ns();
        uint64_t what;
        err *e;

        if (!has_names(m))
                return;
        memcpy(a.data, address, family == AF_INET ? 4 : 16);
        what = hash(name, &a);
        if (recent[what % RECENT].what == what && now - recent[what % RECENT].at < FRESH_NS)
                return;
        if (learn.fd < 0)
                learn.fd = netlink_open(NETLINK_NETFILTER);
        if (learn.fd < 0)
                return;
        e = egress_learn(learn.fd, m->conf.id, &learn.rules, name, &a, 1, ttl);
        if (!e) {
                recent[what % RECENT].what = what;
                recent[what % RECENT].at = now;
        }
        err_free(e);
}
