/* Tests of runtime/: real containers from a bundle with a static busybox. Needs root (skipped otherwise).
 * Cgroups only below /hod-test-runtime-<pid>. Every test ends with the leak check: mounts, cgroups, descriptors,
 * children and the canary (a host directory that no container may touch) are as before. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "oci/spec.h"
#include "runtime/runtime.h"

#define BUSYBOX "/bin/busybox"
#define OUTPUT_MAX 65536

static char top[] = "/tmp/hod-test-runtime-XXXXXX";
/* With our pid: two runs at once must not meet. */
static char cgroup_parent[48], cgroup_one[56];

/* What a test changes in the default configuration. */
struct want {
        const char *args; /* JSON list; NULL: run @sh in a shell */
        const char *sh;
        const char *user, *cwd, *caps;
        const char *process; /* ,"key":value ... */
        const char *mounts;  /* ,{...} */
        const char *linux_;
        const char *root;
        const char *all;
        const char *namespaces; /* instead of the default ones */
        const char *dev;        /* instead of the default /dev mount; "" = none */
        const char *exec;       /* run this in a second session while the first waits */
        bool overlay;
        int extra_fds; /* open so many descriptors of host directories without CLOEXEC first */
};

struct result {
        int status; /* of the program, -1 if it was not started */
        char text[1024];
        char out[OUTPUT_MAX];
        enum err_code code;
};
static struct result res;

/* ---- fixture ---- */

static const char *in_top(const char *name)
{
        static char path[4][512];
        static int turn;

        turn = (turn + 1) % 4;
        (void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", top, name);
        return path[turn];
}

static void put(const char *name, const char *text, mode_t mode)
{
        int fd = open(in_top(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
        assert_int_equal(fchmod(fd, mode), 0);
        (void)close(fd);
}

static void make_dir(const char *name)
{
        assert_true(mkdir(in_top(name), 0755) == 0 || errno == EEXIST);
}

static void copy_busybox(const char *to)
{
        _cleanup_free_ char *data = NULL;
        size_t size;
        int fd;

        assert_int_equal(file_read(AT_FDCWD, BUSYBOX, 16u << 20, &data, &size), 0);
        fd = open(in_top(to), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        assert_true(fd >= 0);
        assert_int_equal(file_write_all(fd, data, size), 0);
        (void)close(fd);
}

static void make_rootfs(void)
{
        static const char *const dirs[] = {"rootfs",      "rootfs/bin", "rootfs/etc", "rootfs/tmp",
                                           "rootfs/proc", "rootfs/dev", "rootfs/sys", "rootfs/x"};
        static const char *const applets[] = {"sh",    "cat",   "ls",  "true", "sleep", "id",   "grep",
                                              "mkdir", "touch", "env", "stat", "tty",   "stty", "mount",
                                              "pwd",   "echo",  "wc",  "head", "cut",   "rm",   "kill"};

        (void)file_remove_tree(AT_FDCWD, in_top("rootfs"));
        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
                make_dir(dirs[i]);
        copy_busybox("rootfs/bin/busybox");
        for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "rootfs/bin/%s", applets[i]);
                assert_int_equal(symlink("busybox", in_top(name)), 0);
        }
        put("rootfs/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n", 0644);
}

static void make_canary(void)
{
        static const char *const files[] = {"null",  "console",      "ptmx", "tty",
                                            "hosts", "core_pattern", "self", "secret"};

        make_dir("canary");
        make_dir("canary/pts");
        make_dir("canary/self");
        make_dir("canary/sub");
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                char name[64];

                if (strcmp(files[i], "self") == 0)
                        continue;
                (void)snprintf(name, sizeof(name), "canary/%s", files[i]);
                put(name, "precious\n", 0644);
        }
        assert_int_equal(mkfifo(in_top("canary/fifo"), 0600), 0);
}

/* ---- the leak check ---- */

static struct str seen;

static int see(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        str_printf(&seen, "%s %llu %o %u %u %lld %lld.%ld %lld.%ld\n", path, (unsigned long long)st->st_ino,
                   st->st_mode, st->st_uid, st->st_gid, (long long)st->st_size, (long long)st->st_mtim.tv_sec,
                   st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
        return 0;
}

static unsigned count_fds(void)
{
        unsigned n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static char *world(void)
{
        _cleanup_free_ char *mounts = NULL, *pids = str_format("/sys/fs/cgroup/pids%s", cgroup_one);
        char *text;

        assert_non_null(pids);
        seen = (struct str){0};
        assert_int_equal(nftw(in_top("canary"), see, 16, FTW_PHYS), 0);
        assert_int_equal(file_read(AT_FDCWD, "/proc/self/mountinfo", 1u << 20, &mounts, NULL), 0);
        str_printf(&seen, "fds %u\ncgroup %d\n%s", count_fds(), access(pids, F_OK), mounts);
        check_ok(str_take(&seen, &text));
        return text;
}

static char *before;

static int begin(void **state)
{
        if (geteuid() != 0 || access(BUSYBOX, X_OK) != 0)
                skip();
        free(before);
        before = world();
        return 0;
}

static int end(void **state)
{
        _cleanup_free_ char *after = NULL;

        check_ok(runtime_cgroup_remove(cgroup_parent, 2000));
        after = world();
        if (strcmp(before, after) != 0) {
                const char *a = strstr(before, "fds "), *b = strstr(after, "fds ");

                fail_msg("the host has changed:\n%s\n%s", strcmp(a, b) ? a : before, strcmp(a, b) ? b : after);
        }
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        return 0;
}

/* ---- running ---- */

static char *config(const struct want *w)
{
        static const char dev[] =
                "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
                "\"mode=755\"]},{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
                "\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"]},";
        static const char spaces[] =
                "{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
                "{\"type\":\"uts\"},{\"type\":\"cgroup\"}";
        char *text, *sh = w->sh ? str_format("[\"sh\",\"-c\",\"%s\"]", w->sh) : NULL;
#define FIVE "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_KILL\",\"CAP_SETUID\",\"CAP_SETGID\"]"
        static const char caps[] = "{\"bounding\":" FIVE ",\"effective\":" FIVE ",\"permitted\":" FIVE "}";

        text = str_format(
                "{\"ociVersion\":\"1.3.0\",\"process\":{\"args\":%s,\"cwd\":\"%s\",\"env\":[\"PATH=/bin\"],"
                "\"user\":%s,\"capabilities\":%s%s},"
                "\"root\":{\"path\":\"rootfs\"%s},\"hostname\":\"box\",\"mounts\":["
                "%s{\"destination\":\"/"
                "proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
                "{\"destination\":\"/"
                "sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\","
                "\"ro\"]},{\"destination\":\"/sys/fs/"
                "cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"ro\"]}%s],"
                "\"linux\":{\"namespaces\":[%s],\"maskedPaths\":[\"/proc/keys\",\"/proc/acpi\",\"/sys/firmware\"],"
                "\"readonlyPaths\":[\"/proc/sys\",\"/proc/bus\"]%s}%s}",
                sh ? sh : w->args, w->cwd ? w->cwd : "/", w->user ? w->user : "{\"uid\":0,\"gid\":0}",
                w->caps ? w->caps : caps, w->process ? w->process : "", w->root ? w->root : "", w->dev ? w->dev : dev,
                w->mounts ? w->mounts : "", w->namespaces ? w->namespaces : spaces, w->linux_ ? w->linux_ : "",
                w->all ? w->all : "");
        free(sh);
        assert_non_null(text);
        return text;
}

static int read_all(int fd, char *buf, size_t size)
{
        size_t used = 0;

        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                ssize_t n;

                if (poll(&p, 1, 20000) <= 0)
                        return -1;
                n = read(fd, buf + used, size - 1 - used);
                if (n <= 0)
                        break;
                used += (size_t)n;
        }
        buf[used] = '\0';
        return 0;
}

