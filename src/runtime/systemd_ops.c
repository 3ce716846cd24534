/* systemd_ops.c - see systemd_ops.h and struct runtime_unit in runtime.h. */
#include "runtime/systemd_ops.h"

#include "base/str.h"
#include "runtime/cgroup_ops.h"
#include "sys/systemd.h"

#define ANNOTATION "org.systemd.property."

void runtime_unit_done(struct runtime_unit *u)
{
        free(u->name);
        free(u->slice);
        free(u->runtime_dir);
        free(u->bus_address);
        *u = (struct runtime_unit){0};
}

static err *open_manager(const struct runtime_unit *u, struct systemd **ret)
{
        struct systemd_where w = {
                .user = u->user, .runtime_dir = u->runtime_dir, .bus_address = u->bus_address, .run = "/run"};

        return systemd_open(&w, ret);
}

/* ---- names ---- */

/* What a unit's name cannot hold is written as systemd-escape(1) does it. */
static void escape(struct str *s, const char *text)
{
        for (; *text; text++) {
                char c = *text;

                if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr(":-_.\\@", c))
                        str_add_char(s, c);
                else
                        str_printf(s, "\\x%02x", (unsigned char)c);
        }
}

static err *name_unit(const char *prefix, const char *name, struct runtime_unit *u)
{
        _cleanup_str_ struct str s = {0};

        if (str_ends(name, ".slice"))
                return err_new(ERR_INVALID, "cgroupsPath: a slice (%.200s) cannot hold a container's processes", name);
        if (*prefix) {
                escape(&s, prefix);
                str_add_char(&s, '-');
        }
        escape(&s, name);
        str_add(&s, ".scope");
        TRY(str_take(&s, &u->name));
        return systemd_name_ok(u->name, ".scope")
                       ? NULL
                       : err_new(ERR_INVALID, "cgroupsPath: \"%.300s\" is no name of a unit", u->name);
}

/* "slice:prefix:name". */
static err *parse_path(const char *text, const char *prefix, const char *id, struct runtime_unit *u)
{
        _cleanup_strv_ char **part = NULL;
        const char *slice = "";

        if (str_empty(text)) {
                TRY(name_unit(prefix, id, u));
        } else {
                TRY(strv_split(text, ':', &part));
                if (strv_len(part) != 3)
                        return err_new(ERR_INVALID,
                                       "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd "
                                       "cgroups, got \"%.300s\" instead",
                                       text);
                slice = part[0];
                TRY(name_unit(part[1], part[2], u));
        }
        if (!*slice)
                slice = u->user ? "user.slice" : "system.slice";
        u->slice = str_dup(slice);
        return u->slice ? NULL : err_nomem();
}

err *runtime_unit_resolve(const struct oci_spec *spec, const char *prefix, const char *id, struct runtime_unit *u,
                          char **ret_cgroup)
{
        _cleanup_free_ char *slice = NULL, *manager = NULL, *path = NULL;
        const struct cgroup_layout *l;

        TRY(parse_path(spec->linux_.cgroups_path, prefix, id, u));
        TRY(systemd_slice_path(u->slice, &slice));
        if (u->user) {
                _cleanup_systemd_ struct systemd *s = NULL;

                TRY(cgroup_layout_get(&l));
                if (l->mode != CGROUP_MODE_V2)
                        return err_new(ERR_UNSUPPORTED, "cannot use rootless systemd cgroups manager on cgroup v1");
                TRY(open_manager(u, &s));
                TRY(systemd_control_group(s, &manager));
        }
        path = str_format("%s%s/%s", manager ? manager : "", slice, u->name);
        return path ? cgroup_path_clean(path, ret_cgroup) : err_nomem();
}

/* ---- start ---- */

/* What annotations ask for comes before the specification's own limits: those win. */
static err *add_annotations(const struct oci_spec *spec, struct systemd_props *p)
{
        for (size_t i = 0; i < spec->n_annotations; i++) {
                const char *name = str_after(spec->annotations[i].key, ANNOTATION);

                if (name)
                        TRY(systemd_annotation_parse(name, spec->annotations[i].value, p));
        }
        return NULL;
}

