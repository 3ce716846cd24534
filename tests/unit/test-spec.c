/* Unit tests of oci/spec: what is read, what is refused and with which words, the default document. */
#include "check.h"

#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/str.h"
#include "oci/spec.h"

static struct oci_spec *parse(const char *text)
{
        _cleanup_json_ json *doc = NULL;
        struct oci_spec *s = NULL;

        check_ok(json_parse(text, strlen(text), &doc));
        check_ok(oci_spec_from_json(doc, &s));
        return s;
}

static void refuse_n(const char *text, size_t size, const char *want)
{
        _cleanup_json_ json *doc = NULL;
        _cleanup_err_ err *e = NULL;
        struct oci_spec *s = NULL;
        char buf[512];

        check_ok(json_parse(text, size, &doc));
        e = oci_spec_from_json(doc, &s);
        if (!e)
                fail_msg("accepted: %s", text);
        assert_null(s);
        assert_int_equal(err_code(e), ERR_INVALID);
        assert_string_equal(err_text(e, buf, sizeof(buf)), want);
}

static void refuse(const char *text, const char *want)
{
        refuse_n(text, strlen(text), want);
}

/* ---- reading ---- */

static void oci_spec_from_json_reads_the_process(void **state)
{
        _cleanup_oci_spec_ struct oci_spec *s = parse(
                "{\"ociVersion\":\"1.3.0\",\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":30,\"width\":100}"
                ","
                "\"user\":{\"uid\":1000,\"gid\":4294967294,\"umask\":18,\"additionalGids\":[5,6]},"
                "\"args\":[\"sh\",\"-c\",\"\"],\"env\":[\"A=b\"],\"cwd\":\"/tmp\","
                "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_BOGUS\"],\"effective\":[\"cap_kill\"],"
                "\"inheritable\":[\"CAP_BOGUS\"],\"permitted\":[],\"ambient\":[\"CAP_CHECKPOINT_RESTORE\"]},"
                "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":18446744073709551615}],"
                "\"noNewPrivileges\":true,\"apparmorProfile\":\"\",\"oomScoreAdj\":-5,"
                "\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":3,\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\"]},"
                "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":4},"
                "\"execCPUAffinity\":{\"initial\":\"0-2,64\",\"final\":\"1\"},\"unknown\":{}},\"other\":null}");
        const struct oci_process *p = s->process;

        assert_true(p->terminal);
        assert_int_equal(p->console_height, 30);
        assert_int_equal(p->console_width, 100);
        assert_int_equal(p->user.uid, 1000);
        assert_int_equal(p->user.gid, 4294967294u);
        assert_true(p->user.umask_set);
        assert_int_equal(p->user.umask, 022);
        assert_int_equal(p->user.n_groups, 2);
        assert_int_equal(p->user.groups[1], 6);
        assert_int_equal(strv_len(p->args), 3);
        assert_string_equal(p->args[2], "");
        assert_string_equal(p->env[0], "A=b");
        assert_string_equal(p->cwd, "/tmp");
        assert_int_equal(p->caps.bounding, 1);
        assert_int_equal(p->caps.effective, 1 << 5);
        assert_true(p->caps.ambient == UINT64_C(1) << 40);
        assert_string_equal(p->caps.unknown[0], "CAP_BOGUS");
        assert_null(p->caps.unknown[1]);
        assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
        assert_true(p->rlimits[0].hard == UINT64_MAX);
        assert_null(p->apparmor_profile);
        assert_true(p->oom_score_adj_set);
        assert_int_equal(p->oom_score_adj, -5);
        assert_int_equal(p->scheduler.policy, SCHED_FIFO);
        assert_int_equal(p->scheduler.flags, 1);
        assert_int_equal(p->io_priority.class, 2);
        assert_int_equal(p->affinity_initial.size, 16);
        assert_int_equal(p->affinity_initial.bits[0], 7);
        assert_int_equal(p->affinity_initial.bits[1], 1);
        assert_int_equal(p->affinity_final.bits[0], 2);
}