static int reap(pid_t pid)
{
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_exec(const struct oci_spec *spec, const struct runtime_process *p, const char *sh, int out)
{
        char *args[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)sh, NULL};
        struct oci_process process = *spec->process;
        struct runtime_process session = {.pidfd = -1, .terminal_fd = -1};
        struct runtime_exec x = {.pid = p->pid,
                                 .pidfd = p->pidfd,
                                 .spec = spec,
                                 .process = &process,
                                 .cgroup = p->cgroup,
                                 .stdio = {0, out, out},
                                 .fix_stdio_owner = true};
        err *e;

        process.args = args;
        process.terminal = false;
        e = runtime_exec(&x, &session);
        if (e) {
                (void)err_text(e, res.text, sizeof(res.text));
                err_free(e);
                return;
        }
        res.status = reap(session.pid);
        runtime_process_done(&session);
}

static err *start(const struct want *w, const struct oci_spec *spec, int bundle, int out, struct runtime_process *ret)
{
        _cleanup_close_ int rootfs = -1;
        struct runtime_request r = {.id = "one",
                                    .spec = spec,
                                    .bundle_fd = bundle,
                                    .rootfs_fd = -1,
                                    .stdio = {0, out, out},
                                    .fix_stdio_owner = true,
                                    .cgroup_path = cgroup_one,
                                    .start_fd = -1};

        if (w->overlay) {
                char lower[512], upper[512], work[512];
                char *list[] = {lower, NULL};
                struct runtime_overlay o = {.lower = list, .upper = upper, .work = work};

                make_dir("upper");
                make_dir("work");
                (void)snprintf(lower, sizeof(lower), "%s", in_top("rootfs"));
                (void)snprintf(upper, sizeof(upper), "%s", in_top("upper"));
                (void)snprintf(work, sizeof(work), "%s", in_top("work"));
                TRY(runtime_overlay_open(&o, &rootfs));
                r.rootfs_fd = rootfs;
        }
        return runtime_create(&r, ret);
}

