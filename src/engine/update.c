/* update.c - see update.h. */
#include "engine/update.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/connect.h"
#include "engine/traffic.h"

static json *host_config(struct container *c)
{
        return json_sub_object(c->record, "HostConfig");
}

/* The members of @from that @change has: null for those that are not there. */
static json *before(struct container *c, const json *change)
{
        json *old = json_new_object();

        JSON_EACH (change, it) {
                json *value = json_get(host_config(c), it.key);

                json_set(old, it.key, value ? json_ref(value) : NULL);
        }
        return old;
}

static void merge(struct container *c, const json *change)
{
        JSON_EACH (change, it) {
                if (it.value)
                        json_set(host_config(c), it.key, json_ref(it.value));
                else
                        json_del(host_config(c), it.key);
        }
}

static err *apply(struct container *c, int state_fd)
{
        return container_is_alive(c) ? traffic_apply(c, state_fd) : NULL;
}

static err *change_locked(struct container *c, const json *change, int state_fd)
{
        _cleanup_json_ json *old = NULL;
        err *e;

        TRY(container_reload(c));
        log_error_free(LOG_LEVEL_WARN, connect_repair(c, state_fd));
        old = before(c, change);
        merge(c, change);
        TRY(traffic_check(container_host_config(c)));
        e = apply(c, state_fd);
        if (!e)
                e = container_save(c);
        if (!e)
                return NULL;
        merge(c, old);
        log_error_free(LOG_LEVEL_WARN, apply(c, state_fd));
        return e;
}

err *update_container(struct container *c, const json *change)
{
        _cleanup_close_ int lock = -1;
        err *e;

        TRY(container_lock(c, true, &lock));
        e = change_locked(c, change, lock);
        if (!c->has_status) /* a directory that only the lock has made */
                (void)unlinkat(c->engine->containers_fd, c->id, AT_REMOVEDIR);
        return e;
}
