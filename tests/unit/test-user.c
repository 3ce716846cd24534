/* Unit tests of monitor/user: docker's rules, and files that want to hurt. */
#include "check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "monitor/user.h"

static char base_path[] = "/tmp/hod-test-user-XXXXXX";
static int root = -1;

static void put(const char *name, const char *text)
{
        (void)unlinkat(root, name, 0);
        assert_int_equal(file_replace(root, name, text, strlen(text), 0644, FILE_VOLATILE), 0);
}

static void put_etc(const char *passwd, const char *group)
{
        int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int top = root;

        root = etc;
        put("passwd", passwd);
        put("group", group);
        root = top;
        (void)file_close(etc);
}

static const char passwd_text[] = "# comment\n\nroot:x:0:0:root:/root:/bin/sh\n daemon:x:1:1:d:/usr/sbin:/bin/sh \n"
                                  "alice:x:1000:1000::/home/alice:/bin/sh\nbad:x:12a:0::/:\nworse\n"
                                  "alice:x:1001:1001::/second:/bin/sh\nnohome:x:5:5:::\n0777:x:6:6::/six:\n";
static const char group_text[] = "root:x:0:\nwheel:x:10:root,alice\nvideo:x:44:bob,alice\nalice:x:1000:\nshort:x:50\n"
                                 "al:x:60:alic\nbad:x:x:alice\n";

static int setup(void **state)
{
        if (!mkdtemp(base_path))
                return -1;
        root = open(base_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root < 0 || mkdirat(root, "etc", 0755) < 0)
                return -1;
        put_etc(passwd_text, group_text);
        return 0;
}

static int teardown(void **state)
{
        root = file_close(root);
        return file_remove_tree(AT_FDCWD, base_path);
}

/* "uid:gid:home:g,g,g" */
static void resolves(const char *text, char *const *groups, const char *want)
{
        _cleanup_str_ struct str got = {0};
        struct user u = {0};

        check_ok(user_resolve(root, text, groups, &u));
        str_printf(&got, "%u:%u:%s:", u.uid, u.gid, u.home);
        for (size_t i = 0; i < u.n_groups; i++)
                str_printf(&got, "%s%u", i ? "," : "", u.groups[i]);
        assert_string_equal(str_text(&got), want);
        user_done(&u);
}

static void user_resolve_follows_dockers_rules(void **state)
{
        resolves("", NULL, "0:0:/root:0,10");
        resolves(NULL, NULL, "0:0:/root:0,10");
        resolves("root", NULL, "0:0:/root:0,10");
        resolves("0", NULL, "0:0:/root:0,10");
        resolves("alice", NULL, "1000:1000:/home/alice:1000,10,44");
        resolves("1000", NULL, "1000:1000:/home/alice:1000,10,44");
        resolves("daemon", NULL, "1:1:/usr/sbin:1");
        resolves("1001", NULL, "1001:1001:/second:1001,10,44");
        resolves("4711", NULL, "4711:0:/:0");
        resolves("nohome", NULL, "5:5:/:5");
        resolves("alice:video", NULL, "1000:44:/home/alice:44");
        resolves("alice:7", NULL, "1000:7:/home/alice:7");
        resolves("alice:", NULL, "1000:1000:/home/alice:1000,10,44");
        resolves(":wheel", NULL, "0:10:/root:10");
        resolves("4711:4712", NULL, "4711:4712:/:4712");
        resolves("2147483647:0", NULL, "2147483647:0:/:0");
        /* A number is a uid even where it is somebody's name. */
        resolves("0777", NULL, "777:0:/:0");
}

static void user_resolve_adds_groups(void **state)
{
        char *groups[] = {(char[]){"video"}, (char[]){"99"}, (char[]){"99"}, (char[]){"short"}, NULL};
        char *unknown[] = {(char[]){"nogrp"}, NULL}, *wrong[] = {(char[]){"-1"}, NULL};
        struct user u;

        resolves("daemon", groups, "1:1:/usr/sbin:1,44,99,50");
        resolves("alice:7", groups, "1000:7:/home/alice:7,44,99,50");
        check_err(user_resolve(root, "", unknown, &u), "unable to find group nogrp: no matching entries in group file");
        check_err(user_resolve(root, "", wrong, &u), "uids and gids must be in range 0-2147483647");
}

