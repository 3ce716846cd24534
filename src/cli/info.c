/* info.c - `hod info`: this engine and this machine, in docker's layout. */
#include <stdio.h>

#include "base/parse.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/ui.h"
#include "engine/info.h"

struct info_args {
        const char *format;
};

static void line(const char *name, const char *value)
{
        (void)printf(" %s: ", name);
        ui_print(stdout, value);
        (void)putchar('\n');
}

static void text(const json *doc, const char *name, const char *member)
{
        const char *value = json_get_str(doc, member);

        if (value)
                line(name, value);
}

static void number(const json *doc, const char *name, const char *member)
{
        (void)printf(" %s: %lld\n", name, (long long)json_get_int(doc, member, 0));
}

static void flag(const json *doc, const char *name, const char *member)
{
        (void)printf(" %s: %s\n", name, json_get_bool(doc, member, false) ? "true" : "false");
}

static void plugins(const json *doc)
{
        static const char *const kinds[] = {"Volume", "Network", "Authorization", "Log"};

        (void)printf(" Plugins:\n");
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                const json *list = json_get(doc, kinds[i]);

                if (!json_len(list))
                        continue;
                (void)printf("  %s:", kinds[i]);
                for (size_t k = 0; k < json_len(list); k++)
                        (void)printf(" %s", json_str(json_at(list, k)));
                (void)printf("\n");
        }
}

/* "name=seccomp,profile=builtin" as "seccomp" and, below it, "Profile: builtin". */
static void security(const json *list)
{
        (void)printf(" Security Options:\n");
        for (size_t i = 0; i < json_len(list); i++) {
                const char *option = json_str(json_at(list, i)), *name = str_after(option, "name="), *profile;

                if (!name)
                        continue;
                (void)printf("  %.*s\n", (int)strcspn(name, ","), name);
                profile = strstr(name, ",profile=");
                if (profile)
                        (void)printf("   Profile: %s\n", profile + strlen(",profile="));
        }
}

static void registries(const json *config)
{
        const json *list = json_get(config, "InsecureRegistryCIDRs");

        if (json_len(list)) {
                (void)printf(" Insecure Registries:\n");
                JSON_EACH (json_get(config, "IndexConfigs"), it)
                        if (!json_get_bool(it.value, "Secure", true))
                                (void)printf("  %s\n", it.key);
                for (size_t i = 0; i < json_len(list); i++)
                        (void)printf("  %s\n", json_str(json_at(list, i)));
        }
        list = json_get(config, "Mirrors");
        if (json_len(list))
                (void)printf(" Registry Mirrors:\n");
        for (size_t i = 0; i < json_len(list); i++)
                (void)printf("  %s\n", json_str(json_at(list, i)));
}

static void storage(const json *doc)
{
        const json *status = json_get(doc, "DriverStatus");

        text(doc, "Storage Driver", "Driver");
        for (size_t i = 0; i < json_len(status); i++) {
                const json *pair = json_at(status, i);

                (void)printf(" ");
                line(json_str(json_at(pair, 0)), json_str(json_at(pair, 1)));
        }
}

static void machine(const json *doc)
{
        char size[32];

        text(doc, "Kernel Version", "KernelVersion");
        text(doc, "Operating System", "OperatingSystem");
        text(doc, "OSType", "OSType");
        text(doc, "Architecture", "Architecture");
        number(doc, "CPUs", "NCPU");
        parse_size_format_binary((uint64_t)json_get_int(doc, "MemTotal", 0), size, sizeof(size));
        line("Total Memory", size);
        text(doc, "Name", "Name");
        text(doc, "ID", "ID");
        text(doc, "Docker Root Dir", "DockerRootDir");
        text(doc, "State Dir", "HodStateDir");
}

static void print(const json *doc)
{
        const json *warnings = json_get(doc, "Warnings");

        (void)printf("Client:\n Version:    %s\n Debug Mode: %s\n\nServer:\n", json_get_str(doc, "ServerVersion"),
                     json_get_bool(doc, "Debug", false) ? "true" : "false");
        number(doc, "Containers", "Containers");
        number(doc, " Running", "ContainersRunning");
        number(doc, " Paused", "ContainersPaused");
        number(doc, " Stopped", "ContainersStopped");
        number(doc, "Images", "Images");
        text(doc, "Server Version", "ServerVersion");
        storage(doc);
        text(doc, "Logging Driver", "LoggingDriver");
        text(doc, "Cgroup Driver", "CgroupDriver");
        text(doc, "Cgroup Version", "CgroupVersion");
        plugins(json_get(doc, "Plugins"));
        text(json_get(doc, "Swarm"), "Swarm", "LocalNodeState");
        (void)printf(" Runtimes:");
        JSON_EACH (json_get(doc, "Runtimes"), it)
                (void)printf(" %s", it.key);
        (void)printf("\n");
        text(doc, "Default Runtime", "DefaultRuntime");
        text(doc, "Init Binary", "InitBinary");
        security(json_get(doc, "SecurityOptions"));
        machine(doc);
        flag(doc, "Debug Mode", "Debug");
        flag(doc, "Experimental", "ExperimentalBuild");
        registries(json_get(doc, "RegistryConfig"));
        flag(doc, "Live Restore Enabled", "LiveRestoreEnabled");
        (void)printf("\n");
        (void)fflush(stdout);
        for (size_t i = 0; i < json_len(warnings); i++)
                (void)fprintf(stderr, "WARNING: %s\n", json_str(json_at(warnings, i)));
}

static err *info_run(struct invocation *inv)
{
        const struct info_args *a = inv->args;
        const struct global_args *g = inv->global.args;
        const struct info_options options = {
                .version = HOD_VERSION, .insecure = g->insecure_registries, .mirrors = g->registry_mirrors};
        _cleanup_engine_ struct engine *e = NULL;
        _cleanup_json_ json *doc = NULL;

        TRY(ui_engine(inv, &e));
        TRY(info_document(e, &options, &doc));
        if (!str_empty(a->format))
                return format_struct(strcmp(a->format, "json") == 0 ? "{{json .}}" : a->format, doc,
                                     "system.dockerInfo");
        print(doc);
        return NULL;
}

static const struct opt info_opts[] = {
        OPT_STR('f', "format", struct info_args, format, "string",
                "Format output using a custom template:\n"
                "'json':             Print in JSON format\n"
                "'TEMPLATE':         Print output using the given Go template"),
        OPT_END,
};

const struct command cmd_info = {
        .name = "info",
        .summary = "Display system-wide information",
        .description = "Under \"Storage Driver\", \"Chosen\" says who or what decided for it, and why others were "
                       "passed over.",
        .opts = info_opts,
        .args_size = sizeof(struct info_args),
        .run = info_run,
};
