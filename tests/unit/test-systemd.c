/* Unit tests of sys/systemd: names, properties, and the conversation with a manager that a child process plays. */
#include "check.h"

#include <endian.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runtime/systemd_ops.h"
#include "sys/dbus.h"
#include "sys/systemd.h"

#define UNIT "hodrun-x.scope"
#define JOB "/org/freedesktop/systemd1/job/7"

/* ---- names ---- */

static void systemd_slice_path_expands_names(void **state)
{
        static const char *const cases[][2] = {
                {"system.slice", "/system.slice"},
                {"a-b.slice", "/a.slice/a-b.slice"},
                {"a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"},
                {"-.slice", ""},
                {"user-1000.slice", "/user.slice/user-1000.slice"},
        };
        static const char *const bad[] = {"",         ".slice",    "a",          "a.service", "a--b.slice", "-a.slice",
                                          "a-.slice", "a/b.slice", "../x.slice", "a b.slice", "a\n.slice"};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *got = NULL;

                check_ok(systemd_slice_path(cases[i][0], &got));
                assert_string_equal(got, cases[i][1]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char *got = NULL;

                check_code(systemd_slice_path(bad[i], &got), ERR_INVALID);
        }
}

/* ---- properties as text: "Name=type:value ..." ---- */

static void show_value(struct dbus_reader *r, const char *type, struct str *s)
{
        uint32_t n, end;

        if (str_eq(type, "b") || str_eq(type, "u") || str_eq(type, "i"))
                str_printf(s, "%d", (int)dbus_read_u32(r));
        else if (str_eq(type, "t"))
                str_printf(s, "%llu", (unsigned long long)dbus_read_u64(r));
        else if (str_eq(type, "s"))
                str_add(s, dbus_read_string(r));
        if (*type != 'a')
                return;
        n = dbus_read_u32(r);
        if (str_eq(type, "a(ss)"))
                r->at = (r->at + 7) & ~7ul;
        end = (uint32_t)r->at + n;
        while (r->at < end && !r->bad) {
                if (str_eq(type, "ay")) {
                        str_printf(s, "%02x", dbus_read_byte(r));
                        continue;
                }
                if (str_eq(type, "au")) {
                        str_printf(s, "%u,", dbus_read_u32(r));
                        continue;
                }
                if (str_eq(type, "a(ss)")) {
                        r->at = (r->at + 7) & ~7ul;
                        str_printf(s, "%s ", dbus_read_string(r));
                }
                str_printf(s, "%s,", dbus_read_string(r));
        }
}

static char *show(const struct systemd_props *p)
{
        struct dbus_reader r = {.data = (const uint8_t *)p->body.data, .size = p->body.len};
        struct str s = {0};

        while (r.at < r.size && !r.bad) {
                const char *name, *type;

                r.at = (r.at + 7) & ~7ul;
                name = dbus_read_string(&r);
                type = dbus_read_signature(&r);
                str_printf(&s, "%s%s=%s:", s.len ? " " : "", name, type);
                show_value(&r, type, &s);
        }
        assert_false(r.bad);
        return s.data ? s.data : strdup("");
}

static void check_resources_(const struct cgroup_resources *r, bool v2, int version, const char *want, int line)
{
        _cleanup_systemd_props_ struct systemd_props p = {{0}};
        _cleanup_free_ char *got = NULL;

        check_ok(systemd_resources(r, v2, version, &p));
        got = show(&p);
        if (!str_eq(got, want))
                fail_msg("line %d: got  %s\nwant %s", line, got, want);
}
#define check_resources(v2, version, want, ...)                                                                        \
        check_resources_(&(struct cgroup_resources){__VA_ARGS__}, v2, version, want, __LINE__)

static void systemd_resources_says_memory_and_pids(void **state)
{
        check_resources(true, 252, "");
        check_resources(true, 252, "MemoryMax=t:64 MemorySwapMax=t:36", .memory_limit = {true, 64},
                        .memory_swap = {true, 100});
        check_resources(true, 252, "MemoryMax=t:18446744073709551615 MemorySwapMax=t:18446744073709551615",
                        .memory_limit = {true, -1});
        check_resources(true, 252, "MemoryMax=t:64 MemoryLow=t:32", .memory_limit = {true, 64},
                        .memory_reservation = {true, 32});
        check_resources(false, 252, "MemoryLimit=t:64", .memory_limit = {true, 64}, .memory_swap = {true, 100});
        check_resources(true, 252, "TasksMax=t:5", .pids_limit = {true, 5});
        check_resources(true, 252, "TasksMax=t:1", .pids_limit = {true, 0});
        check_resources(true, 252, "TasksMax=t:18446744073709551615", .pids_limit = {true, -1});
}