static void oci_spec_from_json_reads_mounts_and_hooks(void **state)
{
        _cleanup_oci_spec_ struct oci_spec *s =
                parse("{\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"h\",\"mounts\":["
                      "{\"destination\":\"/a\",\"source\":\"/"
                      "b\",\"type\":\"bind\",\"options\":[\"ro\",\"size=5\",\"rslave\",\"x\"]},"
                      "{\"destination\":\"/c\",\"source\":\"/d\",\"options\":[\"rbind\",\"rro\",\"idmap\"],"
                      "\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}],"
                      "\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}]}],"
                      "\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"args\":[\"x\"],\"env\":[\"A=1\"],\"timeout\":5}]},"
                      "\"annotations\":{\"k\":\"v\",\"e\":\"\"}}");

        assert_true(s->root_readonly);
        assert_null(s->process);
        assert_int_equal(s->n_mounts, 2);
        assert_true(s->mounts[0].options.is_bind);
        assert_int_equal(s->mounts[0].options.flags, MS_RDONLY | MS_BIND);
        assert_int_equal(s->mounts[0].options.propagation, MS_SLAVE | MS_REC);
        assert_string_equal(s->mounts[0].options.data, "size=5,x");
        assert_string_equal(s->mounts[0].options.data_list[1], "x");
        assert_int_equal(s->mounts[1].options.flags, MS_BIND | MS_REC);
        assert_int_equal(s->mounts[1].options.rec_set, MOUNT_ATTR_RDONLY);
        assert_int_equal(s->mounts[1].options.idmap, MOUNT_IDMAP_ONE);
        assert_int_equal(s->mounts[1].uid_map.map[0].host, 1000);
        assert_int_equal(s->hooks[OCI_HOOK_POSTSTOP].n, 1);
        assert_int_equal(s->hooks[OCI_HOOK_POSTSTOP].hook[0].timeout.n, 5);
        assert_int_equal(s->hooks[OCI_HOOK_PRESTART].n, 0);
        assert_string_equal(oci_spec_annotation(s, "k"), "v");
        assert_string_equal(oci_spec_annotation(s, "e"), "");
        assert_null(oci_spec_annotation(s, "nosuch"));
}

static void oci_spec_from_json_reads_linux(void **state)
{
        _cleanup_oci_spec_ struct oci_spec *s = parse(
                "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"}],"
                "\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],"
                "\"timeOffsets\":{\"boottime\":{\"secs\":-5,\"nanosecs\":7}},"
                "\"devices\":[{\"type\":\"u\",\"path\":\"/dev/x\",\"major\":10,\"minor\":1},"
                "{\"type\":\"p\",\"path\":\"/dev/y\",\"fileMode\":4480,\"uid\":1}],"
                "\"cgroupsPath\":\"/x/y\",\"rootfsPropagation\":\"rshared\",\"maskedPaths\":[\"/proc/a\"],"
                "\"readonlyPaths\":[],\"sysctl\":{\"net.core.somaxconn\":\"1\"},\"personality\":{\"domain\":"
                "\"LINUX32\"},"
                "\"memoryPolicy\":{\"mode\":\"MPOL_INTERLEAVE\",\"nodes\":\"0\",\"flags\":[\"MPOL_F_STATIC_NODES\"]},"
                "\"netDevices\":{\"eth0\":{\"name\":\"e\"},\"eth1\":{}},\"intelRdt\":{\"closID\":\"c\"}}}");
        const struct oci_linux *l = &s->linux_;

        assert_true(l->ns[OCI_NS_PID].present);
        assert_null(l->ns[OCI_NS_PID].path);
        assert_string_equal(l->ns[OCI_NS_NETWORK].path, "/proc/1/ns/net");
        assert_false(l->ns[OCI_NS_USER].present);
        assert_int_equal(l->uid_map.map[0].host, 100000);
        assert_true(l->boottime.set);
        assert_false(l->monotonic.set);
        assert_int_equal(l->boottime.secs, -5);
        assert_int_equal(l->devices[0].type, 'c');
        assert_int_equal(l->devices[0].mode, 0666);
        assert_int_equal(l->devices[1].mode, 0600); /* the type bits (010600) are dropped */
        assert_string_equal(l->cgroups_path, "/x/y");
        assert_int_equal(l->rootfs_propagation, MS_SHARED | MS_REC);
        assert_string_equal(l->masked_paths[0], "/proc/a");
        assert_null(l->readonly_paths);
        assert_int_equal(l->n_sysctl, 1);
        assert_int_equal(l->personality, 8);
        assert_int_equal(l->memory_policy->mode, 3 | 1 << 15);
        assert_int_equal(l->n_net_devices, 2);
        assert_null(l->net_devices[1].name);
        assert_string_equal(l->intel_rdt->clos_id, "c");
}

