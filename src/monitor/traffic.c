/* traffic.c - see traffic.h. */
#include "monitor/traffic.h"

#include <errno.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/netlink.h"
#include "sys/rate.h"
#include "sys/shortcut.h"

#define FILE_MAX (256u << 10)

void traffic_done(struct traffic *t)
{
        free(t->rate);
        strv_free(t->egress);
        strv_free(t->endpoints);
        *t = (struct traffic){0};
}

static err *read_line(const char *line, struct traffic *t)
{
        const char *rate = str_after(line, "rate="), *egress = str_after(line, "egress="),
                   *endpoint = str_after(line, "endpoint=");

        if (rate) {
                free(t->rate);
                t->rate = str_dup(rate);
                return t->rate ? NULL : err_nomem();
        }
        /* Others are a newer engine's. */
        return egress ? strv_add(&t->egress, egress) : endpoint ? strv_add(&t->endpoints, endpoint) : NULL;
}

err *traffic_read(int dirfd, struct traffic *ret)
{
        _cleanup_traffic_ struct traffic t = {0};
        _cleanup_free_ char *text = NULL;
        int r = file_read(dirfd, TRAFFIC_FILE, FILE_MAX, &text, NULL);
        char *rest = text, *line;

        if (r < 0 && r != -ENOENT)
                return err_sys(-r, "reading " TRAFFIC_FILE);
        while ((line = strsep(&rest, "\n")))
                TRY(read_line(line, &t));
        *ret = t;
        t = (struct traffic){0};
        return NULL;
}

err *traffic_write(int dirfd, const struct traffic *t)
{
        _cleanup_str_ struct str s = {0};
        int r;

        if (t->rate)
                str_printf(&s, "rate=%s\n", t->rate);
        for (char *const *e = t->egress; e && *e; e++)
                str_printf(&s, "egress=%s\n", *e);
        for (char *const *e = t->endpoints; e && *e; e++)
                str_printf(&s, "endpoint=%s\n", *e);
        TRY(str_done(&s));
        r = file_replace(dirfd, TRAFFIC_FILE, str_text(&s), s.len, 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(-r, "writing " TRAFFIC_FILE) : NULL;
}

err *traffic_lock(int dirfd, int *ret)
{
        *ret = file_lock(dirfd, TRAFFIC_LOCK, false);
        return *ret < 0 ? err_sys(-*ret, "locking the limits of the container's traffic") : NULL;
}

static bool is_limited(const struct traffic *t)
{
        return t->rate || t->egress;
}

/* Whoever limits it meanwhile writes first and takes the short way away then, if it sees one: else it is seen here. */
static err *read_or_shorten(int dirfd, const struct endpoint *e, struct traffic *ret)
{
        int r;

        TRY(traffic_read(dirfd, ret));
        if (is_limited(ret)) {
                shortcut_forget(e);
                return NULL;
        }
        shortcut_make(e);
        traffic_done(ret);
        TRY(traffic_read(dirfd, ret));
        r = is_limited(ret) ? shortcut_remove(e->host_name) : 0;
        return r < 0 ? err_sys(-r, "taking the short way to the host from network device %s", e->host_name) : NULL;
}

/* By what the file says now: it may have been changed since it was looked at. */
static err *limit_locked(int dirfd, const struct endpoint *e)
{
        _cleanup_traffic_ struct traffic t = {0};
        _cleanup_close_ int fd = -1;
        struct rate rate;

        TRY(traffic_read(dirfd, &t));
        if (!is_limited(&t))
                shortcut_make(e);
        if (!t.rate)
                return NULL;
        TRY(rate_parse(t.rate, &rate));
        fd = netlink_open(NETLINK_ROUTE);
        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        return rate_set(fd, e->host_name, &rate);
}

err *traffic_limit(int dirfd, const struct endpoint *e)
{
        _cleanup_traffic_ struct traffic t = {0};
        _cleanup_close_ int lock = -1;

        TRY(read_or_shorten(dirfd, e, &t));
        if (!t.rate || e->kind != ENDPOINT_BRIDGE)
                return NULL;
        TRY(traffic_lock(dirfd, &lock));
        return limit_locked(dirfd, e);
}
