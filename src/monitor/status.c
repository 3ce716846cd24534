/* status.c - see status.h. */
#include "monitor/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define CONF_MAX (4u << 20) /* bytes; a name of a layer is short, 128 of them are many */
#define LIST_MAX_ITEMS 65536

/* What a line of the files can be. */
enum kind {
        KIND_BOOL,
        KIND_UNSIGNED,
        KIND_INT,
        KIND_U64,
        KIND_I64,
        KIND_STATE,
        KIND_TEXT,   /* char[] inside the structure */
        KIND_STRING, /* char *, owned */
        KIND_LIST,   /* char **, owned; one line an item */
};
struct field {
        const char *key;
        unsigned short offset, size;
        enum kind kind;
};
#define FIELD(type, member, key_, kind_)                                                                               \
        {                                                                                                              \
                key_, offsetof(type, member), sizeof(((type *)NULL)->member), kind_                                    \
        }

static const struct field status_fields[] = {
        FIELD(struct status, version, "version", KIND_UNSIGNED),
        FIELD(struct status, state, "state", KIND_STATE),
        FIELD(struct status, boot_id, "boot_id", KIND_TEXT),
        FIELD(struct status, monitor_pid, "monitor_pid", KIND_INT),
        FIELD(struct status, pid, "pid", KIND_INT),
        FIELD(struct status, pid_start, "pid_start", KIND_U64),
        FIELD(struct status, exit_code, "exit_code", KIND_INT),
        FIELD(struct status, exit_known, "exit_known", KIND_BOOL),
        FIELD(struct status, oom_killed, "oom_killed", KIND_BOOL),
        FIELD(struct status, cleaned, "cleaned", KIND_BOOL),
        FIELD(struct status, restarts, "restarts", KIND_UNSIGNED),
        FIELD(struct status, started_ns, "started_ns", KIND_I64),
        FIELD(struct status, finished_ns, "finished_ns", KIND_I64),
        FIELD(struct status, error, "error", KIND_TEXT),
        FIELD(struct status, cgroup, "cgroup", KIND_TEXT),
};

static const struct field conf_fields[] = {
        FIELD(struct monitor_conf, version, "version", KIND_UNSIGNED),
        FIELD(struct monitor_conf, id, "id", KIND_STRING),
        FIELD(struct monitor_conf, name, "name", KIND_STRING),
        FIELD(struct monitor_conf, bundle, "bundle", KIND_STRING),
        FIELD(struct monitor_conf, log_path, "log_path", KIND_STRING),
        FIELD(struct monitor_conf, log_max_size, "log_max_size", KIND_U64),
        FIELD(struct monitor_conf, log_max_files, "log_max_files", KIND_UNSIGNED),
        FIELD(struct monitor_conf, log_attrs, "log_attrs", KIND_STRING),
        FIELD(struct monitor_conf, tty, "tty", KIND_BOOL),
        FIELD(struct monitor_conf, open_stdin, "open_stdin", KIND_BOOL),
        FIELD(struct monitor_conf, stdin_once, "stdin_once", KIND_BOOL),
        FIELD(struct monitor_conf, user, "user", KIND_STRING),
        FIELD(struct monitor_conf, groups, "group", KIND_LIST),
        FIELD(struct monitor_conf, rootfs_driver, "rootfs_driver", KIND_STRING),
        FIELD(struct monitor_conf, lower, "lower", KIND_LIST),
        FIELD(struct monitor_conf, upper, "upper", KIND_STRING),
        FIELD(struct monitor_conf, work, "work", KIND_STRING),
        FIELD(struct monitor_conf, rootfs_volatile, "rootfs_volatile", KIND_BOOL),
        FIELD(struct monitor_conf, rootfs_readonly, "rootfs_readonly", KIND_BOOL),
        FIELD(struct monitor_conf, rootfs_limited, "rootfs_limited", KIND_BOOL),
        FIELD(struct monitor_conf, restart_policy, "restart_policy", KIND_STRING),
        FIELD(struct monitor_conf, restart_max, "restart_max", KIND_UNSIGNED),
        FIELD(struct monitor_conf, stop_signal, "stop_signal", KIND_INT),
        FIELD(struct monitor_conf, term_added, "term_added", KIND_BOOL),
        FIELD(struct monitor_conf, auto_remove, "auto_remove", KIND_BOOL),
        FIELD(struct monitor_conf, hod, "hod", KIND_STRING),
        FIELD(struct monitor_conf, root_dir, "root_dir", KIND_STRING),
        FIELD(struct monitor_conf, state_dir, "state_dir", KIND_STRING),
        FIELD(struct monitor_conf, seccomp_cache, "seccomp_cache", KIND_STRING),
        FIELD(struct monitor_conf, seccomp_name, "seccomp_name", KIND_STRING),
        FIELD(struct monitor_conf, donors, "donor", KIND_LIST),
        FIELD(struct monitor_conf, endpoints, "endpoint", KIND_LIST),
        FIELD(struct monitor_conf, ports, "port", KIND_LIST),
        FIELD(struct monitor_conf, dns, "dns", KIND_LIST),
        FIELD(struct monitor_conf, names, "names", KIND_BOOL),
        FIELD(struct monitor_conf, monitor_cgroup, "monitor_cgroup", KIND_STRING),
};

