/* systemd.h - what a container needs of systemd: a scope with limits, its change, its end; over D-Bus.
 *
 * Privilege: root for the system's manager; its owner for a user's. Locking: none. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "sys/cgroup.h"

/* Where a manager is found. */
struct systemd_where {
        bool user;               /* the manager of our user, not the system's */
        const char *runtime_dir; /* user: $XDG_RUNTIME_DIR; NULL = /run/user/<uid> */
        const char *bus_address; /* user: $DBUS_SESSION_BUS_ADDRESS, or NULL; only "unix:path=" is understood */
        const char *run;         /* "/run"; a test's directory */
};

struct systemd;
/* Connect: the manager's own socket first, the bus after it (it may be a container's, where only that is bound).
 * ERR_NOT_FOUND if there is no systemd. */
MUST_USE err *systemd_open(const struct systemd_where *w, struct systemd **ret);
void systemd_close(struct systemd *s);
DEFINE_CLEANUP(struct systemd *, systemd_close)
#define _cleanup_systemd_ __attribute__((cleanup(systemd_closep)))
/* 252 of "252.31-1~deb12u1". */
int systemd_version(const struct systemd *s);
/* The cgroup in which the manager has its units: "" for the system's, "/user.slice/user-1000.slice/user@1000.service".
 * Owned by the caller. */
MUST_USE err *systemd_control_group(struct systemd *s, char **ret);

/* ---- names ---- */

/* "a-b.slice" is in "a.slice": "/a.slice/a-b.slice"; "-.slice" is "". ERR_INVALID "invalid slice name: ...". */
MUST_USE err *systemd_slice_path(const char *slice, char **ret);
/* Is @name one that a unit may have (systemd.unit(5)), with this suffix? */
bool systemd_name_ok(const char *name, const char *suffix);

/* ---- properties: an a(sv) under construction ---- */

struct systemd_props {
        struct str body;
};
void systemd_props_done(struct systemd_props *p);
#define _cleanup_systemd_props_ __attribute__((cleanup(systemd_props_done)))
/* Append one, of the D-Bus type that systemd gives to it: b, i, t, s, as, ay, au. */
void systemd_prop_bool(struct systemd_props *p, const char *name, bool value);
void systemd_prop_i32(struct systemd_props *p, const char *name, int32_t value);
void systemd_prop_u64(struct systemd_props *p, const char *name, uint64_t value);
void systemd_prop_string(struct systemd_props *p, const char *name, const char *value);
void systemd_prop_strings(struct systemd_props *p, const char *name, char *const *values);
void systemd_prop_bytes(struct systemd_props *p, const char *name, const uint8_t *value, size_t n);
void systemd_prop_pids(struct systemd_props *p, const pid_t *pids, size_t n);

/* Limits as properties; what systemd does not know (or this version of it) is left to cgroup_apply(), which comes
 * after.
 * @v2: the names of the unified hierarchy. systemd applies them again whenever it likes (daemon-reload), so it has to
 * know them. ERR_INVALID for values that cannot be said. */
MUST_USE err *systemd_resources(const struct cgroup_resources *r, bool v2, int version, struct systemd_props *p);

/* systemd counts in hundredths of a CPU: @quota (µs in @period; 0 = the kernel's default) rounded up to what it can
 * say. The cgroup has to get the same, or groups below could not have what was asked for. */
int64_t systemd_quota(int64_t quota, uint64_t period);

/* One property from text, as annotations "org.systemd.property.NAME" have it: typed as in GVariant's text form
 * ("uint64 5", "true", "'text'", "['a', 'b']"). Only properties that neither run nor stop anything else and lift no
 * limit are taken (docs/decisions/0019-systemd-driver.md). A name in "Sec" takes seconds and becomes "USec".
 * ERR_DENIED for another name, ERR_INVALID for a value that is not of the property's type. */
MUST_USE err *systemd_annotation_parse(const char *name, const char *text, struct systemd_props *p);

/* ---- units ---- */

/* Start the transient @unit and wait until it is there. One of that name that has failed is forgotten first.
 * ERR_CONFLICT if one lives. */
MUST_USE err *systemd_start(struct systemd *s, const char *unit, const struct systemd_props *p);
/* Change a living unit until the next boot. */
MUST_USE err *systemd_set(struct systemd *s, const char *unit, const struct systemd_props *p);
/* Move @pid into the cgroup of the living @unit, or into its cgroup @sub ("" = none, else "/name"). */
MUST_USE err *systemd_attach(struct systemd *s, const char *unit, const char *sub, pid_t pid);
/* Stop @unit, wait for that, and forget that it may have failed. One that is not there is success. */
MUST_USE err *systemd_stop(struct systemd *s, const char *unit);
