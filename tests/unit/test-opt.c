/* Unit tests of base/opt: parsing, messages, help, completion and documents of a small table. */
#include <string.h>

#include "check.h"

#include "base/opt.h"
#include "everywhere.h"

struct global_args {
        bool debug;
        const char *root, *level;
};

struct run_args {
        bool tty, interactive, detach, proxy, rm;
        const char *user, *network, *pull;
        int64_t memory, swap, timeout, grace, cpus, shares;
        char **env, **caps, **sysctl;
        uint64_t weight;
        bool timeout_given;
};

static const char *const pulls[] = {"always", "missing", "never", NULL};

static const struct opt run_opts[] = {
        OPT_FLAG('t', "tty", struct run_args, tty, "Allocate a pseudo-TTY"),
        OPT_FLAG('i', "interactive", struct run_args, interactive, "Keep STDIN open even if not attached"),
        OPT_FLAG('d', "detach", struct run_args, detach, "Run container in background and print container ID"),
        OPT_FLAG(0, "sig-proxy", struct run_args, proxy, "Proxy received signals to the process", .def = "true"),
        OPT_FLAG(0, "rm", struct run_args, rm, "Remove the container when it exits", .conflicts = "detach"),
        OPT_STR('u', "user", struct run_args, user, "string", "Username or UID"),
        OPT_STR(0, "network", struct run_args, network, "network", "Connect a container to a network", .alias = "net",
                .deprecated_alias = "net", .def = "none", .complete = OPT_COMPLETE_NETWORK),
        OPT_STR(0, "pull", struct run_args, pull, "string", "Pull image before running", .choices = pulls,
                .strict = true),
        OPT_SIZE('m', "memory", struct run_args, memory, "Memory limit"),
        OPT_SIZE(0, "memory-swap", struct run_args, swap, "Swap limit", .min = -1),
        OPT_INT(0, "stop-timeout", struct run_args, timeout, "Timeout (in seconds)", .min = -1, .max = 100,
                OPT_GIVEN(struct run_args, timeout_given)),
        OPT_DURATION(0, "grace", struct run_args, grace, "How long to wait"),
        OPT_CPUS(0, "cpus", struct run_args, cpus, "Number of CPUs"),
        OPT_INT('c', "cpu-shares", struct run_args, shares, "CPU shares", .deprecated_alias = "cpushare"),
        OPT_LIST('e', "env", struct run_args, env, "list", "Set environment variables", .check = parse_check_env),
        OPT_CSV(0, "cap-add", struct run_args, caps, "list", "Add Linux capabilities",
                .complete = OPT_COMPLETE_CAPABILITY),
        OPT_MAP(0, "sysctl", struct run_args, sysctl, "map", "Sysctl options"),
        OPT_UINT(0, "weight", struct run_args, weight, "Weight", .max = 1000, .hidden = true),
        OPT_END,
};

static err *nothing(struct invocation *inv)
{
        (void)inv;
        return NULL;
}

static const struct command cmd_run = {
        .name = "run",
        .operands = "IMAGE [COMMAND] [ARG...]",
        .min_operands = 1,
        .max_operands = OPERANDS_ANY,
        .summary = "Create and run a new container from an image",
        .opts = run_opts,
        .args_size = sizeof(struct run_args),
        .run = nothing,
        .stop_at_operand = true,
        .run_like = true,
        .complete = OPT_COMPLETE_IMAGE,
};
static const struct command cmd_ps = {.name = "ps", .summary = "List containers", .run = nothing};
static const struct command cmd_cp = {
        .name = "cp",
        .operands = "CONTAINER:SRC DEST\nSRC CONTAINER:DEST",
        .min_operands = 2,
        .max_operands = 2,
        .summary = "Copy files",
        .run = nothing,
};
static const struct command cmd_port = {
        .name = "port",
        .operands = "CONTAINER [PORT]",
        .min_operands = 1,
        .max_operands = 2,
        .summary = "List ports",
        .run = nothing,
};
static const struct command cmd_vol = {
        .name = "vol", .operands = "[NAME]", .max_operands = 1, .summary = "Make a volume", .run = nothing};
static const struct command cmd_rm = {.name = "rm",
                                      .operands = "CONTAINER...",
                                      .min_operands = 1,
                                      .max_operands = OPERANDS_ANY,
                                      .summary = "Remove",
                                      .run = nothing,
                                      .complete = OPT_COMPLETE_CONTAINER,
                                      .complete_rest = OPT_COMPLETE_CONTAINER};