/* Run a container to its end; the result is in @res. */
static void run(const struct want *w)
{
        _cleanup_oci_spec_ struct oci_spec *spec = NULL;
        struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        _cleanup_free_ char *text = config(w);
        int bundle, pipe_fds[2], leaked[64];
        _cleanup_json_ json *doc = NULL;
        err *e;

        memset(&res, 0, sizeof(res));
        res.status = -1;
        bundle = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(bundle >= 0);
        for (int i = 0; i < w->extra_fds; i++)
                leaked[i] = open("/", O_RDONLY | O_DIRECTORY);
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
        check_ok(json_parse(text, strlen(text), &doc));
        check_ok(oci_spec_from_json(doc, &spec));
        e = oci_spec_check(spec);
        if (!e)
                e = start(w, spec, bundle, pipe_fds[1], &p);
        if (e) {
                res.code = err_code(e);
                (void)err_text(e, res.text, sizeof(res.text));
                err_free(e);
                (void)close(pipe_fds[1]);
        } else {
                if (w->exec) {
                        run_exec(spec, &p, w->exec, pipe_fds[1]);
                        (void)kill(p.pid, SIGKILL);
                }
                (void)close(pipe_fds[1]);
                if (p.terminal_fd >= 0)
                        assert_int_equal(read_all(p.terminal_fd, res.out, sizeof(res.out)), 0);
                else
                        assert_int_equal(read_all(pipe_fds[0], res.out, sizeof(res.out)), 0);
                if (w->exec)
                        (void)reap(p.pid);
                else
                        res.status = reap(p.pid);
                check_ok(runtime_cgroup_remove(p.cgroup, 2000));
                runtime_process_done(&p);
        }
        (void)close(pipe_fds[0]);
        for (int i = 0; i < w->extra_fds; i++)
                (void)close(leaked[i]);
        (void)close(bundle);
}

static void has(const char *text)
{
        if (!strstr(res.out, text))
                fail_msg("no \"%s\" in:\n%s%s", text, res.out, res.text);
}
static void has_not(const char *text)
{
        if (strstr(res.out, text))
                fail_msg("\"%s\" in:\n%s", text, res.out);
}

/* ---- what a container is ---- */

static void runtime_create_runs_the_program(void **state)
{
        run(&(struct want){.sh = "echo hello; exit 7"});
        assert_string_equal(res.out, "hello\n");
        assert_int_equal(res.status, 7);
}

static void runtime_create_isolates(void **state)
{
        run(&(struct want){
                .sh = "echo pid $$; cat /proc/sys/kernel/hostname; ls /sys/class/net; cat /proc/self/cgroup; id"});
        has("pid 1\n");
        has("box\n");
        has("\nlo\n");
        has(":/\n");
        has_not("hod-test");
        has("uid=0(root) gid=0");
}

static void runtime_create_mounts_as_docker(void **state)
{
        run(&(struct want){.overlay = true, .sh = "cat /proc/self/mountinfo"});
        has(" / / rw,relatime - overlay overlay rw,lowerdir");
        has(" /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n");
        has(" /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro\n");
        has(" /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,mode=620,ptmxmode=666\n");
        has(" /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw\n");
        has(" /sys/firmware ro,relatime - tmpfs tmpfs ro,size=4k,nr_inodes=1");
        has("/null /proc/keys ");
}

static void runtime_create_inherits_nothing(void **state)
{
        run(&(struct want){.sh = "ls /proc/self/fd; env", .extra_fds = 40});
        assert_memory_equal(res.out, "0\n1\n2\n3\n", 8); /* 3 is ls itself */
        has_not("\n4\n");
        has("HOME=/root\n");
        (void)signal(SIGQUIT, SIG_IGN);
        run(&(struct want){
                .args = "[\"grep\",\"-E\",\"Sig|Umask|Cap\",\"/proc/self/status\"]"}); /* (ash ignores SIGQUIT) */
        (void)signal(SIGQUIT, SIG_DFL);
        has("SigBlk:\t0000000000000000");
        has("SigIgn:\t0000000000000000");
        has("Umask:\t0022");
        has("CapEff:\t00000000000000e3");
        has("CapInh:\t0000000000000000");
}

