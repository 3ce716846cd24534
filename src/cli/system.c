/* system.c - `hod system df` and `hod system check`. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "engine/container.h"
#include "engine/networks_damaged.h"
#include "engine/usage.h"
#include "oci/reference.h"
#include "store/check.h"

struct df_args {
        bool verbose;
        const char *format;
};

static const struct format_column df_columns[] = {
        {"Type", "TYPE", true}, {"TotalCount", "TOTAL", true},        {"Active", "ACTIVE", true},
        {"Size", "SIZE", true}, {"Reclaimable", "RECLAIMABLE", true}, {0},
};

static void size_text(uint64_t bytes, int digits, json *row, const char *key)
{
        char text[32];

        parse_size_format_digits(bytes, digits, text, sizeof(text));
        json_set_str(row, key, text);
}

static void count_text(uint64_t n, json *row, const char *key)
{
        char text[32];

        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
        json_set_str(row, key, text);
}

static void df_row(json *rows, const char *type, uint64_t total, uint64_t active, uint64_t size, uint64_t unused)
{
        json *row = json_new_object();
        char text[32], with_percent[48];

        count_text(active, row, "Active");
        parse_size_format_digits(unused, 4, text, sizeof(text));
        (void)snprintf(with_percent, sizeof(with_percent), "%s (%llu%%)", text,
                       size ? (unsigned long long)((double)unused * 100 / (double)size) : 0ull);
        json_set_str(row, "Reclaimable", size ? with_percent : text);
        size_text(size, 4, row, "Size");
        count_text(total, row, "TotalCount");
        json_set_str(row, "Type", type);
        json_add(rows, row);
}

/* Sum of @size over the elements of @list whose member @used is 0 or false, or over all (@used NULL). */
static uint64_t sum(const json *list, const char *size, const char *used)
{
        uint64_t bytes = 0;

        for (size_t i = 0; i < json_len(list); i++) {
                const json *item = json_at(list, i);

                if (!used || (!json_get_uint(item, used, 0) && !json_get_bool(item, used, false)))
                        bytes += json_get_uint(item, size, 0);
        }
        return bytes;
}

static uint64_t count_used(const json *list, const char *used)
{
        uint64_t n = 0;

        for (size_t i = 0; i < json_len(list); i++)
                n += json_get_uint(json_at(list, i), used, 0) || json_get_bool(json_at(list, i), used, false);
        return n;
}

static err *df_table(const json *doc, const char *format)
{
        static const struct format_list list = {
                .type_name = "*formatter.diskUsageContext",
                .columns = df_columns,
                .raw = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\n"
                       "reclaimable: {{.Reclaimable}}\n",
        };
        const json *images = json_get(doc, "Images"), *containers = json_get(doc, "Containers");
        const json *volumes = json_get(doc, "Volumes"), *blobs = json_get(doc, "Blobs");
        uint64_t kept = json_get_uint(blobs, "Size", 0), partial = json_get_uint(blobs, "Partial", 0);
        _cleanup_json_ json *rows = json_new_array();

        df_row(rows, "Images", json_len(images), count_used(images, "Containers"), json_get_uint(doc, "LayersSize", 0),
               json_get_uint(doc, "LayersUnused", 0));
        df_row(rows, "Containers", json_len(containers), count_used(containers, "Alive"),
               sum(containers, "SizeRw", NULL), sum(containers, "SizeRw", "Alive"));
        df_row(rows, "Local Volumes", json_len(volumes), count_used(volumes, "Links"), sum(volumes, "Size", NULL),
               sum(volumes, "Size", "Links"));
        df_row(rows, "Build Cache", 0, 0, 0, 0);
        df_row(rows, "Blobs", json_get_uint(blobs, "Count", 0), 0, kept + partial,
               json_get_uint(blobs, "Originals", 0) + partial);
        return format_rows(&list, rows, format, false);
}

/* ---- df -v ---- */