static const struct command cmd_secret = {.name = "secret", .summary = "Not shown", .run = nothing, .hidden = true};
static const struct subcommand container_commands[] = {{&cmd_run}, {&cmd_ps, "ls", "list ps"}, {&cmd_rm}, {0}};
static const struct command cmd_container = {
        .name = "container", .summary = "Manage containers", .subcommands = container_commands};
static const struct subcommand root_commands[] = {
        {&cmd_run, .section = SECTION_COMMON},
        {&cmd_ps, .section = SECTION_COMMON},
        {&cmd_container, .section = SECTION_MANAGEMENT},
        {&cmd_cp},
        {&cmd_port},
        {&cmd_rm},
        {&cmd_vol},
        {&cmd_secret},
        {0},
};
static const struct opt root_opts[] = {
        OPT_FLAG('D', "debug", struct global_args, debug, "Enable debug mode"),
        OPT_STR('l', "log-level", struct global_args, level, "string", "Set the logging level", .def = "warn",
                .env = "HOD_LOG_LEVEL"),
        OPT_STR(0, "root", struct global_args, root, "string", "Root directory", .def = "/r", .env = "HOD_ROOT",
                .complete = OPT_COMPLETE_DIR),
        OPT_END,
};
static const struct command cmd_hod = {.name = "hod",
                                       .summary = "A runtime",
                                       .opts = root_opts,
                                       .args_size = sizeof(struct global_args),
                                       .subcommands = root_commands};

#define ARGV(...) ((char *const *)(const char *const[]){"hod", ##__VA_ARGS__, NULL})

static struct invocation parsed; /* of the last PARSE */
#define PARSE_AS(root, ...) (opt_done(&parsed), opt_parse(root, ARGV(__VA_ARGS__), &parsed))
#define PARSE(...) PARSE_AS(&cmd_hod, ##__VA_ARGS__)

static const struct run_args *run_args(void)
{
        return parsed.args;
}

static int teardown(void **state)
{
        (void)state;
        opt_done(&parsed);
        return 0;
}

static void opt_verify_accepts_the_table(void **state)
{
        (void)state;
        check_ok(opt_verify(&cmd_hod));
}

static void opt_verify_finds_mistakes(void **state)
{
        struct x {
                bool a, b;
        };
        static const struct opt twice[] = {OPT_FLAG('a', "a", struct x, a, "x"), OPT_FLAG('a', "b", struct x, b, "x"),
                                           OPT_END};
        static const struct opt bad_default[] = {OPT_FLAG('a', "a", struct x, a, "x", .def = "maybe"), OPT_END};
        static const struct opt bad_conflict[] = {OPT_FLAG('a', "a", struct x, a, "x", .conflicts = "c"), OPT_END};
        struct command c = {.name = "c", .summary = "x", .opts = twice, .args_size = sizeof(struct x), .run = nothing};
        struct subcommand list[] = {{&c}, {0}};
        struct command root = {.name = "r", .summary = "x", .subcommands = list};

        (void)state;
        check_code(opt_verify(&root), ERR_INTERNAL);
        c.opts = bad_default;
        check_code(opt_verify(&root), ERR_USAGE);
        c.opts = bad_conflict;
        check_code(opt_verify(&root), ERR_INTERNAL);
        c.opts = NULL;
        check_ok(opt_verify(&root));
        c.operands = "X";
        check_code(opt_verify(&root), ERR_INTERNAL);
}

static void opt_parse_reads_every_form_of_a_flag(void **state)
{
        (void)state;
        check_ok(PARSE("run", "-ti", "--rm=false", "-uroot", "-m=1g", "--env", "A=1", "-eB",
                       "--env=C=", "--memory-swap", "-1", "--stop-timeout=-1", "--grace", "1m", "--cpus", "1.5",
                       "--cap-add=A,B", "--cap-add", "C", "--sysctl", "a=1", "--sysctl", "b=2", "--sysctl", "a=3",
                       "--weight", "5", "image", "-x", "--y", "--", "z"));
        assert_true(run_args()->tty && run_args()->interactive && run_args()->proxy);
        assert_false(run_args()->rm);
        assert_string_equal(run_args()->user, "root");
        assert_true(run_args()->memory == 1 << 30);
        assert_int_equal(run_args()->swap, -1);
        assert_int_equal(run_args()->timeout, -1);
        assert_true(run_args()->timeout_given);
        assert_true(run_args()->grace == 60000000000);
        assert_int_equal(run_args()->cpus, 1500000000);
        assert_int_equal(run_args()->weight, 5);
        assert_int_equal(strv_len(run_args()->env), 3);
        assert_string_equal(run_args()->env[1], "B");
        assert_int_equal(strv_len(run_args()->caps), 3);
        assert_int_equal(strv_len(run_args()->sysctl), 2);
        assert_string_equal(run_args()->sysctl[0], "a=3");
        assert_int_equal(parsed.n_operands, 5);
        assert_string_equal(parsed.operands[1], "-x");
        assert_string_equal(parsed.operands[3], "--");
        assert_true(opt_given(&parsed, &run_args()->rm));
        assert_false(opt_given(&parsed, &run_args()->proxy));
        assert_false(opt_given(&parsed, &run_args()->network));
        assert_string_equal(run_args()->network, "none");
}

