/* networks_damaged.c - see networks_damaged.h. */
#include "engine/networks_damaged.h"

#include <stdio.h>

#include "base/file.h"
#include "base/id.h"
#include "base/str.h"
#include "net/address.h"
#include "net/bridge.h"
#include "net/lease.h"
#include "sys/netlink.h"
#include "sys/rate.h"

/* As much of the network as can be known without its document. */
static err *stand_in(const char *id, struct network **ret)
{
        _cleanup_network_ struct network *n = MEM_NEW0(struct network, 1);
        struct link_address have[LINK_ADDRESSES] = {{0}, {0}};
        err *e;

        if (!n || !(n->id = str_dup(id)) || !(n->name = str_dup(id)) || !(n->driver = str_dup("bridge")))
                return err_nomem();
        (void)snprintf(n->link, sizeof(n->link), "br-%.12s", id);
        n->internal = n->icc = n->masquerade = true; /* whatever it was: what is not there need not go */
        e = bridge_find(id, n->link, have);
        if (err_code(e) == ERR_NOT_FOUND)
                e = err_free(e);
        TRY(e);
        for (unsigned i = 0; i < LINK_ADDRESSES; i++) {
                if (!have[i].family)
                        continue;
                n->pool[i].gateway = have[i];
                n->pool[i].subnet = address_network(&have[i]);
        }
        *ret = TAKE_PTR(n);
        return NULL;
}

static err *remove_one(struct engine *e, const char *id)
{
        _cleanup_network_ struct network *n = NULL;
        struct networks *s;

        TRY(networks_of(e, &s));
        TRY(stand_in(id, &n));
        return id_valid(id) ? networks_take_away(e, n) : network_forget(s, n);
}

/* *@ret borrows from @list. */
static err *find(char *const *list, const char *ref, const char **ret)
{
        *ret = NULL;
        for (; list && *list; list++) {
                if (str_eq(*list, ref)) {
                        *ret = *list;
                        return NULL;
                }
                if (!id_prefix_valid(ref) || !str_starts(*list, ref))
                        continue;
                if (*ret)
                        return err_new(ERR_CONFLICT, "network %s is ambiguous (2 matches found on ID prefix)", ref);
                *ret = *list;
        }
        return *ret ? NULL : err_new(ERR_NOT_FOUND, "network %s not found", ref);
}

err *networks_remove_damaged(struct engine *e, const char *ref, char **ret_name)
{
        _cleanup_strv_ char **list = NULL;
        struct networks *s;
        const char *id;

        TRY(networks_of(e, &s));
        TRY(network_list_damaged(s, &list));
        TRY(find(list, ref, &id));
        TRY(remove_one(e, id));
        *ret_name = str_dup(id);
        return *ret_name ? NULL : err_nomem();
}

/* ---- hod system check ---- */

static void tell(const struct check_options *o, struct check_result *r, enum check_outcome outcome, const char *id,
                 const char *text)
{
        _cleanup_free_ char *what = str_format("network %.64s", id);

        r->wrong += outcome == CHECK_WRONG;
        r->mended += outcome == CHECK_MENDED;
        r->leftovers += outcome == CHECK_LEFTOVER;
        o->say(o->arg, outcome, what ? what : "network", text);
}

static err *check_document(struct engine *e, const struct check_options *o, struct check_result *r, const char *id)
{
        err *error = o->repair ? remove_one(e, id) : NULL;
        char text[1024];

        if (!o->repair || err_code(error) == ERR_CONFLICT) {
                if (error)
                        (void)err_text(error, text, sizeof(text));
                else
                        (void)snprintf(text, sizeof(text), "its file networks/%.64s.json is damaged", id);
                err_free(error);
                tell(o, r, CHECK_WRONG, id, text);
                return NULL;
        }
        TRY(error);
        tell(o, r, CHECK_MENDED, id, "its file was damaged: it has been removed");
        return NULL;
}

static err *check_leases(struct networks *s, const struct check_options *o, struct check_result *r, const char *id)
{
        unsigned damaged = 0;

        TRY(lease_mend(s, id, o->repair, &damaged));
        if (damaged)
                tell(o, r, o->repair ? CHECK_MENDED : CHECK_WRONG, id,
                     o->repair ? "damaged lines of its addresses have been removed"
                               : "its file of addresses has damaged lines");
        return NULL;
}

static err *check_devices(const struct check_options *o, struct check_result *r)
{
        _cleanup_close_ int fd = netlink_open(NETLINK_ROUTE);
        _cleanup_strv_ char **names = NULL;

        if (fd < 0)
                return NULL; /* no networks at all */
        TRY(rate_sweep(fd, o->repair, &names));
        for (char **name = names; name && *name; name++)
                tell(o, r, o->repair ? CHECK_MENDED : CHECK_LEFTOVER, *name,
                     o->repair ? "the link that it limited has gone: removed" : "the link that it limited has gone");
        return NULL;
}

err *networks_check(struct engine *e, const struct check_options *o, struct check_result *r)
{
        _cleanup_strv_ char **damaged = NULL;
        _cleanup_network_list_ struct network_list list = {0};
        struct networks *s;

        TRY(networks_of(e, &s));
        TRY(network_list_damaged(s, &damaged));
        for (char **id = damaged; id && *id; id++)
                TRY(check_document(e, o, r, *id));
        TRY(network_list(s, &list));
        for (size_t i = 0; i < list.n; i++)
                TRY(check_leases(s, o, r, list.items[i]->id));
        return check_devices(o, r);
}