static void systemd_resources_says_cpus(void **state)
{
        check_resources(true, 252, "CPUWeight=t:100", .cpu_shares = {true, 1024});
        check_resources(false, 252, "CPUShares=t:1024", .cpu_shares = {true, 1024});
        check_resources(true, 252, "CPUWeight=t:0", .cpu_shares = {true, 1024}, .cpu_idle = {true, 1});
        check_resources(true, 251, "CPUWeight=t:100", .cpu_shares = {true, 1024}, .cpu_idle = {true, 1});
        check_resources(true, 252, "CPUQuotaPeriodUSec=t:50000 CPUQuotaPerSecUSec=t:500000", .cpu_quota = {true, 25000},
                        .cpu_period = {true, 50000});
        check_resources(true, 241, "CPUQuotaPerSecUSec=t:500000", .cpu_quota = {true, 25000},
                        .cpu_period = {true, 50000});
        check_resources(true, 252, "CPUQuotaPerSecUSec=t:20000", .cpu_quota = {true, 1001}); /* 1.001 %: rounded up */
        check_resources(true, 252, "CPUQuotaPerSecUSec=t:18446744073709551615", .cpu_quota = {true, -1});
        check_resources(true, 252, "CPUQuotaPerSecUSec=t:18446744073709551615", .cpu_quota = {true, INT64_MAX},
                        .cpu_period = {false, 0});
        check_resources(true, 252, "AllowedCPUs=ay:8f02 AllowedMemoryNodes=ay:01", .cpuset_cpus = "0-3,7,9",
                        .cpuset_mems = "0");
        check_resources(true, 243, "", .cpuset_cpus = "0-3");
}

static void systemd_quota_rounds_up_to_what_systemd_can_say(void **state)
{
        assert_int_equal(systemd_quota(500000, 900000), 504000);
        assert_int_equal(systemd_quota(500000, 1000000), 500000);
        assert_int_equal(systemd_quota(1001, 0), 2000);
        assert_int_equal(systemd_quota(-1, 900000), -1);
        assert_int_equal(systemd_quota(0, 900000), 0);
        assert_true(systemd_quota(INT64_MAX, 1) == INT64_MAX);
}

static void systemd_resources_refuses_impossible_lists(void **state)
{
        static const char *const bad[] = {"a", "1-", "3-1", "99999999999", "1,,2", "0-8192", "1 2"};

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_systemd_props_ struct systemd_props p = {{0}};

                check_code(systemd_resources(&(struct cgroup_resources){.cpuset_cpus = bad[i]}, true, 252, &p),
                           ERR_INVALID);
        }
}

static void systemd_resources_says_devices(void **state)
{
        const struct cgroup_device_rule rules[] = {
                {false, 'a', -1, -1, 7}, {true, 'c', 1, 3, 6}, {true, 'b', 8, -1, 2}, {true, 'c', -1, -1, 1}};
        const struct cgroup_device_rule all[] = {{true, 'a', -1, -1, 7}};
        const struct cgroup_device_rule blacklist[] = {{true, 'a', -1, -1, 7}, {false, 'c', 1, 3, 7}};
        const struct cgroup_device_rule minor[] = {{false, 'a', -1, -1, 7}, {true, 'c', -1, 3, 6}};

        check_resources(true, 252,
                        "DeviceAllow=a(ss): DevicePolicy=s:strict "
                        "DeviceAllow=a(ss):/dev/char/1:3 rw,block-8 r,char-* m,",
                        .devices = rules, .n_devices = 4);
        check_resources(true, 252, "DeviceAllow=a(ss): DevicePolicy=s:auto", .devices = all, .n_devices = 1);
        check_resources(false, 252, "DeviceAllow=a(ss): DevicePolicy=s:auto", .devices = all, .n_devices = 1);
        /* What it cannot say: nothing on v2, where our program decides; less, never more, on v1. */
        check_resources(true, 252, "DeviceAllow=a(ss): DevicePolicy=s:auto", .devices = blacklist, .n_devices = 2);
        check_resources(false, 252, "DeviceAllow=a(ss): DevicePolicy=s:strict", .devices = blacklist, .n_devices = 2);
        check_resources(true, 252, "DeviceAllow=a(ss): DevicePolicy=s:auto", .devices = minor, .n_devices = 2);
        check_resources(false, 252, "DeviceAllow=a(ss): DevicePolicy=s:strict DeviceAllow=a(ss):", .devices = minor,
                        .n_devices = 2);
}