static const char *const state_names[STATUS_STATE_MAX_] = {
        [STATUS_CREATED] = "created",       [STATUS_RUNNING] = "running", [STATUS_PAUSED] = "paused",
        [STATUS_RESTARTING] = "restarting", [STATUS_EXITED] = "exited",
};

const char *status_state_name(enum status_state s)
{
        return s >= 0 && s < STATUS_STATE_MAX_ ? state_names[s] : "unknown";
}

/* ---- writing ---- */

/* A bounded buffer; too long is remembered. */
struct out {
        char *data;
        size_t used, room;
        bool full;
};

static void out_add(struct out *o, const char *data, size_t n)
{
        if (n >= o->room - o->used) {
                o->full = true;
                return;
        }
        memcpy(o->data + o->used, data, n);
        o->used += n;
        o->data[o->used] = '\0';
}

static void out_line(struct out *o, const char *key, const char *value)
{
        out_add(o, key, strlen(key));
        out_add(o, "=", 1);
        while (*value) {
                size_t n = strcspn(value, "\\\n");

                out_add(o, value, n);
                value += n;
                if (*value)
                        out_add(o, *value++ == '\n' ? "\\n" : "\\\\", 2);
        }
        out_add(o, "\n", 1);
}

/* @p: the field's place. Strings that are NULL have no line. */
static void out_field(struct out *o, const struct field *f, const void *p)
{
        char number[24];

        switch (f->kind) {
        case KIND_BOOL:
                out_line(o, f->key, *(const bool *)p ? "1" : "0");
                return;
        case KIND_STATE:
                out_line(o, f->key, status_state_name(*(const enum status_state *)p));
                return;
        case KIND_TEXT:
                out_line(o, f->key, p);
                return;
        case KIND_STRING:
                if (*(char *const *)p)
                        out_line(o, f->key, *(char *const *)p);
                return;
        case KIND_LIST:
                for (char *const *s = *(char **const *)p; s && *s; s++)
                        out_line(o, f->key, *s);
                return;
        case KIND_UNSIGNED:
                (void)snprintf(number, sizeof(number), "%u", *(const unsigned *)p);
                break;
        case KIND_INT:
                (void)snprintf(number, sizeof(number), "%d", *(const int *)p);
                break;
        case KIND_U64:
                (void)snprintf(number, sizeof(number), "%" PRIu64, *(const uint64_t *)p);
                break;
        case KIND_I64:
                (void)snprintf(number, sizeof(number), "%" PRId64, *(const int64_t *)p);
                break;
        }
        out_line(o, f->key, number);
}

err *status_format(const struct status *s, char *buf, size_t size, size_t *ret_size)
{
        struct out o = {.data = buf, .room = size};

        for (size_t i = 0; i < ARRAY_SIZE(status_fields); i++)
                out_field(&o, &status_fields[i], (const char *)s + status_fields[i].offset);
        if (o.full)
                return err_new(ERR_LIMIT, "the status does not fit %zu bytes", size);
        *ret_size = o.used;
        return NULL;
}

/* Replace @name. A fixed temporary name is enough: there is one writer (the holder of the lock; the engine for conf).
 */
static int replace(int dirfd, const char *temporary, const char *name, const char *data, size_t size)
{
        _cleanup_close_ int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = file_write_all(fd, data, size);
        if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(dirfd, temporary, 0);
        return r;
}

err *status_write(int dirfd, const struct status *s)
{
        char text[STATUS_TEXT_MAX];
        size_t size;
        int r;

        TRY(status_format(s, text, sizeof(text), &size));
        r = replace(dirfd, ".status", "status", text, size);
        return r < 0 ? err_sys(r, "writing the container's status") : NULL;
}

