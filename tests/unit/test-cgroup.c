/* Unit tests of sys/cgroup: real cgroups below hod-test-cgroup where the machine has them, and v2 on a fake tree of
 * plain files, so that its logic is tested on v1 machines too. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "sys/cgroup.h"

/* With our pid: two runs at once must not meet. */
static char parent[48], probe[56], one[56], one_a_b[64], one_a_c[64];

/* ---- pure functions ---- */

static void cgroup_path_clean_makes_paths_safe(void **state)
{
        static const char *const cases[][2] = {
                {"/a/b", "/a/b"},
                {"a//b/", "/a/b"},
                {"/a/../b", "/b"},
                {"../../x", "/x"},
                {"/./a/./b", "/a/b"},
                {"/a/b/../../c", "/c"},
                {"slice:hod:id", "/slice:hod:id"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *got = NULL;

                check_ok(cgroup_path_clean(cases[i][0], &got));
                assert_string_equal(got, cases[i][1]);
        }
        static const char *const bad[] = {"", "/", "..", "/..", "/a/..", "/a\nb", "///"};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char *got = NULL;

                check_says(cgroup_path_clean(bad[i], &got), ERR_INVALID, "");
                assert_null(got);
        }
}

static void cgroup_shares_to_weight_has_three_fixed_points(void **state)
{
        assert_int_equal(cgroup_shares_to_weight(0), 0);
        assert_int_equal(cgroup_shares_to_weight(1), 1);
        assert_int_equal(cgroup_shares_to_weight(2), 1);
        assert_int_equal(cgroup_shares_to_weight(1024), 100);
        assert_int_equal(cgroup_shares_to_weight(262144), 10000);
        assert_int_equal(cgroup_shares_to_weight(UINT64_MAX), 10000);
        for (uint64_t s = 2, last = 0; s <= 262144; s += 97) {
                uint64_t w = cgroup_shares_to_weight(s);

                assert_true(w >= last && w >= 1 && w <= 10000);
                last = w;
        }
}

/* ---- fake v2 ---- */

struct fake {
        char dir[40];
        int fd;
        struct cgroup_layout l;
};