static void systemd_resources_says_the_unified_files(void **state)
{
        const struct cgroup_name_value files[] = {
                {"memory.high", "1000"}, {"memory.max", "max"}, {"pids.max", "0"},       {"cpu.max", "50000 100000"},
                {"cpu.weight", "8"},     {"cpuset.cpus", "1"},  {"io.max", "8:0 rbps=1"}};
        const struct cgroup_name_value idle[] = {{"cpu.weight", "8"}, {"cpu.idle", "1"}};
        static const struct cgroup_name_value bad[] = {{"memory.max", "x"},   {"pids.max", "1 2"},  {"cpu.max", "1 0"},
                                                       {"cpu.weight", "max"}, {"memory.low", "-1"}, {"cpu.max", ""}};

        check_resources(true, 252,
                        "MemoryHigh=t:1000 MemoryMax=t:18446744073709551615 TasksMax=t:1 "
                        "CPUQuotaPeriodUSec=t:100000 CPUQuotaPerSecUSec=t:500000 CPUWeight=t:8 AllowedCPUs=ay:02",
                        .unified = files, .n_unified = 7);
        check_resources(true, 252, "CPUWeight=t:0", .unified = idle, .n_unified = 2);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_systemd_props_ struct systemd_props p = {{0}};
                err *e = systemd_resources(&(struct cgroup_resources){.unified = &bad[i], .n_unified = 1}, true, 252,
                                           &p);

                if (err_code(e) != ERR_INVALID)
                        fail_msg("%s = %s is taken", bad[i].name, bad[i].value);
                err_free(e);
        }
}

/* ---- annotations ---- */

