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

static err *print_json(const struct image_mounted *list, size_t n)
{
        _cleanup_json_ json *doc = json_new_array();
        _cleanup_free_ char *text = NULL;

        for (size_t i = 0; i < n; i++) {
                json *row = json_new_object();

                json_set_str(row, "id", id_of(list[i].image));
                json_set_strv(row, "Repositories", list[i].image->names);
                json_set_str(row, "mountpoint", list[i].path);
                json_add(doc, row);
        }
        TRY(json_print(doc, JSON_INDENT2, &text));
        (void)printf("%s\n", text);
        return NULL;
}

static void print_rows(const struct image_mounted *list, size_t n)
{
        size_t width = 0;

        for (size_t i = 0; i < n; i++) {
                const char *name = *list[i].image->names ? *list[i].image->names : id_of(list[i].image);

                width = strlen(name) > width ? strlen(name) : width;
        }
        for (size_t i = 0; i < n; i++) {
                const char *name = *list[i].image->names ? *list[i].image->names : id_of(list[i].image);

                ui_print(stdout, name);
                (void)printf("%*s %s\n", (int)(width - strlen(name)), "", list[i].path);
        }
}

static err *print(const struct mount_args *a, const struct image_mounted *list, size_t n)
{
        if (a->format)
                return print_json(list, n);
        print_rows(list, n);
        return NULL;
}

static err *list_mounted(struct engine *e, const struct mount_args *a)
{
        struct image_mounted *list;
        size_t n;
        err *error;

        TRY(image_mounted_list(e, &list, &n));
        error = print(a, list, n);
        image_mounted_free(list, n);
        return error;
}

static err *mount_one(struct engine *e, const char *ref, struct image_mounted *to)
{
        TRY(image_find(e->store, ref, &to->image));
        return image_mount(e, to->image, &to->path);
}

static err *mount_named(struct engine *e, const struct mount_args *a, char *const *names, size_t n)
{
        struct image_mounted *list = MEM_NEW0(struct image_mounted, n + 1);
        err *error = list ? NULL : err_nomem();
        size_t done = 0;

        while (!error && done < n) {
                error = mount_one(e, names[done], &list[done]);
                done += !error;
        }
        if (list && n == 1 && !error && !a->format) {
                (void)printf("%s\n", list[0].path);
        } else if (list && done) {
                err *failed = print(a, list, done);

                if (!error)
                        error = failed;
                else
                        err_free(failed);
        }
        if (list)
                image_mounted_free(list, n);
        return error;
}

static err *ids_of_all(struct engine *e, bool mounted, char ***ret)
{
        _cleanup_strv_ char **ids = NULL;
        struct image **images = NULL;
        size_t n = 0;
        err *error = NULL;

        if (mounted) {
                struct image_mounted *list;

                TRY(image_mounted_list(e, &list, &n));
                for (size_t i = 0; !error && i < n; i++)
                        error = strv_add(&ids, list[i].image->id);
                image_mounted_free(list, n);
        } else {
                TRY(image_list(e->store, &images, &n));
                for (size_t i = 0; !error && i < n; i++)
                        error = strv_add(&ids, images[i]->id);
                image_list_free(images, n);
        }
        *ret = TAKE_PTR(ids);
        return error;
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