static err *add_basics(const struct runtime_unit *u, bool v2, pid_t pid, struct systemd_props *p)
{
        _cleanup_free_ char *description = str_format("container %s", u->name);

        if (!description)
                return err_nomem();
        systemd_prop_string(p, "Description", description);
        systemd_prop_string(p, "Slice", u->slice);
        systemd_prop_bool(p, "Delegate", true);
        systemd_prop_pids(p, &pid, 1);
        systemd_prop_bool(p, "MemoryAccounting", true);
        systemd_prop_bool(p, "CPUAccounting", true);
        systemd_prop_bool(p, v2 ? "IOAccounting" : "BlockIOAccounting", true);
        systemd_prop_bool(p, "TasksAccounting", true);
        systemd_prop_bool(p, "DefaultDependencies", false);
        return str_done(&p->body);
}

/* What both systemd and the cgroup get. A user's manager cannot limit devices, nor can we then. */
static struct oci_resources usable(const struct runtime_unit *u, const struct oci_resources *r)
{
        struct oci_resources copy = *r;

        copy.cpu.quota.n = systemd_quota(r->cpu.quota.n, r->cpu.period.n);
        if (u->user)
                copy.n_devices = 0;
        return copy;
}

err *systemd_ops_enter(const struct runtime_unit *u, const struct cgroup_layout *l, const char *cgroup,
                       const struct oci_spec *spec, pid_t pid, bool *ret_made)
{
        const struct oci_resources r = usable(u, &spec->linux_.resources);
        _cleanup_systemd_props_ struct systemd_props p = {{0}};
        _cleanup_systemd_ struct systemd *s = NULL;
        bool v2 = l->mode == CGROUP_MODE_V2;
        err *e;

        TRY(open_manager(u, &s));
        TRY(add_basics(u, v2, pid, &p));
        TRY(add_annotations(spec, &p));
        TRY(cgroup_ops_properties(l, cgroup, &r, !u->user, systemd_version(s), &p));
        e = systemd_start(s, u->name, &p);
        *ret_made = !e || err_code(e) != ERR_CONFLICT; /* a living one is somebody else's, perhaps in another slice */
        TRY(e);
        TRY(cgroup_adopt(l, cgroup));
        /* The hierarchies that systemd does not use; and a check that the scope is where it has to be. */
        TRY(cgroup_join(l, cgroup, pid));
        if (v2 && !u->user)
                TRY(cgroup_ops_give(l, cgroup, spec));
        return u->user ? cgroup_ops_apply(l, cgroup, &r) : cgroup_ops_apply_new(l, cgroup, &r);
}

err *systemd_ops_attach(const struct runtime_unit *u, const char *sub, pid_t pid)
{
        _cleanup_systemd_ struct systemd *s = NULL;

        _cleanup_free_ char *below = sub ? str_format("/%s", sub + strspn(sub, "/")) : NULL;

        if (sub && !below)
                return err_nomem();
        TRY(open_manager(u, &s));
        return systemd_attach(s, u->name, below ? below : "", pid);
}

/* ---- a living one ---- */

err *runtime_unit_update(const struct runtime_unit *u, const char *cgroup, const struct oci_resources *resources)
{
        const struct oci_resources r = usable(u, resources);
        _cleanup_systemd_props_ struct systemd_props p = {{0}};
        _cleanup_systemd_ struct systemd *s = NULL;
        const struct cgroup_layout *l;

        TRY(cgroup_layout_get(&l));
        TRY(open_manager(u, &s));
        TRY(cgroup_ops_properties(l, cgroup, &r, false, systemd_version(s), &p));
        if (p.body.len)
                TRY(systemd_set(s, u->name, &p));
        return cgroup_ops_apply(l, cgroup, &r);
}

err *runtime_unit_stop(const struct runtime_unit *u)
{
        _cleanup_systemd_ struct systemd *s = NULL;

        TRY(open_manager(u, &s));
        return systemd_stop(s, u->name);
}