static void fake_file(struct fake *f, const char *name, const char *text)
{
        _cleanup_close_ int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void fake_is(struct fake *f, const char *name, const char *want)
{
        _cleanup_free_ char *got = NULL;

        if (file_read(f->fd, name, 4096, &got, NULL) < 0)
                fail_msg("%s is missing", name);
        if (!str_eq(got, want))
                fail_msg("%s: \"%s\", wanted \"%s\"", name, got, want);
}

static void fake_begin(struct fake *f, const char *controllers)
{
        strcpy(f->dir, "/tmp/hod-test-cgroup-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        fake_file(f, "cgroup.controllers", controllers);
        fake_file(f, "cgroup.subtree_control", "");
        check_ok(cgroup_layout_open(f->fd, true, &f->l));
        assert_int_equal(f->l.mode, CGROUP_MODE_V2);
}

static void fake_end(struct fake *f)
{
        cgroup_layout_close(&f->l);
        (void)close(f->fd);
        assert_int_equal(file_remove_tree(AT_FDCWD, f->dir), 0);
}

static void fake_files(struct fake *f, const char *const *names)
{
        for (; *names; names++) {
                char path[128];

                (void)snprintf(path, sizeof(path), "c/%s", *names);
                fake_file(f, path, "");
        }
}

static void cgroup_create_v2_enables_controllers_on_the_way(void **state)
{
        struct fake f;

        fake_begin(&f, "cpuset cpu io memory hugetlb pids rdma misc\n");
        assert_int_equal(mkdirat(f.fd, "a", 0700), 0);
        fake_file(&f, "a/cgroup.controllers", "cpu io memory pids\n"); /* less than the root has */
        fake_file(&f, "a/cgroup.subtree_control", "io\n");
        check_ok(cgroup_create(&f.l, "/a/b"));
        fake_is(&f, "cgroup.subtree_control", "+cpu +cpuset +memory +io +pids +hugetlb +rdma +misc");
        fake_is(&f, "a/cgroup.subtree_control", "+cpu +memory +pids"); /* without what is on already */
        assert_true(cgroup_exists(&f.l, "/a/b"));
        check_ok(cgroup_remove(&f.l, "/a/b", 0));
        assert_false(cgroup_exists(&f.l, "/a/b"));
        fake_end(&f);
}

static void cgroup_apply_v2_converts_units(void **state)
{
        static const char *const names[] = {
                "memory.max",           "memory.swap.max", "memory.low",  "cpu.weight", "cpu.max", "cpu.max.burst",
                "cpuset.cpus",          "cpuset.mems",     "pids.max",    "io.weight",  "io.max",  "hugetlb.2MB.max",
                "hugetlb.2MB.rsvd.max", "rdma.max",        "memory.high", NULL};
        const struct cgroup_throttle throttle = {CGROUP_WRITE_BPS, 8, 16, 1048576};
        const struct cgroup_name_number huge = {"2MB", 4194304};
        const struct cgroup_rdma rdma = {"mlx5_1", {true, 3}, {false, 0}};
        const struct cgroup_name_value unified = {"memory.high", "12345"};
        struct cgroup_resources r = {.memory_limit = {true, 1000},
                                     .memory_swap = {true, 3000},
                                     .memory_reservation = {true, 500},
                                     .cpu_shares = {true, 1024},
                                     .cpu_quota = {true, 50000},
                                     .cpu_burst = {true, 10000},
                                     .cpuset_cpus = "0-1",
                                     .cpuset_mems = "0",
                                     .pids_limit = {true, 0},
                                     .blkio_weight = {true, 500},
                                     .throttles = &throttle,
                                     .n_throttles = 1,
                                     .hugepages = &huge,
                                     .n_hugepages = 1,
                                     .rdma = &rdma,
                                     .n_rdma = 1,
                                     .unified = &unified,
                                     .n_unified = 1};
        struct fake f;

        fake_begin(&f, "cpuset cpu io memory hugetlb pids rdma\n");
        check_ok(cgroup_create(&f.l, "/c"));
        fake_files(&f, names);
        check_ok(cgroup_apply(&f.l, "/c", &r));
        fake_is(&f, "c/memory.max", "1000");
        fake_is(&f, "c/memory.swap.max", "2000");
        fake_is(&f, "c/memory.low", "500");
        fake_is(&f, "c/cpu.weight", "100");
        fake_is(&f, "c/cpu.max", "50000 100000");
        fake_is(&f, "c/cpu.max.burst", "10000");
        fake_is(&f, "c/cpuset.cpus", "0-1");
        fake_is(&f, "c/cpuset.mems", "0");
        fake_is(&f, "c/pids.max", "1");
        fake_is(&f, "c/io.weight", "4950");
        fake_is(&f, "c/io.max", "8:16 wbps=1048576");
        fake_is(&f, "c/hugetlb.2MB.max", "4194304");
        fake_is(&f, "c/hugetlb.2MB.rsvd.max", "4194304");
        fake_is(&f, "c/rdma.max", "mlx5_1 hca_handle=3");
        fake_is(&f, "c/memory.high", "12345");
        fake_end(&f);
}

static void cgroup_apply_v2_knows_the_special_values(void **state)
{
        static const char *const names[] = {"memory.max", "memory.swap.max", "cpu.max", "pids.max", NULL};
        struct cgroup_resources r = {.memory_limit = {true, -1},
                                     .cpu_quota = {true, -1},
                                     .cpu_period = {true, 50000},
                                     .pids_limit = {true, -1}};
        struct fake f;

        fake_begin(&f, "cpu memory pids\n");
        check_ok(cgroup_create(&f.l, "/c"));
        fake_files(&f, names);
        check_ok(cgroup_apply(&f.l, "/c", &r));
        fake_is(&f, "c/memory.max", "max");
        fake_is(&f, "c/memory.swap.max", "max");
        fake_is(&f, "c/cpu.max", "max 50000");
        fake_is(&f, "c/pids.max", "max");
        fake_files(&f, names);
        r = (struct cgroup_resources){.memory_limit = {true, 4096}, .memory_swap = {true, 4096}};
        check_ok(cgroup_apply(&f.l, "/c", &r));
        fake_is(&f, "c/memory.swap.max", "0"); /* equal: no swap at all */
        r.memory_swap.n = 4095;
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_INVALID, "memory+swap limit should be >= memory limit");
        r = (struct cgroup_resources){.memory_swap = {true, 4096}};
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_INVALID, "unable to set swap limit without memory limit");
        r = (struct cgroup_resources){.cpuset_cpus = "0"};
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_UNSUPPORTED, "cgroup: controller cpuset is not available");
        const struct cgroup_name_value unified = {"../x", "1"};
        r = (struct cgroup_resources){.unified = &unified, .n_unified = 1};
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_INVALID, "must be a file name");
        fake_end(&f);
}

