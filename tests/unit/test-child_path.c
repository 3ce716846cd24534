/* Tests of runtime/child/child_path: making and finding names inside a hostile root. No privilege needed. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/child/child.h"

/* top/root is the root, top/outside must stay empty. */
static char top[] = "/tmp/hod-test-child_path-XXXXXX";
static int top_fd, root;

static int begin(void **state)
{
        (void)umask(022);
        assert_int_equal(file_remove_tree(top_fd, "root"), 0);
        assert_int_equal(mkdirat(top_fd, "root", 0755), 0);
        root = openat(top_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(root >= 0);
        return 0;
}

static int end(void **state)
{
        root = file_close(root);
        assert_int_equal(unlinkat(top_fd, "outside", AT_REMOVEDIR), 0); /* still empty */
        assert_int_equal(mkdirat(top_fd, "outside", 0755), 0);
        return 0;
}

static void make_link(const char *target, const char *name)
{
        assert_int_equal(symlinkat(target, root, name), 0);
}

static int make(const char *path, bool dir)
{
        bool made;
        int fd = child_path_mount_point(root, path, dir, 0, &made);

        if (fd >= 0)
                (void)close(fd);
        return fd < 0 ? fd : made;
}

static bool is(const char *path, mode_t type)
{
        struct stat st;

        return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type;
}

static void child_path_mount_point_makes_directories_and_files(void **state)
{
        assert_int_equal(make("/a/b/c", true), 1);
        assert_int_equal(make("a//b/./c/", true), 0);
        assert_true(is("a/b/c", S_IFDIR));
        assert_int_equal(make("/a/b/f", false), 1);
        assert_true(is("a/b/f", S_IFREG));
        assert_int_equal(make("/a/b/f", false), 0);
        assert_int_equal(make("/a/b/f", true), -ENOTDIR);
        assert_int_equal(make("/a/b/f/g", true), -ENOTDIR);
        assert_int_equal(make("top-file", false), 1);
}

static void child_path_mount_point_follows_links_inside(void **state)
{
        char target[PATH_MAX];

        make_link("/deep/er", "absolute"); /* dangling: made inside */
        assert_int_equal(make("absolute/x", true), 1);
        assert_true(is("deep/er/x", S_IFDIR));
        make_link("../../../../../../up", "climb");
        assert_int_equal(make("climb/y", true), 1);
        assert_true(is("up/y", S_IFDIR));
        (void)snprintf(target, sizeof(target), "%s/outside", top);
        make_link(target, "host");
        assert_int_equal(make("host/z", true), 1); /* the same name, but inside */
        make_link("not/there", "file");
        assert_int_equal(make("file", false), 1);
        assert_true(is("not/there", S_IFREG));
}

static void child_path_mount_point_gives_up_on_circles(void **state)
{
        make_link("b", "a");
        make_link("a", "b");
        assert_int_equal(make("a", true), -ELOOP);
        assert_int_equal(make("a/x", false), -ELOOP);
        make_link("self/x", "self"); /* grows each time */
        assert_true(make("self", true) < 0);
}

static void child_path_mount_point_refuses_missing_parents_of_dotdot(void **state)
{
        assert_int_equal(make("nowhere/../x", true), -ENOENT);
        assert_int_equal(make("/../../x", true), 1); /* ".." of the root is the root */
        assert_true(is("x", S_IFDIR));
        assert_true(make("..", false) < 0 || is(".", S_IFDIR));
}

static void child_path_open_refuses_magic_links(void **state)
{
        int fd;

        make_link("/proc/self/root", "m");
        assert_true(child_path_open(root, "m", O_PATH, 0) < 0);
        /* A real procfs inside the root: its magic links lead out. */
        fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(child_path_open(fd, "/proc/self/root", O_PATH, 0), -ELOOP);
        assert_int_equal(child_path_open(fd, "/proc/self/fd/0", O_PATH, 0), -ELOOP);
        (void)close(fd);
}

static void child_path_mount_point_bounds_lengths(void **state)
{
        char name[PATH_MAX + 10];

        memset(name, 'x', sizeof(name));
        name[NAME_MAX + 1] = '\0';
        assert_int_equal(make(name, true), -ENAMETOOLONG);
        memset(name, 'x', sizeof(name));
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(make(name, true), -ENAMETOOLONG);
        assert_int_equal(make(name, false), -ENAMETOOLONG);
}

static void child_text_writes_and_cuts(void **state)
{
        CHILD_TEXT(t, 12);

        child_text_quote(&t, "a");
        child_text_number(&t, -120);
        assert_string_equal(t.buf, "\"a\"-120");
        child_text_add(&t, "0123456789");
        assert_string_equal(t.buf, "\"a\"-1200123");
        child_text_number(&t, 0);
        assert_int_equal(strlen(t.buf), 11);
}

static int all_begin(void **state)
{
        assert_non_null(mkdtemp(top));
        top_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(top_fd, "outside", 0755), 0);
        return 0;
}

static int all_end(void **state)
{
        (void)close(top_fd);
        return file_remove_tree(AT_FDCWD, top);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(child_path_mount_point_makes_directories_and_files),
                TEST(child_path_mount_point_follows_links_inside),
                TEST(child_path_mount_point_gives_up_on_circles),
                TEST(child_path_mount_point_refuses_missing_parents_of_dotdot),
                TEST(child_path_open_refuses_magic_links),
                TEST(child_path_mount_point_bounds_lengths),
                TEST(child_text_writes_and_cuts),
        };

        return cmocka_run_group_tests(tests, all_begin, all_end);
}