static void runtime_create_becomes_the_user(void **state)
{
        run(&(struct want){
                .sh = "id; env; grep Cap /proc/self/status; stat -c %u /proc/self/fd/1; echo again > /dev/stdout",
                .user = "{\"uid\":1000,\"gid\":5,\"additionalGids\":[6,7]}"});
        has("uid=1000(user) gid=5 groups=6,7");
        has("HOME=/home/user");
        has("CapEff:\t0000000000000000");
        has("again");
}

static void runtime_create_masks(void **state)
{
        run(&(struct want){.sh = "cat /proc/keys | wc -c; ls /sys/firmware /proc/acpi; echo x > /proc/keys; "
                                 "echo 1 > /proc/sys/kernel/core_pattern; stat -c %t:%T /proc/keys"});
        has("0\n");
        has("Read-only file system");
        has("1:3");
}

static void runtime_create_reads_only(void **state)
{
        run(&(struct want){.sh = "touch /x/a; touch /dev/ok && echo dev", .root = ",\"readonly\":true"});
        has("Read-only file system");
        has("dev\n");
}

static void runtime_create_makes_a_terminal(void **state)
{
        run(&(struct want){.sh = "tty; stty size; ls -l /dev/console; tty < /dev/tty",
                           .process = ",\"terminal\":true,\"consoleSize\":{\"height\":33,\"width\":101}"});
        has("/dev/pts/0\r\n33 101\r\n");
        has("136,   0");
}

static void runtime_create_makes_mount_points(void **state)
{
        run(&(struct want){.overlay = true,
                           .sh = "cat /a/b/c; grep ' /d/e ' /proc/self/mountinfo; stat -c %a /d",
                           .mounts = ",{\"destination\":\"/a/b/c\",\"type\":\"bind\",\"source\":\"canary/"
                                     "secret\",\"options\":[\"bind\","
                                     "\"ro\"]},{\"destination\":\"/d/e\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}"});
        has("precious\n");
        has(" /d/e rw,relatime - tmpfs");
        has("755\n");
        (void)file_remove_tree(AT_FDCWD, in_top("upper"));
        (void)file_remove_tree(AT_FDCWD, in_top("work"));
}

static void runtime_create_new_time_namespace(void **state)
{
        run(&(struct want){.sh = "cat /proc/uptime",
                           .namespaces = "{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":"
                                         "\"time\"},{\"type\":\"ipc\"},{\"type\":\"network\"}",
                           .linux_ = ",\"timeOffsets\":{\"boottime\":{\"secs\":900000000,\"nanosecs\":0}}"});
        assert_memory_equal(res.out, "900", 3);
        /* ... and the caller is still in its own. */
        assert_true(clock_monotonic_ns() < 900000000ll * 1000000000);
}

static void runtime_create_user_namespace(void **state)
{
        run(&(struct want){
                .sh = "cat /proc/self/uid_map; id -u; ls -l /dev/null; grep CapEff /proc/self/status",
                .namespaces = "{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"user\"},{"
                              "\"type\":\"ipc\"},{\"type\":\"network\"}",
                .linux_ = ",\"uidMappings\":[{\"containerID\":0,\"hostID\":200000,\"size\":65536}],\"gidMappings\":["
                          "{\"containerID\":0,\"hostID\":200000,\"size\":65536}]",
                .exec = NULL});
        has("0     200000      65536");
        has("1,   3");
}

/* ---- what a user is told ---- */

static void runtime_create_explains_exec_failures(void **state)
{
        static const struct {
                const char *args, *text;
                enum err_code code;
        } cases[] = {
                {"[\"nosuch\"]", "exec: \"nosuch\": executable file not found in $PATH", ERR_EXEC_NOT_FOUND},
                {"[\"sh -c\"]", "exec: \"sh -c\": executable file not found in $PATH", ERR_EXEC_NOT_FOUND},
                {"[\"\"]", "exec: \"\": executable file not found in $PATH", ERR_EXEC_NOT_FOUND},
                {"[\"/no/such\"]", "exec: \"/no/such\": stat /no/such: no such file or directory", ERR_EXEC_NOT_FOUND},
                {"[\"/etc/passwd\"]", "exec: \"/etc/passwd\": permission denied", ERR_EXEC_DENIED},
                {"[\"/etc\"]", "exec: \"/etc\": is a directory: permission denied", ERR_EXEC_DENIED},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                run(&(struct want){.args = cases[i].args});
                assert_string_equal(res.text, cases[i].text);
                assert_int_equal(res.code, cases[i].code);
        }
}

static void runtime_create_reports_bad_formats_as_the_container(void **state)
{
        put("rootfs/x/garbage", "garbage\n", 0755);
        run(&(struct want){.args = "[\"/x/garbage\"]"});
        assert_string_equal(res.out, "exec /x/garbage: exec format error\n");
        assert_int_equal(res.status, 255);
        (void)unlink(in_top("rootfs/x/garbage"));
}

