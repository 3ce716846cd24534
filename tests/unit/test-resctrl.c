/* Unit tests of sys/resctrl on a tree of plain files: there is no such hardware here. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/resctrl.h"

static char dir[40];
static int root = -1;

static void put(const char *name, const char *text)
{
        _cleanup_close_ int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void is(const char *name, const char *want)
{
        _cleanup_free_ char *got = NULL;

        if (file_read(root, name, 4096, &got, NULL) < 0)
                fail_msg("%s is missing", name);
        assert_string_equal(got, want);
}

/* As the kernel makes a group. */
static void make_group(const char *name)
{
        char path[128];

        assert_true(str_eq(name, ".") || mkdirat(root, name, 0700) == 0);
        (void)snprintf(path, sizeof(path), "%s/schemata", name);
        put(path, "");
        (void)snprintf(path, sizeof(path), "%s/tasks", name);
        put(path, "");
        (void)snprintf(path, sizeof(path), "%s/mon_groups", name);
        assert_int_equal(mkdirat(root, path, 0700), 0);
}

static int begin(void **state)
{
        strcpy(dir, "/tmp/hod-test-resctrl-XXXXXX");
        assert_non_null(mkdtemp(dir));
        root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(root >= 0);
        assert_int_equal(mkdirat(root, "info", 0700), 0);
        assert_int_equal(mkdirat(root, "info/L3", 0700), 0);
        put("info/last_cmd_status", "ok\n");
        make_group(".");
        return 0;
}

static int end(void **state)
{
        (void)close(root);
        return file_remove_tree(AT_FDCWD, dir);
}

static void resctrl_check_says_what_the_machine_lacks(void **state)
{
        static const char *const bad[] = {".", "..", "a/b", "/a", "../x"};

        check_says(resctrl_check(-1, &(struct resctrl_group){.id = "c"}), ERR_UNSUPPORTED, "Intel RDT is not enabled");
        check_ok(resctrl_check(root, &(struct resctrl_group){.id = "c", .l3_schema = "L3:0=f"}));
        check_ok(resctrl_check(root, &(struct resctrl_group){.id = "c", .clos = "/"}));
        check_says(resctrl_check(root, &(struct resctrl_group){.id = "c", .mb_schema = "MB:0=50"}), ERR_UNSUPPORTED,
                   "Intel RDT/MBA is not enabled");
        check_says(resctrl_check(root, &(struct resctrl_group){.id = "c", .monitoring = true}), ERR_UNSUPPORTED,
                   "enableMonitoring");
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                check_says(resctrl_check(root, &(struct resctrl_group){.id = "c", .clos = bad[i]}), ERR_INVALID,
                           "invalid intelRdt.ClosID");
        assert_int_equal(mkdirat(root, "info/MB", 0700), 0);
        assert_int_equal(mkdirat(root, "info/L3_MON", 0700), 0);
        check_ok(resctrl_check(root, &(struct resctrl_group){.id = "c", .mb_schema = "MB:0=50", .monitoring = true}));
}

static void resctrl_create_writes_all_schemata_at_once(void **state)
{
        char lines[][12] = {"L2:0=3", "MB:1=20"};
        char *schemata[] = {lines[0], lines[1], NULL};
        struct resctrl_group g = {.id = "c1", .l3_schema = "L3:0=f;1=f0", .mb_schema = "MB:0=50", .schemata = schemata};

        make_group("c1");
        check_ok(resctrl_create(root, &g));
        is("c1/schemata", "L3:0=f;1=f0\nMB:0=50\nL2:0=3\nMB:1=20\n");
        is("schemata", "");
        g.clos = "/";
        check_ok(resctrl_create(root, &g));
        is("schemata", "L3:0=f;1=f0\nMB:0=50\nL2:0=3\nMB:1=20\n");
}

static void resctrl_create_takes_a_named_group_as_it_is(void **state)
{
        struct resctrl_group g = {.id = "c1", .clos = "gold"};

        check_says(resctrl_create(root, &g), ERR_NOT_FOUND, "must be pre-created");
        make_group("gold");
        put("gold/schemata", "L3:0=1\n");
        check_ok(resctrl_create(root, &g));
        is("gold/schemata", "L3:0=1\n");
        assert_false(file_exists(root, "c1"));
}

static void resctrl_create_leaves_nothing_when_it_fails(void **state)
{
        struct resctrl_group g = {.id = "c2", .clos = "new", .l3_schema = "L3:0=f"};

        /* A plain directory has no schemata: the write fails. */
        check_says(resctrl_create(root, &g), ERR_SYS, "last_cmd_status: ok");
        assert_false(file_exists(root, "new"));
        g.clos = NULL;
        check_says(resctrl_create(root, &g), ERR_SYS, "schemata");
        assert_false(file_exists(root, "c2"));
}