static void opt_parse_takes_the_founding_documents_spellings(void **state)
{
        (void)state;
        check_ok(PARSE("run", "-ti", "-cpushare", "512", "-net", "host", "i"));
        assert_int_equal(run_args()->shares, 512);
        assert_string_equal(run_args()->network, "host");
        check_ok(PARSE("run", "-cpushare=7", "--net=host", "-c", "9", "i"));
        assert_int_equal(run_args()->shares, 9);
        assert_string_equal(run_args()->network, "host");
}

static void opt_parse_mixes_flags_and_operands_where_docker_does(void **state)
{
        (void)state;
        check_ok(PARSE("-D", "--root", "/x", "container", "rm", "a", "--", "-b"));
        assert_int_equal(parsed.n_operands, 2);
        assert_string_equal(parsed.operands[1], "-b");
        assert_string_equal(parsed.name, "hod container rm");
        assert_true(((const struct global_args *)parsed.global.args)->debug);
        assert_string_equal(((const struct global_args *)parsed.global.args)->root, "/x");
        check_ok(PARSE("run", "--", "-image"));
        assert_string_equal(parsed.operands[0], "-image");
        check_ok(PARSE("container", "list"));
        assert_ptr_equal(parsed.command, &cmd_ps);
        assert_string_equal(parsed.name, "hod container ls");
        check_ok(PARSE("rm", "-"));
        assert_string_equal(parsed.operands[0], "-");
}

static void opt_parse_passes_arguments_exactly(void **state)
{
        (void)state;
        check_ok(PARSE("run", "-e", "A=a b\n\"'\xc3\xa9", "--user=", "i", "", "a b", "\n", "\xff"));
        assert_string_equal(run_args()->env[0], "A=a b\n\"'\xc3\xa9");
        assert_string_equal(run_args()->user, "");
        assert_int_equal(parsed.n_operands, 5);
        assert_string_equal(parsed.operands[1], "");
        assert_string_equal(parsed.operands[4], "\xff");
}

static void opt_parse_refuses_flags_in_dockers_words(void **state)
{
        (void)state;
        check_err(PARSE("run", "--nosuch", "i"), "unknown flag: --nosuch");
        assert_string_equal(str_text(&parsed.hint), "\nUsage:  hod run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n"
                                                    "Run 'hod run --help' for more information\n");
        check_err(PARSE("--nosuch"), "unknown flag: --nosuch");
        assert_string_equal(str_text(&parsed.hint),
                            "\nUsage:  hod [OPTIONS] COMMAND [ARG...]\n\nRun 'hod --help' for more information\n");
        check_err(PARSE("run", "-iz"), "unknown shorthand flag: 'z' in -z");
        check_err(PARSE("run", "--memory"), "flag needs an argument: --memory");
        check_err(PARSE("run", "-tm"), "flag needs an argument: 'm' in -m");
        check_err(PARSE("run", "-net"), "flag needs an argument: -net");
        check_err(PARSE("run", "---x"), "bad flag syntax: ---x");
        check_err(PARSE("run", "--=x"), "bad flag syntax: --=x");
        check_err(PARSE("run", "-m", "x", "i"), "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'");
        check_err(PARSE("run", "--rm=x", "i"),
                  "invalid argument \"x\" for \"--rm\" flag: strconv.ParseBool: parsing \"x\": invalid syntax");
        check_err(PARSE("run", "-e", "", "i"),
                  "invalid argument \"\" for \"-e, --env\" flag: invalid environment variable: ");
        check_err(PARSE("run", "--stop-timeout", "101", "i"), "invalid argument \"101\" for \"--stop-timeout\" flag: "
                                                              "strconv.ParseInt: parsing \"101\": value out of range");
        check_err(
                PARSE("run", "--pull", "bogus", "i"),
                "invalid argument \"bogus\" for \"--pull\" flag: must be one of \"always\", \"missing\" or \"never\"");
        check_err(PARSE("--help=x"),
                  "invalid argument \"x\" for \"--help\" flag: strconv.ParseBool: parsing \"x\": invalid syntax");
        check_code(PARSE("run", "--nosuch", "i"), ERR_USAGE);
}