static void runtime_create_explains_mount_failures(void **state)
{
        run(&(struct want){.sh = "true",
                           .mounts = ",{\"destination\":\"/etc\",\"type\":\"bind\",\"source\":\"canary/"
                                     "secret\",\"options\":[\"rbind\"]}"});
        assert_int_equal(res.code, ERR_INVALID);
        assert_non_null(strstr(res.text, "Are you trying to mount a directory onto a file (or vice-versa)?"));
        run(&(struct want){
                .sh = "true",
                .mounts = ",{\"destination\":\"/e\",\"type\":\"bind\",\"source\":\"nosuch\",\"options\":[\"bind\"]}"});
        assert_int_equal(res.code, ERR_NOT_FOUND);
        run(&(struct want){
                .sh = "true",
                .mounts = ",{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"t\",\"options\":[\"bogus=1\"]}"});
        assert_non_null(strstr(res.text, "Unknown parameter 'bogus'"));
        run(&(struct want){.sh = "true", .mounts = ",{\"destination\":\"/\",\"type\":\"tmpfs\",\"source\":\"t\"}"});
        assert_int_equal(res.code, ERR_INVALID);
}

static void runtime_create_refuses_labels_it_cannot_set(void **state)
{
        run(&(struct want){.sh = "true", .process = ",\"apparmorProfile\":\"hod-test-not-loaded\""});
        assert_int_equal(res.status, -1);
        if (access("/sys/module/apparmor/parameters/enabled", F_OK) == 0)
                assert_non_null(strstr(res.text, "is the profile loaded?"));
        else
                assert_int_equal(res.code, ERR_UNSUPPORTED);
        run(&(struct want){.sh = "true", .process = ",\"selinuxLabel\":\"a:b:c:s0\""});
        assert_int_equal(res.status, -1);
}

/* ---- hostile images ---- */

/* Links that lead to the canary, if anything follows them on the host. */
static void links_to(const char *name, const char *below, char list[6][512])
{
        (void)snprintf(list[0], 512, "%s%s", in_top("canary"), below);
        (void)snprintf(list[1], 512, "../../../../../../../../..%s%s", in_top("canary"), below);
        (void)snprintf(list[2], 512, "/proc/self/root%s%s", in_top("canary"), below);
        (void)snprintf(list[3], 512, "/proc/self/cwd/canary%s", below);
        (void)snprintf(list[4], 512, "%s/not-there%s", in_top("canary"), below);
        (void)snprintf(list[5], 512, "/%s", name); /* itself */
}

/* Every directory that the runtime works in is a link to the host: nothing may arrive there. */
static void runtime_create_stays_inside(void **state)
{
        static const char *const names[] = {"dev", "proc", "sys", "etc", "tmp", "x"};
        static const char mounts[] = ",{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"rootfs/bin/"
                                     "busybox\",\"options\":[\"bind\"]},"
                                     "{\"destination\":\"/x/new/dir\",\"type\":\"tmpfs\",\"source\":\"t\"},"
                                     "{\"destination\":\"/tmp/../x/file\",\"type\":\"bind\",\"source\":\"rootfs/bin/"
                                     "busybox\",\"options\":[\"bind\"]}";

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char list[6][512], path[64];

                links_to(names[i], "", list);
                for (size_t k = 0; k < 6; k++)
                        for (int dev = 0; dev < 2; dev++) {
                                _cleanup_free_ char *after = NULL;

                                make_rootfs();
                                (void)snprintf(path, sizeof(path), "rootfs/%s", names[i]);
                                assert_int_equal(file_remove_tree(AT_FDCWD, in_top(path)), 0);
                                assert_int_equal(symlink(list[k], in_top(path)), 0);
                                run(&(struct want){.sh = "true",
                                                   .mounts = mounts,
                                                   .dev = dev ? "" : NULL,
                                                   .process = dev ? "" : ",\"terminal\":true"});
                                after = world();
                                if (strcmp(before, after) != 0)
                                        fail_msg("%s -> %s: the host changed", names[i], list[k]);
                        }
        }
        make_rootfs();
}

/* The same one level deeper: nodes of /dev in an image whose /dev is no mount of ours. */
static void runtime_create_stays_inside_dev(void **state)
{
        static const char *const names[] = {"null", "console", "ptmx", "tty", "pts", "fd", "shm"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char list[6][512], path[64], below[32];

                (void)snprintf(below, sizeof(below), "/%s", names[i]);
                links_to(names[i], below, list);
                for (size_t k = 0; k < 6; k++) {
                        _cleanup_free_ char *after = NULL;

                        make_rootfs();
                        (void)snprintf(path, sizeof(path), "rootfs/dev/%s", names[i]);
                        assert_int_equal(symlink(list[k], in_top(path)), 0);
                        run(&(struct want){.sh = "echo into > /dev/null",
                                           .dev = "",
                                           .process = k & 1 ? "" : ",\"terminal\":true"});
                        after = world();
                        if (strcmp(before, after) != 0)
                                fail_msg("dev/%s -> %s: the host changed", names[i], list[k]);
                }
        }
        make_rootfs();
}

