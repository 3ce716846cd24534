/* plan_process.c - the process of a plan: who it is, what it may do, what it runs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/plan.h"
#include "sys/caps.h"
#include "sys/lsm.h"

/* Labels that were asked for and cannot be had are errors: a container must not run less confined than it looks. */
static err *set_labels(struct plan_process *to, const struct oci_process *p)
{
        if (!str_empty(p->apparmor_profile)) {
                if (lsm_apparmor_enabled())
                        to->apparmor = p->apparmor_profile;
                else if (!str_eq(p->apparmor_profile, "unconfined"))
                        return err_new(ERR_UNSUPPORTED,
                                       "apparmor profile %s is wanted, but AppArmor is not enabled here",
                                       p->apparmor_profile);
        }
        if (!str_empty(p->selinux_label)) {
                if (!lsm_selinux_enabled())
                        return err_new(ERR_UNSUPPORTED,
                                       "selinux label is specified in config, but selinux is disabled or "
                                       "not supported");
                to->selinux = p->selinux_label;
        }
        return NULL;
}

struct names {
        uint32_t *slots; /* index + 1 into the environment, 0 = free; open addressing */
        size_t mask;
};

/* The slot of the variable that @text defines, whose name has @size bytes. */
static uint32_t *find_name(const struct names *n, char *const *env, const char *text, size_t size)
{
        for (size_t at = hash_fnv32(text, size) & n->mask;; at = (at + 1) & n->mask)
                if (!n->slots[at] || strncmp(env[n->slots[at] - 1], text, size + 1) == 0)
                        return &n->slots[at];
}

/* An empty HOME is none, as with runc. */
static void drop_empty_home(struct plan_process *to)
{
        size_t kept = 0;

        for (size_t i = 0; i < to->n_env; i++)
                if (!str_eq(to->envp[i], "HOME="))
                        to->envp[kept++] = to->envp[i];
        to->envp[kept] = NULL;
        to->n_env = kept;
}

/* Later definitions win, as setenv would have it. An image decides how many there are: no quadratic search. */
static err *set_env(struct plan *p, struct plan_process *to, char *const *env)
{
        size_t n = strv_len(env);
        struct names names = {.mask = 15};

        while (names.mask < n * 2)
                names.mask = names.mask * 2 + 1;
        names.slots = ARENA_NEW(&p->arena, uint32_t, names.mask + 1);
        to->envp = ARENA_NEW(&p->arena, char *, n + 2); /* room for HOME */
        TRY(arena_check(&p->arena));
        for (size_t i = 0; i < n; i++) {
                const char *eq = strchr(env[i], '=');
                uint32_t *slot;

                if (!eq || eq == env[i])
                        return err_new(ERR_INVALID, "invalid environment variable: \"%s\"", env[i]);
                slot = find_name(&names, to->envp, env[i], (size_t)(eq - env[i]));
                if (!*slot)
                        *slot = (uint32_t)++to->n_env;
                to->envp[*slot - 1] = env[i];
        }
        drop_empty_home(to);
        to->want_home = !strv_env(to->envp, "HOME");
        return NULL;
}

/* Numbers above 2, so that filling 0, 1, 2 one after the other cannot overwrite one that is still to come. */
static err *set_stdio(struct plan *p, struct plan_process *to, const int stdio[3])
{
        for (int i = 0; i < 3; i++) {
                int fd = stdio[i];

                if (fd >= 0 && fd != i && fd < 3) {
                        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3 + p->preserve_fds);
                        if (fd < 0)
                                return err_sys(errno, "duplicating descriptor %d", stdio[i]);
                        fd = plan_own_fd(p, fd);
                }
                to->stdio[i] = fd;
        }
        return arena_check(&p->arena);
}

/* What we do not have ourselves; in a user namespace of its own the container's root has everything. */
static uint64_t ungrantable(const struct plan *p)
{
        uint64_t effective, permitted, inheritable;

        if (p->new_user || p->user_fd >= 0 || caps_get(&effective, &permitted, &inheritable) < 0)
                return 0;
        return ~permitted;
}

/* What cannot be had is no error: runtime-spec, config.md, "process.capabilities". */
static void warn_of_caps(const struct plan *p, struct plan_process *to)
{
        struct oci_caps *c = &to->caps;
        uint64_t missing = (c->effective | c->permitted | c->inheritable) & ungrantable(p), impossible;
        _cleanup_str_ struct str names = {0};

        c->effective &= ~missing;
        c->permitted &= ~missing;
        c->inheritable &= ~missing;
        impossible = c->ambient & ~(c->permitted & c->inheritable);
        for (size_t i = 0; c->unknown && c->unknown[i]; i++)
                str_printf(&names, "%s%s", names.len ? " " : "", c->unknown[i]);
        for (unsigned n = 0; oci_cap_name(n); n++)
                if (missing >> n & 1)
                        str_printf(&names, "%s%s", names.len ? " " : "", oci_cap_name(n));
        if (names.len)
                log_warn("ignoring unknown or unavailable capabilities: [%s]", str_text(&names));
        for (unsigned n = 0; oci_cap_name(n); n++)
                if (impossible >> n & 1)
                        log_warn("can't raise ambient capability %s: operation not permitted", oci_cap_name(n));
        c->ambient &= ~impossible;
}

err *plan_set_process(struct plan *p, const struct oci_process *process, const int stdio[3], bool fix_owner)
{
        struct plan_process *to = &p->process;

        if (!process || !process->args || !process->args[0])
                return err_new(ERR_INVALID, "args must not be empty");
        to->argv = process->args;
        to->cwd = process->cwd ? process->cwd : "/";
        to->uid = process->user.uid;
        to->gid = process->user.gid;
        _Static_assert(sizeof(gid_t) == sizeof(uint32_t), "gid_t");
        to->groups = process->user.groups;
        to->n_groups = process->user.n_groups;
        to->umask = process->user.umask_set ? process->user.umask & 0777 : 0022;
        to->caps = process->caps; /* none where the section is missing, as runc */
        warn_of_caps(p, to);
        to->rlimits = process->rlimits;
        to->n_rlimits = process->n_rlimits;
        to->no_new_privs = process->no_new_privileges;
        to->oom_set = process->oom_score_adj_set;
        to->oom_score_adj = process->oom_score_adj;
        to->scheduler = process->scheduler.set ? &process->scheduler : NULL;
        to->io_priority = process->io_priority.set ? &process->io_priority : NULL;
        if (p->exec && process->affinity_final.bits)
                to->affinity_final = &process->affinity_final;
        if (p->exec && process->affinity_initial.bits)
                to->affinity_initial = &process->affinity_initial;
        to->affinity_reset = !to->affinity_initial && !to->affinity_final;
        to->terminal = process->terminal;
        to->height = process->console_height;
        to->width = process->console_width;
        to->fix_stdio_owner = fix_owner;
        TRY(set_labels(to, process));
        TRY(set_env(p, to, process->env));
        return set_stdio(p, to, stdio);
}