static void opt_parse_counts_operands_in_dockers_words(void **state)
{
        (void)state;
        check_err(PARSE("run"), "'hod run' requires at least 1 argument");
        assert_non_null(strstr(str_text(&parsed.hint), "See 'hod run --help' for more information\n"));
        check_err(PARSE("ps", "x"), "'hod ps' accepts no arguments");
        check_err(PARSE("container", "ls", "x"), "'hod container ls' accepts no arguments");
        check_err(PARSE("cp", "a"), "'hod cp' requires 2 arguments");
        assert_string_equal(str_text(&parsed.hint),
                            "\nUsage:  hod cp CONTAINER:SRC DEST\n\thod cp SRC CONTAINER:DEST\n\n"
                            "Run 'hod cp --help' for more information\n");
        check_err(PARSE("port"), "'hod port' requires at least 1 and at most 2 arguments");
        check_err(PARSE("vol", "a", "b"), "'hod vol' requires at most 1 argument");
        check_code(PARSE("run"), ERR_INVALID);
}

static void opt_parse_suggests_the_nearest(void **state)
{
        (void)state;
        check_err(PARSE("run", "--netwrk", "x"), "unknown flag: --netwrk");
        assert_true(str_starts(str_text(&parsed.hint), "Did you mean --network?\n\nUsage:"));
        check_err(PARSE("run", "--detatch", "x"), "unknown flag: --detatch");
        assert_true(str_starts(str_text(&parsed.hint), "Did you mean --detach?\n"));
        check_err(PARSE("rnu"), "unknown command: hod rnu");
        check_err(PARSE("contaner"), "unknown command: hod contaner");
        assert_string_equal(str_text(&parsed.hint),
                            "Did you mean 'hod container'?\n\nRun 'hod --help' for more information\n");
        check_err(PARSE("container", "nosuch"), "unknown command: hod container nosuch");
        assert_string_equal(str_text(&parsed.hint),
                            "\nUsage:  hod container\n\nRun 'hod container --help' for more information\n");
        check_code(PARSE("run", "-memory", "5m", "i"), ERR_USAGE);
        assert_true(str_starts(str_text(&parsed.hint), "Did you mean --memory?\n"));
        check_err(PARSE("secre"), "unknown command: hod secre");
        assert_null(strstr(str_text(&parsed.hint), "secret"));
}

static void is_problem(err *e, enum opt_problem problem, const char *word)
{
        assert_non_null(e);
        err_free(e);
        assert_int_equal(parsed.problem, problem);
        if (word)
                assert_string_equal(parsed.problem_word, word);
        else
                assert_null(parsed.problem_word);
}

static void opt_parse_says_what_the_problem_is(void **state)
{
        (void)state;
        is_problem(PARSE("rnu", "x"), OPT_PROBLEM_COMMAND, "rnu");
        is_problem(PARSE("run", "--nosuch=3", "i"), OPT_PROBLEM_FLAG, "--nosuch=3");
        is_problem(PARSE("run", "-tz"), OPT_PROBLEM_FLAG, "-tz");
        is_problem(PARSE("run", "--memory"), OPT_PROBLEM_NO_VALUE, "--memory");
        is_problem(PARSE("run", "-tm"), OPT_PROBLEM_NO_VALUE, "-tm");
        is_problem(PARSE("run", "--rm=x", "i"), OPT_PROBLEM_VALUE, "--rm=x");
        is_problem(PARSE("cp", "a"), OPT_PROBLEM_OPERANDS, NULL);
        check_ok(PARSE("run", "i"));
        assert_int_equal(parsed.problem, OPT_PROBLEM_NONE);
}