err *monitor_conf_write(int dirfd, const struct monitor_conf *c)
{
        for (size_t room = 8192; room <= CONF_MAX; room *= 4) {
                _cleanup_free_ char *text = malloc(room);
                struct out o = {.data = text, .room = room};
                int r;

                if (!text)
                        return err_nomem();
                for (size_t i = 0; i < ARRAY_SIZE(conf_fields); i++)
                        out_field(&o, &conf_fields[i], (const char *)c + conf_fields[i].offset);
                if (o.full)
                        continue;
                r = replace(dirfd, ".conf", "conf", text, o.used);
                return r < 0 ? err_sys(r, "writing the monitor's configuration") : NULL;
        }
        return err_new(ERR_LIMIT, "the monitor's configuration is larger than %u bytes", CONF_MAX);
}

/* ---- reading ---- */

static bool read_unsigned(const char *text, uint64_t max, uint64_t *ret)
{
        uint64_t n = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                unsigned digit = (unsigned)(*text - '0');

                if (digit > 9 || n > (max - digit) / 10)
                        return false;
                n = n * 10 + digit;
        }
        *ret = n;
        return true;
}

static bool read_signed(const char *text, int64_t max, int64_t *ret)
{
        bool negative = *text == '-';
        uint64_t n;

        if (!read_unsigned(text + negative, (uint64_t)max, &n))
                return false;
        *ret = negative ? -(int64_t)n : (int64_t)n;
        return true;
}

/* Undo the escapes in place. */
static bool unescape(char *text)
{
        char *to = text;

        for (; *text; text++, to++) {
                *to = *text;
                if (*text != '\\')
                        continue;
                text++;
                if (*text != 'n' && *text != '\\')
                        return false;
                *to = *text == 'n' ? '\n' : '\\';
        }
        *to = '\0';
        return true;
}

static bool read_state(const char *text, enum status_state *ret)
{
        for (int i = 0; i < STATUS_STATE_MAX_; i++)
                if (strcmp(text, state_names[i]) == 0) {
                        *ret = (enum status_state)i;
                        return true;
                }
        return false;
}

/* Set the field at @p from @text. NULL, or an error: ERR_CORRUPT, ERR_NOMEM. */
static err *read_field(const struct field *f, void *p, const char *text)
{
        uint64_t u = 0;
        int64_t i = 0;
        bool ok = false;

        switch (f->kind) {
        case KIND_BOOL:
                ok = (*text == '0' || *text == '1') && !text[1];
                *(bool *)p = *text == '1';
                break;
        case KIND_STATE:
                ok = read_state(text, p);
                break;
        case KIND_TEXT:
                ok = strlen(text) < f->size;
                if (ok)
                        memcpy(p, text, strlen(text) + 1);
                break;
        case KIND_STRING:
                free(*(char **)p);
                *(char **)p = str_dup(text);
                return *(char **)p ? NULL : err_nomem();
        case KIND_LIST:
                return strv_add(p, text);
        case KIND_UNSIGNED:
                ok = read_unsigned(text, UINT32_MAX, &u);
                *(unsigned *)p = (unsigned)u;
                break;
        case KIND_INT:
                ok = read_signed(text, INT32_MAX, &i);
                *(int *)p = (int)i;
                break;
        case KIND_U64:
                ok = read_unsigned(text, UINT64_MAX, &u);
                *(uint64_t *)p = u;
                break;
        case KIND_I64:
                ok = read_signed(text, INT64_MAX, &i);
                *(int64_t *)p = i;
                break;
        }
        return ok ? NULL : err_new(ERR_CORRUPT, "bad value of %s", f->key);
}

/* Parse all lines of @text (changed). Unknown keys are from another version. */
static err *read_lines(char *text, const struct field *fields, size_t n, void *object)
{
        unsigned items = 0;

        while (*text) {
                char *line = text, *end = strchr(line, '\n'), *value;

                if (!end)
                        return err_new(ERR_CORRUPT, "the last line is cut");
                *end = '\0';
                text = end + 1;
                value = strchr(line, '=');
                if (!value)
                        return err_new(ERR_CORRUPT, "a line without =");
                *value++ = '\0';
                if (!unescape(value))
                        return err_new(ERR_CORRUPT, "bad escape in %s", line);
                for (size_t i = 0; i < n; i++) {
                        if (strcmp(fields[i].key, line) != 0)
                                continue;
                        if (fields[i].kind == KIND_LIST && ++items > LIST_MAX_ITEMS)
                                return err_new(ERR_CORRUPT, "too many lines of %s", line);
                        TRY(read_field(&fields[i], (char *)object + fields[i].offset, value));
                        break;
                }
        }
        return NULL;
}

