/* prune.c - container, image, volume and system prune; image pin and unpin. */
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/ui.h"
#include "engine/networks.h"
#include "engine/prune.h"
#include "store/image.h"

struct prune_args {
        bool all, force, volumes, blobs;
        char **filters;
};

#define OPT_FILTER(help) OPT_LIST(0, "filter", struct prune_args, filters, "filter", help, .check = parse_check_filter)
#define OPT_FORCE OPT_FLAG('f', "force", struct prune_args, force, "Do not prompt for confirmation")

/* docker's question; anything but y means no. */
static bool confirmed(const struct prune_args *a, const char *warning)
{
        char answer[64];

        if (a->force)
                return true;
        (void)printf("%s\nAre you sure you want to continue? [y/N] ", warning);
        (void)fflush(stdout);
        if (!fgets(answer, sizeof(answer), stdin))
                return false;
        answer[strcspn(answer, "\r\n")] = '\0';
        return strcasecmp(answer, "y") == 0;
}

static void print_lines(const char *heading, const struct prune_report *r)
{
        if (!r->lines || !*r->lines)
                return;
        (void)printf("%s\n", heading);
        for (char **l = r->lines; *l; l++)
                (void)printf("%s\n", *l);
        (void)putchar('\n');
}

static void print_total(uint64_t bytes)
{
        char text[32];

        parse_size_format_digits(bytes, 4, text, sizeof(text));
        (void)printf("Total reclaimed space: %s\n", text);
}

/* ---- container ---- */

static err *container_prune_run(struct invocation *inv)
{
        const struct prune_args *a = inv->args;
        _cleanup_prune_report_ struct prune_report r = {0};
        _cleanup_prune_filter_ struct prune_filter f = {0};
        _cleanup_engine_ struct engine *e = NULL;

        if (!confirmed(a, "WARNING! This will remove all stopped containers."))
                return NULL;
        TRY(prune_filter_parse(a->filters, PRUNE_CONTAINERS, &f));
        TRY(ui_engine(inv, &e));
        TRY(prune_containers(e, &f, &r));
        print_lines("Deleted Containers:", &r);
        print_total(r.bytes);
        return NULL;
}

static const struct opt container_prune_opts[] = {
        OPT_FILTER("Provide filter values (e.g. \"until=<timestamp>\")"),
        OPT_FORCE,
        OPT_END,
};

const struct command cmd_container_prune = {
        .name = "prune",
        .summary = "Remove all stopped containers",
        .opts = container_prune_opts,
        .args_size = sizeof(struct prune_args),
        .run = container_prune_run,
};

/* ---- image ---- */

static err *drop_blobs(struct invocation *inv)
{
        const struct prune_args *a = inv->args;
        _cleanup_prune_report_ struct prune_report r = {0};
        _cleanup_engine_ struct engine *e = NULL;

        if (a->filters)
                return err_new(ERR_INVALID, "--blobs takes no filters: it is about all images");
        if (!confirmed(a, "WARNING! This will remove the compressed originals of all layers: what is pushed or saved "
                          "afterwards is compressed anew and has other digests."))
                return NULL;
        TRY(ui_engine(inv, &e));
        TRY(prune_blobs(e, &r));
        print_lines("Deleted Blobs:", &r);
        print_total(r.bytes);
        return NULL;
}

static err *image_prune_run(struct invocation *inv)
{
        const struct prune_args *a = inv->args;
        _cleanup_prune_report_ struct prune_report r = {0};
        _cleanup_prune_filter_ struct prune_filter f = {0};
        _cleanup_engine_ struct engine *e = NULL;

        if (a->blobs)
                return drop_blobs(inv);
        if (!confirmed(a, a->all ? "WARNING! This will remove all images without at least one container associated to "
                                   "them."
                                 : "WARNING! This will remove all dangling images."))
                return NULL;
        TRY(prune_filter_parse(a->filters, PRUNE_IMAGES, &f));
        TRY(ui_engine(inv, &e));
        TRY(prune_images(e, a->all, &f, &r));
        print_lines("Deleted Images:", &r);
        print_total(r.bytes);
        return NULL;
}

static const struct opt image_prune_opts[] = {
        OPT_FLAG('a', "all", struct prune_args, all, "Remove all unused images, not just dangling ones"),
        OPT_FLAG(0, "blobs", struct prune_args, blobs,
                 "Remove no image, but the compressed originals of all layers: push and save make them again",
                 .conflicts = "all"),
        OPT_FILTER("Provide filter values (e.g. \"until=<timestamp>\")"),
        OPT_FORCE,
        OPT_END,
};

const struct command cmd_image_prune = {
        .name = "prune",
        .summary = "Remove unused images",
        .description = "Removes images without a tag, or with --all every image, that no container was made from and "
                       "that is not pinned, and what interrupted pulls left behind.",
        .opts = image_prune_opts,
        .args_size = sizeof(struct prune_args),
        .run = image_prune_run,
        .libraries = true,
};

static err *pin_each(struct engine *e, const char *ref, const struct invocation *inv)
{
        return image_pin(e->store, ref, strcmp(inv->command->name, "pin") == 0);
}

static err *pin_run(struct invocation *inv)
{
        return ui_for_each(inv, pin_each);
}

const struct command cmd_image_pin = {
        .name = "pin",
        .operands = "IMAGE [IMAGE...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Keep images from being pruned",
        .description = "A pinned image is left alone by image prune and system prune; rmi removes it only with "
                       "--force.",
        .run = pin_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};

const struct command cmd_image_unpin = {
        .name = "unpin",
        .operands = "IMAGE [IMAGE...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Let images be pruned again",
        .run = pin_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};

/* ---- network ---- */