static void cgroup_give_changes_the_owner_of_what_the_kernel_delegates(void **state)
{
        static const char *const names[] = {"cgroup.procs", "cgroup.threads", "memory.max", NULL};
        struct stat st;
        struct fake f;

        if (geteuid() != 0)
                skip();
        fake_begin(&f, "memory\n");
        check_ok(cgroup_create(&f.l, "/c"));
        fake_files(&f, names);
        check_ok(cgroup_give(&f.l, "/c", 4711));
        assert_int_equal(fstatat(f.fd, "c", &st, 0), 0);
        assert_int_equal(st.st_uid, 4711);
        assert_int_equal(fstatat(f.fd, "c/cgroup.procs", &st, 0), 0);
        assert_int_equal(st.st_uid, 4711);
        assert_int_equal(fstatat(f.fd, "c/memory.max", &st, 0), 0);
        assert_int_equal(st.st_uid, 0);
        fake_end(&f);
}

static void cgroup_apply_v2_writes_unified_files_or_says_why_not(void **state)
{
        static const char *const names[] = {"io.max", NULL};
        struct cgroup_name_value unified = {"io.max", "8:0 rbps=1"};
        const struct cgroup_resources r = {.unified = &unified, .n_unified = 1};
        struct fake f;

        fake_begin(&f, "io memory\n");
        check_ok(cgroup_create(&f.l, "/c"));
        fake_files(&f, names);
        fake_file(&f, "c/cgroup.controllers", "io\n");
        check_ok(cgroup_apply(&f.l, "/c", &r));
        fake_is(&f, "c/io.max", "8:0 rbps=1");
        unified = (struct cgroup_name_value){"memory.max", "1"};
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_UNSUPPORTED, "controller \"memory\" not available");
        unified = (struct cgroup_name_value){"io.nosuch", "1"};
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_SYS, "io.nosuch: No such file");
        unified = (struct cgroup_name_value){"cgroup.nosuch", "1"};
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_SYS, "cgroup.nosuch: No such file");
        unified = (struct cgroup_name_value){"nosuch", "1"};
        check_says(cgroup_apply(&f.l, "/c", &r), ERR_INVALID, "must be in the form CONTROLLER.PARAMETER");
        fake_end(&f);
}

static void cgroup_stats_read_v2_reads_what_is_there(void **state)
{
        struct cgroup_stats s;
        struct fake f;

        fake_begin(&f, "cpu memory pids\n");
        check_ok(cgroup_create(&f.l, "/c"));
        fake_file(&f, "c/memory.current", "4096\n");
        fake_file(&f, "c/memory.max", "max\n");
        fake_file(&f, "c/memory.events", "low 0\nhigh 0\nmax 3\noom 2\noom_kill 7\noom_group_kill 0\n");
        fake_file(&f, "c/cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 3\n");
        fake_file(&f, "c/io.stat", "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2 rios=1\n");
        fake_file(&f, "c/pids.current", "3\n");
        check_ok(cgroup_stats_read(&f.l, "/c", &s));
        assert_int_equal(s.memory_current, 4096);
        assert_true(s.memory_limit == UINT64_MAX);
        assert_int_equal(s.cpu_usage_ns, 1500000);
        assert_int_equal(s.cpu_periods, 3);
        assert_true(s.cpu_throttled == UINT64_MAX);
        assert_int_equal(s.io_read_bytes, 11);
        assert_int_equal(s.io_write_bytes, 22);
        assert_int_equal(s.pids_current, 3);
        assert_int_equal(cgroup_oom_kills(&f.l, "/c"), 7);
        check_says(cgroup_stats_read(&f.l, "/nosuch", &s), ERR_NOT_FOUND, "does not exist");
        fake_end(&f);
}

