/* parent.c - see parent.h. */
#include "net/parent.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "sys/link.h"
#include "sys/netlink.h"

#define VLAN_MAX 4094

static void mark(const struct network *n, char ret[LINK_ALIAS_MAX + 1])
{
        (void)snprintf(ret, LINK_ALIAS_MAX + 1, LINK_MARK "%s", n->id);
}

/* "eth0.10": the device below, and the number. */
static err *read_vlan(int fd, const char *name, struct link_parent *ret)
{
        const char *dot = strrchr(name, '.');
        _cleanup_free_ char *below = dot ? strndup(name, (size_t)(dot - name)) : NULL;
        uint64_t number;

        if (!dot || !parse_u64(dot + 1, &number) || number < 1 || number > VLAN_MAX)
                return err_new(
                        ERR_INVALID,
                        "the parent %s is no network device of the host, and no VLAN of one, as eth0.10 would be",
                        name);
        if (!below)
                return err_nomem();
        ret->below = link_index(fd, below);
        ret->vlan = (unsigned)number;
        if (ret->below == -ENODEV)
                return err_new(ERR_NOT_FOUND, "failed to find master interface %s on the host", below);
        return ret->below < 0 ? err_sys(-ret->below, "finding network device %s", below) : NULL;
}

err *parent_up(const struct network *n)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        struct link_parent p = {.name = n->link};
        char alias[LINK_ALIAS_MAX + 1];
        int r;

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        r = link_index(fd, n->link);
        if (r >= 0)
                return NULL;
        if (r != -ENODEV)
                return err_sys(-r, "finding network device %s", n->link);
        mark(n, alias);
        p.alias = alias;
        if (network_option(n, "parent"))
                TRY(read_vlan(fd, n->link, &p));
        return link_parent_make(fd, &p);
}

err *parent_down(const struct network *n, const struct network_list *others)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        char alias[LINK_ALIAS_MAX + 1], heir[LINK_ALIAS_MAX + 1] = "";

        if (fd < 0)
                return err_sys(-fd, "opening a netlink socket");
        mark(n, alias);
        for (size_t i = 0; i < others->n; i++)
                if (!str_eq(others->items[i]->id, n->id) && str_eq(others->items[i]->link, n->link))
                        mark(others->items[i], heir);
        return link_parent_remove(fd, n->link, alias, *heir ? heir : NULL);
}