static void systemd_annotation_parse_reads_typed_values(void **state)
{
        static const char *const cases[][3] = {
                {"TimeoutStopUSec", "uint64 5000000", "TimeoutStopUSec=t:5000000"},
                {"TimeoutStopSec", "5", "TimeoutStopUSec=t:5000000"},
                {"RuntimeMaxSec", "double 1.25", "RuntimeMaxUSec=t:1250000"},
                {"CollectMode", "'inactive-or-failed'", "CollectMode=s:inactive-or-failed"},
                {"Description", "\"it's \\\"x\\\"\"", "Description=s:it's \"x\""},
                {"DefaultDependencies", " true ", "DefaultDependencies=b:1"},
                {"SendSIGHUP", "boolean false", "SendSIGHUP=b:0"},
                {"After", "['a.service', \"b@1.target\"]", "After=as:a.service,b@1.target,"},
                {"Before", "@as []", "Before=as:"},
                {"KillSignal", "int32 2", "KillSignal=i:2"},
                {"TasksMax", "@t 7", "TasksMax=t:7"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_systemd_props_ struct systemd_props p = {{0}};
                _cleanup_free_ char *got = NULL;

                check_ok(systemd_annotation_parse(cases[i][0], cases[i][1], &p));
                got = show(&p);
                assert_string_equal(got, cases[i][2]);
        }
}

static void systemd_annotation_parse_refuses_other_types(void **state)
{
        static const char *const cases[][2] = {
                {"TimeoutStopUSec", "-1"},
                {"TimeoutStopUSec", "'5'"},
                {"TimeoutStopUSec", "5x"},
                {"TimeoutStopUSec", "string 5"},
                {"TimeoutStopSec", "18446744073709551615"},
                {"TasksMax", "99999999999999999999"},
                {"TasksMax", "1.5"},
                {"KillSignal", "4294967296"},
                {"CollectMode", "inactive"},
                {"CollectMode", "'inactive"},
                {"CollectMode", "'a' 'b'"},
                {"Description", "'a\nExecStart=/bin/sh'"},
                {"Description", "'\\n'"},
                {"DefaultDependencies", "1"},
                {"DefaultDependencies", "truefalse"},
                {"After", "'a.service'"},
                {"After", "['a/b']"},
                {"After", "['a.service'"},
                {"After", "['a.service' 'b']"},
                {"After", ""},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_systemd_props_ struct systemd_props p = {{0}};
                err *e = systemd_annotation_parse(cases[i][0], cases[i][1], &p);

                if (err_code(e) != ERR_INVALID)
                        fail_msg("%s = %s is taken", cases[i][0], cases[i][1]);
                err_free(e);
                assert_int_equal(p.body.len, 0);
        }
}

/* CVE-2024-3154 and its relatives: nothing that runs, stops, loads, moves or lifts. */
static void systemd_annotation_parse_permits_no_power(void **state)
{
        static const char *const names[] = {
                "ExecStart",
                "ExecStartPre",
                "ExecStop",
                "ExecStopPost",
                "FailureAction",
                "SuccessAction",
                "OnFailure",
                "OnSuccess",
                "Wants",
                "Requires",
                "BindsTo",
                "Conflicts",
                "PartOf",
                "Upholds",
                "Triggers",
                "JobTimeoutAction",
                "JobTimeoutRebootArgument",
                "PIDs",
                "Slice",
                "Delegate",
                "Controller",
                "DeviceAllow",
                "DevicePolicy",
                "BPFProgram",
                "IPIngressFilterPath",
                "MemoryMin",
                "MemoryLow",
                "CPUWeight",
                "User",
                "Environment",
                "BindPaths",
                "RootDirectory",
                "ManagedOOMPreference",
                "SendSIGKILL",
                "KillMode",
                "",
                "X",
                "Exec Start",
                "TasksMax\n",
                "tasksmax",
                "Sec",
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                _cleanup_systemd_props_ struct systemd_props p = {{0}};
                err *e = systemd_annotation_parse(names[i], "true", &p);

                if (err_code(e) != ERR_DENIED)
                        fail_msg("%s is permitted", names[i]);
                err_free(e);
                assert_int_equal(p.body.len, 0);
        }
}

/* ---- the manager, played ---- */

struct player {
        int fd;
        bool is_bus;
        const char *sender; /* of what follows, over a bus; NULL: the manager */
        uint8_t data[65536];
        size_t used;
        struct dbus_message m;
};

static void expect_(bool truth, int line)
{
        if (!truth)
                _exit(line % 200 + 50);
}
#define expect(truth) expect_((truth), __LINE__)

static void put_message(struct player *p, enum dbus_type type, const char *error, uint32_t reply_to,
                        const char *signature, const struct str *body)
{
        struct str s = {0};
        struct dbus_array a;

        str_add_char(&s, 'l');
        str_add_char(&s, (char)type);
        str_add_char(&s, 0);
        str_add_char(&s, 1);
        dbus_write_u32(&s, body ? (uint32_t)body->len : 0);
        dbus_write_u32(&s, 9);
        a = dbus_write_array(&s, 8);
        if (type == DBUS_SIGNAL) {
                static const char *const fields[][2] = {{"\1", "/org/freedesktop/systemd1"},
                                                        {"\2", "org.freedesktop.systemd1.Manager"},
                                                        {"\3", "JobRemoved"}};

                for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
                        dbus_write_align(&s, 8);
                        str_add(&s, fields[i][0]);
                        dbus_write_signature(&s, i ? "s" : "o");
                        dbus_write_string(&s, fields[i][1]);
                }
        } else {
                dbus_write_align(&s, 8);
                str_add_char(&s, 5);
                dbus_write_signature(&s, "u");
                dbus_write_u32(&s, reply_to);
        }
        if (p->is_bus) {
                dbus_write_align(&s, 8);
                str_add_char(&s, 7);
                dbus_write_signature(&s, "s");
                dbus_write_string(&s, p->sender ? p->sender : ":1.2");
        }
        if (error) {
                dbus_write_align(&s, 8);
                str_add_char(&s, 4);
                dbus_write_signature(&s, "s");
                dbus_write_string(&s, error);
        }
        dbus_write_align(&s, 8);
        str_add_char(&s, 8);
        dbus_write_signature(&s, "g");
        dbus_write_signature(&s, signature);
        dbus_write_array_end(&s, a);
        dbus_write_align(&s, 8);
        if (body)
                str_add_n(&s, body->data, body->len);
        expect(file_write_all(p->fd, s.data, s.len) == 0);
        str_free(&s);
}