static void oci_spec_from_json_reads_resources(void **state)
{
        _cleanup_oci_spec_ struct oci_spec *s =
                parse("{\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
                      "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rw\"}],"
                      "\"memory\":{\"limit\":1000,\"swap\":-1,\"swappiness\":0,\"disableOOMKiller\":true},"
                      "\"cpu\":{\"shares\":512,\"quota\":-1,\"period\":100000,\"cpus\":\"0\",\"mems\":\"\"},\"pids\":{"
                      "\"limit\":0},"
                      "\"blockIO\":{\"weight\":10,\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":500}],"
                      "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":1,\"rate\":7}]},"
                      "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":5}],\"network\":{\"classID\":3,"
                      "\"priorities\":[{\"name\":\"lo\",\"priority\":2}]},\"rdma\":{\"mlx\":{\"hcaHandles\":3}},"
                      "\"unified\":{\"memory.high\":\"1\"}}}}");
        const struct oci_resources *r = &s->linux_.resources;

        assert_int_equal(r->devices[0].type, 'a');
        assert_int_equal(r->devices[0].major, -1);
        assert_int_equal(r->devices[1].access, OCI_DEVICE_READ | OCI_DEVICE_WRITE);
        assert_int_equal(r->memory.limit.n, 1000);
        assert_int_equal(r->memory.swap.n, -1);
        assert_true(r->memory.swappiness.set);
        assert_false(r->memory.reservation.set);
        assert_true(r->memory.disable_oom_killer);
        assert_int_equal(r->cpu.shares.n, 512);
        assert_int_equal(r->cpu.quota.n, -1);
        assert_null(r->cpu.mems);
        assert_true(r->pids_limit.set);
        assert_int_equal(r->block_io.weight_devices[0].weight.n, 500);
        assert_int_equal(r->block_io.read_iops.device[0].rate, 7);
        assert_int_equal(r->hugepages[0].limit, 5);
        assert_int_equal(r->network.class_id.n, 3);
        assert_string_equal(r->network.priorities[0].name, "lo");
        assert_true(r->rdma[0].hca_handles.set);
        assert_false(r->rdma[0].hca_objects.set);
        assert_string_equal(r->unified[0].value, "1");
}

static void oci_spec_from_json_reads_seccomp(void **state)
{
        _cleanup_oci_spec_ struct oci_spec *s = parse(
                "{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
                "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X32\"],\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
                "\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\","
                "\"args\":[{\"index\":1,\"value\":18446744073709551615,\"valueTwo\":2,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
                "{\"names\":[\"x\"],\"action\":\"SCMP_ACT_KILL\"}]}}}");
        const struct oci_seccomp *c = s->linux_.seccomp;

        assert_int_equal(c->default_action, SECCOMP_RET_ERRNO);
        assert_int_equal(c->default_errno_ret.n, 38);
        assert_int_equal(c->n_archs, 2);
        assert_int_equal(c->archs[0], 0xc000003e);
        assert_int_equal(c->archs[1], 0x4000003e);
        assert_true(c->flags_set);
        assert_int_equal(c->flags, SECCOMP_FILTER_FLAG_LOG);
        assert_string_equal(c->rules[0].names[1], "write");
        assert_true(c->rules[0].args[0].value == UINT64_MAX);
        assert_int_equal(c->rules[0].args[0].op, OCI_SECCOMP_MASKED_EQ);
        assert_int_equal(c->rules[1].action, SECCOMP_RET_KILL_THREAD);
}

