/* Tests of runtime/overlay: every way of stacking layers gives the same root file system. Need root. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "runtime/overlay.h"
#include "sys/caps.h"

#define LAYERS 30
#define MANY 300 /* more than were once allowed, and more than a page of options holds by name */

static char top[] = "/tmp/hod-test-overlay-XXXXXX";
static char *lower[MANY + 1];
static char upper[600], work[600];

static void put(int dirfd, const char *name, const char *text)
{
        int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
        (void)close(fd);
}

static void expect(int dirfd, const char *name, const char *want)
{
        _cleanup_free_ char *text = NULL;

        assert_int_equal(file_read(dirfd, name, 4096, &text, NULL), 0);
        assert_string_equal(text, want);
}

/* Layer i has the files "all" and "layer-i", both saying i. */
static void make_layers(const char *name, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                char number[24];
                int fd;

                lower[i] = str_format("%s/%s-%zu", top, name, i);
                assert_non_null(lower[i]);
                assert_int_equal(mkdir(lower[i], 0755), 0);
                fd = open(lower[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
                (void)snprintf(number, sizeof(number), "layer-%zu", i);
                put(fd, "all", number);
                put(fd, number, number);
                (void)close(fd);
        }
        lower[n] = NULL;
        (void)snprintf(upper, sizeof(upper), "%s/upper", top);
        (void)snprintf(work, sizeof(work), "%s/work", top);
        assert_int_equal(mkdir(upper, 0755), 0);
        assert_int_equal(mkdir(work, 0755), 0);
}

static int begin(void **state)
{
        if (geteuid() != 0)
                skip();
        memcpy(top + strlen(top) - 6, "XXXXXX", 6);
        assert_non_null(mkdtemp(top));
        return 0;
}

static int end(void **state)
{
        for (size_t i = 0; i < MANY; i++) {
                free(lower[i]);
                lower[i] = NULL;
        }
        return file_remove_tree(AT_FDCWD, top);
}

static void check(int fd, size_t n)
{
        char last[24], said[700];

        assert_true(fd >= 0);
        (void)snprintf(last, sizeof(last), "layer-%zu", n - 1);
        expect(fd, "all", "layer-0"); /* topmost first */
        expect(fd, last, last);
        put(fd, "new", "written");
        (void)snprintf(said, sizeof(said), "%s/new", upper);
        expect(AT_FDCWD, said, "written");
        (void)close(fd);
}

static struct runtime_overlay overlay(void)
{
        return (struct runtime_overlay){.lower = lower, .upper = upper, .work = work};
}

static void runtime_overlay_open_stacks(void **state)
{
        struct runtime_overlay o;
        int fd = -1;

        make_layers("l", 3);
        o = overlay();
        check_ok(runtime_overlay_open(&o, &fd));
        check(fd, 3);
}

static void overlay_open_by_list(void **state)
{
        char log[OVERLAY_LOG_MAX];
        struct runtime_overlay o;
        bool known;

        make_layers("l", 3);
        o = overlay();
        check(overlay_open_by(OVERLAY_BY_LIST, &o, log, &known), 3);
}

static void overlay_open_by_list_refuses_long_ones(void **state)
{
        char log[OVERLAY_LOG_MAX];
        struct runtime_overlay o;
        bool known;

        make_layers("l", LAYERS);
        o = overlay();
        assert_int_equal(overlay_open_by(OVERLAY_BY_LIST, &o, log, &known), -ENAMETOOLONG);
}

static void overlay_open_by_mount(void **state)
{
        char log[OVERLAY_LOG_MAX];
        struct runtime_overlay o;
        bool known;

        make_layers("with:colon", LAYERS);
        o = overlay();
        check(overlay_open_by(OVERLAY_BY_MOUNT, &o, log, &known), LAYERS);
}

static void overlay_open_by_mount_takes_many(void **state)
{
        char log[OVERLAY_LOG_MAX];
        struct runtime_overlay o;
        bool known;

        make_layers("layer", MANY);
        o = overlay();
        check(overlay_open_by(OVERLAY_BY_MOUNT, &o, log, &known), MANY);
}

static void runtime_overlay_open_takes_many(void **state)
{
        struct runtime_overlay o;
        int fd = -1;

        make_layers("layer", MANY);
        o = overlay();
        check_ok(runtime_overlay_open(&o, &fd));
        check(fd, MANY);
}

static void runtime_overlay_open_without_sys_resource_gives_it_back(void **state)
{
        uint64_t before, after, permitted, inheritable;
        struct runtime_overlay o;
        int fd = -1;

        make_layers("l", 3);
        o = overlay();
        o.limited = true;
        assert_int_equal(caps_get(&before, &permitted, &inheritable), 0);
        check_ok(runtime_overlay_open(&o, &fd));
        check(fd, 3);
        assert_int_equal(caps_get(&after, &permitted, &inheritable), 0);
        assert_int_equal(before, after);
}

/* Through a program; the mount and the program live until the last descriptor is closed. */
static void runtime_rootfs_open_starts_fuse_overlayfs(void **state)
{
        struct runtime_overlay o;
        int fd = -1;

        if (access("/usr/bin/fuse-overlayfs", X_OK) < 0 || access("/dev/fuse", R_OK | W_OK) < 0)
                skip();
        make_layers("with:colon,", LAYERS);
        o = overlay();
        check_ok(runtime_rootfs_open("fuse-overlayfs", &o, &fd));
        check(fd, LAYERS);
}

static void runtime_rootfs_open_tells_what_fuse_overlayfs_says(void **state)
{
        struct runtime_overlay o;
        char text[600];
        int fd = -1;
        err *e;

        if (access("/usr/bin/fuse-overlayfs", X_OK) < 0 || access("/dev/fuse", R_OK | W_OK) < 0)
                skip();
        make_layers("l", 2);
        o = overlay();
        o.work = "/no/such/dir";
        e = runtime_rootfs_open("fuse-overlayfs", &o, &fd);
        assert_non_null(e);
        (void)err_text(e, text, sizeof(text));
        err_free(e);
        assert_non_null(strstr(text, "No such file or directory"));
        check_code(runtime_rootfs_open("aufs", &o, &fd), ERR_UNSUPPORTED);
}

static void runtime_overlay_open_takes_long_names(void **state)
{
        struct runtime_overlay o;
        char name[201];
        int fd = -1;

        memset(name, 'n', sizeof(name) - 1);
        name[200] = '\0';
        assert_int_equal(file_remove_tree(AT_FDCWD, top), 0);
        assert_int_equal(mkdir(top, 0755), 0);
        make_layers(name, LAYERS);
        o = overlay();
        check_ok(runtime_overlay_open(&o, &fd));
        check(fd, LAYERS);
}

static void runtime_overlay_open_without_upper_is_read_only(void **state)
{
        struct runtime_overlay o;
        int fd = -1;

        make_layers("l", 3);
        o = overlay();
        o.upper = o.work = NULL;
        check_ok(runtime_overlay_open(&o, &fd));
        expect(fd, "all", "layer-0");
        assert_int_equal(mkdirat(fd, "x", 0755), -1);
        assert_int_equal(errno, EROFS);
        (void)close(fd);
}

static void runtime_overlay_open_explains(void **state)
{
        struct runtime_overlay o;
        int fd = -1;

        make_layers("l", 1);
        o = overlay();
        o.work = "/no/such/dir";
        check_code(runtime_overlay_open(&o, &fd), ERR_SYS);
        assert_int_equal(fd, -1);
        o.lower = (char *[]){NULL};
        check_code(runtime_overlay_open(&o, &fd), ERR_INVALID);
}

static void runtime_dir_open_clones(void **state)
{
        int fd = -1;

        make_layers("l", 1);
        check_ok(runtime_dir_open(lower[0], true, &fd));
        expect(fd, "all", "layer-0");
        assert_int_equal(mkdirat(fd, "x", 0755), -1);
        assert_int_equal(errno, EROFS);
        (void)close(fd);
        check_code(runtime_dir_open("/no/such", false, &fd), ERR_NOT_FOUND);
        check_code(runtime_dir_open("/etc/passwd", false, &fd), ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(runtime_overlay_open_stacks),
                TEST(overlay_open_by_list),
                TEST(overlay_open_by_list_refuses_long_ones),
                TEST(overlay_open_by_mount),
                TEST(overlay_open_by_mount_takes_many),
                TEST(runtime_overlay_open_takes_many),
                TEST(runtime_overlay_open_without_sys_resource_gives_it_back),
                TEST(runtime_rootfs_open_starts_fuse_overlayfs),
                TEST(runtime_rootfs_open_tells_what_fuse_overlayfs_says),
                TEST(runtime_overlay_open_takes_long_names),
                TEST(runtime_overlay_open_without_upper_is_read_only),
                TEST(runtime_overlay_open_explains),
                TEST(runtime_dir_open_clones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
