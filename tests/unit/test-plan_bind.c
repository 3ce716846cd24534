/* Tests of runtime/plan_bind.c, ahead.c and userns.c: names, who may have a thread, and user namespaces for maps (root
 * only). */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runtime/ahead.h"
#include "runtime/plan.h"
#include "runtime/userns.h"

static void clean(const char *base, const char *path, const char *want)
{
        struct plan p = {0};

        assert_string_equal(plan_clean_path(&p, base, path), want);
        arena_done(&p.arena);
}

static void plan_clean_path_is_lexical(void **state)
{
        clean("/b", "x", "/b/x");
        clean("/b", "/x", "/x");
        clean("/b", ".", "/b");
        clean("/b", "../..", "/");
        clean("", "tmp/x/", "/tmp/x");
        clean("/b", "//x///y/./z/..", "/x/y");
        clean("/b", "/x/../../etc/.hidden/..x", "/etc/.hidden/..x");
        clean("/b", "/", "/");
        clean("", "", "/");
}

static void plan_path_below_takes_whole_components(void **state)
{
        assert_string_equal(plan_path_below("/b/root/x", "/b/root"), "/x");
        assert_string_equal(plan_path_below("/b/root", "/b/root"), "");
        assert_string_equal(plan_path_below("/x", "/"), "/x");
        assert_null(plan_path_below("/b/rootfs", "/b/root"));
        assert_null(plan_path_below("/b", "/b/root"));
}

static void of_process(const char *source, const char *want_dir, const char *want_path)
{
        const char *path = NULL;
        char dir[32] = "";

        assert_int_equal(plan_source_is_of_process(source, dir, &path), want_dir != NULL);
        if (!want_dir)
                return;
        assert_string_equal(dir, want_dir);
        assert_string_equal(path, want_path);
}

static void plan_source_is_of_process_below_its_root_only(void **state)
{
        of_process("/proc/17/root/dev/shm", "/proc/17", "/dev/shm");
        of_process("/proc/17/root", NULL, NULL);
        of_process("/proc/17/rootfs/x", NULL, NULL);
        of_process("/proc/self/root/x", NULL, NULL);
        of_process("/proc//root/x", NULL, NULL);
        of_process("proc/17/root/x", NULL, NULL);
        of_process("/proc/12345678901/root/x", NULL, NULL);
}

/* Where a processor is free, as it would else: so more than once. */
static void ahead_begin_makes_no_thread_when_another_mount_namespace_has_to_be_entered(void **state)
{
        struct oci_mount m = {.destination = "/dev/shm", .source = "/proc/1/root/dev/shm"};
        struct oci_spec spec = {.mounts = &m, .n_mounts = 1};
        unsigned made = 0;

        spec.linux_.ns[OCI_NS_NETWORK].present = true;
        for (int i = 0; i < 100; i++) {
                struct ahead a = {0};

                ahead_begin(&a, &spec);
                made += a.running;
                ahead_done(&a);
        }
        assert_int_equal(made, 0);
}

/* The call fails, and says @part. */
static void fails(err *e, const char *part)
{
        char text[1024] = "(success)";

        if (e)
                (void)err_text(e, text, sizeof(text));
        err_free(e);
        if (!strstr(text, part))
                fail_msg("no \"%s\" in \"%s\"", part, text);
}

static int as_root(void **state)
{
        if (geteuid() != 0)
                skip();
        return 0;
}

static void userns_check_compares_maps_as_sets(void **state)
{
        struct oci_idmap two[] = {{0, 100000, 1000}, {1000, 5000, 7}}, turned[] = {two[1], two[0]};
        struct oci_idmap other[] = {{0, 100000, 1000}, {1000, 5000, 8}};
        struct oci_idmaps a = {two, 2}, b = {turned, 2}, c = {other, 2}, less = {two, 1};
        _cleanup_close_ int fd = -1;

        check_ok(userns_open(&a, &b, &fd));
        check_ok(userns_check(fd, &a, &a));
        check_ok(userns_check(fd, &b, &b));
        fails(userns_check(fd, &c, &a), "non-matching mapping");
        fails(userns_check(fd, &a, &c), "non-matching mapping");
        fails(userns_check(fd, &a, &less), "non-matching mapping");
        fails(userns_check(fd, &(struct oci_idmaps){0}, &a), "non-matching mapping");
}

static void userns_open_says_what_the_kernel_refuses(void **state)
{
        struct oci_idmap overlap[] = {{0, 100000, 1000}, {500, 5000, 7}};
        struct oci_idmaps bad = {overlap, 2}, good = {overlap, 1};
        int fd = -1;

        fails(userns_open(&bad, &good, &fd), "uid_map");
        fails(userns_open(&good, &bad, &fd), "gid_map");
        assert_int_equal(fd, -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plan_clean_path_is_lexical),
                cmocka_unit_test(plan_path_below_takes_whole_components),
                cmocka_unit_test(plan_source_is_of_process_below_its_root_only),
                cmocka_unit_test(ahead_begin_makes_no_thread_when_another_mount_namespace_has_to_be_entered),
                cmocka_unit_test_setup(userns_check_compares_maps_as_sets, as_root),
                cmocka_unit_test_setup(userns_open_says_what_the_kernel_refuses, as_root),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