static void oci_spec_from_json_names_what_is_wrong(void **state)
{
        static const char nul[] = "{\"process\":{\"args\":[\"a\\u0000b\"]}}";

        refuse("[]", "must be an object, not an array");
        refuse("{\"process\":{\"args\":\"sh\"}}", "process.args: must be an array, not a string");
        refuse("{\"process\":{\"args\":[1]}}", "process.args[0]: must be a string, not a number");
        refuse_n(nul, sizeof(nul) - 1, "process.args[0]: contains a NUL byte");
        refuse("{\"process\":{\"user\":{\"uid\":4294967296}}}", "process.user.uid: must be between 0 and 4294967295");
        refuse("{\"process\":{\"user\":{\"uid\":-1}}}", "process.user.uid: must be between 0 and 4294967295");
        refuse("{\"process\":{\"user\":{\"uid\":1.5}}}", "process.user.uid: must be a whole number, not a fraction");
        refuse("{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_BOGUS\"}]}}",
               "process.rlimits[0].type: wrong rlimit value: RLIMIT_BOGUS");
        refuse("{\"process\":{\"rlimits\":[{\"soft\":1,\"hard\":1}]}}", "process.rlimits[0]: has no type");
        refuse("{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":-1}]}}",
               "process.rlimits[0].soft: must not be negative");
        refuse("{\"process\":{\"oomScoreAdj\":1001}}", "process.oomScoreAdj: must be between -1000 and 1000");
        refuse("{\"process\":{\"execCPUAffinity\":{\"initial\":\"1-2147483647\"}}}",
               "process.execCPUAffinity.initial: \"1-2147483647\" goes beyond 8191");
        refuse("{\"mounts\":[{\"options\":[\"idmap=uids=1\"]}]}",
               "mounts[0].options: mount option \"idmap=uids=1\": give uidMappings and gidMappings");
        refuse("{\"linux\":{\"namespaces\":[{\"type\":\"bogus\"}]}}",
               "linux.namespaces[0]: namespace \"bogus\" does not exist");
        refuse("{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
               "linux.namespaces[1]: duplicated namespace \"pid\"");
        refuse("{\"linux\":{\"rootfsPropagation\":\"bogus\"}}",
               "linux.rootfsPropagation: rootfsPropagation=bogus is not supported");
        refuse("{\"linux\":{\"personality\":{\"domain\":\"BOGUS\"}}}",
               "linux.personality: invalid personality domain BOGUS");
        refuse("{\"linux\":{\"devices\":[{\"type\":\"x\",\"path\":\"/dev/x\"}]}}",
               "linux.devices[0].type: must be c, b, u or p, not \"x\"");
        refuse("{\"linux\":{\"resources\":{\"devices\":[{\"access\":\"rx\"}]}}}",
               "linux.resources.devices[0].access: may only have r, w and m");
        refuse("{\"linux\":{\"resources\":{\"memory\":{\"limit\":9223372036854775808}}}}",
               "linux.resources.memory.limit: must be between -9223372036854775808 and 9223372036854775807");
        refuse("{\"process\":{\"user\":{\"uid\":18446744073709551615}}}",
               "process.user.uid: must be between 0 and 4294967295");
        refuse("{\"linux\":{\"seccomp\":{}}}", "linux.seccomp: has no defaultAction");
        refuse("{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_BOGUS\"}}}",
               "linux.seccomp.defaultAction: invalid seccomp action \"SCMP_ACT_BOGUS\"");
        refuse("{\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"a\"]}]}}}",
               "linux.seccomp.syscalls[0]: has no action");
        refuse("{\"linux\":{\"memoryPolicy\":{\"nodes\":\"0\"}}}",
               "linux.memoryPolicy: invalid memory policy mode \"\"");
}

/* ---- checking ---- */

#define HEAD "{\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"}"
#define NS "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}]"

