/* Unit tests of engine/hostconfig: docker's defaults, the merge with the image, the refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "engine/hostconfig.h"

static json *parse(const char *text)
{
        json *j = NULL;

        assert_null(json_parse(text, strlen(text), &j));
        return j;
}

static void expect_json(const json *j, const char *want)
{
        _cleanup_free_ char *got = NULL;

        assert_null(json_print(j, JSON_COMPACT, &got));
        assert_string_equal(got, want);
}

static json *merged(const char *given, const char *image)
{
        _cleanup_json_ json *g = parse(given), *i = parse(image);
        json *config = NULL;

        assert_null(hostconfig_merge_config(g, i, &config));
        return config;
}

static void hostconfig_merge_config_overrides_environment_by_name(void **state)
{
        _cleanup_json_ json *c = merged("{\"Env\":[\"A=2\",\"C=3\"]}", "{\"Env\":[\"PATH=/bin\",\"A=1\",\"B=1\"]}");

        (void)state;
        expect_json(json_get(c, "Env"), "[\"A=2\",\"C=3\",\"PATH=/bin\",\"B=1\"]");
}

static void hostconfig_merge_config_adds_a_path_when_nobody_has_one(void **state)
{
        _cleanup_json_ json *c = merged("{}", "{}");

        (void)state;
        expect_json(json_get(c, "Env"), "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]");
}

static void hostconfig_merge_config_drops_the_image_command_with_an_entrypoint(void **state)
{
        _cleanup_json_ json *c = merged("{\"Entrypoint\":[\"echo\"]}", "{\"Cmd\":[\"sh\"],\"Entrypoint\":[\"x\"]}");
        _cleanup_json_ json *cleared = merged("{\"Entrypoint\":[\"\"],\"Cmd\":[\"a\"]}", "{\"Entrypoint\":[\"x\"]}");

        (void)state;
        expect_json(json_get(c, "Entrypoint"), "[\"echo\"]");
        assert_int_equal(json_kind(json_get(c, "Cmd")), JSON_NULL);
        assert_int_equal(json_kind(json_get(cleared, "Entrypoint")), JSON_NULL);
        expect_json(json_get(cleared, "Cmd"), "[\"a\"]");
}

static void hostconfig_argv_refuses_an_empty_command(void **state)
{
        _cleanup_json_ json *c = merged("{\"Entrypoint\":[\"\"]}", "{\"Cmd\":[\"sh\"]}");
        char **argv = NULL;
        err *e = hostconfig_argv(c, &argv);
        char text[128];

        (void)state;
        assert_int_equal(err_code(e), ERR_INVALID);
        assert_string_equal(err_text(e, text, sizeof(text)), "no command specified");
        err_free(e);
        assert_null(argv);
}

static void hostconfig_complete_keeps_dockers_order_and_defaults(void **state)
{
        _cleanup_json_ json *host = NULL, *given = parse("{\"Memory\":16777216}");
        const char *const first[] = {"Binds",        "ContainerIDFile", "LogConfig", "NetworkMode",
                                     "PortBindings", "RestartPolicy",   "AutoRemove"};
        size_t i = 0;

        (void)state;
        assert_null(hostconfig_complete(given, &host));
        JSON_EACH (host, it)
                if (i < ARRAY_SIZE(first))
                        assert_string_equal(it.key, first[i++]);
        assert_string_equal(json_get_str(host, "NetworkMode"), "bridge");
        assert_int_equal(json_get_int(host, "Memory", 0), 16777216);
        assert_int_equal(json_get_int(host, "ShmSize", 0), 64 << 20);
        expect_json(json_get(host, "RestartPolicy"), "{\"Name\":\"no\",\"MaximumRetryCount\":0}");
        expect_json(json_get(host, "LogConfig"), "{\"Type\":\"json-file\",\"Config\":{}}");
        assert_true(json_len(json_get(host, "MaskedPaths")) > 5);
}

static void hostconfig_complete_opens_paths_with_privileged(void **state)
{
        _cleanup_json_ json *host = NULL, *given = parse("{\"Privileged\":true}");

        (void)state;
        assert_null(hostconfig_complete(given, &host));
        assert_int_equal(json_len(json_get(host, "MaskedPaths")), 0);
        assert_int_equal(json_len(json_get(host, "ReadonlyPaths")), 0);
}

static void hostconfig_complete_refuses_unknown_members(void **state)
{
        _cleanup_json_ json *host = NULL, *given = parse("{\"Memroy\":1}");
        err *e = hostconfig_complete(given, &host);

        (void)state;
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
        assert_null(host);
}

/* What docker says to each (reference/golden). */
static const struct {
        const char *host, *config, *says;
} refused[] = {
        {"{\"Memory\":1048576}", "{}", "Minimum memory limit allowed is 6MB"},
        {"{\"Memory\":67108864,\"MemorySwap\":33554432}", "{}",
         "Minimum memoryswap limit should be larger than memory limit, see usage"},
        {"{\"MemorySwap\":67108864}", "{}",
         "You should always set the Memory limit when using Memoryswap limit, see usage"},
        {"{\"Memory\":67108864,\"MemoryReservation\":134217728}", "{}",
         "Minimum memory limit can not be less than memory reservation limit, see usage"},
        {"{\"NanoCpus\":1500000000,\"CpuQuota\":1000}", "{}",
         "Conflicting options: Nano CPUs and CPU Quota cannot both be set"},
        {"{\"CpuPeriod\":10}", "{}",
         "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
        {"{\"CpuQuota\":10}", "{}", "CPU cfs quota can not be less than 1ms (i.e. 1000)"},
        {"{\"CpuShares\":-5}", "{}", "invalid CPU shares (-5): value must be a positive integer"},
        {"{\"CpusetCpus\":\"x\"}", "{}", "Invalid value x for cpuset cpus: invalid format: x"},
        {"{\"OomScoreAdj\":2000}", "{}", "Invalid value 2000, range for oom score adj is [-1000, 1000]"},
        {"{\"CapAdd\":[\"BOGUS\"]}", "{}", "invalid CapAdd: unknown capability: \"CAP_BOGUS\""},
        {"{\"SecurityOpt\":[\"bogus=1\"]}", "{}", "invalid --security-opt 1: \"bogus=1\""},
        {"{\"IpcMode\":\"bogus\"}", "{}", "invalid IPC mode: bogus"},
        {"{\"NetworkMode\":\"container:\"}", "{}",
         "invalid network mode: invalid container format container:<name|id>"},
        {"{\"UTSMode\":\"host\"}", "{\"Hostname\":\"h\"}", "conflicting options: hostname and the UTS mode"},
        {"{\"NetworkMode\":\"container:x\"}", "{\"Hostname\":\"h\"}",
         "conflicting options: hostname and the network mode"},
        {"{\"NetworkMode\":\"container:x\",\"Links\":[\"a:b\"]}", "{}",
         "conflicting options: container type network can't be used with links. This would result in undefined "
         "behavior"},
        {"{\"NetworkMode\":\"container:x\",\"Dns\":[\"1.1.1.1\"]}", "{}",
         "conflicting options: dns and the network mode"},
        {"{\"NetworkMode\":\"container:x\",\"ExtraHosts\":[\"a:1.1.1.1\"]}", "{}",
         "conflicting options: custom host-to-IP mapping and the network mode"},
        {"{\"NetworkMode\":\"container:x\",\"PublishAllPorts\":true}", "{}",
         "conflicting options: port publishing and the container type network mode"},
        {"{\"NetworkMode\":\"container:x\"}", "{\"ExposedPorts\":{\"5/tcp\":{}}}",
         "conflicting options: port exposing and the container type network mode"},
        {"{\"NetworkMode\":\"host\",\"Links\":[\"a:b\"]}", "{}",
         "conflicting options: host type networking can't be used with links. This would result in undefined "
         "behavior"},
        {"{\"NetworkMode\":\"ns:rel\"}", "{}",
         "invalid network mode: ns:rel: the path of a namespace must be absolute"},
        {"{}", "{\"Hostname\":\"a\\nb\"}", "invalid hostname: it has a space or a control character in it"},
        {"{\"ExtraHosts\":[\"a\\nb:1.1.1.1\"]}", "{}", "bad format for add-host: it has a control character in it"},
        {"{\"RestartPolicy\":{\"Name\":\"bogus\"}}", "{}",
         "invalid restart policy: unknown policy 'bogus'; use one of 'no', 'always', 'on-failure', or "
         "'unless-stopped'"},
        {"{}", "{\"WorkingDir\":\"rel\"}", "the working directory 'rel' is invalid, it needs to be an absolute path"},
        {"{}", "{\"StopSignal\":\"BOGUS\"}", "invalid signal: BOGUS"},
};

static void hostconfig_check_says_what_docker_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                _cleanup_json_ json *given = parse(refused[i].host), *config = parse(refused[i].config), *host = NULL;
                _cleanup_strv_ char **warnings = NULL;
                char text[512];
                err *e;

                assert_null(hostconfig_complete(given, &host));
                e = hostconfig_check(config, host, &warnings);
                if (!e)
                        e = hostconfig_check_network(config, host, &warnings);
                assert_string_equal(err_text(e, text, sizeof(text)), refused[i].says);
                err_free(e);
        }
}