/* The next call; it must be of @member. */
static void want(struct player *p, const char *member)
{
        size_t size = 0;

        if (p->m.path) { /* done with the last one */
                size = dbus_message_size(p->data);
                memmove(p->data, p->data + size, p->used - size);
                p->used -= size;
        }
        for (;;) {
                ssize_t n;

                size = p->used >= DBUS_HEADER_SIZE ? dbus_message_size(p->data) : 0;
                if (size && p->used >= size)
                        break;
                n = read(p->fd, p->data + p->used, sizeof(p->data) - p->used);
                expect(n > 0);
                p->used += (size_t)n;
        }
        expect(dbus_message_parse(p->data, size, &p->m));
        expect(str_eq(p->m.member, member));
}

static void answer_text(struct player *p, const char *signature, const char *text)
{
        struct str body = {0};

        if (*signature == 'v')
                dbus_write_signature(&body, "s");
        dbus_write_string(&body, text);
        put_message(p, DBUS_RETURN, NULL, p->m.serial, signature, &body);
        str_free(&body);
}

static void answer_error(struct player *p, const char *name)
{
        struct str body = {0};

        dbus_write_string(&body, "No.");
        put_message(p, DBUS_ERROR, name, p->m.serial, "s", &body);
        str_free(&body);
}

static void job_removed(struct player *p, const char *job, const char *unit, const char *result)
{
        struct str body = {0};

        dbus_write_u32(&body, 7);
        dbus_write_string(&body, job);
        dbus_write_string(&body, unit);
        dbus_write_string(&body, result);
        put_message(p, DBUS_SIGNAL, NULL, 0, "uoss", &body);
        str_free(&body);
}

static void read_lines(struct player *p, const char *text)
{
        size_t n = strlen(text + 1) + 1;
        char got[256];

        expect(read(p->fd, got, n) == (ssize_t)n);
        expect(memcmp(got, text, n) == 0);
}

static void authenticate(struct player *p)
{
        char text[100];
        int n = snprintf(text, sizeof(text), "%cAUTH EXTERNAL ", 'x');
        char id[16];

        (void)snprintf(id, sizeof(id), "%u", (unsigned)geteuid());
        for (const char *c = id; *c; c++)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", (unsigned)*c);
        (void)snprintf(text + n, sizeof(text) - (size_t)n, "\r\nBEGIN\r\n");
        text[0] = '\0';
        read_lines(p, text);
        expect(file_write_all(p->fd, "OK 0123\r\n", 9) == 0);
}

static void greet(struct player *p)
{
        authenticate(p);
        if (p->is_bus) {
                want(p, "Hello");
                answer_text(p, "s", ":1.5");
                want(p, "AddMatch");
                expect(p->m.flags == DBUS_NO_REPLY);
                want(p, "Subscribe");
        }
        want(p, "Get");
        answer_text(p, "v", "252.31-1~deb12u1");
}

struct stage {
        char dir[64];
        pid_t pid;
        struct systemd_where where;
};

static int listen_at(const char *path)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_true(strlen(path) < sizeof(a.sun_path));
        memcpy(a.sun_path, path, strlen(path) + 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 5), 0);
        return fd;
}