static void check(const char *text, const char *want)
{
        _cleanup_oci_spec_ struct oci_spec *s = parse(text);
        _cleanup_err_ err *e = oci_spec_check(s);
        char buf[512];

        if (!want) {
                if (e)
                        fail_msg("%s: %s", text, err_text(e, buf, sizeof(buf)));
                return;
        }
        if (!e)
                fail_msg("accepted: %s", text);
        assert_string_equal(err_text(e, buf, sizeof(buf)), want);
}

static void oci_spec_check_needs_the_basics(void **state)
{
        check(HEAD "}", NULL);
        check("{}", "root must be specified");
        check("{\"root\":{\"path\":\"r\"}}", "process property must not be empty");
        check("{\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/\"}}", "args must not be empty");
        check("{\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"]}}", "Cwd property must not be empty");
        check("{\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"x\"}}",
              "Cwd must be an absolute path");
        check("{\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":[\"X\"]}}",
              "process.env[0]: must be NAME=VALUE");
        check("{\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":["
              "{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]}}",
              "process.rlimits[1]: duplicated rlimit");
        check("{\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":4294967295}}}",
              "process.user: id 4294967295 cannot be used");
}

static void oci_spec_check_ties_fields_to_namespaces(void **state)
{
        check(HEAD ",\"hostname\":\"h\"}", "unable to set hostname without a private UTS namespace");
        check(HEAD ",\"hostname\":\"h\",\"linux\":{" NS "}}", NULL);
        check(HEAD ",\"linux\":{\"maskedPaths\":[\"/a\"]}}",
              "unable to restrict sys entries without a private MNT namespace");
        check(HEAD ",\"linux\":{" NS ",\"maskedPaths\":[\"a\"]}}",
              "linux.maskedPaths[0]: \"a\" is not an absolute path");
        check(HEAD ",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}}",
              "user namespace mappings specified, but user namespace isn't enabled in the config");
        check(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"user\"}]}}",
              "user namespaces enabled, but no uid mappings found");
        check(HEAD ",\"linux\":{\"timeOffsets\":{\"monotonic\":{\"secs\":1}}}}",
              "time namespace offsets specified, but time namespace isn't enabled in the config");
#define MAP(c, h, n) "[{\"containerID\":" #c ",\"hostID\":" #h ",\"size\":" #n "}]"
        check(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":" MAP(
                      0, 1, 10) ",\"gidMappings\":" MAP(0, 1, 10) "}}",
              NULL);
        check(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":" MAP(
                      1, 1, 10) ",\"gidMappings\":" MAP(0, 1, 10) "}}",
              "linux.uidMappings and gidMappings must map id 0 of the container");
        check(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":" MAP(
                      0, 4294967290, 10) ",\"gidMappings\":" MAP(0, 1, 10) "}}",
              "linux.uidMappings[0]: bad size");
}

static void oci_spec_check_allows_only_namespaced_sysctls(void **state)
{
#define SYSCTL(key) HEAD ",\"linux\":{" NS ",\"sysctl\":{\"" key "\":\"1\"}}}"
        check(SYSCTL("net.ipv4.ip_forward"), NULL);
        check(SYSCTL("net/ipv4/conf/eth0.1/forwarding"), NULL);
        check(SYSCTL("kernel.shmmax"), NULL);
        check(SYSCTL("fs.mqueue.msg_max"), NULL);
        check(SYSCTL("kernel.domainname"), NULL);
        check(SYSCTL("kernel.bogus"), "sysctl \"kernel.bogus\" is not in a separate kernel namespace");
        check(SYSCTL("vm.swappiness"), "sysctl \"vm.swappiness\" is not in a separate kernel namespace");
        check(SYSCTL("kernel.core_pattern"), "sysctl \"kernel.core_pattern\" is not in a separate kernel namespace");
        check(SYSCTL("net/../kernel/core_pattern"), "sysctl \"net/../kernel/core_pattern\" is not a valid name");
        check(SYSCTL("net..ipv4"), "sysctl \"net..ipv4\" is not a valid name");
        check(SYSCTL("net./../x"), "sysctl \"net./../x\" is not a valid name");
        check(SYSCTL("kernel.hostname"),
              "sysctl \"kernel.hostname\" is not allowed as it conflicts with the OCI \"hostname\" field");
        check(HEAD ",\"linux\":{\"sysctl\":{\"net.core.somaxconn\":\"1\"}}}",
              "sysctl \"net.core.somaxconn\" not allowed in host network namespace");
        check(HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/proc/self/ns/net\"}],"
                   "\"sysctl\":{\"net.core.somaxconn\":\"1\"}}}",
              "sysctl \"net.core.somaxconn\" not allowed in host network namespace");
        check(HEAD ",\"linux\":{" NS ",\"sysctl\":{\"user.max_user_namespaces\":\"1\"}}}",
              "setting ucounts without a user namespace not allowed: user.max_user_namespaces");
}