static void runtime_create_wants_ordinary_proc(void **state)
{
        make_rootfs();
        assert_int_equal(rmdir(in_top("rootfs/proc")), 0);
        assert_int_equal(symlink("/tmp", in_top("rootfs/proc")), 0);
        run(&(struct want){.sh = "true"});
        assert_int_equal(res.code, ERR_UNSAFE_PATH);
        assert_non_null(strstr(res.text, "must be mounted on ordinary directory"));
        make_rootfs();
}

static void runtime_create_masks_with_a_real_null(void **state)
{
        /* The image's "null" is a link to what an attacker wants to have writable (CVE-2025-31133). */
        make_rootfs();
        assert_int_equal(symlink("/proc/sys/kernel/core_pattern", in_top("rootfs/dev/null")), 0);
        run(&(struct want){.sh = "stat -c %t:%T /proc/keys", .dev = ""});
        if (res.status >= 0)
                has("1:3\n");
        make_rootfs();
}

/* CVE-2024-21626: whatever descriptor leaks, the working directory is inside. */
static void runtime_create_refuses_foreign_directories(void **state)
{
        for (int fd = 0; fd < 64; fd++) {
                char target[64];

                (void)snprintf(target, sizeof(target), "/proc/%s/fd/%d", fd & 1 ? "self" : "thread-self", fd);
                (void)unlink(in_top("rootfs/x/link"));
                assert_int_equal(symlink(target, in_top("rootfs/x/link")), 0);
                run(&(struct want){.sh = "pwd", .extra_fds = 40, .cwd = fd & 2 ? "/x/link" : target});
                assert_int_equal(res.status, -1);
                assert_true(res.code == ERR_UNSAFE_PATH || strstr(res.text, "chdir to cwd"));
        }
        (void)unlink(in_top("rootfs/x/link"));
}

/* A volume that somebody else has mounted, too, and in which he exchanges a directory with a link to the host all the
 * time (CVE-2021-30465, CVE-2024-45310): mount points below it are found, or made, inside or not at all. */
static void runtime_create_wins_races(void **state)
{
        static const char mounts[] =
                ",{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"volume\",\"options\":[\"bind\"]},"
                "{\"destination\":\"/x/d/sub\",\"type\":\"tmpfs\",\"source\":\"t\"},"
                "{\"destination\":\"/x/d/new/dir\",\"type\":\"tmpfs\",\"source\":\"t\"},"
                "{\"destination\":\"/x/d/secret\",\"type\":\"bind\",\"source\":\"rootfs/bin/"
                "busybox\",\"options\":[\"bind\"]}";
        pid_t racer;

        make_dir("volume");
        make_dir("volume/d");
        make_dir("volume/d/sub");
        assert_int_equal(symlink(in_top("canary"), in_top("volume/l")), 0);
        racer = fork();
        if (racer == 0) {
                int dir = open(in_top("volume"), O_PATH | O_DIRECTORY);

                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void)renameat2(dir, "d", dir, "l", RENAME_EXCHANGE);
        }
        for (int i = 0; i < 60; i++) {
                _cleanup_free_ char *after = NULL;

                run(&(struct want){.sh = "true", .mounts = mounts});
                after = world();
                if (strcmp(before, after) != 0) {
                        (void)kill(racer, SIGKILL);
                        fail_msg("the host changed");
                }
        }
        (void)kill(racer, SIGKILL);
        (void)reap(racer);
        assert_int_equal(file_remove_tree(AT_FDCWD, in_top("volume")), 0);
}

static void runtime_create_refuses_itself(void **state)
{
        run(&(struct want){.args = "[\"/proc/self/exe\"]"});
        assert_int_equal(res.code, ERR_EXEC_DENIED);
}

/* ---- sessions ---- */

static void runtime_exec_enters(void **state)
{
        run(&(struct want){
                .sh = "sleep 100",
                /* the shell becomes sleep when it gets to it */
                .exec = "until grep -qx sleep /proc/1/comm || [ $((n += 1)) = 2000 ]; do :; done; cat /proc/1/comm "
                        "/proc/self/cgroup; ls /proc/self/fd; cat /proc/sys/kernel/hostname; exit 9",
                .extra_fds = 20});
        has("sleep");
        has(":/\n");
        has("\n0\n1\n2\n3\nbox\n");
        assert_int_equal(res.status, 9);
}

