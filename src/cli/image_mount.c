/* image_mount.c - image mount and unmount, in podman's words. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/image_mount.h"

struct mount_args {
        const char *format;
        bool all;
};

static const char *id_of(const struct image *i)
{
        return strchr(i->id, ':') + 1;
}

static const char *name_of(const struct image *i)
{
        return *i->names ? *i->names : id_of(i);
}

static err *print_json(const struct image_mounted_list *list)
{
        _cleanup_json_ json *doc = json_new_array();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < list->n; i++) {
                const struct image_mounted *m = &list->items[i];
                json *row = json_new_object();

                json_set_str(row, "id", id_of(m->image));
                json_set_strv(row, "Repositories", m->image->names);
                json_set_str(row, "mountpoint", m->path);
                json_add(doc, row);
        }
        TRY(json_print(doc, JSON_INDENT2, &text));
        (void)printf("%s\n", text);
        return NULL;
}

static void print_rows(const struct image_mounted_list *list)
{
        size_t width = 0;

        for (size_t i = 0; i < list->n; i++) {
                size_t length = strlen(name_of(list->items[i].image));

                width = length > width ? length : width;
        }
        for (size_t i = 0; i < list->n; i++) {
                const char *name = name_of(list->items[i].image);

                ui_print(stdout, name);
                (void)printf("%*s %s\n", (int)(width - strlen(name)), "", list->items[i].path);
        }
}

static err *print(const struct mount_args *a, const struct image_mounted_list *list)
{
        if (a->format)
                return print_json(list);
        print_rows(list);
        return NULL;
}

static err *list_mounted(struct engine *e, const struct mount_args *a)
{
        _cleanup_image_mounted_list_ struct image_mounted_list list = {0};

        TRY(image_mounted_list(e, &list));
        return print(a, &list);
}

static err *mount_one(struct engine *e, const char *ref, struct image_mounted *to)
{
        _cleanup_image_ struct image *image = NULL;

        TRY(image_find(e->store, ref, &image));
        TRY(image_mount(e, image, &to->path));
        to->image = TAKE_PTR(image);
        return NULL;
}

/* What was mounted before one failed is said, too. */
static err *mount_named(struct engine *e, const struct mount_args *a, char *const *names, size_t n)
{
        _cleanup_image_mounted_list_ struct image_mounted_list list = {.items = MEM_NEW0(struct image_mounted, n + 1)};
        err *error = NULL, *unsaid;

        if (!list.items)
                return err_nomem();
        while (!error && list.n < n) {
                error = mount_one(e, names[list.n], &list.items[list.n]);
                list.n += !error;
        }
        if (n == 1 && !error && !a->format) {
                (void)printf("%s\n", list.items[0].path);
                return NULL;
        }
        unsaid = list.n ? print(a, &list) : NULL;
        if (!error)
                return unsaid;
        err_free(unsaid);
        return error;
}

static err *ids_of_all(struct engine *e, bool mounted, char ***ret)
{
        _cleanup_strv_ char **ids = NULL;

        if (mounted) {
                _cleanup_image_mounted_list_ struct image_mounted_list list = {0};

                TRY(image_mounted_list(e, &list));
                for (size_t i = 0; i < list.n; i++)
                        TRY(strv_add(&ids, list.items[i].image->id));
        } else {
                _cleanup_image_list_ struct image_list list = {0};

                TRY(image_list(e->store, &list));
                for (size_t i = 0; i < list.n; i++)
                        TRY(strv_add(&ids, list.items[i]->id));
        }
        *ret = TAKE_PTR(ids);
        return NULL;
}

static err *mount_run(struct invocation *inv)
{
        const struct mount_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_strv_ char **ids = NULL;

        if (a->format && strcmp(a->format, "json") != 0)
                return err_new(ERR_INVALID, "unknown --format argument: \"%s\"", a->format);
        if (a->all && inv->n_operands)
                return err_new(ERR_INVALID, "when using the --all switch, you may not pass any image names or IDs");
        TRY(ui_engine(inv, &e));
        if (a->all)
                TRY(ids_of_all(e, false, &ids));
        if (!a->all && !inv->n_operands)
                return list_mounted(e, a);
        return mount_named(e, a, a->all ? ids : inv->operands, a->all ? strv_len(ids) : (size_t)inv->n_operands);
}

static const struct opt mount_opts[] = {
        OPT_FLAG('a', "all", struct mount_args, all, "Mount all images"),
        OPT_STR(0, "format", struct mount_args, format, "string", "Print the mounted images as json"),
        OPT_END,
};

const struct command cmd_image_mount = {
        .name = "mount",
        .operands = "[IMAGE...]",
        .max_operands = OPERANDS_ANY,
        .summary = "Mount an image's root filesystem",
        .description = "The files of an image appear, read only, in a directory below the root directory, whose path "
                       "is printed. They stay until `hod image unmount` or a reboot; an image mounted twice wants to "
                       "be unmounted twice. A mounted image is not pruned, and removed by force only. Without "
                       "operands: what is mounted.",
        .opts = mount_opts,
        .args_size = sizeof(struct mount_args),
        .run = mount_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};

struct unmount_args {
        bool all, force;
};

static err *unmount_one(struct engine *e, const char *ref, const struct invocation *inv)
{
        const struct unmount_args *a = inv->args;
        _cleanup_(image_freep) struct image *image = NULL;

        TRY(image_find(e->store, ref, &image));
        TRY(image_unmount(e, image, a->force));
        (void)printf("%s\n", id_of(image));
        return NULL;
}

static err *unmount_run(struct invocation *inv)
{
        const struct unmount_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_strv_ char **ids = NULL;
        char *const *names = inv->operands;

        if (a->all && inv->n_operands)
                return err_new(ERR_INVALID, "when using the --all switch, you may not pass any image names or IDs");
        if (!a->all && !inv->n_operands)
                return err_new(ERR_INVALID, "image name or ID must be specified");
        TRY(ui_engine(inv, &e));
        if (a->all) {
                TRY(ids_of_all(e, true, &ids));
                names = ids;
        }
        for (; names && *names; names++) {
                err *error = unmount_one(e, *names, inv);

                if (!error)
                        continue;
                ui_fail(error);
                inv->status = 1;
        }
        return NULL;
}

static const struct opt unmount_opts[] = {
        OPT_FLAG('a', "all", struct unmount_args, all, "Unmount all of the currently mounted images"),
        OPT_FLAG('f', "force", struct unmount_args, force,
                 "Unmount at once, however often it is mounted and whoever uses it"),
        OPT_END,
};

const struct command cmd_image_unmount = {
        .name = "unmount",
        .operands = "[IMAGE...]",
        .max_operands = OPERANDS_ANY,
        .summary = "Unmount an image's root filesystem",
        .opts = unmount_opts,
        .args_size = sizeof(struct unmount_args),
        .run = unmount_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};
