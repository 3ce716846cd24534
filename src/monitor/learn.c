/* learn.c - names of egress rules: what our name service is about to answer is told to the rules first; names that are
 * denied are not asked for. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.h"
#include "monitor/monitor.h"
#include "monitor/traffic.h"
#include "sys/egress.h"
#include "sys/netlink.h"

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

bool learn_ask(struct monitor *m, const char *name)
{
        if (!has_names(m))
                return true;
        for (size_t i = 0; i < learn.rules.n; i++)
                if (learn.rules.rules[i].name && egress_name_fits(learn.rules.rules[i].name, name))
                        return learn.rules.rules[i].allow;
        return true;
}

void learn_told(struct monitor *m, const char *name, int family, const unsigned char *address, uint32_t ttl)
{
        struct link_address a = {.family = family, .prefix = family == AF_INET ? 32 : 128};

        if (!has_names(m))
                return;
        if (learn.fd < 0)
                learn.fd = netlink_open(NETLINK_NETFILTER);
        memcpy(a.data, address, family == AF_INET ? 4 : 16);
        if (learn.fd >= 0)
                err_free(egress_learn(learn.fd, m->conf.id, &learn.rules, name, &a, 1, ttl));
}