static void oci_sysctl_path_translates(void **state)
{
        char path[64];

        assert_true(oci_sysctl_path("net.ipv4.conf.eth0/1.forwarding", path, sizeof(path)));
        assert_string_equal(path, "net/ipv4/conf/eth0.1/forwarding");
        assert_true(oci_sysctl_path("net/ipv4/conf/eth0.1/forwarding", path, sizeof(path)));
        assert_string_equal(path, "net/ipv4/conf/eth0.1/forwarding");
        assert_false(oci_sysctl_path("", path, sizeof(path)));
        assert_false(oci_sysctl_path("a..b", path, sizeof(path)));
        assert_false(oci_sysctl_path("/a", path, sizeof(path)));
        assert_false(oci_sysctl_path("a/", path, sizeof(path)));
        assert_false(oci_sysctl_path("a/../b", path, sizeof(path)));
        assert_false(oci_sysctl_path("a.//.b", path, sizeof(path))); /* would become a/../b */
}

static void oci_spec_check_looks_at_the_rest(void **state)
{
        check(HEAD ",\"mounts\":[{\"destination\":\"/a\",\"options\":[\"bind\"]}]}",
              "mounts[0] (/a): a bind mount needs a source");
        check(HEAD ",\"mounts\":[{\"destination\":\"/a\"}]}", "mounts[0] (/a): has no type");
        check(HEAD ",\"mounts\":[{\"type\":\"tmpfs\"}]}", "mounts[0]: has no destination");
        check(HEAD ",\"hooks\":{\"createRuntime\":[{\"path\":\"x\"}]}}",
              "hooks.createRuntime[0]: path must be absolute");
        check(HEAD ",\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}}",
              "hooks.poststop[0]: timeout must be greater than zero");
        check(HEAD ",\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"../x\",\"limit\":1}]}}}",
              "linux.resources.hugepageLimits[0]: page size must be like 2MB");
        check(HEAD ",\"linux\":{\"resources\":{\"unified\":{\"../memory.max\":\"1\"}}}}",
              "unified resource \"../memory.max\" must be a file name such as memory.high");
        check(HEAD ",\"linux\":{\"resources\":{\"memory\":{\"limit\":5,\"swap\":4}}}}",
              "memory+swap limit should be >= memory limit");
        check(HEAD ",\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}}}",
              "SCMP_ACT_NOTIFY cannot be used as default action");
        check(HEAD ",\"annotations\":{\"\":\"x\"}}", "annotations: a key is empty");
}

/* ---- mount options ---- */