/* Play @script as the one who listens at RUN/@name. */
static void play(struct stage *s, const char *name, bool is_bus, void (*script)(struct player *p, int listener))
{
        _cleanup_close_ int listener = -1;
        char path[128];

        (void)snprintf(s->dir, sizeof(s->dir), "/tmp/hod-test-systemd.XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        (void)snprintf(path, sizeof(path), "%s/systemd", s->dir);
        assert_int_equal(mkdir(path, 0700), 0);
        (void)snprintf(path, sizeof(path), "%s/dbus", s->dir);
        assert_int_equal(mkdir(path, 0700), 0);
        (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
        listener = listen_at(path);
        s->where = (struct systemd_where){.run = s->dir};
        s->pid = fork();
        if (s->pid == 0) {
                static struct player p;

                (void)alarm(20);
                p.is_bus = is_bus;
                p.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                script(&p, listener);
                _exit(0);
        }
}

static void end_play(struct stage *s)
{
        int status;

        assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
        if (status != 0)
                fail_msg("the manager saw something else: status %d, that is line n * 200 + %d", status,
                         WEXITSTATUS(status) - 50);
        assert_int_equal(file_remove_tree(AT_FDCWD, s->dir), 0);
}

static void start_script(struct player *p, int listener)
{
        struct dbus_reader r;

        (void)listener;
        greet(p);
        want(p, "StartTransientUnit");
        expect(str_eq(p->m.signature, "ssa(sv)a(sa(sv))"));
        r = p->m.body;
        expect(str_eq(dbus_read_string(&r), UNIT));
        expect(str_eq(dbus_read_string(&r), "replace"));
        job_removed(p, "/job/1", "other.scope", "failed");
        job_removed(p, "/job/2", UNIT, "failed"); /* an older job of the same unit */
        answer_text(p, "o", JOB);
        job_removed(p, "/job/2", UNIT, "failed");
        job_removed(p, JOB, UNIT, "done");
}

static void start(struct stage *s, err **ret)
{
        _cleanup_systemd_props_ struct systemd_props p = {{0}};
        _cleanup_systemd_ struct systemd *m = NULL;

        systemd_prop_string(&p, "Description", "x");
        check_ok(systemd_open(&s->where, &m));
        assert_int_equal(systemd_version(m), 252);
        *ret = systemd_start(m, UNIT, &p);
}

static void systemd_start_waits_for_its_own_job(void **state)
{
        struct stage s;
        err *e;

        play(&s, "systemd/private", false, start_script);
        start(&s, &e);
        check_ok(e);
        end_play(&s);
}

static void systemd_start_works_through_a_bus(void **state)
{
        struct stage s;
        err *e;

        play(&s, "dbus/system_bus_socket", true, start_script);
        start(&s, &e);
        check_ok(e);
        end_play(&s);
}

static void forged_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        want(p, "StartTransientUnit");
        answer_text(p, "o", JOB);
        p->sender = ":1.66";
        job_removed(p, JOB, UNIT, "done");
        p->sender = NULL;
        job_removed(p, JOB, UNIT, "failed");
        want(p, "ResetFailedUnit");
        answer_text(p, "", "");
}

static void systemd_start_believes_nobody_else_on_the_bus(void **state)
{
        struct stage s;
        err *e;

        play(&s, "dbus/system_bus_socket", true, forged_script);
        start(&s, &e);
        check_err(e, "error creating systemd unit `" UNIT "`: got `failed`");
        end_play(&s);
}

static void talkative_script(struct player *p, int listener)
{
        char byte;

        (void)listener;
        authenticate(p);
        for (int i = 0; i < 100; i++)
                job_removed(p, JOB, UNIT, "done");
        expect(read(p->fd, &byte, 1) <= 0); /* until the other side closes */
}

/* Or who waits for one thing would wait for as long as others come. */
static void dbus_receive_stops_at_the_deadline_though_others_talk(void **state)
{
        struct dbus *d = NULL;
        struct dbus_message m;
        char path[128];
        struct stage s;
        int n = 0;
        err *e;

        play(&s, "systemd/private", false, talkative_script);
        (void)snprintf(path, sizeof(path), "%s/systemd/private", s.dir);
        check_ok(dbus_open(path, false, dbus_deadline(5000), &d));
        check_ok(dbus_receive(d, dbus_deadline(5000), &m));
        (void)usleep(50000);
        for (e = NULL; !e; n++)
                e = dbus_receive(d, dbus_deadline(0), &m); /* what has been read already is given out */
        check_code(e, ERR_TIMEOUT);
        assert_true(n < 100);
        dbus_close(d);
        end_play(&s);
}

static void early_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        want(p, "StartTransientUnit");
        job_removed(p, JOB, UNIT, "done");
        answer_text(p, "o", JOB);
}

static void systemd_start_takes_news_before_the_answer(void **state)
{
        struct stage s;
        err *e;

        play(&s, "systemd/private", false, early_script);
        start(&s, &e);
        check_ok(e);
        end_play(&s);
}

static void failed_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        want(p, "StartTransientUnit");
        answer_text(p, "o", JOB);
        job_removed(p, JOB, UNIT, "failed");
        want(p, "ResetFailedUnit");
        answer_text(p, "", "");
}

static void systemd_start_tells_a_failed_job(void **state)
{
        struct stage s;
        err *e;

        play(&s, "systemd/private", false, failed_script);
        start(&s, &e);
        check_err(e, "error creating systemd unit `" UNIT "`: got `failed`");
        end_play(&s);
}

