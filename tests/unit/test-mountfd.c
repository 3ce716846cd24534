/* Tests of sys/mountfd: detached mounts. Need root (skipped otherwise); nothing reaches the host's mount table. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "sys/mountfd.h"

static int begin(void **state)
{
        if (geteuid() != 0)
                skip();
        return 0;
}

static void mountfd_new_sets_everything_before_it_is_seen(void **state)
{
        static const struct mount_param params[] = {{"size", "64k"}};
        struct mount_fs fs = {"tmpfs", "name", params, 1, MS_RDONLY, MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY};
        _cleanup_close_ int fd = mountfd_new(&fs, 01750, NULL, 0);
        struct statfs st;
        struct stat s;

        assert_true(fd >= 0);
        assert_int_equal(fstatfs(fd, &st), 0);
        assert_int_equal(st.f_type, TMPFS_MAGIC);
        assert_true(st.f_flags & MS_RDONLY && st.f_flags & MS_NOSUID);
        assert_int_equal(fstat(fd, &s), 0);
        assert_int_equal(s.st_mode & 07777, 01750);
        assert_int_equal(mkdirat(fd, "x", 0755), -1);
        assert_int_equal(errno, EROFS);
}

static void mountfd_new_says_what_is_wrong(void **state)
{
        static const struct mount_param params[] = {{"bogus", "1"}};
        struct mount_fs fs = {"tmpfs", NULL, params, 1, 0, 0};
        char log[128];

        assert_int_equal(mountfd_new(&fs, -1, log, sizeof(log)), -EINVAL);
        assert_string_equal(log, "tmpfs: Unknown parameter 'bogus'");
        fs.type = "nosuchfs";
        assert_int_equal(mountfd_new(&fs, -1, log, sizeof(log)), -ENODEV);
        assert_string_equal(log, "");
}

static void mountfd_clone_is_independent(void **state)
{
        char dir[] = "/tmp/hod-test-mountfd-XXXXXX";
        _cleanup_close_ int fd = -1;
        struct statfs host;

        assert_non_null(mkdtemp(dir));
        fd = mountfd_clone(AT_FDCWD, dir, AT_RECURSIVE);
        assert_true(fd >= 0);
        assert_int_equal(mountfd_set(fd, AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE), 0);
        assert_int_equal(mkdirat(fd, "x", 0755), -1);
        assert_int_equal(errno, EROFS);
        assert_int_equal(statfs(dir, &host), 0);
        assert_false(host.f_flags & MS_RDONLY);
        assert_int_equal(mountfd_clone(AT_FDCWD, "/tmp/no/such", 0), -ENOENT);
        assert_int_equal(rmdir(dir), 0);
}

static void mountfd_set_of_nothing_is_no_call(void **state)
{
        assert_int_equal(mountfd_set(-1, 0, 0, 0, 0), 0);
        assert_int_equal(mountfd_set(-1, 0, MOUNT_ATTR_RDONLY, 0, 0), -EBADF);
}

/* What becomes of a source with @source: the attributes as (set, clear), or an error. */
static void wish(uint64_t set, uint64_t clear, unsigned long source, bool locked, int want, uint64_t want_set,
                 uint64_t want_clear)
{
        struct mount_wish w = {set, clear, true};
        uint64_t got_set, got_clear;

        assert_int_equal(mountfd_wish(&w, source, locked, &got_set, &got_clear), want);
        if (want < 0)
                return;
        assert_int_equal(got_set, want_set);
        assert_int_equal(got_clear, want_clear);
}

#define FOUR (uint64_t)(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define NOSYMFOLLOW (uint64_t)0x00200000

static void mountfd_wish_clears_what_is_not_named(void **state)
{
        uint64_t set = 1, clear = 1;

        wish(MOUNT_ATTR_RDONLY, 0, ST_NODEV, false, 0, MOUNT_ATTR_RDONLY, (FOUR & ~MOUNT_ATTR_RDONLY) | NOSYMFOLLOW);
        wish(0, MOUNT_ATTR_NODEV, ST_RDONLY, false, 0, 0, FOUR | NOSYMFOLLOW);
        wish(NOSYMFOLLOW, 0, 0, false, 0, NOSYMFOLLOW, FOUR);
        assert_int_equal(mountfd_wish(&(struct mount_wish){0}, ST_RDONLY, false, &set, &clear), 0);
        assert_true(set == 0 && clear == 0);
}