static void mount_options_parse_knows_every_option_of_the_specification(void **state)
{
        static const char *const must[] = {
                "async",       "atime",        "bind",         "defaults",      "dev",
                "diratime",    "dirsync",      "exec",         "iversion",      "lazytime",
                "loud",        "noatime",      "nodev",        "nodiratime",    "noexec",
                "noiversion",  "nolazytime",   "norelatime",   "nostrictatime", "nosuid",
                "private",     "rbind",        "relatime",     "remount",       "ro",
                "rprivate",    "rshared",      "rslave",       "runbindable",   "rw",
                "shared",      "silent",       "slave",        "strictatime",   "suid",
                "sync",        "unbindable",   "nosymfollow",  "symfollow",     "rro",
                "rrw",         "rsuid",        "rnosuid",      "rdev",          "rnodev",
                "rexec",       "rnoexec",      "ratime",       "rnoatime",      "rdiratime",
                "rnodiratime", "rrelatime",    "rnorelatime",  "rstrictatime",  "rnostrictatime",
                "rsymfollow",  "rnosymfollow", "tmpcopyup",    "mand",          "nomand",
                "idmap",       "ridmap",       "copy-symlink", "src-nofollow",  "dest-nofollow",
        };
        const char *last = "";

        for (size_t i = 0; i < ARRAY_SIZE(must); i++)
                if (!mount_options_known(must[i]))
                        fail_msg("%s is unknown", must[i]);
        assert_false(mount_options_known("size"));
        for (size_t i = 0; mount_options_name(i); i++) { /* the table is sorted: the search depends on it */
                assert_true(strcmp(last, mount_options_name(i)) < 0);
                last = mount_options_name(i);
        }
}

static struct mount_options options(char *const *list)
{
        struct mount_options o;

        check_ok(mount_options_parse(list, &o));
        return o;
}

static void mount_options_parse_lets_the_last_one_win(void **state)
{
        struct mount_options o =
                options((char **)(const char *const[]){"ro", "nosuid", "rw", "noatime", "strictatime", "sync", NULL});

        assert_int_equal(o.flags, MS_NOSUID | MS_STRICTATIME | MS_SYNCHRONOUS);
        assert_int_equal(o.flags_clear, MS_RDONLY);
        assert_int_equal(o.attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);
        assert_int_equal(o.attr_clear, MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME);
        assert_int_equal(o.sb_flags, MS_SYNCHRONOUS);
        mount_options_done(&o);
        o = options((char **)(const char *const[]){"rro", "rnoatime", "ratime", "rslave", "mode=755", NULL});
        assert_int_equal(o.rec_set, MOUNT_ATTR_RDONLY);
        assert_int_equal(o.rec_clear, MOUNT_ATTR__ATIME);
        assert_int_equal(o.propagation, MS_SLAVE | MS_REC);
        assert_int_equal(o.flags, 0);
        assert_string_equal(o.data, "mode=755");
        mount_options_done(&o);
        o = options((char **)(const char *const[]){"rnoatime", "rstrictatime", NULL});
        assert_int_equal(o.rec_set, MOUNT_ATTR_STRICTATIME);
        mount_options_done(&o);
}

static void mount_options_parse_keeps_propagation_in_order(void **state)
{
        struct mount_options o = options((char **)(const char *const[]){"rslave", "rslave", "shared", NULL});
        err *e;

        assert_int_equal(o.n_propagations, 2);
        assert_int_equal(o.propagations[0], MS_SLAVE | MS_REC);
        assert_int_equal(o.propagations[1], MS_SHARED);
        assert_int_equal(o.propagation, MS_SHARED);
        mount_options_done(&o);
        e = mount_options_parse(
                (char **)(const char *const[]){"slave", "shared", "private", "unbindable", "slave", NULL}, &o);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
}

static void mount_options_parse_takes_an_access_time_mode_back(void **state)
{
        struct mount_options o = options((char **)(const char *const[]){"noatime", "atime", NULL});

        assert_int_equal(o.attr_set, 0);
        assert_int_equal(o.attr_clear, 0);
        mount_options_done(&o);
        o = options((char **)(const char *const[]){"norelatime", "nostrictatime", "atime", NULL});
        assert_int_equal(o.attr_clear, 0);
        assert_int_equal(o.flags_clear, MS_RELATIME | MS_STRICTATIME | MS_NOATIME);
        mount_options_done(&o);
}

static void mount_options_parse_bounds_data(void **state)
{
        char big[5000];
        struct mount_options o;
        err *e;

        memset(big, 'x', sizeof(big) - 1);
        big[sizeof(big) - 1] = '\0';
        e = mount_options_parse((char **)(const char *const[]){big, NULL}, &o);
        assert_int_equal(err_code(e), ERR_LIMIT);
        err_free(e);
        e = mount_options_parse((char **)(const char *const[]){"", NULL}, &o);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
}

/* ---- writing, and the parts ---- */