/* Co-mounted controllers are one hierarchy. */
static void cgroup_layout_open_finds_controllers_mounted_together(void **state)
{
        char dir[] = "/tmp/hod-test-cgroup-XXXXXX";
        struct cgroup_layout l;

        assert_non_null(mkdtemp(dir));
        _cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(fd, "cpu,cpuacct", 0700), 0);
        assert_int_equal(symlinkat("cpu,cpuacct", fd, "cpu"), 0);
        assert_int_equal(symlinkat("cpu,cpuacct", fd, "cpuacct"), 0);
        assert_int_equal(mkdirat(fd, "memory", 0700), 0);
        assert_int_equal(mkdirat(fd, "net_cls,net_prio", 0700), 0); /* without links */
        assert_int_equal(mkdirat(fd, "unified", 0700), 0);
        check_ok(cgroup_layout_open(fd, true, &l));
        assert_int_equal(l.mode, CGROUP_MODE_HYBRID);
        assert_int_equal(l.n, 4);
        assert_int_equal(l.of[CGROUP_CPU], l.of[CGROUP_CPUACCT]);
        assert_int_equal(l.of[CGROUP_NET_CLS], l.of[CGROUP_NET_PRIO]);
        assert_int_not_equal(l.of[CGROUP_MEMORY], l.of[CGROUP_CPU]);
        assert_int_equal(l.of[CGROUP_PIDS], -1);
        assert_true(l.unified >= 0 && l.h[(int)l.unified].v2);
        cgroup_layout_close(&l);
        assert_int_equal(file_remove_tree(AT_FDCWD, dir), 0);
}

/* ---- the real thing ---- */

static const struct cgroup_layout *real(void)
{
        const struct cgroup_layout *l;

        check_ok(cgroup_layout_get(&l));
        if (geteuid() != 0 || l->mode == CGROUP_MODE_NONE)
                return NULL;
        err *e = cgroup_create(l, probe);
        if (e) {
                err_free(e);
                return NULL; /* a sandbox with read-only cgroups */
        }
        check_ok(cgroup_remove(l, probe, 1000));
        return l;
}

static int clean_up(void **state)
{
        const struct cgroup_layout *l;
        err *e = cgroup_layout_get(&l);

        if (!e && l->mode != CGROUP_MODE_NONE)
                e = cgroup_remove(l, parent, 1000);
        err_free(e);
        return 0;
}

/* A child that joins by itself and then waits for the end. */
static pid_t joined_child(const struct cgroup_layout *l, const char *path)
{
        int fds[CGROUP_HIERARCHIES_MAX], ready[2];
        size_t n;
        char c;

        check_ok(cgroup_join_open(l, path, true, fds, &n));
        assert_int_equal(file_pipe(ready), 0);
        pid_t pid = fork();
        if (pid == 0) {
                int r = cgroup_join_self(fds, n);

                (void)!write(ready[1], r == 0 ? "y" : "n", 1);
                for (;;)
                        pause();
        }
        while (n)
                (void)close(fds[--n]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        (void)close(ready[0]);
        (void)close(ready[1]);
        assert_int_equal(c, 'y');
        return pid;
}

static void cgroup_life_works_on_this_machine(void **state)
{
        const struct cgroup_layout *l = real();
        struct cgroup_resources r = {.memory_limit = {true, 64 << 20},
                                     .pids_limit = {true, 100},
                                     .cpu_shares = {true, 512},
                                     .cpu_quota = {true, 50000}};
        struct cgroup_stats s;
        pid_t *pids = NULL;
        size_t n = 0;
        bool ours;
        int status;

        if (!l)
                skip();
        check_ok(cgroup_create_ours(l, one, &ours));
        assert_true(ours);
        check_ok(cgroup_create_ours(l, one, &ours)); /* of somebody else, for all that is known */
        assert_false(ours);
        check_ok(cgroup_apply(l, one, &r));
        pid_t pid = joined_child(l, one);
        check_ok(cgroup_pids(l, one, true, &pids, &n));
        assert_int_equal(n, 1);
        assert_int_equal(pids[0], pid);
        free(pids);
        check_says(cgroup_create_ours(l, one, &ours), ERR_CONFLICT, "not empty");
        assert_false(ours);
        check_says(cgroup_remove(l, one, 20), ERR_BUSY, "still has processes");
        check_ok(cgroup_stats_read(l, one, &s));
        assert_int_equal(s.memory_limit, 64 << 20);
        assert_int_equal(s.pids_limit, 100);
        assert_int_equal(s.pids_current, 1);
        check_ok(cgroup_freeze(l, one, true));
        assert_true(cgroup_is_frozen(l, one));
        check_ok(cgroup_freeze(l, one, true));  /* again is fine */
        check_ok(cgroup_kill(l, one, SIGKILL)); /* also what is frozen */
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        check_ok(cgroup_remove(l, one, 1000));
        assert_false(cgroup_exists(l, one));
        check_ok(cgroup_remove(l, one, 0));
        check_ok(cgroup_kill(l, one, SIGTERM));
        check_says(cgroup_freeze(l, one, true), ERR_NOT_FOUND, "does not exist");
}

static void cgroup_remove_takes_the_container_s_own_cgroups(void **state)
{
        const struct cgroup_layout *l = real();
        int status;

        if (!l)
                skip();
        check_ok(cgroup_create(l, one));
        check_ok(cgroup_create(l, one_a_b));
        check_ok(cgroup_create(l, one_a_c));
        pid_t pid = joined_child(l, one_a_b);
        check_ok(cgroup_kill(l, one, SIGTERM));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WTERMSIG(status), SIGTERM);
        check_ok(cgroup_remove(l, one, 1000));
        assert_false(cgroup_exists(l, one));
}

