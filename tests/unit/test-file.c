/* Unit tests of base/file. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static char base_path[] = "/tmp/hod-test-file-XXXXXX";
static int base_fd = -1;

static int setup(void **state)
{
        (void)state;
        if (!mkdtemp(base_path))
                return -1;
        base_fd = open(base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return base_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        int r = file_remove_tree(AT_FDCWD, base_path);

        (void)state;
        base_fd = file_close(base_fd);
        return r;
}

static void touch(int dirfd, const char *name)
{
        int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, name, strlen(name)), 0);
        (void)file_close(fd);
}

static int make_dir(const char *name)
{
        int fd;

        assert_int_equal(mkdirat(base_fd, name, 0755), 0);
        fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

/* A chain of @depth directories, each with a file, below @fd. */
static void make_chain(int fd, int depth)
{
        int at = dup(fd);

        for (int i = 0; i < depth; i++) {
                int next;

                assert_int_equal(mkdirat(at, "d", 0700), 0);
                next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                assert_true(next >= 0);
                if (i % 7 == 0)
                        touch(next, "f");
                (void)close(at);
                at = next;
        }
        (void)close(at);
}

static void file_remove_tree_goes_deeper_than_descriptors(void **state)
{
        _cleanup_close_ int fd = make_dir("deep");
        struct rlimit old, few = {64, 0};

        (void)state;
        make_chain(fd, 5000);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        few.rlim_max = old.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_int_equal(file_remove_tree(base_fd, "deep"), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_false(file_exists(base_fd, "deep"));
}

static void file_remove_tree_takes_wide_and_bushy_trees(void **state)
{
        _cleanup_close_ int fd = make_dir("wide");
        char name[32];

        (void)state;
        for (int i = 0; i < 3000; i++) {
                (void)snprintf(name, sizeof(name), "f%d", i);
                touch(fd, name);
        }
        for (int i = 0; i < 20; i++) {
                _cleanup_close_ int sub = -1;

                (void)snprintf(name, sizeof(name), "d%d", i);
                assert_int_equal(mkdirat(fd, name, 0700), 0);
                sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                make_chain(sub, 20);
                for (int j = 0; j < 20; j++) {
                        (void)snprintf(name, sizeof(name), "s%d", j);
                        assert_int_equal(mkdirat(sub, name, 0700), 0);
                }
        }
        assert_int_equal(file_remove_tree(base_fd, "wide"), 0);
        assert_false(file_exists(base_fd, "wide"));
}

static void file_remove_tree_takes_the_names_it_uses_itself(void **state)
{
        _cleanup_close_ int fd = make_dir("names"), sub = -1;

        (void)state;
        assert_int_equal(mkdirat(fd, ".hod-removing-0", 0700), 0);
        sub = openat(fd, ".hod-removing-0", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_chain(sub, 5);
        touch(fd, ".hod-removing-1");
        make_chain(fd, 5);
        assert_int_equal(file_remove_tree(base_fd, "names"), 0);
        assert_false(file_exists(base_fd, "names"));
}

static void file_remove_tree_does_not_follow_symlinks(void **state)
{
        _cleanup_close_ int fd = make_dir("links"), safe = make_dir("safe");

        (void)state;
        touch(safe, "kept");
        assert_int_equal(symlinkat("../safe", fd, "a"), 0);
        assert_int_equal(symlinkat("/nonexistent", fd, "b"), 0);
        assert_int_equal(file_remove_tree(base_fd, "links"), 0);
        assert_true(file_exists(safe, "kept"));
        assert_int_equal(symlinkat("safe", base_fd, "link"), 0);
        assert_int_equal(file_remove_tree(base_fd, "link"), 0);
        assert_true(file_exists(safe, "kept"));
        assert_false(file_exists(base_fd, "link"));
}

static void file_remove_tree_of_nothing_and_of_a_file(void **state)
{
        (void)state;
        assert_int_equal(file_remove_tree(base_fd, "missing"), 0);
        touch(base_fd, "one");
        assert_int_equal(file_remove_tree(base_fd, "one"), 0);
        assert_false(file_exists(base_fd, "one"));
}

/* In a mount namespace of its own: what is mounted in the tree survives. */
static int remove_around_a_mount(void)
{
        int r, fd;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 77;
        /* a descriptor of the old namespace's mount would see no mount of ours */
        fd = open(base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fchdir(fd) < 0 || mkdir("mnt", 0700) < 0 || mkdir("mnt/a", 0700) < 0 ||
            mkdir("mnt/a/b", 0700) < 0)
                return 1;
        if (mount("none", "mnt/a/b", "tmpfs", 0, NULL) < 0)
                return 77;
        if (mkdir("mnt/a/b/kept", 0700) < 0)
                return 2;
        r = file_remove_tree(fd, "mnt");
        if (r != -EXDEV && r != -EBUSY)
                return 3;
        if (umount("mnt/a/b") == 0)
                return 0;
        /* It may have been lifted to another name on the way: it is found by the file in it. */
        return system("test -d mnt/.hod-removing-*/kept") == 0 || system("test -d mnt/.hod-removing-*/*/kept") == 0 ? 0
                                                                                                                    : 4;
}

static void file_remove_tree_stops_at_a_mount(void **state)
{
        pid_t pid = fork();
        int status;

        (void)state;
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(remove_around_a_mount());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(file_remove_tree(base_fd, "mnt"), 0);
}

static void file_open_in_stays_inside(void **state)
{
        _cleanup_close_ int root = make_dir("root"), fd = -1, up = -1, magic = -1, link = -1;
        char inside[8] = "", back[8] = "";

        (void)state;
        touch(root, "f");
        assert_int_equal(symlinkat("/f", root, "abs"), 0);
        assert_int_equal(symlinkat("../../../f", root, "up"), 0);
        assert_int_equal(symlinkat("/proc/self/root", root, "magic"), 0);
        fd = file_open_in(root, "abs", O_RDONLY, 0);
        assert_true(fd >= 0);
        assert_int_equal(read(fd, inside, 7), 1);
        assert_string_equal(inside, "f");
        up = file_open_in(root, "../../up", O_RDONLY, 0);
        assert_true(up >= 0);
        assert_int_equal(read(up, back, 7), 1);
        magic = file_open_in(root, "magic", O_RDONLY, 0);
        assert_int_equal(magic, -ENOENT);
        link = file_open_beneath(root, "abs", O_RDONLY, 0);
        assert_true(link == -ELOOP || link == -EXDEV);
        assert_true(file_open_beneath(root, "../root/f", O_RDONLY, 0) < 0);
}

static void file_mkdir_p_makes_parents_and_stays_inside(void **state)
{
        _cleanup_close_ int root = make_dir("parents");
        int made = 0;

        (void)state;
        assert_int_equal(file_mkdir_p(root, "/a//b/./c/", 0755, &made), 0);
        assert_int_equal(made, 3);
        assert_int_equal(file_mkdir_p(root, "a/b/c", 0755, &made), 0);
        assert_int_equal(made, 3);
        assert_int_equal(file_mkdir_p(root, "a/../x", 0755, NULL), -EINVAL);
        touch(root, "file");
        assert_int_equal(file_mkdir_p(root, "file/x", 0755, NULL), -ENOTDIR);
        assert_int_equal(symlinkat("/etc", root, "out"), 0);
        assert_true(file_mkdir_p(root, "out/hod-test-must-not-exist", 0755, NULL) < 0);
        assert_false(file_exists(AT_FDCWD, "/etc/hod-test-must-not-exist"));
}

static void file_replace_is_whole(void **state)
{
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;

        (void)state;
        assert_int_equal(file_replace(base_fd, "r", "one", 3, 0640, FILE_VOLATILE), 0);
        assert_int_equal(file_replace(base_fd, "r", "second", 6, 0600, FILE_DURABLE), 0);
        assert_int_equal(file_read(base_fd, "r", 100, &text, &size), 0);
        assert_int_equal(size, 6);
        assert_string_equal(text, "second");
        assert_int_equal(fstatat(base_fd, "r", &st, 0), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(unlinkat(base_fd, "r", 0), 0);
}

static void file_replace_locked_clears_what_a_killed_writer_left(void **state)
{
        _cleanup_free_ char *text = NULL;

        (void)state;
        assert_int_equal(file_create(base_fd, ".locked.new", "half", 4, 0600), 0);
        assert_int_equal(file_replace_locked(base_fd, "locked", "one", 3, 0600, FILE_VOLATILE), 0);
        assert_int_equal(file_replace_locked(base_fd, "locked", "two", 3, 0600, FILE_DURABLE), 0);
        assert_false(file_exists(base_fd, ".locked.new"));
        assert_int_equal(file_read(base_fd, "locked", 10, &text, NULL), 0);
        assert_string_equal(text, "two");
}

static void file_replace_leaves_a_directory_alone(void **state)
{
        struct dirent *e;
        DIR *dir;

        (void)state;
        assert_int_equal(mkdirat(base_fd, "rd", 0700), 0);
        _cleanup_close_ int fd = openat(base_fd, "rd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        assert_int_equal(file_replace(fd, "d", "x", 1, 0600, FILE_VOLATILE), -EISDIR);
        assert_int_equal(file_replace(fd, "d", "x", 1, 0600, FILE_DURABLE), -EISDIR);
        dir = fdopendir(dup(fd));
        assert_non_null(dir);
        while ((e = readdir(dir)))
                if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
                        assert_string_equal(e->d_name, "d");
        (void)closedir(dir);
        assert_int_equal(file_remove_tree(base_fd, "rd"), 0);
}

static void file_replace_takes_the_old_one_away(void **state)
{
        _cleanup_free_ char *text = NULL;
        struct stat st;

        (void)state;
        assert_int_equal(file_replace(base_fd, "v", "one", 3, 0600, FILE_VOLATILE), 0);
        _cleanup_close_ int old = openat(base_fd, "v", O_RDONLY | O_CLOEXEC);
        assert_int_equal(file_replace(base_fd, "v", "two", 3, 0600, FILE_VOLATILE), 0);
        assert_int_equal(fstat(old, &st), 0);
        assert_int_equal(st.st_nlink, 0);
        assert_int_equal(file_read(base_fd, "v", 100, &text, NULL), 0);
        assert_string_equal(text, "two");
        assert_int_equal(unlinkat(base_fd, "v", 0), 0);
}

static void file_read_is_bounded(void **state)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 7;

        (void)state;
        assert_int_equal(file_replace(base_fd, "big", "0123456789", 10, 0600, FILE_VOLATILE), 0);
        assert_int_equal(file_read(base_fd, "big", 9, &text, &size), -EFBIG);
        assert_null(text);
        assert_int_equal(size, 7);
        assert_int_equal(file_read(base_fd, "big", 10, &text, &size), 0);
        assert_int_equal(size, 10);
        assert_int_equal(file_read(base_fd, "missing", 10, &text, &size), -ENOENT);
        free(TAKE_PTR(text));
        /* files of procfs say that they are empty */
        assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", 1 << 16, &text, NULL), 0);
        assert_true(strlen(text) > 100);
}

static void file_lock_excludes(void **state)
{
        _cleanup_close_ int held = -1, shared = -1, shared2 = -1;

        (void)state;
        held = file_lock(base_fd, "lock", false);
        assert_true(held >= 0);
        assert_int_equal(file_try_lock(base_fd, "lock", false), -EWOULDBLOCK);
        assert_int_equal(file_try_lock(base_fd, "lock", true), -EWOULDBLOCK);
        held = file_close(held);
        shared = file_try_lock(base_fd, "lock", true);
        shared2 = file_try_lock(base_fd, "lock", true);
        assert_true(shared >= 0 && shared2 >= 0);
        assert_int_equal(file_try_lock(base_fd, "lock", false), -EWOULDBLOCK);
}

static void file_descriptors_are_cloexec(void **state)
{
        int pipe[2];

        (void)state;
        assert_int_equal(file_pipe(pipe), 0);
        assert_int_equal(fcntl(pipe[0], F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(pipe[1], F_GETFD), FD_CLOEXEC);
        assert_int_equal(file_set_nonblock(pipe[0], true), 0);
        assert_true(fcntl(pipe[0], F_GETFL) & O_NONBLOCK);
        assert_int_equal(file_set_nonblock(pipe[0], false), 0);
        assert_false(fcntl(pipe[0], F_GETFL) & O_NONBLOCK);
        errno = EPIPE;
        pipe[0] = file_close(pipe[0]);
        assert_int_equal(pipe[0], -1);
        assert_int_equal(errno, EPIPE);
        (void)file_close(pipe[1]);
        assert_int_equal(file_close(-1), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(file_remove_tree_goes_deeper_than_descriptors),
                cmocka_unit_test(file_remove_tree_takes_wide_and_bushy_trees),
                cmocka_unit_test(file_remove_tree_takes_the_names_it_uses_itself),
                cmocka_unit_test(file_remove_tree_does_not_follow_symlinks),
                cmocka_unit_test(file_remove_tree_of_nothing_and_of_a_file),
                cmocka_unit_test(file_remove_tree_stops_at_a_mount),
                cmocka_unit_test(file_open_in_stays_inside),
                cmocka_unit_test(file_mkdir_p_makes_parents_and_stays_inside),
                cmocka_unit_test(file_replace_is_whole),
                cmocka_unit_test(file_replace_locked_clears_what_a_killed_writer_left),
                cmocka_unit_test(file_replace_leaves_a_directory_alone),
                cmocka_unit_test(file_replace_takes_the_old_one_away),
                cmocka_unit_test(file_read_is_bounded),
                cmocka_unit_test(file_lock_excludes),
                cmocka_unit_test(file_descriptors_are_cloexec),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
