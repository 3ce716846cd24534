/* image.c - import, images, rmi, tag, history. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "engine/container.h"
#include "oci/reference.h"
#include "store/image.h"

#define SHORT_ID 12

/* ---- import ---- */

struct import_args {
        const char *message, *platform;
        char **changes;
};

static err *import_run(struct invocation *inv)
{
        const struct import_args *a = inv->args;
        const char *from = inv->operands[0];
        struct image_import import = {
                .name = inv->n_operands > 1 ? inv->operands[1] : NULL,
                .changes = a->changes,
                .message = a->message,
                .platform = a->platform,
        };
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *id = NULL;
        bool from_stdin = strcmp(from, "-") == 0;

        if (str_starts(from, "http://") || str_starts(from, "https://"))
                return err_new(ERR_UNSUPPORTED,
                               "import of %s: downloads are not built yet; fetch the file and import that", from);
        if (from_stdin && isatty(STDIN_FILENO))
                return err_new(ERR_INVALID, "import from a terminal: give a file, or pipe a tar into `hod import -`");
        fd = from_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(from, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_sys(errno, "open %s", from);
        TRY(ui_engine(inv, &e));
        import.fd = fd;
        TRY_WRAP(image_import(e->store, &import, &id), "importing %s", from_stdin ? "standard input" : from);
        (void)printf("%s\n", id);
        return NULL;
}

static const struct opt import_opts[] = {
        OPT_LIST('c', "change", struct import_args, changes, "list",
                 "Apply Dockerfile instruction to the created image"),
        OPT_STR('m', "message", struct import_args, message, "string", "Set commit message for imported image"),
        OPT_STR(0, "platform", struct import_args, platform, "string", "Set platform of the image (os/arch[/variant])"),
        OPT_END,
};

const struct command cmd_import = {
        .name = "import",
        .operands = "file|- [REPOSITORY[:TAG]]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "Import the contents from a tarball to create a filesystem image",
        .opts = import_opts,
        .args_size = sizeof(struct import_args),
        .run = import_run,
        .libraries = true,
        .complete = OPT_COMPLETE_FILE,
};

/* ---- images ---- */

struct images_args {
        bool all, digests, no_trunc, quiet;
        char **filters;
        const char *format;
};

static const struct format_column image_columns[] = {
        {"Repository", "REPOSITORY", true},   {"Tag", "TAG", true},
        {"Digest", "DIGEST", false},          {"ID", "IMAGE ID", true},
        {"CreatedSince", "CREATED", true},    {"Size", "SIZE", true},
        {"CreatedAt", "CREATED AT", false},   {"Containers", "CONTAINERS", false},
        {"SharedSize", "SHARED SIZE", false}, {"UniqueSize", "UNIQUE SIZE", false},
        {"VirtualSize", "SIZE", false},       {0},
};

static err *image_row(const struct image *i, const char *repository, const char *tag, bool trunc, json **ret)
{
        _cleanup_json_ json *row = json_new_object();
        time_t created = (time_t)(i->created_ns / 1000000000);
        char text[80], since[64], when[64] = "";
        struct tm tm;

        json_set_str(row, "Containers", "N/A");
        if (localtime_r(&created, &tm))
                (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
        json_set_str(row, "CreatedAt", when);
        clock_human(clock_now_ns() - i->created_ns, since, sizeof(since));
        (void)snprintf(text, sizeof(text), "%s ago", since);
        json_set_str(row, "CreatedSince", i->created_ns ? text : "N/A");
        json_set_str(row, "Digest", "<none>");
        (void)snprintf(text, sizeof(text), "%.*s", trunc ? SHORT_ID : 71,
                       trunc && str_after(i->id, "sha256:") ? str_after(i->id, "sha256:") : i->id);
        json_set_str(row, "ID", text);
        json_set_str(row, "Repository", repository);
        json_set_str(row, "SharedSize", "N/A");
        parse_size_format(i->size, text, sizeof(text));
        json_set_str(row, "Size", text);
        json_set_str(row, "Tag", tag);
        json_set_str(row, "UniqueSize", "N/A");
        parse_size_format_digits(i->size, 4, text, sizeof(text));
        json_set_str(row, "VirtualSize", text);
        *ret = TAKE_PTR(row);
        return NULL;
}

/* "busybox:1" into its two parts; what has no tag (a digest) shows <none>. */
static err *split_name(const char *full, char **ret_repository, char **ret_tag)
{
        _cleanup_reference_ struct reference r = {0};

        TRY(reference_parse(full, false, &r));
        TRY(reference_repository(&r, ret_repository));
        *ret_tag = str_dup(r.tag ? r.tag : "<none>");
        return *ret_tag ? NULL : err_nomem();
}

static bool label_matches(const struct image *i, const char *wanted)
{
        const json *labels = json_path(i->config, "config.Labels");
        _cleanup_free_ char *key = strndup(wanted, strcspn(wanted, "="));
        const char *value = key ? json_get_str(labels, key) : NULL, *eq = strchr(wanted, '=');

        return value && (!eq || strcmp(value, eq + 1) == 0);
}

/* Does @i under @repository:@tag pass all filters? */
static err *image_matches(const struct image *i, const char *repository, const char *tag, char *const *filters,
                          bool *ret)
{
        _cleanup_free_ char *name = str_format("%s:%s", repository, tag);

        *ret = true;
        if (!name)
                return err_nomem();
        for (; filters && *filters; filters++) {
                const char *value = strchr(*filters, '=') + 1;

                if (str_starts(*filters, "dangling=")) {
                        bool dangling;

                        if (parse_bool(value, &dangling))
                                return err_new(ERR_INVALID, "invalid filter 'dangling=[%s]'", value);
                        *ret &= dangling == (strv_len(i->names) == 0);
                } else if (str_starts(*filters, "label=")) {
                        *ret &= label_matches(i, value);
                } else if (str_starts(*filters, "reference=")) {
                        *ret &= fnmatch(value, name, FNM_PATHNAME) == 0 ||
                                fnmatch(value, repository, FNM_PATHNAME) == 0;
                } else {
                        return err_new(ERR_INVALID, "invalid filter '%.*s'", (int)strcspn(*filters, "="), *filters);
                }
        }
        return NULL;
}

/* Rows of one image: one for each name, or one <none> row. */
static err *add_image_rows(json *rows, const struct image *i, const struct images_args *a, const char *only)
{
        size_t n = strv_len(i->names);

        for (size_t k = 0; k < (n ? n : 1); k++) {
                _cleanup_free_ char *repository = NULL, *tag = NULL, *name = NULL;
                bool yes;
                json *row;

                if (n) {
                        TRY(split_name(i->names[k], &repository, &tag));
                } else {
                        repository = str_dup("<none>");
                        tag = str_dup("<none>");
                }
                name = str_format("%s:%s", repository, tag);
                if (!name)
                        return err_nomem();
                if (only && fnmatch(only, repository, FNM_PATHNAME) != 0 && fnmatch(only, name, FNM_PATHNAME) != 0)
                        continue;
                TRY(image_matches(i, repository, tag, a->filters, &yes));
                if (!yes)
                        continue;
                TRY(image_row(i, repository, tag, !a->no_trunc, &row));
                json_add(rows, row);
        }
        return NULL;
}

static err *images_run(struct invocation *inv)
{
        const struct images_args *a = inv->args;
        struct format_column shown[ARRAY_SIZE(image_columns)];
        struct format_list list = {"*formatter.imageContext", shown, "ID"};
        _cleanup_json_ json *rows = json_new_array();
        _cleanup_engine_ struct engine *e = NULL;
        struct image **images;
        err *error = NULL;
        size_t n;

        memcpy(shown, image_columns, sizeof(image_columns));
        shown[2].standard = a->digests;
        TRY(ui_engine(inv, &e));
        TRY(image_list(e->store, &images, &n));
        for (size_t i = 0; !error && i < n; i++)
                error = add_image_rows(rows, images[i], a, inv->n_operands ? inv->operands[0] : NULL);
        image_list_free(images, n);
        TRY(error);
        return format_rows(&list, rows, a->format, a->quiet);
}

static const struct opt images_opts[] = {
        OPT_FLAG('a', "all", struct images_args, all, "Show all images (there are no intermediate images to hide)"),
        OPT_FLAG(0, "digests", struct images_args, digests, "Show digests"),
        OPT_LIST('f', "filter", struct images_args, filters, "filter", "Filter output based on conditions provided",
                 .check = parse_check_filter),
        OPT_STR(0, "format", struct images_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_FLAG(0, "no-trunc", struct images_args, no_trunc, "Don't truncate output"),
        OPT_FLAG('q', "quiet", struct images_args, quiet, "Only show image IDs"),
        OPT_END,
};

const struct command cmd_images = {
        .name = "images",
        .operands = "[REPOSITORY[:TAG]]",
        .max_operands = 1,
        .summary = "List images",
        .opts = images_opts,
        .args_size = sizeof(struct images_args),
        .run = images_run,
        .complete = OPT_COMPLETE_IMAGE,
};

/* ---- rmi ---- */

struct rmi_args {
        bool force, no_prune;
};

static bool is_running(const char *id, void *arg)
{
        _cleanup_container_ struct container *c = NULL;
        err *error = container_find(arg, id, &c);

        if (error) {
                err_free(error);
                return false;
        }
        return container_is_alive(c);
}

static err *rmi_run(struct invocation *inv)
{
        const struct rmi_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        for (char **o = inv->operands; *o; o++) {
                struct image_remove_options options = {
                        .force = a->force, .no_prune = a->no_prune, .is_running = is_running, .arg = e};
                struct image_removed *removed = NULL;
                size_t n = 0;
                err *error = image_remove(e->store, *o, &options, &removed, &n);

                if (error) {
                        inv->status |= !(a->force && err_code(error) == ERR_NOT_FOUND);
                        ui_fail(error);
                        continue;
                }
                for (size_t i = 0; i < n; i++)
                        (void)printf("%s: %s\n", removed[i].deleted ? "Deleted" : "Untagged", removed[i].text);
                image_removed_free(removed, n);
                (void)fflush(stdout);
        }
        return NULL;
}

static const struct opt rmi_opts[] = {
        OPT_FLAG('f', "force", struct rmi_args, force, "Force removal of the image"),
        OPT_FLAG(0, "no-prune", struct rmi_args, no_prune, "Do not delete untagged parents"),
        OPT_END,
};

const struct command cmd_rmi = {
        .name = "rmi",
        .operands = "IMAGE [IMAGE...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Remove one or more images",
        .opts = rmi_opts,
        .args_size = sizeof(struct rmi_args),
        .run = rmi_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};

/* ---- tag, history ---- */

static err *tag_run(struct invocation *inv)
{
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        return image_tag(e->store, inv->operands[0], inv->operands[1]);
}

const struct command cmd_tag = {
        .name = "tag",
        .operands = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
        .run = tag_run,
        .complete = OPT_COMPLETE_IMAGE,
        .complete_rest = OPT_COMPLETE_IMAGE,
};

struct history_args {
        bool human, no_trunc, quiet;
        const char *format;
};

static const struct format_column history_columns[] = {
        {"ID", "IMAGE", true},
        {"CreatedSince", "CREATED", true},
        {"CreatedBy", "CREATED BY", true},
        {"Size", "SIZE", true},
        {"Comment", "COMMENT", true},
        {"CreatedAt", "CREATED AT", false},
        {0},
};

static err *history_row(const json *h, const struct history_args *a, json **ret)
{
        const char *id = json_get_str_or(h, "Id", "<missing>"), *by = json_get_str_or(h, "CreatedBy", "");
        int64_t created = json_get_int(h, "Created", 0);
        _cleanup_json_ json *row = json_new_object();
        uint64_t size = json_get_uint(h, "Size", 0);
        char text[128], since[64], when[64];
        time_t t = (time_t)created;
        struct tm tm;

        if (!a->no_trunc && str_after(id, "sha256:")) {
                (void)snprintf(text, sizeof(text), "%.*s", SHORT_ID, str_after(id, "sha256:"));
                json_set_str(row, "ID", text);
        } else {
                json_set_str(row, "ID", id);
        }
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", localtime_r(&t, &tm) ? &tm : &(struct tm){0});
        json_set_str(row, "CreatedAt", when);
        clock_human(clock_now_ns() - created * 1000000000, since, sizeof(since));
        (void)snprintf(text, sizeof(text), "%s ago", since);
        json_set_str(row, "CreatedSince", a->human ? text : when);
        if (!a->no_trunc && strlen(by) > 45) {
                (void)snprintf(text, sizeof(text), "%.44s…", by);
                json_set_str(row, "CreatedBy", text);
        } else {
                json_set_str(row, "CreatedBy", by);
        }
        if (a->human)
                parse_size_format(size, text, sizeof(text));
        else
                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)size);
        json_set_str(row, "Size", text);
        json_set_str(row, "Comment", json_get_str_or(h, "Comment", ""));
        *ret = TAKE_PTR(row);
        return NULL;
}

static err *history_run(struct invocation *inv)
{
        static const struct format_list list = {"*formatter.historyContext", history_columns, "ID"};
        const struct history_args *a = inv->args;
        _cleanup_json_ json *rows = json_new_array(), *history = NULL;
        _cleanup_(image_freep) struct image *i = NULL;
        _cleanup_engine_ struct engine *e = NULL;

        TRY(ui_engine(inv, &e));
        TRY(image_find(e->store, inv->operands[0], &i));
        TRY(image_history(i, &history));
        for (size_t k = 0; k < json_len(history); k++) {
                json *row;

                TRY(history_row(json_at(history, k), a, &row));
                json_add(rows, row);
        }
        return format_rows(&list, rows, a->format, a->quiet);
}

static const struct opt history_opts[] = {
        OPT_STR(0, "format", struct history_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_FLAG('H', "human", struct history_args, human, "Print sizes and dates in human readable format",
                 .def = "true"),
        OPT_FLAG(0, "no-trunc", struct history_args, no_trunc, "Don't truncate output"),
        OPT_FLAG('q', "quiet", struct history_args, quiet, "Only show image IDs"),
        OPT_END,
};

const struct command cmd_history = {
        .name = "history",
        .operands = "IMAGE",
        .min_operands = 1,
        .max_operands = 1,
        .summary = "Show the history of an image",
        .opts = history_opts,
        .args_size = sizeof(struct history_args),
        .run = history_run,
        .complete = OPT_COMPLETE_IMAGE,
};
