/* status.c - see status.h. */
#include "monitor/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "monitor/lines.h"

static const char *const state_names[STATUS_STATE_MAX_ + 1] = {
        [STATUS_CREATED] = "created",       [STATUS_RUNNING] = "running", [STATUS_PAUSED] = "paused",
        [STATUS_RESTARTING] = "restarting", [STATUS_EXITED] = "exited",
};

static const struct lines_field status_fields[] = {
        LINES_FIELD(struct status, version, "version", LINES_UNSIGNED),
        LINES_FIELD(struct status, state, "state", LINES_WORD, state_names),
        LINES_FIELD(struct status, boot_id, "boot_id", LINES_TEXT),
        LINES_FIELD(struct status, monitor_pid, "monitor_pid", LINES_INT),
        LINES_FIELD(struct status, pid, "pid", LINES_INT),
        LINES_FIELD(struct status, pid_start, "pid_start", LINES_U64),
        LINES_FIELD(struct status, exit_code, "exit_code", LINES_INT),
        LINES_FIELD(struct status, exit_known, "exit_known", LINES_BOOL),
        LINES_FIELD(struct status, oom_killed, "oom_killed", LINES_BOOL),
        LINES_FIELD(struct status, cleaned, "cleaned", LINES_BOOL),
        LINES_FIELD(struct status, restarts, "restarts", LINES_UNSIGNED),
        LINES_FIELD(struct status, started_ns, "started_ns", LINES_I64),
        LINES_FIELD(struct status, finished_ns, "finished_ns", LINES_I64),
        LINES_FIELD(struct status, error, "error", LINES_TEXT),
        LINES_FIELD(struct status, cgroup, "cgroup", LINES_TEXT),
};

const char *status_state_name(enum status_state s)
{
        return s >= 0 && s < STATUS_STATE_MAX_ ? state_names[s] : "unknown";
}

err *status_format(const struct status *s, char *buf, size_t size, size_t *ret_size)
{
        if (!lines_format(status_fields, ARRAY_SIZE(status_fields), s, buf, size, ret_size))
                return err_new(ERR_LIMIT, "the status does not fit %zu bytes", size);
        return NULL;
}

err *status_write(int dirfd, const struct status *s)
{
        char text[STATUS_TEXT_MAX];
        size_t size;
        int r;

        TRY(status_format(s, text, sizeof(text), &size));
        r = lines_replace(dirfd, ".status", "status", text, size);
        return r < 0 ? err_sys(r, "writing the container's status") : NULL;
}

err *status_parse(char *text, struct status *ret)
{
        struct status s = {0};

        TRY_WRAP(lines_parse(text, status_fields, ARRAY_SIZE(status_fields), &s), "container's status");
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

err *status_share(int dirfd, const char *what)
{
        _cleanup_close_ int fd = openat(dirfd, what, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? err_sys(errno, "making %s", what) : NULL;
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

bool status_of_zombie(pid_t pid, uint64_t start, int *ret)
{
        _cleanup_close_ int fd = -1;
        char text[1024], *p;
        bool negative;
        int n, value = 0;

        (void)snprintf(text, sizeof(text), "/proc/%d/stat", pid);
        fd = open(text, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : (int)read(fd, text, sizeof(text) - 1);
        if (n <= 0 || status_pid_start(pid) != start)
                return false;
        text[n] = '\0';
        p = strrchr(text, ')');
        if (!p || p[1] != ' ' || p[2] != 'Z')
                return false;
        p = strrchr(p, ' ');
        negative = p && p[1] == '-';
        if (!p || negative)
                return false;
        for (p++; *p >= '0' && *p <= '9'; p++)
                value = value * 10 + (*p - '0');
        *ret = value;
        return true;
}

int status_exit_code(int wait_status)
{
        return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