/* Where processes of the container may trace, sessions are made in two stages: the result is the same. */
static void runtime_exec_enters_tracing_containers(void **state)
{
        static const char caps[] =
                "{\"bounding\":[\"CAP_SYS_PTRACE\"],\"effective\":[\"CAP_SYS_PTRACE\"],\"permitted\":["
                "\"CAP_SYS_PTRACE\"]}";

        run(&(struct want){
                .sh = "sleep 100",
                .caps = caps,
                .extra_fds = 20,
                .exec = "cat /proc/self/cgroup; ls /proc/self/fd; cat /proc/sys/kernel/hostname; cut -d ' ' -f 5,6 "
                        "/proc/self/stat; grep -E 'CapBnd|SigIgn|Umask' /proc/self/status; echo parent $PPID; exit 9"});
        has(":/\n");
        has("\n0\n1\n2\n3\nbox\n");
        has("parent 0\n");
        has("CapBnd:\t0000000000080000");
        assert_int_equal(res.status, 9);
        run(&(struct want){.sh = "sleep 100", .caps = caps, .args = NULL, .exec = "exec nosuch"});
        assert_int_equal(res.status, 127);
}

static void runtime_exec_has_what_init_has(void **state)
{
        _cleanup_free_ char *first = NULL;

        run(&(struct want){.sh = "grep -E 'Cap|NoNew|Seccomp|Groups|Uid|Umask|Sig[IB]' /proc/self/status; cat "
                                 "/proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj",
                           .process = ",\"noNewPrivileges\":true,\"oomScoreAdj\":300,\"rlimits\":[{\"type\":\"RLIMIT_"
                                      "NOFILE\",\"soft\":50,\"hard\":60}]"});
        first = str_dup(res.out);
        assert_non_null(first);
        assert_non_null(strstr(first, "NoNewPrivs:\t1"));
        run(&(struct want){.sh = "sleep 100",
                           .process = ",\"noNewPrivileges\":true,\"oomScoreAdj\":300,\"rlimits\":[{\"type\":\"RLIMIT_"
                                      "NOFILE\",\"soft\":50,\"hard\":60}]",
                           .exec = "grep -E 'Cap|NoNew|Seccomp|Groups|Uid|Umask|Sig[IB]' /proc/self/status; cat "
                                   "/proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj"});
        assert_string_equal(res.out, first);
}

/* ---- create and start apart, siblings ---- */

static struct oci_spec *simple_spec(const struct want *w)
{
        _cleanup_free_ char *text = config(w);
        _cleanup_json_ json *doc = NULL;
        struct oci_spec *spec;

        check_ok(json_parse(text, strlen(text), &doc));
        check_ok(oci_spec_from_json(doc, &spec));
        return spec;
}

static void runtime_create_waits_for_start(void **state)
{
        _cleanup_oci_spec_ struct oci_spec *spec = simple_spec(&(struct want){.sh = "exit 5"});
        struct runtime_process p = {.pidfd = -1, .terminal_fd = -1};
        struct runtime_request r = {
                .id = "one", .spec = spec, .rootfs_fd = -1, .stdio = {0, 1, 2}, .cgroup_path = cgroup_one};
        char c = 0;
        int fifo;

        assert_int_equal(mkfifo(in_top("fifo"), 0600), 0);
        r.bundle_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
        r.start_fd = open(in_top("fifo"), O_PATH | O_CLOEXEC);
        check_ok(runtime_create(&r, &p));
        assert_int_equal(waitpid(p.pid, NULL, WNOHANG), 0);
        fifo = open(in_top("fifo"), O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(fifo, &c, 1), 1);
        assert_int_equal(reap(p.pid), 5);
        check_ok(runtime_cgroup_remove(p.cgroup, 2000));
        runtime_process_done(&p);
        (void)close(fifo);
        (void)close(r.bundle_fd);
        (void)close(r.start_fd);
        (void)unlink(in_top("fifo"));
}

/* The caller goes away at once; the container and the session are children of the caller's parent. */
static void runtime_create_makes_siblings(void **state)
{
        _cleanup_oci_spec_ struct oci_spec *spec = simple_spec(&(struct want){.sh = "exit 5"});
        struct runtime_request r = {.id = "one",
                                    .spec = spec,
                                    .rootfs_fd = -1,
                                    .stdio = {0, 1, 2},
                                    .cgroup_path = cgroup_one,
                                    .start_fd = -1,
                                    .as_sibling = true};
        pid_t builder, pid = 0;
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        r.bundle_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
        builder = fork();
        if (builder == 0) {
                struct runtime_process p;
                err *e = runtime_create(&r, &p);

                if (!e && write(ends[1], &p.pid, sizeof(p.pid)) < 0)
                        _exit(2);
                _exit(e ? 1 : 0);
        }
        assert_int_equal(reap(builder), 0);
        assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
        assert_int_equal(reap(pid), 5);
        check_ok(runtime_cgroup_remove(cgroup_one, 2000));
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)close(r.bundle_fd);
}