static err *network_prune_run(struct invocation *inv)
{
        const struct prune_args *a = inv->args;
        _cleanup_prune_report_ struct prune_report r = {0};
        _cleanup_prune_filter_ struct prune_filter f = {0};
        _cleanup_engine_ struct engine *e = NULL;

        if (!confirmed(a, "WARNING! This will remove all custom networks not used by at least one container."))
                return NULL;
        TRY(prune_filter_parse(a->filters, PRUNE_NETWORKS, &f));
        TRY(ui_engine(inv, &e));
        TRY(networks_prune(e, &f, &r));
        print_lines("Deleted Networks:", &r);
        return NULL;
}

static const struct opt network_prune_opts[] = {
        OPT_FILTER("Provide filter values (e.g. \"until=<timestamp>\")"),
        OPT_FORCE,
        OPT_END,
};

const struct command cmd_network_prune = {
        .name = "prune",
        .summary = "Remove all unused networks",
        .opts = network_prune_opts,
        .args_size = sizeof(struct prune_args),
        .run = network_prune_run,
};

/* ---- volume ---- */

static err *volume_prune_run(struct invocation *inv)
{
        const struct prune_args *a = inv->args;
        _cleanup_prune_report_ struct prune_report r = {0};
        _cleanup_prune_filter_ struct prune_filter f = {0};
        _cleanup_engine_ struct engine *e = NULL;

        if (!confirmed(a, a->all ? "WARNING! This will remove all local volumes not used by at least one container."
                                 : "WARNING! This will remove anonymous local volumes not used by at least one "
                                   "container."))
                return NULL;
        TRY(prune_filter_parse(a->filters, PRUNE_VOLUMES, &f));
        TRY(ui_engine(inv, &e));
        TRY(prune_volumes(e, a->all, &f, &r));
        print_lines("Deleted Volumes:", &r);
        print_total(r.bytes);
        return NULL;
}

static const struct opt volume_prune_opts[] = {
        OPT_FLAG('a', "all", struct prune_args, all, "Remove all unused volumes, not just anonymous ones"),
        OPT_FILTER("Provide filter values (e.g. \"label=<label>\")"),
        OPT_FORCE,
        OPT_END,
};

const struct command cmd_volume_prune = {
        .name = "prune",
        .summary = "Remove unused local volumes",
        .opts = volume_prune_opts,
        .args_size = sizeof(struct prune_args),
        .run = volume_prune_run,
};

/* ---- system ---- */

static err *system_warning(const struct prune_args *a, char **ret)
{
        _cleanup_str_ struct str s = {0};

        str_add(&s, "WARNING! This will remove:\n"
                    "  - all stopped containers\n"
                    "  - all networks not used by at least one container\n");
        if (a->volumes)
                str_add(&s, "  - all anonymous volumes not used by at least one container\n");
        str_add(&s, a->all ? "  - all images without at least one container associated to them\n"
                             "  - all build cache\n"
                           : "  - all dangling images\n"
                             "  - unused build cache\n");
        if (a->filters && *a->filters) {
                str_add(&s, "\n  Items to be pruned will be filtered with:\n");
                for (char **f = a->filters; *f; f++)
                        str_printf(&s, "  - %s\n", *f);
        }
        return str_take(&s, ret);
}

static bool has_until(char *const *filters)
{
        for (; filters && *filters; filters++)
                if (str_starts(*filters, "until="))
                        return true;
        return false;
}

struct system_filters {
        struct prune_filter containers, images, volumes;
};

static void system_filters_done(struct system_filters *f)
{
        prune_filter_done(&f->containers);
        prune_filter_done(&f->images);
        prune_filter_done(&f->volumes);
}

/* All filters are checked before anything goes. */
static err *parse_system_filters(const struct prune_args *a, struct system_filters *f)
{
        if (a->volumes && has_until(a->filters))
                return err_new(ERR_INVALID, "The \"until\" filter is not supported with \"--volumes\"");
        TRY(prune_filter_parse(a->filters, PRUNE_CONTAINERS, &f->containers));
        if (a->volumes)
                TRY(prune_filter_parse(a->filters, PRUNE_VOLUMES, &f->volumes));
        return prune_filter_parse(a->filters, PRUNE_IMAGES, &f->images);
}

static err *system_prune_run(struct invocation *inv)
{
        const struct prune_args *a = inv->args;
        _cleanup_prune_report_ struct prune_report containers = {0}, volumes = {0}, images = {0};
        _cleanup_(system_filters_done) struct system_filters f = {0};
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_free_ char *warning = NULL;

        TRY(parse_system_filters(a, &f));
        TRY(system_warning(a, &warning));
        if (!confirmed(a, warning))
                return NULL;
        TRY(ui_engine(inv, &e));
        TRY(prune_containers(e, &f.containers, &containers));
        print_lines("Deleted Containers:", &containers);
        if (a->volumes)
                TRY(prune_volumes(e, false, &f.volumes, &volumes));
        print_lines("Deleted Volumes:", &volumes);
        TRY(prune_images(e, a->all, &f.images, &images));
        print_lines("Deleted Images:", &images);
        print_total(containers.bytes + volumes.bytes + images.bytes);
        return NULL;
}

static const struct opt system_prune_opts[] = {
        OPT_FLAG('a', "all", struct prune_args, all, "Remove all unused images not just dangling ones"),
        OPT_FILTER("Provide filter values (e.g. \"label=<key>=<value>\")"),
        OPT_FORCE,
        OPT_FLAG(0, "volumes", struct prune_args, volumes, "Prune anonymous volumes"),
        OPT_END,
};

const struct command cmd_system_prune = {
        .name = "prune",
        .summary = "Remove unused data",
        .opts = system_prune_opts,
        .args_size = sizeof(struct prune_args),
        .run = system_prune_run,
};