static err *add_image_row(json *rows, const json *image, const char *name)
{
        _cleanup_reference_ struct reference r = {0};
        _cleanup_free_ char *repository = NULL;
        uint64_t size = json_get_uint(image, "Size", 0), shared = json_get_uint(image, "SharedSize", 0);
        const char *id = json_get_str_or(image, "Id", "");
        char text[96], since[64];
        json *row = json_new_object();

        json_add(rows, row);
        if (name) {
                TRY(reference_parse(name, false, &r));
                TRY(reference_repository(&r, &repository));
        }
        json_set_str(row, "Repository", repository ? repository : "<none>");
        json_set_str(row, "Tag", r.tag ? r.tag : "<none>");
        (void)snprintf(text, sizeof(text), "%.*s", ID_SHORT, str_after(id, "sha256:") ? str_after(id, "sha256:") : id);
        json_set_str(row, "ID", text);
        clock_human(clock_now_ns() - json_get_int(image, "Created", 0) * 1000000000, since, sizeof(since));
        (void)snprintf(text, sizeof(text), "%s ago", since);
        json_set_str(row, "CreatedSince", json_get_int(image, "Created", 0) ? text : "N/A");
        size_text(size, 3, row, "Size");
        size_text(shared, 4, row, "SharedSize");
        size_text(size - shared, 4, row, "UniqueSize");
        count_text(json_get_uint(image, "Containers", 0), row, "Containers");
        return NULL;
}

static err *verbose_images(const json *images)
{
        static const struct format_column columns[] = {
                {"Repository", "REPOSITORY", true},
                {"Tag", "TAG", true},
                {"ID", "IMAGE ID", true},
                {"CreatedSince", "CREATED", true},
                {"Size", "SIZE", true},
                {"SharedSize", "SHARED SIZE", true},
                {"UniqueSize", "UNIQUE SIZE", true},
                {"Containers", "CONTAINERS", true},
                {0},
        };
        static const struct format_list list = {"*formatter.imageContext", columns, "ID"};
        _cleanup_json_ json *rows = json_new_array();

        for (size_t i = 0; i < json_len(images); i++) {
                const json *tags = json_get(json_at(images, i), "RepoTags");
                const json *digests = json_get(json_at(images, i), "RepoDigests");

                for (size_t k = 0; k < json_len(tags); k++)
                        TRY(add_image_row(rows, json_at(images, i), json_str(json_at(tags, k))));
                if (!json_len(tags))
                        TRY(add_image_row(rows, json_at(images, i), json_str(json_at(digests, 0))));
        }
        (void)puts("Images space usage:\n");
        return format_rows(&list, rows, NULL, false);
}

static err *verbose_containers(const json *containers)
{
        static const struct format_column columns[] = {
                {"ID", "CONTAINER ID", true},
                {"Image", "IMAGE", true},
                {"Command", "COMMAND", true},
                {"LocalVolumes", "LOCAL VOLUMES", true},
                {"Size", "SIZE", true},
                {"RunningFor", "CREATED", true},
                {"Status", "STATUS", true},
                {"Names", "NAMES", true},
                {0},
        };
        static const struct format_list list = {"*formatter.ContainerContext", columns, "ID"};

        for (size_t i = 0; i < json_len(containers); i++)
                size_text(json_get_uint(json_at(containers, i), "SizeRw", 0), 3, json_at(containers, i), "Size");
        (void)puts("\nContainers space usage:\n");
        return format_rows(&list, containers, NULL, false);
}

static err *verbose_volumes(const json *volumes)
{
        static const struct format_column columns[] = {
                {"Name", "VOLUME NAME", true}, {"Links", "LINKS", true}, {"Size", "SIZE", true}, {0}};
        static const struct format_list list = {"*formatter.volumeContext", columns, "Name"};
        _cleanup_json_ json *rows = json_new_array();

        for (size_t i = 0; i < json_len(volumes); i++) {
                json *row = json_new_object();

                json_add(rows, row);
                json_set_str(row, "Name", json_get_str_or(json_at(volumes, i), "Name", ""));
                count_text(json_get_uint(json_at(volumes, i), "Links", 0), row, "Links");
                size_text(json_get_uint(json_at(volumes, i), "Size", 0), 4, row, "Size");
        }
        (void)puts("\nLocal Volumes space usage:\n");
        return format_rows(&list, rows, NULL, false);
}

