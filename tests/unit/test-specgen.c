/* Unit tests of engine/specgen: a record becomes an OCI spec. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "engine/hostconfig.h"
#include "engine/specgen.h"

/* A spec from a Config, a HostConfig and a list of Mounts. */
static json *spec_of(const char *config_text, const char *host_text, const char *mounts_text)
{
        struct specgen_start start = {.cgroup = "/hod/x", .root_path = "/r", .seccomp_fd = -1};
        _cleanup_json_ json *record = json_new_object(), *given = NULL;
        json *config = NULL, *host = NULL, *mounts = NULL, *spec = NULL;

        assert_null(json_parse(config_text, strlen(config_text), &config));
        assert_null(json_parse(host_text, strlen(host_text), &given));
        assert_null(json_parse(mounts_text, strlen(mounts_text), &mounts));
        assert_null(hostconfig_complete(given, &host));
        json_set(record, "Config", config);
        json_set(record, "HostConfig", host);
        json_set(record, "Mounts", mounts);
        assert_null(specgen(record, &start, &spec));
        return spec;
}

static bool has_namespace(const json *spec, const char *type)
{
        const json *list = json_path(spec, "linux.namespaces");

        for (size_t i = 0; i < json_len(list); i++)
                if (str_eq(json_get_str(json_at(list, i), "type"), type))
                        return true;
        return false;
}

static const json *mount_at(const json *spec, const char *destination)
{
        const json *list = json_get(spec, "mounts");

        for (size_t i = 0; i < json_len(list); i++)
                if (str_eq(json_get_str(json_at(list, i), "destination"), destination))
                        return json_at(list, i);
        return NULL;
}

static bool has_option(const json *mount, const char *option)
{
        const json *list = json_get(mount, "options");

        for (size_t i = 0; i < json_len(list); i++)
                if (str_eq(json_str(json_at(list, i)), option))
                        return true;
        return false;
}

#define CMD "{\"Cmd\":[\"sh\"]}"

static void specgen_isolates_everything_by_default(void **state)
{
        static const char *const all[] = {"mount", "network", "uts", "pid", "ipc", "cgroup"};
        _cleanup_json_ json *spec = spec_of(CMD, "{}", "[]");

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                assert_true(has_namespace(spec, all[i]));
        assert_int_equal(json_len(json_path(spec, "process.capabilities.bounding")), 14);
        assert_int_equal(json_len(json_path(spec, "process.capabilities.inheritable")), 0);
        assert_non_null(json_path(spec, "linux.seccomp"));
        assert_true(has_option(mount_at(spec, "/sys"), "ro"));
}

static void specgen_shares_what_is_asked_for(void **state)
{
        _cleanup_json_ json *spec = spec_of(
                CMD, "{\"NetworkMode\":\"host\",\"PidMode\":\"host\",\"IpcMode\":\"host\",\"UTSMode\":\"host\"}", "[]");

        (void)state;
        assert_false(has_namespace(spec, "network"));
        assert_false(has_namespace(spec, "pid"));
        assert_false(has_namespace(spec, "ipc"));
        assert_false(has_namespace(spec, "uts"));
        assert_null(json_get(spec, "hostname"));
        /* no kernel parameter of the host's network is touched */
        assert_int_equal(json_len(json_path(spec, "linux.sysctl")), 0);
}

static void specgen_privileged_lifts_the_confinement(void **state)
{
        _cleanup_json_ json *spec = spec_of(CMD, "{\"Privileged\":true}", "[]");

        (void)state;
        assert_null(json_path(spec, "linux.seccomp"));
        assert_null(json_path(spec, "linux.maskedPaths"));
        assert_true(json_len(json_path(spec, "process.capabilities.bounding")) > 30);
        assert_false(has_option(mount_at(spec, "/sys"), "ro"));
}

static void specgen_caps_add_and_drop(void **state)
{
        _cleanup_json_ json *host = NULL;
        const char *text = "{\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"net_raw\",\"CAP_KILL\"]}";
        uint64_t set;

        (void)state;
        assert_null(json_parse(text, strlen(text), &host));
        assert_null(specgen_caps(host, &set));
        assert_int_equal(set, 1ull << 13 | 1ull << 5);
}

static void specgen_mounts_puts_parents_first_and_readonly_is_recursive(void **state)
{
        _cleanup_json_ json *spec =
                spec_of(CMD, "{}",
                        "[{\"Type\":\"bind\",\"Source\":\"/b\",\"Destination\":\"/a/b/c\",\"RW\":false},"
                        "{\"Type\":\"bind\",\"Source\":\"/a\",\"Destination\":\"/a\",\"RW\":true,"
                        "\"Propagation\":\"rshared\"}]");
        const json *list = json_get(spec, "mounts");
        size_t a = 0, c = 0;

        (void)state;
        for (size_t i = 0; i < json_len(list); i++) {
                const char *d = json_get_str(json_at(list, i), "destination");

                if (strcmp(d, "/a") == 0)
                        a = i;
                if (strcmp(d, "/a/b/c") == 0)
                        c = i;
        }
        assert_true(a && c && a < c);
        assert_true(has_option(mount_at(spec, "/a/b/c"), "rro"));
        assert_true(has_option(mount_at(spec, "/a"), "rshared"));
}

static void specgen_mounts_lets_the_user_replace_defaults(void **state)
{
        _cleanup_json_ json *spec =
                spec_of(CMD, "{}", "[{\"Type\":\"bind\",\"Source\":\"/s\",\"Destination\":\"/dev/shm\",\"RW\":true}]");
        const json *list = json_get(spec, "mounts");
        int n = 0;

        (void)state;
        for (size_t i = 0; i < json_len(list); i++)
                n += str_eq(json_get_str(json_at(list, i), "destination"), "/dev/shm");
        assert_int_equal(n, 1);
        assert_string_equal(json_get_str(mount_at(spec, "/dev/shm"), "source"), "/s");
}

static void specgen_keeps_arguments_exactly(void **state)
{
        _cleanup_json_ json *spec =
                spec_of("{\"Entrypoint\":[\"a b\"],\"Cmd\":[\"\",\"\\n'\\\"\",\"\\u00e4\"]}", "{}", "[]");
        const json *args = json_path(spec, "process.args");

        (void)state;
        assert_int_equal(json_len(args), 4);
        assert_string_equal(json_str(json_at(args, 0)), "a b");
        assert_string_equal(json_str(json_at(args, 1)), "");
        assert_string_equal(json_str(json_at(args, 2)), "\n'\"");
        assert_string_equal(json_str(json_at(args, 3)), "\xc3\xa4");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(specgen_isolates_everything_by_default),
                cmocka_unit_test(specgen_shares_what_is_asked_for),
                cmocka_unit_test(specgen_privileged_lifts_the_confinement),
                cmocka_unit_test(specgen_caps_add_and_drop),
                cmocka_unit_test(specgen_mounts_puts_parents_first_and_readonly_is_recursive),
                cmocka_unit_test(specgen_mounts_lets_the_user_replace_defaults),
                cmocka_unit_test(specgen_keeps_arguments_exactly),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