static void opt_parse_takes_one_dash_where_the_root_says_so(void **state)
{
        static struct command root;

        (void)state;
        root = cmd_hod;
        root.one_dash = true;
        check_ok(PARSE_AS(&root, "run", "-user", "u", "-memory=5m", "-rm", "-ti", "i", "-rm"));
        assert_string_equal(run_args()->user, "u");
        assert_int_equal(run_args()->memory, 5 << 20);
        assert_true(run_args()->rm && run_args()->tty && run_args()->interactive);
        assert_string_equal(parsed.operands[1], "-rm");
        check_ok(PARSE_AS(&root, "run", "-u0", "i"));
        assert_string_equal(run_args()->user, "0");
        check_ok(PARSE_AS(&root, "run", "-help"));
        assert_true(parsed.help);
        is_problem(PARSE_AS(&root, "run", "-nosuch", "i"), OPT_PROBLEM_FLAG, "-nosuch");
        /* Everywhere else it is a cluster. */
        check_ok(PARSE("run", "-user", "i"));
        assert_string_equal(run_args()->user, "ser");
}

static void opt_parse_refuses_conflicts(void **state)
{
        (void)state;
        check_err(PARSE("run", "--rm", "-d", "i"), "conflicting options: cannot specify both --rm and --detach");
        check_ok(PARSE("run", "--rm", "-d=false", "i"));
}

static void opt_parse_stops_at_help(void **state)
{
        (void)state;
        check_ok(PARSE("run", "--help", "--nosuch"));
        assert_true(parsed.help);
        check_ok(PARSE("ps", "-h"));
        assert_true(parsed.help);
        check_ok(PARSE("container"));
        assert_false(parsed.help);
        assert_ptr_equal(parsed.command, &cmd_container);
        check_ok(PARSE());
        assert_ptr_equal(parsed.command, &cmd_hod);
}

static void opt_environment_is_weaker_than_the_command_line(void **state)
{
        char *environment[] = {(char[]){"HOD_ROOT=/env"}, (char[]){"HOD_LOG_LEVEL=debug"}, NULL};
        const struct global_args *g;

        (void)state;
        check_ok(PARSE("--root=/flag", "ps"));
        check_ok(opt_environment(&parsed, environment));
        g = parsed.global.args;
        assert_string_equal(g->root, "/flag");
        assert_string_equal(g->level, "debug");
        check_ok(opt_values_set(&parsed.global, opt_find(root_opts, "log-level"), "info", OPT_USER_FILE, "f:1"));
        assert_string_equal(g->level, "debug");
        assert_true(opt_given_global(&parsed, &g->level));
        assert_false(opt_given_global(&parsed, &g->debug));
}

static void opt_report_prints_as_docker_does(void **state)
{
        _cleanup_str_ struct str out = {0};
        err *e;

        (void)state;
        e = PARSE("run", "--nosuch");
        assert_int_equal(opt_report(&parsed, "hod", e, &out), 125);
        assert_true(str_starts(str_text(&out), "unknown flag: --nosuch\n\nUsage:  hod run"));
        str_free(&out);
        e = PARSE("run");
        assert_int_equal(opt_report(&parsed, "hod", e, &out), 1);
        assert_true(str_starts(str_text(&out), "hod: 'hod run' requires at least 1 argument\n\nUsage:"));
        str_free(&out);
        check_ok(PARSE("run", "i"));
        assert_int_equal(opt_report(&parsed, "hod", err_new(ERR_NOT_FOUND, "No such image: i"), &out), 125);
        assert_string_equal(str_text(&out), "hod: No such image: i\n\nRun 'hod run --help' for more information\n");
        str_free(&out);
        assert_int_equal(opt_report(&parsed, "hod", err_new(ERR_EXEC_NOT_FOUND, "x"), &out), 127);
        str_free(&out);
        check_ok(PARSE("ps"));
        assert_int_equal(opt_report(&parsed, "hod", err_new(ERR_NOT_FOUND, "x"), &out), 1);
        assert_string_equal(str_text(&out), "hod: x\n");
}

static void opt_help_has_dockers_layout(void **state)
{
        _cleanup_str_ struct str out = {0};

        (void)state;
        check_ok(PARSE("run", "--help"));
        opt_help(&parsed, 80, &out);
        assert_true(str_starts(str_text(&out), "Usage:  hod run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n"
                                               "Create and run a new container from an image\n\n"
                                               "Aliases:\n  hod container run, hod run\n\n"
                                               "Options:\n"
                                               "      --cap-add list        Add Linux capabilities\n"));
        assert_non_null(strstr(str_text(&out), "\n      --sig-proxy           Proxy received signals to the process\n"
                                               "                            (default true)\n"));
        assert_null(strstr(str_text(&out), "--weight"));
        str_free(&out);
        check_ok(PARSE("--help"));
        opt_help(&parsed, 0, &out);
        assert_non_null(strstr(str_text(&out), "\nCommon Commands:\n  run         Create and run"));
        assert_non_null(strstr(str_text(&out), "\nManagement Commands:\n  container   Manage containers\n"));
        assert_non_null(strstr(str_text(&out), "\nGlobal Options:\n  -D, --debug"));
        assert_null(strstr(str_text(&out), "secret"));
}