static void leftover_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        want(p, "StartTransientUnit");
        answer_error(p, "org.freedesktop.systemd1.UnitExists");
        want(p, "ResetFailedUnit");
        answer_text(p, "", "");
        want(p, "StartTransientUnit");
        answer_text(p, "o", JOB);
        job_removed(p, JOB, UNIT, "done");
}

static void systemd_start_forgets_a_failed_unit_of_that_name(void **state)
{
        struct stage s;
        err *e;

        play(&s, "systemd/private", false, leftover_script);
        start(&s, &e);
        check_ok(e);
        end_play(&s);
}

static void living_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        for (int i = 0; i < 2; i++) {
                want(p, "StartTransientUnit");
                answer_error(p, "org.freedesktop.systemd1.UnitExists");
                if (i == 0) {
                        want(p, "ResetFailedUnit");
                        answer_error(p, "org.freedesktop.systemd1.NoSuchUnit");
                }
        }
}

static void systemd_start_tells_of_a_living_unit_of_that_name(void **state)
{
        struct stage s;
        err *e;

        play(&s, "systemd/private", false, living_script);
        start(&s, &e);
        assert_int_equal(err_code(e), ERR_CONFLICT);
        check_err(e, "unable to start unit \"" UNIT "\": systemd: No.");
        end_play(&s);
}

/* Whoever undoes a container that could not be made must not stop it: its cgroup may be another one, in another slice.
 */
static void systemd_ops_enter_leaves_a_living_unit_alone(void **state)
{
        const struct cgroup_layout l = {.mode = CGROUP_MODE_V2, .unified = -1};
        const struct oci_spec spec = {.linux_.cgroups_path = NULL};
        char name[] = UNIT, slice[] = "user.slice";
        struct runtime_unit u = {.name = name, .slice = slice, .user = true};
        bool made = true;
        struct stage s;

        play(&s, "systemd/private", false, living_script);
        u.runtime_dir = s.dir;
        check_code(systemd_ops_enter(&u, &l, "/user.slice/" UNIT, &spec, 1, &made), ERR_CONFLICT);
        assert_false(made);
        end_play(&s);
        made = false;
        play(&s, "systemd/private", false, failed_script);
        check_code(systemd_ops_enter(&u, &l, "/user.slice/" UNIT, &spec, 1, &made), ERR_SYS);
        assert_true(made);
        end_play(&s);
}

static void garbage_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        want(p, "StartTransientUnit");
        expect(file_write_all(p->fd, "HTTP/1.1 400 Bad Request\r\n", 26) == 0);
}

static void systemd_start_survives_garbage(void **state)
{
        struct stage s;
        err *e;

        play(&s, "systemd/private", false, garbage_script);
        start(&s, &e);
        assert_int_equal(err_code(e), ERR_CORRUPT);
        err_free(e);
        end_play(&s);
}

static void rejecting_script(struct player *p, int listener)
{
        static const char again[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
        char text[256];

        expect(read(p->fd, text, sizeof(text)) > 0);
        expect(file_write_all(p->fd, "REJECTED EXTERNAL\r\n", 19) == 0);
        (void)close(p->fd);
        p->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        read_lines(p, again);
        expect(file_write_all(p->fd, "DATA\r\nOK 0123\r\n", 15) == 0);
        want(p, "Get");
        answer_text(p, "v", "v256");
}

static void systemd_open_leaves_its_uid_to_the_kernel_when_rejected(void **state)
{
        _cleanup_systemd_ struct systemd *m = NULL;
        struct stage s;

        play(&s, "systemd/private", false, rejecting_script);
        check_ok(systemd_open(&s.where, &m));
        assert_int_equal(systemd_version(m), 256);
        end_play(&s);
}

static void stop_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        want(p, "StopUnit");
        answer_error(p, "org.freedesktop.systemd1.NoSuchUnit");
        want(p, "ResetFailedUnit");
        answer_error(p, "org.freedesktop.systemd1.NoSuchUnit");
        want(p, "StopUnit");
        answer_text(p, "o", JOB);
        job_removed(p, JOB, UNIT, "done");
        want(p, "ResetFailedUnit");
        answer_text(p, "", "");
        want(p, "StopUnit");
        answer_error(p, "org.freedesktop.DBus.Error.AccessDenied");
}

