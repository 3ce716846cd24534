/* watch.c - one monitor of an engine watches whether the firewall still knows its network, for all of them: whoever
 * flushes the whole ruleset takes the protection of running containers away, and there is no daemon to see it. The
 * monitor that holds the lock STATE/networks/watch is told of every change of the ruleset by the kernel, and looks a
 * moment later; the others wait for its end. Has somebody else taken a part of our tables away, it need not look. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "sys/netlink.h"
#include "sys/nft.h"
#include "sys/process.h"

#define PAUSE_NS 150000000 /* from a change to the look: changes come in crowds */
#define RETRY_NS 500000000 /* somebody has the lock, and does not say who */
#define LOOK_AGAIN_NS INT64_C(1000000000)
#define ROOM (1 << 20) /* for messages that we have not read yet */
#define FILE_NAME "networks/watch"

/* The bridge of the first interface that has one. */
static bool find_bridge(const struct monitor *m, char ret[16])
{
        memset(ret, 0, 16);
        for (char *const *line = m->conf.endpoints; line && *line; line++) {
                struct endpoint e;
                err *error = endpoint_parse(*line, &e);

                if (!error && e.kind == ENDPOINT_BRIDGE) {
                        memcpy(ret, e.parent, strlen(e.parent));
                        return true;
                }
                err_free(error);
        }
        return false;
}

/* Networks come and go while the container runs: those of the configuration as it is now. */
static void refresh(struct monitor *m)
{
        _cleanup_(monitor_conf_done) struct monitor_conf now = {0};
        err *e = monitor_conf_read(m->dirfd, &now);

        if (e) {
                err_free(e);
                return;
        }
        strv_free(m->conf.endpoints);
        m->conf.endpoints = TAKE_PTR(now.endpoints);
}

/* Does the table know it? Who has left its last bridge asks whether there is a table. Who cannot ask believes it. */
static bool is_known(const struct monitor *m)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER);
        char bridge[16], comment[NFT_COMMENT_MAX + 1];
        unsigned count;

        if (fd < 0)
                return true;
        return find_bridge(m, bridge)
                       ? nft_element_get(fd, NFPROTO_INET, "hod", "bridges", bridge, sizeof(bridge), comment) != 0
                       : nft_set_count(fd, NFPROTO_INET, "hod", "bridges", &count) != -ENOENT;
}

/* ---- what has changed ---- */

static bool is_removal(unsigned type)
{
        return type == NFT_MSG_DELTABLE || type == NFT_MSG_DELCHAIN || type == NFT_MSG_DELRULE ||
               type == NFT_MSG_DELSET || type == NFT_MSG_DELSETELEM;
}

/* "hod", "hod_egress" */
static bool is_ours(const char *text, size_t size)
{
        return text && size > 3 && memcmp(text, "hod", 3) == 0 && (!text[3] || text[3] == '_' || text[3] == '-');
}

/* A part of our tables may be gone while the bridge's element is there. The messages of a transaction follow each
 * other; the last of them says whose it was. */
