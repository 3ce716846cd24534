/* systemd.c - see systemd.h: the manager's interface. */
#include "sys/systemd.h"

#include <stdio.h>
#include <unistd.h>

#include "sys/dbus.h"

#define NAME_LIMIT 255
#define CALL_MS 25000
#define JOB_MS 30000
#define STOP_MS 30000

#define BUS "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER BUS ".Manager"

struct systemd {
        struct dbus *bus;
        int version;
        char *unique_name; /* the manager's on the bus, ":1.2"; NULL without a bus */
};

void systemd_close(struct systemd *s)
{
        if (s->bus)
                dbus_close(s->bus);
        free(s->unique_name);
        free(s);
}

int systemd_version(const struct systemd *s)
{
        return s->version;
}

/* ---- names ---- */

bool systemd_name_ok(const char *name, const char *suffix)
{
        size_t n = strlen(name);

        if (n > NAME_LIMIT || n <= strlen(suffix) || !str_ends(name, suffix))
                return false;
        for (const char *p = name; *p; p++)
                if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                      strchr(":-_.\\@", *p)))
                        return false;
        return true;
}

err *systemd_slice_path(const char *slice, char **ret)
{
        _cleanup_str_ struct str s = {0};
        size_t n = strlen(slice);

        if (str_eq(slice, "-.slice"))
                return str_take(&s, ret);
        if (!systemd_name_ok(slice, ".slice"))
                return err_new(ERR_INVALID, "invalid slice name: %.300s", slice);
        n -= strlen(".slice");
        for (size_t i = 0; i <= n; i++) {
                if (i < n && slice[i] != '-')
                        continue;
                if (i == 0 || slice[i - 1] == '-') /* an empty part */
                        return err_new(ERR_INVALID, "invalid slice name: %.300s", slice);
                str_printf(&s, "/%.*s.slice", (int)i, slice);
        }
        return str_take(&s, ret);
}

/* ---- calls ---- */

static struct dbus_call manager_call(const char *member, const char *signature, const struct str *body)
{
        return (struct dbus_call){.destination = BUS,
                                  .path = MANAGER_PATH,
                                  .interface = MANAGER,
                                  .member = member,
                                  .signature = signature,
                                  .body = body};
}

static bool error_is(const struct dbus_message *m, const char *name)
{
        return m->type == DBUS_ERROR && str_eq(m->error, name);
}

static bool unit_is_gone(const struct dbus_message *m)
{
        return error_is(m, BUS ".NoSuchUnit") || error_is(m, BUS ".UnitNotLoaded");
}