err *status_parse(char *text, struct status *ret)
{
        struct status s = {0};

        TRY_WRAP(read_lines(text, status_fields, ARRAY_SIZE(status_fields), &s), "container's status");
        if (s.version == 0 || !s.boot_id[0])
                return err_new(ERR_CORRUPT, "container's status: incomplete");
        *ret = s;
        return NULL;
}

err *status_read(int dirfd, struct status *ret)
{
        _cleanup_close_ int fd = openat(dirfd, "status", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        char text[STATUS_TEXT_MAX * 2]; /* a later version may write more */
        size_t used = 0;

        if (fd < 0)
                return errno == ENOENT ? err_new(ERR_NOT_FOUND, "no status")
                                       : err_sys(errno, "reading container's status");
        while (used < sizeof(text) - 1) {
                ssize_t n = read(fd, text + used, sizeof(text) - 1 - used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_sys(errno, "reading container's status");
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        text[used] = '\0';
        if (strlen(text) != used || used == sizeof(text) - 1)
                return err_new(ERR_CORRUPT, "container's status: not text");
        return status_parse(text, ret);
}

void monitor_conf_done(struct monitor_conf *c)
{
        for (size_t i = 0; i < ARRAY_SIZE(conf_fields); i++) {
                void *p = (char *)c + conf_fields[i].offset;

                if (conf_fields[i].kind == KIND_STRING)
                        free(*(char **)p);
                else if (conf_fields[i].kind == KIND_LIST)
                        strv_free(*(char ***)p);
        }
        *c = (struct monitor_conf){0};
}

err *monitor_conf_read(int dirfd, struct monitor_conf *ret)
{
        _cleanup_free_ char *text = NULL;
        struct monitor_conf c = {0};
        size_t size;
        err *e;
        int r;

        r = file_read(dirfd, "conf", CONF_MAX, &text, &size);
        if (r == -ENOENT)
                return err_new(ERR_NOT_FOUND, "no configuration of the monitor");
        if (r < 0)
                return err_sys(r, "reading the monitor's configuration");
        if (strlen(text) != size)
                return err_new(ERR_CORRUPT, "monitor's configuration: not text");
        e = read_lines(text, conf_fields, ARRAY_SIZE(conf_fields), &c);
        if (!e && (!c.id || !c.bundle || !c.rootfs_driver || !c.lower))
                e = err_new(ERR_CORRUPT, "id, bundle or root file system is missing");
        if (e) {
                monitor_conf_done(&c);
                return err_wrap(e, "monitor's configuration");
        }
        *ret = c;
        return NULL;
}

/* ---- who is alive ---- */

int status_open_lock(int dirfd)
{
        return openat(dirfd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* A shared lock: two that look at the same time do not see each other. */
static bool is_locked(int fd)
{
        if (flock(fd, LOCK_SH | LOCK_NB) < 0)
                return errno == EWOULDBLOCK;
        (void)flock(fd, LOCK_UN);
        return false;
}

err *status_share_pid(int dirfd)
{
        _cleanup_close_ int fd = openat(dirfd, STATUS_SHARED_PID, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? err_sys(errno, "making %s", STATUS_SHARED_PID) : NULL;
}

bool status_monitor_alive(int dirfd)
{
        _cleanup_close_ int fd = status_open_lock(dirfd);

        return fd >= 0 && is_locked(fd);
}

bool status_wait_ended(int lock_fd, int timeout_ms)
{
        if (lock_fd < 0)
                return true;
        for (int waited = 0; is_locked(lock_fd); waited++) {
                if (waited >= timeout_ms)
                        return false;
                (void)usleep(1000);
        }
        return true;
}

uint64_t status_pid_start(pid_t pid)
{
        _cleanup_close_ int fd = -1;
        char text[1024], *p;
        uint64_t start = 0;
        ssize_t n;

        if (pid <= 0)
                return 0;
        (void)snprintf(text, sizeof(text), "/proc/%d/stat", pid);
        fd = open(text, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        n = read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        /* The command in parentheses may hold anything; behind the last ")" come state (field 3) and numbers. */
        p = strrchr(text, ')');
        for (int field = 2; p && field < 22; field++) {
                p = strchr(p, ' ');
                if (p)
                        p++;
        }
        if (!p)
                return 0;
        while (*p >= '0' && *p <= '9')
                start = start * 10 + (uint64_t)(*p++ - '0');
        return start;
}