static void oci_spec_default_text_is_valid_and_like_runc(void **state)
{
        for (int i = 0; i < 4; i++) {
                _cleanup_free_ char *text = NULL;
                _cleanup_oci_spec_ struct oci_spec *s = NULL;
                bool rootless = i & 1, cgroup_ns = i & 2;

                check_ok(oci_spec_default_text(rootless, cgroup_ns, &text));
                assert_true(
                        str_starts(text, "{\n\t\"ociVersion\": \"1.3.0\",\n\t\"process\": {\n\t\t\"terminal\": true,"));
                assert_true(str_ends(text, "\t\t]\n\t}\n}"));
                s = parse(text);
                check_ok(oci_spec_check(s));
                assert_int_equal(s->n_mounts, 7);
                assert_int_equal(s->linux_.ns[OCI_NS_USER].present, rootless);
                assert_int_equal(s->linux_.ns[OCI_NS_CGROUP].present, cgroup_ns);
        }
}

static void oci_process_from_json_owns_its_memory(void **state)
{
        static const char text[] = "{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"additionalGids\":[1]}}";
        _cleanup_oci_process_ struct oci_process *p = NULL;
        json *doc = NULL;

        check_ok(json_parse(text, strlen(text), &doc));
        check_ok(oci_process_from_json(doc, &p));
        json_free(doc);
        assert_string_equal(p->args[0], "a");
        check_ok(oci_process_check(p));
}

static void oci_resources_from_json_takes_a_part(void **state)
{
        static const char text[] = "{\"pids\":{\"limit\":5}}";
        _cleanup_oci_spec_ struct oci_spec *owner = NULL;
        _cleanup_json_ json *doc = NULL;
        struct oci_resources *r = NULL;

        check_ok(json_parse(text, strlen(text), &doc));
        check_ok(oci_resources_from_json(doc, &owner, &r));
        assert_int_equal(r->pids_limit.n, 5);
}

static void oci_cap_number_takes_all_spellings(void **state)
{
        assert_int_equal(oci_cap_number("CAP_CHOWN"), 0);
        assert_int_equal(oci_cap_number("chown"), 0);
        assert_int_equal(oci_cap_number("Cap_Bpf"), 39);
        assert_int_equal(oci_cap_number("CAP_NOSUCH"), -1);
        for (unsigned i = 0; oci_cap_name(i); i++)
                assert_int_equal(oci_cap_number(oci_cap_name(i)), i);
        assert_int_equal(oci_cap_number("CAP_CHECKPOINT_RESTORE"), 40);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(oci_spec_from_json_reads_the_process),
                cmocka_unit_test(oci_spec_from_json_reads_mounts_and_hooks),
                cmocka_unit_test(oci_spec_from_json_reads_linux),
                cmocka_unit_test(oci_spec_from_json_reads_resources),
                cmocka_unit_test(oci_spec_from_json_reads_seccomp),
                cmocka_unit_test(oci_spec_from_json_names_what_is_wrong),
                cmocka_unit_test(oci_spec_check_needs_the_basics),
                cmocka_unit_test(oci_spec_check_ties_fields_to_namespaces),
                cmocka_unit_test(oci_spec_check_allows_only_namespaced_sysctls),
                cmocka_unit_test(oci_sysctl_path_translates),
                cmocka_unit_test(oci_spec_check_looks_at_the_rest),
                cmocka_unit_test(mount_options_parse_knows_every_option_of_the_specification),
                cmocka_unit_test(mount_options_parse_lets_the_last_one_win),
                cmocka_unit_test(mount_options_parse_keeps_propagation_in_order),
                cmocka_unit_test(mount_options_parse_takes_an_access_time_mode_back),
                cmocka_unit_test(mount_options_parse_bounds_data),
                cmocka_unit_test(oci_spec_default_text_is_valid_and_like_runc),
                cmocka_unit_test(oci_process_from_json_owns_its_memory),
                cmocka_unit_test(oci_resources_from_json_takes_a_part),
                cmocka_unit_test(oci_cap_number_takes_all_spellings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