static err *refused(const struct dbus_message *m)
{
        enum err_code code = ERR_SYS;

        if (error_is(m, "org.freedesktop.DBus.Error.AccessDenied") ||
            error_is(m, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"))
                code = ERR_DENIED;
        else if (error_is(m, BUS ".UnitExists"))
                code = ERR_CONFLICT;
        else if (unit_is_gone(m))
                code = ERR_NOT_FOUND;
        else if (error_is(m, "org.freedesktop.DBus.Error.InvalidArgs") ||
                 error_is(m, "org.freedesktop.DBus.Error.PropertyReadOnly"))
                code = ERR_INVALID;
        return err_new(code, "systemd: %.500s", dbus_error_text(m));
}

/* A string property of the manager, owned by the caller. */
static err *get_string(struct systemd *s, const char *property, char **ret)
{
        _cleanup_str_ struct str body = {0};
        struct dbus_message m;
        struct dbus_call c = manager_call("Get", "ss", &body);
        const char *type;

        c.interface = "org.freedesktop.DBus.Properties";
        dbus_write_string(&body, MANAGER);
        dbus_write_string(&body, property);
        TRY(str_done(&body));
        TRY_WRAP(dbus_call(s->bus, &c, dbus_deadline(CALL_MS), &m), "systemd");
        if (m.type == DBUS_ERROR)
                return refused(&m);
        type = str_eq(m.signature, "v") ? dbus_read_signature(&m.body) : "";
        *ret = str_eq(type, "s") ? str_dup(dbus_read_string(&m.body)) : NULL;
        if (m.body.bad || !str_eq(type, "s")) {
                free(*ret);
                *ret = NULL;
                return err_new(ERR_CORRUPT, "systemd: its property %s is no text", property);
        }
        if (*ret && !s->unique_name && m.sender) {
                s->unique_name = str_dup(m.sender);
                if (!s->unique_name)
                        free(TAKE_PTR(*ret));
        }
        return *ret ? NULL : err_nomem();
}

err *systemd_control_group(struct systemd *s, char **ret)
{
        return get_string(s, "ControlGroup", ret);
}

/* ---- open ---- */

/* @path is consumed. */
static err *try_socket(char *path, bool is_bus, struct dbus **ret)
{
        err *e = path ? dbus_open(path, is_bus, dbus_deadline(CALL_MS), ret) : err_nomem();

        free(path);
        return e;
}

static err *open_user(const struct systemd_where *w, struct dbus **ret)
{
        _cleanup_free_ char *by_uid = NULL;
        const char *dir = w->runtime_dir, *address = str_empty(w->bus_address) ? NULL : w->bus_address;
        err *e;

        if (str_empty(dir))
                dir = by_uid = str_format("%s/user/%u", w->run, (unsigned)geteuid());
        if (!dir)
                return err_nomem();
        e = try_socket(str_format("%s/systemd/private", dir), false, ret);
        if (!e)
                return NULL;
        err_free(e);
        if (address && str_after(address, "unix:path=")) {
                address = str_after(address, "unix:path=");
                e = try_socket(str_format("%.*s", (int)strcspn(address, ",;"), address), true, ret);
        } else {
                e = try_socket(str_format("%s/bus", dir), true, ret);
        }
        return e ? err_wrap(e, "no manager of this user's services (is there a login session?)") : NULL;
}

static err *open_system(const struct systemd_where *w, struct dbus **ret)
{
        err *e = try_socket(str_format("%s/systemd/private", w->run), false, ret);

        if (!e)
                return NULL;
        err_free(e);
        e = try_socket(str_format("%s/dbus/system_bus_socket", w->run), true, ret);
        return e ? err_wrap(e, "systemd is not there (running with --systemd-cgroup needs it)") : NULL;
}

/* Signals come only to who asks for them; the manager's own socket sends them to everybody. Nobody answers. */
static err *subscribe(struct systemd *s)
{
        static const char *const rule =
                "type='signal',sender='" BUS "',path='" MANAGER_PATH "',interface='" MANAGER "',member='JobRemoved'";
        _cleanup_str_ struct str body = {0};
        struct dbus_call match = {.destination = "org.freedesktop.DBus",
                                  .path = "/org/freedesktop/DBus",
                                  .interface = "org.freedesktop.DBus",
                                  .member = "AddMatch",
                                  .signature = "s",
                                  .flags = DBUS_NO_REPLY,
                                  .body = &body};
        struct dbus_call c = manager_call("Subscribe", "", NULL);

        if (!dbus_is_bus(s->bus))
                return NULL;
        dbus_write_string(&body, rule);
        TRY(str_done(&body));
        TRY(dbus_send(s->bus, &match));
        c.flags = DBUS_NO_REPLY;
        return dbus_send(s->bus, &c);
}

err *systemd_open(const struct systemd_where *w, struct systemd **ret)
{
        _cleanup_systemd_ struct systemd *s = MEM_NEW0(struct systemd, 1);
        _cleanup_free_ char *version = NULL;

        if (!s)
                return err_nomem();
        TRY(w->user ? open_user(w, &s->bus) : open_system(w, &s->bus));
        TRY(subscribe(s));
        TRY(get_string(s, "Version", &version));
        for (const char *p = version + (*version == 'v'); *p >= '0' && *p <= '9' && s->version < 100000; p++)
                s->version = s->version * 10 + (*p - '0');
        *ret = TAKE_PTR(s);
        return NULL;
}

/* ---- units ---- */

/* Is @m the news that a job for @unit has ended? Then its path and its result are left in @ret_job, @ret_result.
 * Anybody may send us signals over a bus: only the manager's count. */
static bool job_removed(const struct systemd *s, const struct dbus_message *m, const char *unit, const char **ret_job,
                        const char **ret_result)
{
        struct dbus_reader r = m->body;
        const char *job, *of, *result;

        if (dbus_is_bus(s->bus) && !str_eq(m->sender, s->unique_name))
                return false;
        if (m->type != DBUS_SIGNAL || !str_eq(m->member, "JobRemoved") || !str_eq(m->interface, MANAGER) ||
            !str_eq(m->signature, "uoss"))
                return false;
        (void)dbus_read_u32(&r);
        job = dbus_read_string(&r);
        of = dbus_read_string(&r);
        result = dbus_read_string(&r);
        if (r.bad || !str_eq(of, unit))
                return false;
        *ret_job = job;
        *ret_result = result;
        return true;
}

struct job {
        const char *unit;
        char *path, *result; /* from the answer; from the signal, whose path must be the same */
        char *early_path;    /* a signal may come before the answer */
};

static void job_done(struct job *j)
{
        free(j->path);
        free(j->result);
        free(j->early_path);
}

/* Keep what a signal says; it may be about an older job of the same unit. */
static err *job_signal(const struct systemd *s, struct job *j, const struct dbus_message *m)
{
        const char *path, *result;

        if (!job_removed(s, m, j->unit, &path, &result) || (j->path && !str_eq(path, j->path)))
                return NULL;
        free(j->early_path);
        free(j->result);
        j->early_path = str_dup(path);
        j->result = str_dup(result);
        return j->early_path && j->result ? NULL : err_nomem();
}

static err *job_answer(struct job *j, struct dbus_message *m)
{
        if (m->type == DBUS_ERROR)
                return refused(m);
        j->path = str_eq(m->signature, "o") ? str_dup(dbus_read_string(&m->body)) : NULL;
        if (!j->path || m->body.bad)
                return err_new(ERR_CORRUPT, "systemd: its answer names no job");
        if (j->early_path && !str_eq(j->early_path, j->path)) {
                free(j->result);
                j->result = NULL;
        }
        return NULL;
}

/* A call that makes a job, and the job's end. */
static err *call_job(struct systemd *s, struct dbus_call *c, const char *unit, int ms, char **ret_result)
{
        _cleanup_(job_done) struct job j = {.unit = unit};
        int64_t deadline = dbus_deadline(ms);

        TRY(dbus_send(s->bus, c));
        while (!j.path || !j.result) {
                struct dbus_message m;

                TRY_WRAP(dbus_receive(s->bus, deadline, &m), "systemd: waiting for the unit %s", unit);
                if ((m.type == DBUS_RETURN || m.type == DBUS_ERROR) && m.reply_serial == c->serial)
                        TRY(job_answer(&j, &m));
                else
                        TRY(job_signal(s, &j, &m));
        }
        *ret_result = TAKE_PTR(j.result);
        return NULL;
}

static err *reset_failed(struct systemd *s, const char *unit)
{
        _cleanup_str_ struct str body = {0};
        struct dbus_call c = manager_call("ResetFailedUnit", "s", &body);
        struct dbus_message m;

        dbus_write_string(&body, unit);
        TRY(str_done(&body));
        TRY_WRAP(dbus_call(s->bus, &c, dbus_deadline(CALL_MS), &m), "systemd");
        return m.type == DBUS_ERROR && !unit_is_gone(&m) ? refused(&m) : NULL;
}

static void add_props(struct str *body, const struct systemd_props *p)
{
        struct dbus_array a = dbus_write_array(body, 8);

        str_add_n(body, p->body.data, p->body.len); /* aligned alike: it begins at a multiple of 8 */
        dbus_write_array_end(body, a);
}

err *systemd_start(struct systemd *s, const char *unit, const struct systemd_props *p)
{
        _cleanup_str_ struct str body = {0};
        _cleanup_free_ char *result = NULL;
        struct dbus_call c = manager_call("StartTransientUnit", "ssa(sv)a(sa(sv))", &body);
        err *e;

        TRY(str_done(&p->body));
        dbus_write_string(&body, unit);
        dbus_write_string(&body, "replace");
        add_props(&body, p);
        dbus_write_array_end(&body, dbus_write_array(&body, 8)); /* no further units */
        TRY(str_done(&body));
        e = call_job(s, &c, unit, JOB_MS, &result);
        if (e && err_code(e) == ERR_CONFLICT) { /* perhaps what is left of one that failed */
                err_free(e);
                TRY(reset_failed(s, unit));
                e = call_job(s, &c, unit, JOB_MS, &result);
        }
        TRY_WRAP(e, "unable to start unit \"%s\"", unit);
        if (str_eq(result, "done"))
                return NULL;
        err_free(reset_failed(s, unit));
        return err_new(ERR_SYS, "error creating systemd unit `%s`: got `%.50s`", unit, result);
}

err *systemd_set(struct systemd *s, const char *unit, const struct systemd_props *p)
{
        _cleanup_str_ struct str body = {0};
        struct dbus_call c = manager_call("SetUnitProperties", "sba(sv)", &body);
        struct dbus_message m;

        TRY(str_done(&p->body));
        dbus_write_string(&body, unit);
        dbus_write_u32(&body, true); /* not beyond the next boot */
        add_props(&body, p);
        TRY(str_done(&body));
        TRY_WRAP(dbus_call(s->bus, &c, dbus_deadline(CALL_MS), &m), "unable to set unit properties");
        return m.type == DBUS_ERROR ? err_wrap(refused(&m), "unable to set unit properties") : NULL;
}

err *systemd_attach(struct systemd *s, const char *unit, const char *sub, pid_t pid)
{
        _cleanup_str_ struct str body = {0};
        struct dbus_call c = manager_call("AttachProcessesToUnit", "ssau", &body);
        struct dbus_message m;
        struct dbus_array a;

        dbus_write_string(&body, unit);
        dbus_write_string(&body, sub);
        a = dbus_write_array(&body, 4);
        dbus_write_u32(&body, (uint32_t)pid);
        dbus_write_array_end(&body, a);
        TRY(str_done(&body));
        TRY_WRAP(dbus_call(s->bus, &c, dbus_deadline(CALL_MS), &m), "systemd");
        return m.type == DBUS_ERROR ? err_wrap(refused(&m), "unable to add a process to unit \"%s\"", unit) : NULL;
}

err *systemd_stop(struct systemd *s, const char *unit)
{
        _cleanup_str_ struct str body = {0};
        _cleanup_free_ char *result = NULL;
        struct dbus_call c = manager_call("StopUnit", "ss", &body);
        err *e;

        dbus_write_string(&body, unit);
        dbus_write_string(&body, "replace");
        TRY(str_done(&body));
        e = call_job(s, &c, unit, STOP_MS, &result);
        if (e && err_code(e) == ERR_NOT_FOUND)
                e = err_free(e);
        TRY_WRAP(e, "unable to stop unit \"%s\"", unit);
        return reset_failed(s, unit);
}