static err *df_verbose(json *doc, const char *format)
{
        const json *blobs = json_get(doc, "Blobs");
        char kept[32], partial[32];

        if (!str_empty(format)) {
                json_set(doc, "BuildCache", json_new_array());
                return format_document(strcmp(format, "json") == 0 ? "{{json .}}" : format, doc);
        }
        TRY(verbose_images(json_get(doc, "Images")));
        TRY(verbose_containers(json_get(doc, "Containers")));
        TRY(verbose_volumes(json_get(doc, "Volumes")));
        (void)puts("\nBuild cache usage: 0B\n");
        (void)puts("CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n");
        parse_size_format_digits(json_get_uint(blobs, "Size", 0), 4, kept, sizeof(kept));
        parse_size_format_digits(json_get_uint(blobs, "Partial", 0), 4, partial, sizeof(partial));
        (void)printf("Blobs usage: %s, of interrupted pulls: %s\n", kept, partial);
        return NULL;
}

static err *df_run(struct invocation *inv)
{
        const struct df_args *a = inv->args;
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_json_ json *doc = NULL;

        TRY(ui_engine(inv, &e));
        TRY(usage_get(e, &doc));
        return a->verbose ? df_verbose(doc, a->format) : df_table(doc, a->format);
}

static const struct opt df_opts[] = {
        OPT_STR(0, "format", struct df_args, format, "string",
                "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or a Go template"),
        OPT_FLAG('v', "verbose", struct df_args, verbose, "Show detailed information on space usage"),
        OPT_END,
};

const struct command cmd_system_df = {
        .name = "df",
        .summary = "Show disk usage",
        .opts = df_opts,
        .args_size = sizeof(struct df_args),
        .run = df_run,
};

/* ---- check ---- */

struct check_args {
        bool repair, quick;
};

static void say(void *arg, enum check_outcome outcome, const char *what, const char *text)
{
        static const char *const words[] = {"wrong", "mended", "leftover"};

        (void)arg;
        (void)printf("%s: ", words[outcome]);
        ui_print(stdout, what);
        (void)printf(": ");
        ui_print(stdout, text);
        (void)putchar('\n');
        (void)fflush(stdout);
}

static bool is_running(const char *id, void *arg)
{
        _cleanup_container_ struct container *c = NULL;
        err *error = container_find(arg, id, &c);
        bool yes = !error && container_is_alive(c);

        err_free(error);
        return yes;
}

static err *check_run(struct invocation *inv)
{
        const struct check_args *a = inv->args;
        struct check_options o = {.repair = a->repair, .quick = a->quick, .say = say};
        _cleanup_engine_ struct engine *e = NULL;
        struct check_result r = {0};

        TRY(ui_engine(inv, &e));
        o.is_running = is_running;
        o.running_arg = e;
        TRY(store_check(e->store, &o, &r));
        TRY(networks_check(e, &o, &r));
        (void)printf("checked %llu images, %llu layers, %llu blobs, %llu containers: %llu wrong, %llu mended, %llu "
                     "leftovers\n",
                     (unsigned long long)r.images, (unsigned long long)r.layers, (unsigned long long)r.blobs,
                     (unsigned long long)r.containers, (unsigned long long)r.wrong, (unsigned long long)r.mended,
                     (unsigned long long)r.leftovers);
        inv->status = r.wrong > 0;
        return NULL;
}

static const struct opt check_opts[] = {
        OPT_FLAG('q', "quick", struct check_args, quick, "Look at what is there and how large, not at what is in it"),
        OPT_FLAG(0, "repair", struct check_args, repair, "Mend what can be mended"),
        OPT_END,
};

const struct command cmd_system_check = {
        .name = "check",
        .summary = "Verify everything in the store",
        .description =
                "Reads every blob and compares its digest, unpacks every layer again and compares the result with its "
                "tree, and follows every reference. One line is printed for each finding; the exit status is 1 when "
                "something is wrong and was not mended.\n"
                "\n"
                "With --repair, damaged trees are unpacked again (not under a running container or a mounted image), "
                "configurations and manifests are written again, damaged blobs, names of nothing and leftovers are "
                "removed; so are networks whose file is damaged, unless a running container uses them. A layer that is "
                "damaged and cannot be made again is removed when it can be pulled again and no container needs it.",
        .opts = check_opts,
        .args_size = sizeof(struct check_args),
        .run = check_run,
        .libraries = true,
};
