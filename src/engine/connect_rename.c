/* connect_rename.c - see connect.h: the names of a container in its networks. */
#include "base/file.h"
#include "base/str.h"
#include "engine/connect.h"
#include "engine/endpoints_private.h"
#include "monitor/conf.h"

static err *rename_entry(const struct container *c, json *entry, const char *name)
{
        _cleanup_strv_ char **names = NULL;
        json *list;

        TRY(json_get_strv(entry, "DNSNames", &names));
        if (!names || !*names)
                return NULL; /* the default bridge */
        list = json_new_array();
        for (char *const *n = names; *n; n++)
                json_add_str(list, str_eq(*n, c->name) ? name : *n);
        json_set(entry, "DNSNames", list);
        return NULL;
}

err *connect_rename(struct container *c, const char *name)
{
        _cleanup_attach_ struct attach a = {.ns = -1};
        _cleanup_close_ int lock = -1;

        if (!container_is_alive(c) || c->state_fd < 0)
                return NULL;
        lock = file_lock(c->state_fd, NETWORK_LOCK, false);
        if (lock < 0)
                return err_sys(-lock, "locking the networks of container %s", c->name);
        TRY(endpoints_begin(&a, c, c->state_fd));
        JSON_EACH (json_get(a.doc, "Networks"), it) {
                TRY(lease_rename(a.networks, json_get_str_or(it.value, "NetworkID", ""), c->id, name));
                TRY(rename_entry(c, it.value, name));
        }
        return json_len(json_get(a.doc, "Networks")) ? endpoints_write(&a) : NULL;
}