static void hostconfig_check_counts_published_ports(void **state)
{
        _cleanup_json_ json *host = json_new_object(), *config = json_new_object();
        _cleanup_strv_ char **warnings = NULL;
        char key[16], text[512];
        err *e;

        (void)state;
        json_add(json_sub_array(json_sub_object(host, "PortBindings"), "1/tcp"), json_new_object());
        for (unsigned i = 1; i <= 11001; i++) {
                (void)snprintf(key, sizeof(key), "%u/tcp", i);
                (void)json_sub_object(json_sub_object(config, "ExposedPorts"), key);
        }
        assert_null(hostconfig_check(config, host, &warnings));
        json_set_bool(host, "PublishAllPorts", true);
        e = hostconfig_check(config, host, &warnings);
        assert_string_equal(err_text(e, text, sizeof(text)),
                            "11001 ports cannot be published by one container: at most 11000");
        err_free(e);
        json_del(json_get(config, "ExposedPorts"), "7/tcp");
        assert_null(hostconfig_check(config, host, &warnings));
}

static void hostconfig_check_doubles_memory_for_swap(void **state)
{
        _cleanup_json_ json *given = parse("{\"Memory\":16777216}"), *config = parse("{}"), *host = NULL;
        _cleanup_strv_ char **warnings = NULL;

        (void)state;
        assert_null(hostconfig_complete(given, &host));
        assert_null(hostconfig_check(config, host, &warnings));
        assert_int_equal(json_get_int(host, "MemorySwap", 0), 33554432);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hostconfig_merge_config_overrides_environment_by_name),
                cmocka_unit_test(hostconfig_merge_config_adds_a_path_when_nobody_has_one),
                cmocka_unit_test(hostconfig_merge_config_drops_the_image_command_with_an_entrypoint),
                cmocka_unit_test(hostconfig_argv_refuses_an_empty_command),
                cmocka_unit_test(hostconfig_complete_keeps_dockers_order_and_defaults),
                cmocka_unit_test(hostconfig_complete_opens_paths_with_privileged),
                cmocka_unit_test(hostconfig_complete_refuses_unknown_members),
                cmocka_unit_test(hostconfig_check_says_what_docker_says),
                cmocka_unit_test(hostconfig_check_counts_published_ports),
                cmocka_unit_test(hostconfig_check_doubles_memory_for_swap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