static void cgroup_kill_ends_what_forks(void **state)
{
        const struct cgroup_layout *l = real();
        struct cgroup_resources r = {.pids_limit = {true, 20}};

        if (!l)
                skip();
        check_ok(cgroup_create(l, one));
        check_ok(cgroup_apply(l, one, &r));
        int fds[CGROUP_HIERARCHIES_MAX], ready[2];
        char byte;
        size_t n;
        assert_int_equal(file_pipe(ready), 0);
        check_ok(cgroup_join_open(l, one, true, fds, &n));
        pid_t pid = fork();
        if (pid == 0) {
                if (cgroup_join_self(fds, n) < 0)
                        _exit(1);
                (void)signal(SIGCHLD, SIG_IGN);
                for (int i = 0;; i++) {
                        if (fork() == 0 && fork() == 0) /* parents die, children go on */
                                _exit(0);
                        if (i == 20 && write(ready[1], "x", 1) != 1)
                                _exit(1);
                }
        }
        while (n)
                (void)close(fds[--n]);
        (void)close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        check_ok(cgroup_kill(l, one, SIGKILL));
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        (void)close(ready[0]); /* not before: the others write, too, and would end by that */
        check_ok(cgroup_remove(l, one, 3000));
}

static void cgroup_oom_kills_counts(void **state)
{
        const struct cgroup_layout *l = real();
        struct cgroup_resources r = {.memory_limit = {true, 8 << 20}, .memory_swap = {true, 8 << 20}};
        int status, fds[CGROUP_HIERARCHIES_MAX];
        size_t n;

        if (!l || l->of[CGROUP_MEMORY] < 0)
                skip();
        check_ok(cgroup_create(l, one));
        check_ok(cgroup_apply(l, one, &r));
        assert_int_equal(cgroup_oom_kills(l, one), 0);
        check_ok(cgroup_join_open(l, one, true, fds, &n));
        pid_t pid = fork();
        if (pid == 0) {
                if (cgroup_join_self(fds, n) < 0)
                        _exit(1);
                char *p =
                        mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

                for (size_t i = 0; i < 64 << 20; i += 4096)
                        p[i] = 1;
                _exit(0);
        }
        while (n)
                (void)close(fds[--n]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(cgroup_oom_kills(l, one), 1);
        check_ok(cgroup_remove(l, one, 1000));
}

static void cgroup_apply_explains_refusals(void **state)
{
        const struct cgroup_layout *l = real();
        struct cgroup_resources r = {.cpuset_cpus = "4000"};

        if (!l)
                skip();
        check_ok(cgroup_create(l, one));
        if (l->of[CGROUP_CPUSET] >= 0)
                check_says(cgroup_apply(l, one, &r), ERR_INVALID, "the kernel refuses \"4000\" for cpuset.cpus");
        r = (struct cgroup_resources){.cpuset_cpus = "0-2147483647"};
        if (l->of[CGROUP_CPUSET] >= 0)
                check_says(cgroup_apply(l, one, &r), ERR_INVALID, "cpuset.cpus");
        const struct cgroup_rdma rdma = {"x", {true, 1}, {false, 0}};
        r = (struct cgroup_resources){.rdma = &rdma, .n_rdma = 1};
        if (l->of[CGROUP_RDMA] < 0)
                check_says(cgroup_apply(l, one, &r), ERR_UNSUPPORTED, "cgroup: controller rdma is not available");
        check_ok(cgroup_remove(l, one, 1000));
        check_says(cgroup_create(l, "/a/../b"), ERR_INVALID, "not a usable path");
        check_says(cgroup_remove(l, "/", 0), ERR_INVALID, "not a usable path");
}

static void cgroup_apply_v1_limits_devices(void **state)
{
        const struct cgroup_layout *l = real();
        const struct cgroup_device_rule rules[] = {
                {false, 'a', -1, -1, 7}, {true, 'c', 1, 3, 7}, {true, 'c', 1, 5, CGROUP_DEVICE_READ}};
        struct cgroup_resources r = {.devices = rules, .n_devices = 3};
        int status, fds[CGROUP_HIERARCHIES_MAX];
        size_t n;

        if (!l || l->of[CGROUP_DEVICES] < 0)
                skip();
        check_ok(cgroup_create(l, one));
        check_ok(cgroup_apply(l, one, &r));
        check_ok(cgroup_join_open(l, one, true, fds, &n));
        pid_t pid = fork();
        if (pid == 0) {
                if (cgroup_join_self(fds, n) < 0)
                        _exit(1);
                _exit(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0 && open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0 &&
                                      open("/dev/zero", O_RDWR | O_CLOEXEC) < 0 && errno == EPERM &&
                                      open("/dev/random", O_RDONLY | O_CLOEXEC) < 0
                              ? 0
                              : 2);
        }
        while (n)
                (void)close(fds[--n]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        check_ok(cgroup_remove(l, one, 1000));
}

static void cgroup_join_moves_from_outside(void **state)
{
        const struct cgroup_layout *l = real();
        pid_t *pids = NULL;
        size_t n = 0;

        if (!l)
                skip();
        check_ok(cgroup_create(l, one));
        pid_t pid = fork();
        if (pid == 0)
                for (;;)
                        pause();
        check_ok(cgroup_join(l, one, pid));
        check_ok(cgroup_pids(l, one, false, &pids, &n));
        assert_int_equal(n, 1);
        free(pids);
        check_ok(cgroup_kill(l, one, SIGKILL));
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        check_ok(cgroup_remove(l, one, 1000));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(cgroup_path_clean_makes_paths_safe),
                cmocka_unit_test(cgroup_shares_to_weight_has_three_fixed_points),
                cmocka_unit_test(cgroup_create_v2_enables_controllers_on_the_way),
                cmocka_unit_test(cgroup_apply_v2_converts_units),
                cmocka_unit_test(cgroup_apply_v2_knows_the_special_values),
                cmocka_unit_test(cgroup_give_changes_the_owner_of_what_the_kernel_delegates),
                cmocka_unit_test(cgroup_apply_v2_writes_unified_files_or_says_why_not),
                cmocka_unit_test(cgroup_stats_read_v2_reads_what_is_there),
                cmocka_unit_test(cgroup_layout_open_finds_controllers_mounted_together),
                cmocka_unit_test(cgroup_life_works_on_this_machine),
                cmocka_unit_test(cgroup_remove_takes_the_container_s_own_cgroups),
                cmocka_unit_test(cgroup_kill_ends_what_forks),
                cmocka_unit_test(cgroup_oom_kills_counts),
                cmocka_unit_test(cgroup_apply_explains_refusals),
                cmocka_unit_test(cgroup_apply_v1_limits_devices),
                cmocka_unit_test(cgroup_join_moves_from_outside),
        };

        (void)snprintf(parent, sizeof(parent), "/hod-test-cgroup-%d", getpid());
        (void)snprintf(probe, sizeof(probe), "%s/probe", parent);
        (void)snprintf(one, sizeof(one), "%s/one", parent);
        (void)snprintf(one_a_b, sizeof(one_a_b), "%s/a/b", one);
        (void)snprintf(one_a_c, sizeof(one_a_c), "%s/a/c", one);
        return cmocka_run_group_tests(tests, NULL, clean_up);
}