static void mountfd_wish_keeps_the_access_time_mode_unless_one_is_chosen(void **state)
{
        uint64_t atime = MOUNT_ATTR__ATIME;

        wish(0, MOUNT_ATTR_NODIRATIME, ST_NODIRATIME, false, 0, 0, FOUR | NOSYMFOLLOW);
        wish(MOUNT_ATTR_NODIRATIME, 0, ST_NOATIME, false, 0, MOUNT_ATTR_NODIRATIME, FOUR | NOSYMFOLLOW | atime);
        wish(MOUNT_ATTR_STRICTATIME, atime, ST_NODIRATIME, false, 0, MOUNT_ATTR_STRICTATIME,
             FOUR | NOSYMFOLLOW | atime | MOUNT_ATTR_NODIRATIME);
}

static void mountfd_wish_keeps_what_is_locked(void **state)
{
        wish(0, MOUNT_ATTR_NODEV, ST_RDONLY | ST_NOEXEC, true, 0, 0, NOSYMFOLLOW);
        wish(MOUNT_ATTR_NOSUID, 0, ST_RDONLY, true, 0, MOUNT_ATTR_NOSUID, NOSYMFOLLOW);
        wish(0, MOUNT_ATTR_RDONLY, ST_RDONLY, true, -EPERM, 0, 0);
        wish(0, MOUNT_ATTR_NOSUID, ST_NOSUID | ST_RDONLY, true, -EPERM, 0, 0);
        wish(MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, ST_RELATIME, true, -EPERM, 0, 0);
        wish(0, MOUNT_ATTR__ATIME, 0, true, -EPERM, 0, 0); /* relatime, and the source is strict */
        wish(MOUNT_ATTR_NODIRATIME, 0, ST_RELATIME, true, -EPERM, 0, 0);
        wish(MOUNT_ATTR_NODIRATIME, 0, ST_RELATIME | ST_NODIRATIME, true, 0, MOUNT_ATTR_NODIRATIME,
             NOSYMFOLLOW | MOUNT_ATTR__ATIME);
}

static void mountfd_reconfigure_changes_the_file_system(void **state)
{
        static const struct mount_param params[] = {{"size", "8k"}}, bad[] = {{"bogus", NULL}};
        struct mount_fs fs = {.type = "tmpfs"}, change = {.params = params, .n_params = 1};
        _cleanup_close_ int fd = mountfd_new(&fs, -1, NULL, 0);
        struct statfs st;
        char log[128];

        assert_true(fd >= 0);
        assert_int_equal(mountfd_reconfigure(fd, &change, log, sizeof(log)), 0);
        assert_int_equal(fstatfs(fd, &st), 0);
        assert_int_equal(st.f_blocks * (unsigned long)st.f_bsize, 8192);
        change.params = bad;
        assert_int_equal(mountfd_reconfigure(fd, &change, log, sizeof(log)), -EINVAL);
        assert_non_null(strstr(log, "bogus"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(mountfd_new_sets_everything_before_it_is_seen, begin),
                cmocka_unit_test_setup(mountfd_new_says_what_is_wrong, begin),
                cmocka_unit_test_setup(mountfd_clone_is_independent, begin),
                cmocka_unit_test_setup(mountfd_set_of_nothing_is_no_call, begin),
                cmocka_unit_test(mountfd_wish_clears_what_is_not_named),
                cmocka_unit_test(mountfd_wish_keeps_the_access_time_mode_unless_one_is_chosen),
                cmocka_unit_test(mountfd_wish_keeps_what_is_locked),
                cmocka_unit_test_setup(mountfd_reconfigure_changes_the_file_system, begin),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
