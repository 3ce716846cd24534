/* Unit tests of cli/config: precedence of flag, environment, user's file, system's file; mistakes in the files. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/config.h"

static const struct opt opts[] = {GLOBAL_OPTS, OPT_END};

static err *nothing(struct invocation *inv)
{
        (void)inv;
        return NULL;
}
static const struct command cmd_x = {.name = "x", .summary = "x", .run = nothing};
static const struct subcommand list[] = {{&cmd_x}, {0}};
static const struct command root = {
        .name = "hod", .summary = "x", .opts = opts, .args_size = sizeof(struct global_args), .subcommands = list};

static char dir[] = "/tmp/hod-test-config-XXXXXX";
static char file[64], xdg[64];
static struct invocation inv;
static struct config config;

static int setup(void **state)
{
        char sub[64];

        (void)state;
        if (!mkdtemp(dir))
                return -1;
        (void)snprintf(file, sizeof(file), "%s/hod/config.toml", dir);
        (void)snprintf(xdg, sizeof(xdg), "XDG_CONFIG_HOME=%s", dir);
        (void)snprintf(sub, sizeof(sub), "%s/hod", dir);
        return mkdir(sub, 0755);
}

static void reset(void)
{
        opt_done(&inv);
        config_done(&config);
}

static int teardown(void **state)
{
        (void)state;
        reset();
        return file_remove_tree(AT_FDCWD, dir);
}

static void put(const char *path, const char *text)
{
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void write_file(const char *text)
{
        put(file, text);
}

/* Parse and load; @environment1 may be NULL. */
static err *load(const char *environment1, const char *flag)
{
        char *const argv[] = {(char[]){"hod"}, (char *)(uintptr_t)flag, (char[]){"x"}, NULL};
        char *const no_flag[] = {(char[]){"hod"}, (char[]){"x"}, NULL};
        char *const environment[] = {xdg, (char *)(uintptr_t)environment1, NULL};

        reset();
        TRY(opt_parse(&root, flag ? argv : no_flag, &inv));
        return config_load(&inv, &config, environment);
}

static const struct global_args *globals(void)
{
        return inv.global.args;
}

static void config_load_prefers_the_stronger_source(void **state)
{
        (void)state;
        write_file("root = \"/file\"\ndebug = true\n");
        check_ok(load(NULL, NULL));
        assert_string_equal(globals()->root, "/file");
        assert_string_equal(globals()->state, "/run/hod");
        assert_true(globals()->debug);
        check_ok(load("HOD_ROOT=/env", NULL));
        assert_string_equal(globals()->root, "/env");
        check_ok(load("HOD_ROOT=/env", "--root=/flag"));
        assert_string_equal(globals()->root, "/flag");
        assert_string_equal(config.root, "/flag");
        check_ok(load("HOD_DEBUG=false", NULL));
        assert_false(globals()->debug);
        check_ok(load("HOD_ROOT=", NULL));
        assert_string_equal(globals()->root, "/file");
}

static void config_load_names_file_and_line_of_a_mistake(void **state)
{
        static const struct {
                const char *text, *want;
        } bad[] = {
                {"# c\n\nrot = \"/x\"\n", ":3: unknown key 'rot', did you mean 'root'?"},
                {"root = \"/x\"\n[nosuch]\na = 1\n", ":2: unknown key 'nosuch'"},
                {"log-level = 3\n", ":1: log-level: must be a string"},
                {"debug = \"yes\"\n", ":1: debug: must be a boolean"},
                {"log-format = \"xml\"\n",
                 ":1: log-format: invalid value \"xml\": must be one of \"text\" or \"json\""},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char want[200];

                write_file(bad[i].text);
                (void)snprintf(want, sizeof(want), "%s%s", file, bad[i].want);
                check_err(load(NULL, NULL), want);
        }
        write_file("root = \n");
        check_code(load(NULL, NULL), ERR_INVALID);
}

static void config_load_reads_only_the_file_that_is_named(void **state)
{
        char flag[100], other[64];

        (void)state;
        write_file("root = \"/file\"\n");
        (void)snprintf(other, sizeof(other), "%s/other.toml", dir);
        (void)snprintf(flag, sizeof(flag), "--config=%s", other);
        check_code(load(NULL, flag), ERR_SYS);
        put(other, "state = \"/s\"\n");
        check_ok(load(NULL, flag));
        assert_string_equal(globals()->root, "/var/lib/hod");
        assert_string_equal(globals()->state, "/s");
}

static void config_load_makes_directories_absolute(void **state)
{
        (void)state;
        write_file("");
        check_ok(load(NULL, "--root=rel"));
        assert_int_equal(config.root[0], '/');
        assert_true(str_ends(config.root, "/rel"));
        check_code(load(NULL, "--root="), ERR_INVALID);
        check_err(load(NULL, "--log-level=nolevel"), "Unable to parse logging level: nolevel");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(config_load_prefers_the_stronger_source),
                cmocka_unit_test(config_load_names_file_and_line_of_a_mistake),
                cmocka_unit_test(config_load_reads_only_the_file_that_is_named),
                cmocka_unit_test(config_load_makes_directories_absolute),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