static void systemd_stop_takes_a_missing_unit_as_success(void **state)
{
        _cleanup_systemd_ struct systemd *m = NULL;
        struct stage s;

        play(&s, "systemd/private", false, stop_script);
        check_ok(systemd_open(&s.where, &m));
        check_ok(systemd_stop(m, UNIT));
        check_ok(systemd_stop(m, UNIT));
        check_code(systemd_stop(m, UNIT), ERR_DENIED);
        end_play(&s);
}

static void group_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
        want(p, "Get");
        answer_text(p, "v", "/user.slice/user-7.slice/user@7.service");
        want(p, "Get");
        answer_text(p, "s", "not a variant");
}

static void systemd_control_group_asks_the_users_manager(void **state)
{
        _cleanup_free_ char *group = NULL, *none = NULL;
        _cleanup_systemd_ struct systemd *m = NULL;
        struct stage s;

        play(&s, "systemd/private", false, group_script);
        s.where = (struct systemd_where){.user = true, .runtime_dir = s.dir, .run = "/nowhere"};
        check_ok(systemd_open(&s.where, &m));
        check_ok(systemd_control_group(m, &group));
        assert_string_equal(group, "/user.slice/user-7.slice/user@7.service");
        check_code(systemd_control_group(m, &none), ERR_CORRUPT);
        end_play(&s);
}

static void user_bus_script(struct player *p, int listener)
{
        (void)listener;
        greet(p);
}

static void systemd_open_finds_the_users_bus(void **state)
{
        for (int by_address = 0; by_address < 2; by_address++) {
                _cleanup_systemd_ struct systemd *m = NULL;
                char address[200];
                struct stage s;

                play(&s, by_address ? "elsewhere" : "bus", true, user_bus_script);
                (void)snprintf(address, sizeof(address), "unix:path=%s/elsewhere,guid=0123", s.dir);
                s.where = (struct systemd_where){.user = true,
                                                 .runtime_dir = s.dir,
                                                 .bus_address = by_address ? address : NULL,
                                                 .run = "/nowhere"};
                check_ok(systemd_open(&s.where, &m));
                end_play(&s);
        }
}

static void systemd_open_says_when_there_is_none(void **state)
{
        struct systemd_where w = {.run = "/nowhere"};
        struct systemd *m = NULL;

        check_code(systemd_open(&w, &m), ERR_NOT_FOUND);
        w.user = true;
        check_code(systemd_open(&w, &m), ERR_NOT_FOUND);
        assert_null(m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(systemd_slice_path_expands_names),
                cmocka_unit_test(systemd_resources_says_memory_and_pids),
                cmocka_unit_test(systemd_resources_says_cpus),
                cmocka_unit_test(systemd_quota_rounds_up_to_what_systemd_can_say),
                cmocka_unit_test(systemd_resources_refuses_impossible_lists),
                cmocka_unit_test(systemd_resources_says_devices),
                cmocka_unit_test(systemd_resources_says_the_unified_files),
                cmocka_unit_test(systemd_annotation_parse_reads_typed_values),
                cmocka_unit_test(systemd_annotation_parse_refuses_other_types),
                cmocka_unit_test(systemd_annotation_parse_permits_no_power),
                cmocka_unit_test(systemd_start_waits_for_its_own_job),
                cmocka_unit_test(systemd_start_works_through_a_bus),
                cmocka_unit_test(systemd_start_believes_nobody_else_on_the_bus),
                cmocka_unit_test(dbus_receive_stops_at_the_deadline_though_others_talk),
                cmocka_unit_test(systemd_start_takes_news_before_the_answer),
                cmocka_unit_test(systemd_start_tells_a_failed_job),
                cmocka_unit_test(systemd_start_forgets_a_failed_unit_of_that_name),
                cmocka_unit_test(systemd_start_tells_of_a_living_unit_of_that_name),
                cmocka_unit_test(systemd_ops_enter_leaves_a_living_unit_alone),
                cmocka_unit_test(systemd_start_survives_garbage),
                cmocka_unit_test(systemd_open_leaves_its_uid_to_the_kernel_when_rejected),
                cmocka_unit_test(systemd_stop_takes_a_missing_unit_as_success),
                cmocka_unit_test(systemd_control_group_asks_the_users_manager),
                cmocka_unit_test(systemd_open_finds_the_users_bus),
                cmocka_unit_test(systemd_open_says_when_there_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
