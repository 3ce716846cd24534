/* create.h - make a container: everything but starting it. */
#pragma once

#include "base/err.h"
#include "engine/container.h"
#include "store/image.h"

struct create_options {
        const char *name;                /* NULL or "" = one is made up */
        json *body;                      /* docker's create body: Config members and HostConfig; borrowed */
        bool start_follows;              /* part of `run`: one durable commit instead of two */
        bool volatile_;                  /* forget at reboot (--rm) */
        const char *platform;            /* the image must be for it; NULL = whatever is here */
        bool *ret_no_image;              /* set to whether the error is that there is no such image; may be NULL */
        struct image_origin *ret_origin; /* ... that a layer of it lacks: what to pull for it; may be NULL */
};

/* Create the container. @warnings are for the user (owned, may stay NULL).
 * Errors: ERR_NOT_FOUND "No such image: x", ERR_CONFLICT (name), ERR_INVALID; nothing is left behind then. */
MUST_USE err *create_container(struct engine *e, const struct create_options *o, struct container **ret,
                               char ***warnings);
