/* image.c - see image.h. */
#include "oci/image.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/str.h"

bool oci_image_digest_valid(const char *text)
{
        const char *hex = str_after(text ? text : "", "sha256:");

        return hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

const char *oci_image_machine(const char **variant)
{
        static const struct {
                const char *kernel, *go, *variant;
        } machines[] = {
                {"x86_64", "amd64", NULL},        {"aarch64", "arm64", "v8"},   {"armv7l", "arm", "v7"},
                {"armv6l", "arm", "v6"},          {"i686", "386", NULL},        {"i386", "386", NULL},
                {"ppc64le", "ppc64le", NULL},     {"s390x", "s390x", NULL},     {"riscv64", "riscv64", NULL},
                {"loongarch64", "loong64", NULL}, {"mips64", "mips64le", NULL},
        };
        static struct utsname uts; /* the answer may point into it */

        if (variant)
                *variant = NULL;
        if (uname(&uts) < 0)
                return "unknown";
        for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
                if (strcmp(uts.machine, machines[i].kernel) != 0)
                        continue;
                if (variant)
                        *variant = machines[i].variant;
                return machines[i].go;
        }
        return uts.machine;
}

static err *corrupt(const char *what)
{
        return err_new(ERR_CORRUPT, "image configuration: %s", what);
}

static bool is_null_or(const json *j, enum json_kind kind)
{
        return json_kind(j) == JSON_NULL || json_kind(j) == kind;
}

static bool all_strings(const json *list)
{
        for (size_t i = 0; i < json_len(list); i++)
                if (json_kind(json_at(list, i)) != JSON_STRING)
                        return false;
        return true;
}

static err *check_run_config(const json *config)
{
        static const char *const lists[] = {"Env", "Cmd", "Entrypoint", "OnBuild", "Shell"};
        static const char *const objects[] = {"ExposedPorts", "Volumes", "Labels", "Healthcheck"};
        static const char *const texts[] = {"User", "WorkingDir", "StopSignal"};

        if (!is_null_or(config, JSON_OBJECT))
                return corrupt("config is not an object");
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                const json *list = json_get(config, lists[i]);

                if (!is_null_or(list, JSON_ARRAY) || !all_strings(list))
                        return err_new(ERR_CORRUPT, "image configuration: %s is not a list of strings", lists[i]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
                if (!is_null_or(json_get(config, objects[i]), JSON_OBJECT))
                        return err_new(ERR_CORRUPT, "image configuration: %s is not an object", objects[i]);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (!is_null_or(json_get(config, texts[i]), JSON_STRING))
                        return err_new(ERR_CORRUPT, "image configuration: %s is not a string", texts[i]);
        return NULL;
}

err *oci_image_config_check(const json *config)
{
        const json *rootfs = json_get(config, "rootfs"), *ids = json_get(rootfs, "diff_ids");
        const json *history = json_get(config, "history");

        if (json_kind(config) != JSON_OBJECT)
                return corrupt("not an object");
        if (json_has(config, "manifests") || json_has(config, "layers"))
                return corrupt("it is also a manifest");
        if (json_kind(rootfs) != JSON_OBJECT || !str_eq(json_get_str(rootfs, "type"), "layers"))
                return corrupt("rootfs.type is not \"layers\"");
        if (!is_null_or(ids, JSON_ARRAY))
                return corrupt("rootfs.diff_ids is not a list");
        for (size_t i = 0; i < json_len(ids); i++)
                if (!oci_image_digest_valid(json_str(json_at(ids, i))))
                        return corrupt("rootfs.diff_ids has something that is not a digest");
        if (!is_null_or(history, JSON_ARRAY))
                return corrupt("history is not a list");
        for (size_t i = 0; i < json_len(history); i++)
                if (json_kind(json_at(history, i)) != JSON_OBJECT)
                        return corrupt("history has something that is not an object");
        return check_run_config(json_get(config, "config"));
}
