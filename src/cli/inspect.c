/* inspect.c - `hod inspect`, and inspect of one kind: container, image, volume. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "engine/inspect.h"
#include "engine/networks.h"
#include "store/image.h"
#include "store/volume.h"

struct inspect_args {
        const char *format, *type, *platform;
        bool size, verbose;
};

static err *inspect_a_container(struct engine *e, const char *ref, const struct inspect_args *a, json **ret)
{
        _cleanup_container_ struct container *c = NULL;

        TRY(container_find(e, ref, &c));
        return inspect_container(c, a->size, ret);
}

static err *inspect_an_image(struct engine *e, const char *ref, const char *platform, json **ret)
{
        _cleanup_(image_freep) struct image *i = NULL;

        TRY(image_find(e->store, ref, &i));
        TRY(image_check_platform(i, ref, platform));
        return image_inspect(i, ret);
}

/* The first kind that knows @ref, in docker's order; @type restricts. */
static err *find(struct engine *e, const char *ref, const char *type, const struct inspect_args *a, json **ret)
{
        err *error = NULL;

        if (str_empty(ref))
                return err_new(ERR_INVALID, "invalid %s name or ID: value is empty",
                               str_eq(type, "network") ? type : "container");
        if (!type || strcmp(type, "container") == 0) {
                error = inspect_a_container(e, ref, a, ret);
                if (!error || err_code(error) != ERR_NOT_FOUND || type)
                        return error;
                err_free(error);
        }
        if (!type || strcmp(type, "image") == 0) {
                error = inspect_an_image(e, ref, a->platform, ret);
                if (!error || type)
                        return error;
                if (err_code(error) != ERR_NOT_FOUND && err_code(error) != ERR_INVALID)
                        return error;
                err_free(error);
        }
        if (!type || strcmp(type, "network") == 0) {
                error = networks_inspect(e, ref, ret);
                if (err_code(error) != ERR_NOT_FOUND || type)
                        return error;
                err_free(error);
        }
        error = volume_inspect(e->store, ref, ret);
        if (err_code(error) != ERR_NOT_FOUND || type)
                return error;
        err_free(error);
        return err_new(ERR_NOT_FOUND, "Error: No such object: %s", ref);
}

static err *check_type(const char *type)
{
        if (type && strcmp(type, "container") != 0 && strcmp(type, "image") != 0 && strcmp(type, "volume") != 0 &&
            strcmp(type, "network") != 0)
                return err_new(ERR_INVALID,
                               "unknown type: \"%s\": must be one of \"container\", \"image\", \"network\", "
                               "\"volume\"",
                               type);
        return NULL;
}

static err *print_all(const json *found, const char *format)
{
        _cleanup_free_ char *text = NULL;

        TRY(json_print(found, !str_empty(format) ? JSON_COMPACT : JSON_INDENT4, &text));
        ui_print(stdout, text);
        (void)putchar('\n');
        return NULL;
}

static err *inspect_kind(struct invocation *inv, const char *type)
{
        const struct inspect_args *a = inv->args;
        bool whole = str_empty(a->format) || strcmp(a->format, "json") == 0;
        _cleanup_json_ json *found = json_new_array();
        _cleanup_engine_ struct engine *e = NULL;
        err *last = NULL;

        TRY(check_type(type));
        TRY(ui_engine(inv, &e));
        for (char **o = inv->operands; *o; o++) {
                _cleanup_json_ json *doc = NULL;
                err *error = find(e, *o, type, a, &doc);

                if (!error && whole)
                        json_add(found, json_ref(doc));
                else if (!error)
                        error = format_document(a->format, doc);
                if (error && last)
                        ui_fail(last);
                if (error)
                        last = error;
        }
        if (whole && !json_len(found))
                (void)printf("[]\n");
        else if (whole)
                TRY(print_all(found, a->format));
        return last;
}

static err *inspect_run(struct invocation *inv)
{
        return inspect_kind(inv, ((const struct inspect_args *)inv->args)->type);
}

static err *container_inspect_run(struct invocation *inv)
{
        return inspect_kind(inv, "container");
}

static err *image_inspect_run(struct invocation *inv)
{
        return inspect_kind(inv, "image");
}

static err *network_inspect_run(struct invocation *inv)
{
        return inspect_kind(inv, "network");
}

static err *volume_inspect_run(struct invocation *inv)
{
        return inspect_kind(inv, "volume");
}

#define FORMAT_OPT                                                                                                     \
        OPT_STR('f', "format", struct inspect_args, format, "string",                                                  \
                "Format output using a custom template: 'json' or a Go template")
#define SIZE_OPT OPT_FLAG('s', "size", struct inspect_args, size, "Display total file sizes if the type is container")

static const struct opt inspect_opts[] = {
        FORMAT_OPT,
        SIZE_OPT,
        OPT_STR(0, "type", struct inspect_args, type, "string", "Only inspect objects of the given type"),
        OPT_END,
};
static const struct opt container_opts[] = {FORMAT_OPT, SIZE_OPT, OPT_END};
static const struct opt image_opts[] = {
        FORMAT_OPT,
        OPT_STR(0, "platform", struct inspect_args, platform, "string",
                "Inspect a specific platform of the multi-platform image (e.g., \"linux/amd64\")"),
        OPT_END,
};
static const struct opt network_opts[] = {
        FORMAT_OPT,
        OPT_FLAG('v', "verbose", struct inspect_args, verbose,
                 "Verbose output for diagnostics (a swarm's: nothing more here)"),
        OPT_END,
};
static const struct opt plain_opts[] = {FORMAT_OPT, OPT_END};

const struct command cmd_inspect = {
        .name = "inspect",
        .operands = "NAME|ID [NAME|ID...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Return low-level information on objects",
        .opts = inspect_opts,
        .args_size = sizeof(struct inspect_args),
        .run = inspect_run,
        .complete = OPT_COMPLETE_CONTAINER,
        .complete_rest = OPT_COMPLETE_CONTAINER,
};

const struct command cmd_container_inspect = {
        .name = "inspect",
        .operands = "CONTAINER [CONTAINER...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Display detailed information on one or more containers",
        .opts = container_opts,
        .args_size = sizeof(struct inspect_args),
        .run = container_inspect_run,
        .complete = OPT_COMPLETE_CONTAINER,
        .complete_rest = OPT_COMPLETE_CONTAINER,
};

const struct command cmd_image_inspect = {
        .name = "inspect",
        .operands = "IMAGE [IMAGE...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Display detailed information on one or more images",
        .opts = image_opts,
        .args_size = sizeof(struct inspect_args),
        .run = image_inspect_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};

const struct command cmd_network_inspect = {
        .name = "inspect",
        .operands = "NETWORK [NETWORK...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Display detailed information on one or more networks",
        .opts = network_opts,
        .args_size = sizeof(struct inspect_args),
        .run = network_inspect_run,
        .complete = OPT_COMPLETE_NETWORK,
        .complete_rest = OPT_COMPLETE_NETWORK,
};

const struct command cmd_volume_inspect = {
        .name = "inspect",
        .operands = "VOLUME [VOLUME...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Display detailed information on one or more volumes",
        .opts = plain_opts,
        .args_size = sizeof(struct inspect_args),
        .run = volume_inspect_run,
        .complete = OPT_COMPLETE_VOLUME,
        .complete_rest = OPT_COMPLETE_VOLUME,
};
