/* networks.c - see networks.h. */
#include "engine/networks.h"

err *networks_of(struct engine *e, struct networks **ret)
{
        if (!e->networks)
                TRY(networks_open(store_root_fd(e->store), store_state_fd(e->store), &e->networks));
        *ret = e->networks;
        return NULL;
}