/* ---- hooks and failure ---- */

static void runtime_create_runs_hooks(void **state)
{
        run(&(struct want){
                .sh = "true",
                .all = ",\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"exit 3\"]}]}"});
        assert_non_null(strstr(res.text, "createRuntime hook #0: exit status 3"));
        run(&(struct want){.sh = "true",
                           .all = ",\"hooks\":{\"createContainer\":[{\"path\":\"/bin/"
                                  "sleep\",\"args\":[\"sleep\",\"9\"],\"timeout\":1}]}"});
        assert_int_equal(res.code, ERR_TIMEOUT);
        run(&(struct want){.sh = "sleep 9", .all = ",\"hooks\":{\"poststart\":[{\"path\":\"/bin/false\"}]}"});
        assert_non_null(strstr(res.text, "poststart hook #0: exit status 1"));
        /* What it says is told when it fails, and is not the container's output. */
        run(&(struct want){.sh = "cat /tmp/state; echo program",
                           .all = ",\"hooks\":{\"startContainer\":[{\"path\":\"/bin/"
                                  "sh\",\"args\":[\"sh\",\"-c\",\"cat >/tmp/state; echo quiet\"]}]}"});
        has("\"status\":\"created\",\"pid\":");
        has("}program\n");
        has_not("quiet");
        run(&(struct want){.sh = "true",
                           .all = ",\"hooks\":{\"startContainer\":[{\"path\":\"/bin/"
                                  "sh\",\"args\":[\"sh\",\"-c\",\"echo out; echo err >&2; exit 4\"]}]}"});
        assert_non_null(strstr(res.text, "startContainer hook #0: exit status 4, stdout: out, stderr: err"));
        run(&(struct want){.sh = "true", .all = ",\"hooks\":{\"startContainer\":[{\"path\":\"/missing\"}]}"});
        assert_non_null(strstr(res.text, "startContainer hook #0: fork/exec /missing: no such file or directory"));
}

static int all_begin(void **state)
{
        if (geteuid() != 0 || access(BUSYBOX, X_OK) != 0)
                return 0;
        (void)umask(022);
        /* A mount table of our own, so that the leak check sees nobody else's changes. */
        assert_int_equal(unshare(CLONE_NEWNS), 0);
        assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        assert_non_null(mkdtemp(top));
        assert_int_equal(chmod(top, 0755), 0);
        make_rootfs();
        make_canary();
        run(&(struct want){.sh = "true"}); /* opens the cgroup hierarchies for good */
        return 0;
}

static int all_end(void **state)
{
        free(before);
        before = NULL;
        (void)file_remove_tree(AT_FDCWD, top);
        return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(runtime_create_runs_the_program),
                TEST(runtime_create_isolates),
                TEST(runtime_create_mounts_as_docker),
                TEST(runtime_create_inherits_nothing),
                TEST(runtime_create_becomes_the_user),
                TEST(runtime_create_masks),
                TEST(runtime_create_reads_only),
                TEST(runtime_create_makes_a_terminal),
                TEST(runtime_create_makes_mount_points),
                TEST(runtime_create_new_time_namespace),
                TEST(runtime_create_user_namespace),
                TEST(runtime_create_explains_exec_failures),
                TEST(runtime_create_reports_bad_formats_as_the_container),
                TEST(runtime_create_explains_mount_failures),
                TEST(runtime_create_refuses_labels_it_cannot_set),
                TEST(runtime_create_stays_inside),
                TEST(runtime_create_stays_inside_dev),
                TEST(runtime_create_wants_ordinary_proc),
                TEST(runtime_create_masks_with_a_real_null),
                TEST(runtime_create_refuses_foreign_directories),
                TEST(runtime_create_wins_races),
                TEST(runtime_create_refuses_itself),
                TEST(runtime_exec_enters),
                TEST(runtime_exec_enters_tracing_containers),
                TEST(runtime_exec_has_what_init_has),
                TEST(runtime_create_runs_hooks),
                TEST(runtime_create_waits_for_start),
                TEST(runtime_create_makes_siblings),
        };

        (void)snprintf(cgroup_parent, sizeof(cgroup_parent), "/hod-test-runtime-%d", getpid());
        (void)snprintf(cgroup_one, sizeof(cgroup_one), "%s/one", cgroup_parent);
        return cmocka_run_group_tests(tests, all_begin, all_end);
}
