/* version.c - `hod version`: the smallest complete verb. */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "codec/json.h"

/* One member an option; the table fills it. */
struct version_args {
        const char *format;
};

static err *version_document(json **ret)
{
        json *doc = json_new_object(), *client = json_sub_object(doc, "Client");
        struct utsname host;

        (void)uname(&host);
        json_set_str(client, "Version", HOD_VERSION);
        json_set_str(client, "Os", "linux");
        json_set_str(client, "Arch", strcmp(host.machine, "x86_64") == 0 ? "amd64" : host.machine);
        json_set_str(client, "KernelVersion", host.release);
        json_set_str(client, "Compiler", __VERSION__);
        *ret = doc;
        return NULL;
}

static err *version_run(struct invocation *inv)
{
        const struct version_args *a = inv->args;
        _cleanup_json_ json *doc = NULL;
        const json *client;

        TRY(version_document(&doc));
        if (!str_empty(a->format))
                return format_document(strcmp(a->format, "json") == 0 ? "{{json .}}" : a->format, doc);
        client = json_get(doc, "Client");
        (void)printf("Client:\n");
        (void)printf(" Version:           %s\n", json_get_str(client, "Version"));
        (void)printf(" Compiler:          %s\n", json_get_str(client, "Compiler"));
        (void)printf(" OS/Arch:           %s/%s\n", json_get_str(client, "Os"), json_get_str(client, "Arch"));
        (void)printf(" Kernel:            %s\n", json_get_str(client, "KernelVersion"));
        return NULL;
}

static const struct opt version_opts[] = {
        OPT_STR('f', "format", struct version_args, format, "string",
                "Format output using a custom template:\n"
                "'json':             Print in JSON format\n"
                "'TEMPLATE':         Print output using the given Go template"),
        OPT_END,
};

const struct command cmd_version = {
        .name = "version",
        .summary = "Show the version information",
        .opts = version_opts,
        .args_size = sizeof(struct version_args),
        .run = version_run,
};