static err *names(void *data, enum opt_complete kind, char ***list)
{
        (void)data;
        if (kind == OPT_COMPLETE_IMAGE)
                return strv_add(list, "busybox");
        TRY(strv_add(list, "c1"));
        return strv_add(list, "d1");
}

static void check_complete(char *const *words, const char *want)
{
        _cleanup_str_ struct str out = {0};

        check_ok(opt_complete(&cmd_hod, words, names, NULL, &out));
        assert_string_equal(str_text(&out), want);
}
#define COMPLETE(want, ...) check_complete((char *const *)(const char *const[]){__VA_ARGS__, NULL}, want)

static void opt_complete_knows_what_may_stand_where(void **state)
{
        (void)state;
        COMPLETE("run\tCreate and run a new container from an image\nrm\tRemove\n:\n", "r");
        COMPLETE("--memory\tMemory limit\n--memory-swap\tSwap limit\n:\n", "run", "--mem");
        COMPLETE("--pull=missing\n:\n", "run", "--pull=m");
        COMPLETE("always\nmissing\nnever\n:\n", "run", "--pull", "");
        COMPLETE("--rm=true\n--rm=false\n:\n", "run", "--rm=");
        COMPLETE("busybox\n:\n", "run", "-ti", "");
        COMPLETE("busybox\n:\n", "run", "-u", "root", "-tm", "5m", "b");
        COMPLETE(":\n", "run", "busybox", "--m");
        COMPLETE("d1\n:\n", "container", "rm", "c1", "d");
        COMPLETE(":dirs\n", "--root", "/x");
        COMPLETE("run\tCreate and run a new container from an image\nrm\tRemove\n:\n", "--root", "/x", "container",
                 "r");
        COMPLETE("c1\nd1\n:\n", "run", "-net", "");
        COMPLETE("", "nosuch", "x");
        COMPLETE("-D\tEnable debug mode\n--debug\tEnable debug mode\n-l\tSet the logging level\n"
                 "--log-level\tSet the logging level\n--root\tRoot directory\n--help\tPrint usage\n:\n",
                 "-");
}

static void opt_documents_know_every_flag(void **state)
{
        (void)state;
        check_everywhere(&cmd_hod);
}

static void opt_paths_lists_every_name(void **state)
{
        _cleanup_str_ struct str out = {0};
        char path[64];

        (void)state;
        opt_paths(&cmd_hod, &cmd_ps, &out);
        assert_string_equal(str_text(&out), "hod container ls, hod container list, hod container ps, hod ps");
        opt_main_path(&cmd_hod, &cmd_ps, path, sizeof(path));
        assert_string_equal(path, "hod ps");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(opt_verify_accepts_the_table),
                cmocka_unit_test(opt_verify_finds_mistakes),
                cmocka_unit_test(opt_parse_reads_every_form_of_a_flag),
                cmocka_unit_test(opt_parse_takes_the_founding_documents_spellings),
                cmocka_unit_test(opt_parse_mixes_flags_and_operands_where_docker_does),
                cmocka_unit_test(opt_parse_passes_arguments_exactly),
                cmocka_unit_test(opt_parse_refuses_flags_in_dockers_words),
                cmocka_unit_test(opt_parse_counts_operands_in_dockers_words),
                cmocka_unit_test(opt_parse_suggests_the_nearest),
                cmocka_unit_test(opt_parse_says_what_the_problem_is),
                cmocka_unit_test(opt_parse_takes_one_dash_where_the_root_says_so),
                cmocka_unit_test(opt_parse_refuses_conflicts),
                cmocka_unit_test(opt_parse_stops_at_help),
                cmocka_unit_test(opt_environment_is_weaker_than_the_command_line),
                cmocka_unit_test(opt_report_prints_as_docker_does),
                cmocka_unit_test(opt_help_has_dockers_layout),
                cmocka_unit_test(opt_complete_knows_what_may_stand_where),
                cmocka_unit_test(opt_documents_know_every_flag),
                cmocka_unit_test(opt_paths_lists_every_name),
        };

        return cmocka_run_group_tests(tests, NULL, teardown);
}
