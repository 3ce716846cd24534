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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(mountfd_new_sets_everything_before_it_is_seen, begin),
                cmocka_unit_test_setup(mountfd_new_says_what_is_wrong, begin),
                cmocka_unit_test_setup(mountfd_clone_is_independent, begin),
                cmocka_unit_test_setup(mountfd_set_of_nothing_is_no_call, begin),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