static void on_message(struct monitor *m, const struct nlmsghdr *h)
{
        unsigned type = NFNL_MSG_TYPE(h->nlmsg_type);
        size_t size, n;
        const char *all = netlink_attributes(h, sizeof(struct nfgenmsg), &size), *text;

        if (NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
                return;
        if (is_removal(type)) { /* of what: they all begin with the name of the table */
                text = netlink_attribute(all, size, NFTA_TABLE_NAME, &n);
                m->watch_less |= is_ours(text, n);
        } else if (type == NFT_MSG_NEWGEN) {
                text = netlink_attribute(all, size, NFTA_GEN_PROC_NAME, &n);
                m->watch_torn |= m->watch_less && text && !is_ours(text, n);
                m->watch_less = false;
        }
}

static void on_change(struct monitor *m, struct source *s, uint32_t events)
{
        struct nlmsghdr data[8192 / sizeof(struct nlmsghdr)];
        ssize_t n;

        while ((n = recv(s->fd, data, sizeof(data), MSG_DONTWAIT)) >= 0 || errno == ENOBUFS || errno == EINTR) {
                m->watch_torn |= n < 0 && errno == ENOBUFS; /* we were too slow to be told */
                for (const struct nlmsghdr *h = data; n > 0 && NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
                        on_message(m, h);
        }
        if (m->watch_at_ns < 0)
                m->watch_at_ns = loop_now_ns() + PAUSE_NS;
}

static void on_watcher_end(struct monitor *m, struct source *s, uint32_t events)
{
        loop_close(m, s);
        watch_start(m);
}

static void watch_changes(struct monitor *m)
{
        /* With a number of its own: what the kernel sends to all is not for number 0. */
        struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1)};
        int n, room = ROOM;
        char text[16];

        n = snprintf(text, sizeof(text), "%d\n", getpid());
        m->watch = (struct source){on_change, netlink_open(NETLINK_NETFILTER), 0};
        if (m->watch.fd < 0 || ftruncate(m->watch_lock, 0) < 0 || pwrite(m->watch_lock, text, (size_t)n, 0) < 0 ||
            bind(m->watch.fd, (struct sockaddr *)&all, sizeof(all)) < 0) {
                m->watch.fd = file_close(m->watch.fd);
                m->watch_lock = file_close(m->watch_lock); /* another one may be able to */
                return;
        }
        (void)setsockopt(m->watch.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
        loop_watch(m, &m->watch, EPOLLIN);
        m->watch_at_ns = loop_now_ns(); /* what happened while nobody looked */
}

/* The one who has the lock; its end is our turn. */
static void watch_watcher(struct monitor *m)
{
        char text[16] = "";
        ssize_t n = pread(m->watch_lock, text, sizeof(text) - 1, 0);
        uint64_t pid = 0;

        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        m->watch_lock = file_close(m->watch_lock);
        m->watch = (struct source){on_watcher_end, parse_u64(text, &pid) && pid ? process_of((pid_t)pid) : -1, 0};
        if (m->watch.fd >= 0)
                loop_watch(m, &m->watch, EPOLLIN);
        else
                m->watch_at_ns = loop_now_ns() + RETRY_NS;
}

void watch_start(struct monitor *m)
{
        _cleanup_free_ char *path = NULL;
        char bridge[16];

        if (m->watch_lock >= 0 || m->watch.fd >= 0 || !find_bridge(m, bridge) || str_empty(m->conf.state_dir))
                return;
        path = str_format("%s/" FILE_NAME, m->conf.state_dir);
        m->watch_lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
        if (m->watch_lock < 0)
                return;
        if (flock(m->watch_lock, LOCK_EX | LOCK_NB) == 0)
                watch_changes(m);
        else
                watch_watcher(m);
}

void watch_refresh(struct monitor *m)
{
        refresh(m);
        watch_start(m);
}

/* Also between two runs: the others rely on it. */
int64_t watch_deadline(const struct monitor *m)
{
        bool on = m->phase == PHASE_RUNNING || m->phase == PHASE_STARTING || m->phase == PHASE_DELAY;

        return on && !m->reload_pid ? m->watch_at_ns : -1;
}

void watch_timer(struct monitor *m)
{
        int64_t at = watch_deadline(m);

        if (at < 0 || loop_now_ns() < at)
                return;
        m->watch_at_ns = -1;
        if (m->watch_lock < 0) {
                watch_start(m);
                return;
        }
        refresh(m);
        if (m->watch_torn || !is_known(m))
                m->reload_pid = exit_spawn(m, (const char *const[]){"network", "reload", NULL});
        m->watch_torn = false;
}

/* What was flushed while it worked, or what it could not do. */
void watch_reloaded(struct monitor *m)
{
        m->reload_pid = 0;
        m->watch_at_ns = loop_now_ns() + LOOK_AGAIN_NS;
}
