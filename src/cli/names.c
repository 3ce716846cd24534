/* names.c - see names.h. */
#include "cli/names.h"

#include <unistd.h>

#include "cli/config.h"
#include "cli/ui.h"
#include "engine/container.h"
#include "engine/networks.h"
#include "store/image.h"
#include "store/volume.h"

static err *add_containers(struct engine *e, enum opt_complete kind, char ***list)
{
        _cleanup_container_list_ struct container_list all = {0};

        TRY(container_list(e, &all));
        for (size_t i = 0; i < all.n; i++)
                if (kind == OPT_COMPLETE_CONTAINER ||
                    (kind == OPT_COMPLETE_RUNNING) == container_is_alive(all.items[i]))
                        TRY(strv_add(list, all.items[i]->name));
        return NULL;
}

/* "docker.io/library/busybox:latest" as people type it: "busybox:latest" and "busybox". */
static err *add_image_name(const char *name, char ***list)
{
        const char *rest = str_after(name, "docker.io/library/"), *tail;

        if (!rest)
                rest = str_after(name, "docker.io/");
        name = rest ? rest : name;
        tail = strrchr(name, ':');
        TRY(strv_add(list, name));
        return tail && strcmp(tail, ":latest") == 0 ? strv_push(list, strndup(name, (size_t)(tail - name))) : NULL;
}

static err *add_images(struct engine *e, char ***list)
{
        _cleanup_image_list_ struct image_list all = {0};

        TRY(image_list(e->store, &all));
        for (size_t i = 0; i < all.n; i++)
                for (char **name = all.items[i]->names; name && *name; name++)
                        TRY(add_image_name(*name, list));
        return NULL;
}

static err *add_volumes(struct engine *e, char ***list)
{
        _cleanup_json_ json *volumes = NULL;

        TRY(volume_list(e->store, &volumes));
        for (size_t i = 0; i < json_len(volumes); i++)
                TRY(strv_add(list, json_get_str_or(json_at(volumes, i), "Name", "")));
        return NULL;
}

static err *add_networks(struct engine *e, char ***list)
{
        _cleanup_json_ json *all = NULL;

        TRY(networks_list(e, &all));
        for (size_t i = 0; i < json_len(all); i++)
                TRY(strv_add(list, json_get_str_or(json_at(all, i), "Name", "")));
        return NULL;
}

/* Those that exist without an engine. */
static err *add_builtin_networks(char ***list)
{
        TRY(strv_add(list, "none"));
        TRY(strv_add(list, "host"));
        return strv_add(list, "bridge");
}

err *names_complete(void *data, enum opt_complete kind, char ***list)
{
        const struct invocation *inv = data;
        const struct config *config = inv->context;
        _cleanup_engine_ struct engine *e = NULL;

        /* Asking must not make the directories of an engine that was never used. */
        if (!config || access(config->root, F_OK) < 0)
                return kind == OPT_COMPLETE_NETWORK ? add_builtin_networks(list) : NULL;
        TRY(ui_engine(inv, &e));
        switch (kind) {
        case OPT_COMPLETE_CONTAINER:
        case OPT_COMPLETE_RUNNING:
        case OPT_COMPLETE_STOPPED:
                return add_containers(e, kind, list);
        case OPT_COMPLETE_IMAGE:
                return add_images(e, list);
        case OPT_COMPLETE_VOLUME:
                return add_volumes(e, list);
        case OPT_COMPLETE_NETWORK:
                return add_networks(e, list);
        default:
                return NULL;
        }
}
