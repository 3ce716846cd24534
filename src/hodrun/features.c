/* features.c - `features`: what this build and this library can do, and nothing more; containerd and docker read it. */
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>

#include "codec/json.h"
#include "hodrun/hodrun.h"
#include "oci/mount_options.h"
#include "sys/seccomp.h"

static void add_all(json *object, const char *key, const char *const *names, size_t n)
{
        for (size_t i = 0; i < n; i++)
                json_add_str(json_sub_array(object, key), names[i]);
}

static void add_memory_policy(json *m)
{
        static const char *const modes[] = {
                "MPOL_BIND",      "MPOL_DEFAULT",        "MPOL_INTERLEAVE",         "MPOL_LOCAL",
                "MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE"};
        static const char *const flags[] = {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"};

        add_all(m, "modes", modes, ARRAY_SIZE(modes));
        add_all(m, "flags", flags, ARRAY_SIZE(flags));
}

static void add_linux(json *l)
{
        static const char *const namespaces[] = {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"};
        static const char *const actions[] = {"SCMP_ACT_ALLOW",        "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
                                              "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
                                              "SCMP_ACT_NOTIFY",       "SCMP_ACT_TRACE",       "SCMP_ACT_TRAP"};
        static const char *const operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE",        "SCMP_CMP_GT", "SCMP_CMP_LE",
                                                "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"};
        static const char *const archs[] = {"SCMP_ARCH_AARCH64",  "SCMP_ARCH_ARM",         "SCMP_ARCH_MIPS",
                                            "SCMP_ARCH_MIPS64",   "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",
                                            "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
                                            "SCMP_ARCH_PPC64",    "SCMP_ARCH_PPC64LE",     "SCMP_ARCH_RISCV64",
                                            "SCMP_ARCH_S390",     "SCMP_ARCH_S390X",       "SCMP_ARCH_X32",
                                            "SCMP_ARCH_X86",      "SCMP_ARCH_X86_64"};
        static const char *const flags[] = {"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                            "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
        static const unsigned flag_bits[ARRAY_SIZE(flags)] = {SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                                                              SECCOMP_FILTER_FLAG_LOG, SECCOMP_FLAG_WAIT_KILLABLE_RECV};
        json *cgroup, *seccomp;

        add_all(l, "namespaces", namespaces, ARRAY_SIZE(namespaces));
        for (unsigned i = 0; oci_cap_name(i); i++)
                json_add_str(json_sub_array(l, "capabilities"), oci_cap_name(i));
        cgroup = json_sub_object(l, "cgroup");
        json_set_bool(cgroup, "v1", true);
        json_set_bool(cgroup, "v2", true);
        json_set_bool(cgroup, "systemd", true);
        json_set_bool(cgroup, "systemdUser", true);
        json_set_bool(cgroup, "rdma", true);
        seccomp = json_sub_object(l, "seccomp");
        json_set_bool(seccomp, "enabled", true);
        add_all(seccomp, "actions", actions, ARRAY_SIZE(actions));
        add_all(seccomp, "operators", operators, ARRAY_SIZE(operators));
        add_all(seccomp, "archs", archs, ARRAY_SIZE(archs));
        add_all(seccomp, "knownFlags", flags, ARRAY_SIZE(flags));
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (seccomp_flag_supported(flag_bits[i]))
                        json_add_str(json_sub_array(seccomp, "supportedFlags"), flags[i]);
        json_set_bool(json_sub_object(l, "apparmor"), "enabled", true);
        json_set_bool(json_sub_object(l, "selinux"), "enabled", true);
        json_set_bool(json_sub_object(l, "intelRdt"), "enabled", true);
        json_set_bool(json_sub_object(l, "intelRdt"), "schemata", true);
        json_set_bool(json_sub_object(l, "intelRdt"), "monitoring", true);
        add_memory_policy(json_sub_object(l, "memoryPolicy"));
        json_set_bool(json_sub_object(json_sub_object(l, "mountExtensions"), "idmap"), "enabled", true);
        json_set_bool(json_sub_object(l, "netDevices"), "enabled", true);
}

static void add_annotations(json *a)
{
        const struct scmp_version *v = seccomp_version();
        char text[48];

        json_set_str(a, "io.github.hod.version", HOD_VERSION);
        if (v) {
                (void)snprintf(text, sizeof(text), "%u.%u.%u", v->major, v->minor, v->micro);
                json_set_str(a, "io.github.seccomp.libseccomp.version", text);
        }
        /* Not our name, but the one that callers ask for. */
        json_set_str(a, "org.opencontainers.runc.checkpoint.enabled", "true");
}

static err *features_run(struct invocation *inv)
{
        _cleanup_json_ json *j = json_new_object();
        /* What we obey; a dot at the end stands for whatever follows. */
        static const char *const unsafe[] = {"bundle", "org.systemd.property.", "org.criu.config", "run.oci."};
        _cleanup_free_ char *text = NULL;

        (void)inv;
        json_set_str(j, "ociVersionMin", "1.0.0");
        json_set_str(j, "ociVersionMax", OCI_SPEC_VERSION);
        for (int i = 0; i < OCI_HOOK_MAX_; i++)
                json_add_str(json_sub_array(j, "hooks"), oci_hook_name(i));
        for (size_t i = 0; mount_options_name(i); i++)
                json_add_str(json_sub_array(j, "mountOptions"), mount_options_name(i));
        add_linux(json_sub_object(j, "linux"));
        add_annotations(json_sub_object(j, "annotations"));
        add_all(j, "potentiallyUnsafeConfigAnnotations", unsafe, ARRAY_SIZE(unsafe));
        TRY(json_print(j, JSON_INDENT4, &text));
        (void)printf("%s%s", text, str_ends(text, "\n") ? "" : "\n");
        return NULL;
}

const struct command cmd_features = {
        .name = "features",
        .summary = "Show the enabled features",
        .run = features_run,
};