static void resctrl_join_open_gives_both_groups(void **state)
{
        struct resctrl_group g = {.id = "c1", .clos = "gold", .monitoring = true};
        int fds[2];
        size_t n = 0;

        make_group("gold");
        check_says(resctrl_join_open(root, &(struct resctrl_group){.id = "nosuch"}, fds, &n), ERR_SYS, "tasks");
        check_ok(resctrl_create(root, &g));
        assert_true(file_exists(root, "gold/mon_groups/c1"));
        put("gold/mon_groups/c1/tasks", "");
        check_ok(resctrl_join_open(root, &g, fds, &n));
        assert_int_equal(n, 2);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(write(fds[i], "0", 1), 1);
                (void)close(fds[i]);
        }
        is("gold/tasks", "0");
        is("gold/mon_groups/c1/tasks", "0");
        g.monitoring = false;
        check_ok(resctrl_join_open(root, &g, fds, &n));
        assert_int_equal(n, 1);
        (void)close(fds[0]);
}

static void resctrl_remove_takes_only_what_is_the_container_s(void **state)
{
        struct resctrl_group own = {.id = "c1"}, named = {.id = "c2", .clos = "gold", .monitoring = true};

        assert_int_equal(mkdirat(root, "c1", 0700), 0);
        check_ok(resctrl_remove(root, &own));
        assert_false(file_exists(root, "c1"));
        check_ok(resctrl_remove(root, &own)); /* again is fine */
        make_group("gold");
        check_ok(resctrl_create(root, &named));
        check_ok(resctrl_remove(root, &named));
        assert_false(file_exists(root, "gold/mon_groups/c2"));
        assert_true(file_exists(root, "gold"));
        named.monitoring = false;
        check_ok(resctrl_remove(root, &named));
        assert_true(file_exists(root, "gold"));
}

static void resctrl_stats_read_tells_what_there_is(void **state)
{
        struct resctrl_group g = {.id = "c", .clos = "gold", .monitoring = true};
        struct resctrl_stats s;

        check_ok(resctrl_stats_read(root, &g, &s)); /* nothing but the root's empty files */
        assert_int_equal(s.n_nodes, 0);
        assert_int_equal(s.l3_closids, 0);
        resctrl_stats_done(&s);
        put("info/L3/cbm_mask", "fffff\n");
        put("info/L3/min_cbm_bits", "1\n");
        put("info/L3/num_closids", "16\n");
        put("schemata", "    MB:0=100;1=100\n    L3:0=fffff;1=fffff\n");
        make_group("gold");
        put("gold/schemata", "L3CODE:0=f\nL3DATA:0=f0\nL2:0=1\n");
        assert_int_equal(mkdirat(root, "gold/mon_groups/c", 0700), 0);
        assert_int_equal(mkdirat(root, "gold/mon_groups/c/mon_data", 0700), 0);
        assert_int_equal(mkdirat(root, "gold/mon_groups/c/mon_data/mon_L3_01", 0700), 0);
        assert_int_equal(mkdirat(root, "gold/mon_groups/c/mon_data/mon_L3_00", 0700), 0);
        put("gold/mon_groups/c/mon_data/mon_L3_00/llc_occupancy", "4096\n");
        put("gold/mon_groups/c/mon_data/mon_L3_01/llc_occupancy", "Unavailable\n");
        put("gold/mon_groups/c/mon_data/mon_L3_01/mbm_total_bytes", "77\n");
        check_ok(resctrl_stats_read(root, &g, &s));
        assert_string_equal(s.l3_mask, "fffff");
        assert_int_equal(s.l3_closids, 16);
        assert_string_equal(s.mb_root, "MB:0=100;1=100");
        assert_string_equal(s.l3_root, "L3:0=fffff;1=fffff");
        assert_string_equal(s.l3, "L3CODE:0=f\nL3DATA:0=f0");
        assert_string_equal(s.mb, "");
        assert_int_equal(s.n_nodes, 2);
        assert_int_equal(s.node[0].occupancy, 4096);
        assert_int_equal(s.node[1].occupancy, 0);
        assert_int_equal(s.node[1].total, 77);
        assert_true(s.counts_occupancy && s.counts_bandwidth);
        resctrl_stats_done(&s);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)
        const struct CMUnitTest tests[] = {
                EACH(resctrl_check_says_what_the_machine_lacks),
                EACH(resctrl_create_writes_all_schemata_at_once),
                EACH(resctrl_create_takes_a_named_group_as_it_is),
                EACH(resctrl_create_leaves_nothing_when_it_fails),
                EACH(resctrl_join_open_gives_both_groups),
                EACH(resctrl_stats_read_tells_what_there_is),
                EACH(resctrl_remove_takes_only_what_is_the_container_s),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
