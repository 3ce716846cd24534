/* spec_write.c - the document that `hodrun spec` writes: the same as runc's, byte for byte. */
#include <unistd.h>

#include "base/str.h"

#include "oci/spec.h"

static void add_mount(json *mounts, const char *destination, const char *type, const char *source,
                      const char *const *options)
{
        json *m = json_new_object();

        json_set_str(m, "destination", destination);
        json_set_str(m, "type", type);
        json_set_str(m, "source", source);
        for (size_t i = 0; options && options[i]; i++)
                json_add_str(json_sub_array(m, "options"), options[i]);
        json_add(mounts, m);
}

static json *default_mounts(bool rootless)
{
        static const char *const dev[] = {"nosuid", "strictatime", "mode=755", "size=65536k", NULL};
        static const char *const pts[] = {"nosuid",    "noexec", "newinstance", "ptmxmode=0666",
                                          "mode=0620", "gid=5",  NULL};
        static const char *const pts_rootless[] = {"nosuid",        "noexec",    "newinstance",
                                                   "ptmxmode=0666", "mode=0620", NULL};
        static const char *const shm[] = {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k", NULL};
        static const char *const mqueue[] = {"nosuid", "noexec", "nodev", NULL};
        static const char *const sys[] = {"nosuid", "noexec", "nodev", "ro", NULL};
        static const char *const sys_rootless[] = {"rbind", "nosuid", "noexec", "nodev", "ro", NULL};
        static const char *const cgroup[] = {"nosuid", "noexec", "nodev", "relatime", "ro", NULL};
        json *m = json_new_array();

        add_mount(m, "/proc", "proc", "proc", NULL);
        add_mount(m, "/dev", "tmpfs", "tmpfs", dev);
        add_mount(m, "/dev/pts", "devpts", "devpts", rootless ? pts_rootless : pts);
        add_mount(m, "/dev/shm", "tmpfs", "shm", shm);
        add_mount(m, "/dev/mqueue", "mqueue", "mqueue", mqueue);
        if (rootless)
                add_mount(m, "/sys", "none", "/sys", sys_rootless);
        else
                add_mount(m, "/sys", "sysfs", "sysfs", sys);
        add_mount(m, "/sys/fs/cgroup", "cgroup", "cgroup", cgroup);
        return m;
}

static json *default_process(void)
{
        static const char *const caps[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
        static const char *const sets[] = {"bounding", "effective", "permitted"};
        json *p = json_new_object(), *user, *limit;

        json_set_bool(p, "terminal", true);
        user = json_sub_object(p, "user");
        json_set_int(user, "uid", 0);
        json_set_int(user, "gid", 0);
        json_add_str(json_sub_array(p, "args"), "sh");
        json_add_str(json_sub_array(p, "env"), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        json_add_str(json_sub_array(p, "env"), "TERM=xterm");
        json_set_str(p, "cwd", "/");
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
                for (size_t k = 0; k < ARRAY_SIZE(caps); k++)
                        json_add_str(json_sub_array(json_sub_object(p, "capabilities"), sets[i]), caps[k]);
        limit = json_new_object();
        json_set_str(limit, "type", "RLIMIT_NOFILE");
        json_set_int(limit, "hard", 1024);
        json_set_int(limit, "soft", 1024);
        json_add(json_sub_array(p, "rlimits"), limit);
        json_set_bool(p, "noNewPrivileges", true);
        return p;
}

/* Root is the caller: the only id that anybody may map. */
static void set_root_map(json *l, const char *key, unsigned host)
{
        json *map = json_new_object();

        json_set_int(map, "containerID", 0);
        json_set_int(map, "hostID", host);
        json_set_int(map, "size", 1);
        json_add(json_sub_array(l, key), map);
}

static json *default_linux(bool rootless, bool cgroup_ns)
{
        static const char *const namespaces[] = {"pid", "network", "ipc", "uts", "mount", "cgroup", NULL};
        static const char *const namespaces_rootless[] = {"pid", "ipc", "uts", "mount", "cgroup", "user", NULL};
        static const char *const masked[] = {
                "/proc/acpi",       "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"};
        static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                               "/proc/sysrq-trigger"};
        const char *const *names = rootless ? namespaces_rootless : namespaces;
        json *l = json_new_object();

        if (rootless) {
                set_root_map(l, "uidMappings", geteuid());
                set_root_map(l, "gidMappings", getegid());
        } else {
                json *rule = json_new_object();

                json_set_bool(rule, "allow", false);
                json_set_str(rule, "access", "rwm");
                json_add(json_sub_array(json_sub_object(l, "resources"), "devices"), rule);
        }
        for (size_t i = 0; names[i]; i++) {
                json *ns;

                if (!cgroup_ns && str_eq(names[i], "cgroup"))
                        continue;
                ns = json_new_object();
                json_set_str(ns, "type", names[i]);
                json_add(json_sub_array(l, "namespaces"), ns);
        }
        for (size_t i = 0; i < ARRAY_SIZE(masked); i++)
                json_add_str(json_sub_array(l, "maskedPaths"), masked[i]);
        for (size_t i = 0; i < ARRAY_SIZE(readonly); i++)
                json_add_str(json_sub_array(l, "readonlyPaths"), readonly[i]);
        return l;
}

err *oci_spec_default_json(bool rootless, bool cgroup_ns, json **ret)
{
        json *s = json_new_object();

        json_set_str(s, "ociVersion", OCI_SPEC_VERSION);
        json_set(s, "process", default_process());
        json_set_str(json_sub_object(s, "root"), "path", "rootfs");
        json_set_bool(json_sub_object(s, "root"), "readonly", true);
        json_set_str(s, "hostname", "runc"); /* golden: scripts compare it */
        json_set(s, "mounts", default_mounts(rootless));
        json_set(s, "linux", default_linux(rootless, cgroup_ns));
        if (!s)
                return err_nomem();
        *ret = s;
        return NULL;
}

err *oci_spec_default_text(bool rootless, bool cgroup_ns, char **ret)
{
        _cleanup_json_ json *doc = NULL;
        _cleanup_free_ char *text = NULL;
        _cleanup_str_ struct str out = {0};

        TRY(oci_spec_default_json(rootless, cgroup_ns, &doc));
        TRY(json_print(doc, JSON_INDENT4, &text));
        /* Four spaces to one tab: no string of this document begins a line. */
        for (const char *line = text; *line;) {
                const char *end = strchr(line, '\n');
                size_t n = end ? (size_t)(end - line) : strlen(line), spaces = strspn(line, " ");

                for (size_t i = 0; i < spaces / 4; i++)
                        str_add_char(&out, '\t');
                str_add_n(&out, line + spaces, n - spaces);
                if (!end)
                        break;
                if (end[1])
                        str_add_char(&out, '\n');
                line = end + 1;
        }
        return str_take(&out, ret);
}