static void user_resolve_fails_as_docker(void **state)
{
        static const char range[] = "uids and gids must be in range 0-2147483647";
        struct user u;

        check_err(user_resolve(root, "nobodyhere", NULL, &u),
                  "unable to find user nobodyhere: no matching entries in passwd file");
        check_err(user_resolve(root, "worse", NULL, &u),
                  "unable to find user worse: no matching entries in passwd file");
        check_err(user_resolve(root, "bad", NULL, &u), "unable to find user bad: no matching entries in passwd file");
        check_err(user_resolve(root, "#", NULL, &u), "unable to find user #: no matching entries in passwd file");
        check_err(user_resolve(root, "root:nogrp", NULL, &u),
                  "unable to find group nogrp: no matching entries in group file");
        check_err(user_resolve(root, "-1", NULL, &u), range);
        check_err(user_resolve(root, "2147483648", NULL, &u), range);
        check_err(user_resolve(root, "99999999999999999999999", NULL, &u), range);
        check_err(user_resolve(root, "0:4294967296", NULL, &u), range);
}

static void user_resolve_without_files(void **state)
{
        char dir[] = "/tmp/hod-test-user-empty-XXXXXX";
        int top = root;
        struct user u;

        assert_non_null(mkdtemp(dir));
        root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        resolves("", NULL, "0:0:/:0");
        resolves("5:6", NULL, "5:6:/:6");
        check_err(user_resolve(root, "alice", NULL, &u),
                  "unable to find user alice: no matching entries in passwd file");
        (void)file_close(root);
        root = top;
        assert_int_equal(rmdir(dir), 0);
}

/* What an image can make of its passwd file must cost neither time nor memory, nor touch anything outside. */
static void user_resolve_survives_hostile_files(void **state)
{
        int etc = openat(root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
        _cleanup_free_ char *big = malloc((2u << 20) + 64);
        struct timespec a, b;
        struct user u;
        size_t n = 0;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        (void)unlinkat(etc, "passwd", 0);
        assert_int_equal(mkfifoat(etc, "passwd", 0644), 0);
        check_code(user_resolve(root, "alice", NULL, &u), ERR_INVALID);
        (void)unlinkat(etc, "passwd", 0);
        assert_int_equal(symlinkat("/dev/zero", etc, "passwd"), 0);
        check_code(user_resolve(root, "alice", NULL, &u), ERR_INVALID);
        (void)unlinkat(etc, "passwd", 0);
        assert_int_equal(symlinkat("/../../../../etc/passwd", etc, "passwd"), 0); /* itself, inside */
        check_code(user_resolve(root, "alice", NULL, &u), ERR_INVALID);
        (void)unlinkat(etc, "passwd", 0);
        fd = openat(etc, "passwd", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
        assert_int_equal(ftruncate(fd, 10ll << 30), 0);
        (void)file_close(fd);
        check_code(user_resolve(root, "alice", NULL, &u), ERR_INVALID);
        /* a line of a mebibyte, then a good one */
        memset(big, 'x', 1u << 20);
        (void)snprintf(big + (1u << 20), 64, "\nalice:x:1000:1000::/home/alice:/bin/sh");
        put_etc(big, group_text);
        resolves("alice", NULL, "1000:1000:/home/alice:1000,10,44");
        /* groups without end */
        while (n < 2u << 20)
                n += (size_t)snprintf(big + n, 64, "g%zu:x:%zu:alice\n", n, n % 100000);
        put_etc(passwd_text, big);
        check_code(user_resolve(root, "alice", NULL, &u), ERR_LIMIT);
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        assert_true(b.tv_sec - a.tv_sec < 3);
        (void)file_close(etc);
        put_etc(passwd_text, group_text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(user_resolve_follows_dockers_rules),  cmocka_unit_test(user_resolve_adds_groups),
                cmocka_unit_test(user_resolve_fails_as_docker),        cmocka_unit_test(user_resolve_without_files),
                cmocka_unit_test(user_resolve_survives_hostile_files),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
