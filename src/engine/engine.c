/* engine.c - see engine.h. */
#include "engine/engine.h"

#include <stdlib.h>

#include "base/str.h"
#include "net/network.h"
#include "base/trace.h"

err *engine_open(const struct engine_options *o, struct engine **ret)
{
        struct trace_span span = trace_begin(TRACE_ENGINE_OPEN);
        struct store_options store = {.root = o->root, .state = o->state, .driver = o->driver};
        _cleanup_engine_ struct engine *e = MEM_NEW0(struct engine, 1);

        if (!e)
                return err_nomem();
        e->containers_fd = e->rw_fd = -1;
        TRY(store_open(&store, &e->store));
        e->root = str_dup(store_root(e->store));
        e->state = str_dup(store_state(e->store));
        e->self = str_dup(o->self);
        e->monitor = str_dup(o->monitor);
        e->init = str_format("%.*s/hod-init", (int)(strrchr(o->monitor, '/') - o->monitor), o->monitor);
        if (!e->root || !e->state || !e->self || !e->monitor || !e->init)
                return err_nomem();
        TRY(store_state_containers_fd(e->store, &e->containers_fd));
        TRY(store_containers_fd(e->store, &e->rw_fd));
        trace_end(&span, 0, e->state);
        *ret = TAKE_PTR(e);
        return NULL;
}

void engine_close(struct engine *e)
{
        if (!e)
                return;
        networks_close(e->networks);
        store_close(e->store); /* the descriptors are the store's */
        free(e->root);
        free(e->state);
        free(e->self);
        free(e->monitor);
        free(e->init);
        free(e);
}
