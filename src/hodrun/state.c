/* state.c - see state.h. */
#include "hodrun/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/trace.h"
#include "base/parse.h"
#include "base/str.h"
#include "codec/json.h"
#include "hodrun/hodrun.h"
#include "runtime/hooks.h"
#include "runtime/rdt.h"
#include "runtime/runtime.h"
#include "sys/cgroup.h"
#include "sys/process.h"

#define STATE_FILE "state.json"
#define LOCK_FILE "lock"
#define STATE_MAX (1u << 20)
#define KILL_SOON_MS 50
#define KILL_WAIT_MS 10000
#define LOCK_TRIES 10
#define LOCK_TRY_US 10000
#define REMOVE_TRIES 10
#define REMOVE_WAIT_MS 50000 /* somebody inside may be in uninterruptible sleep for a while */

const char *state_status_name(enum state_status s)
{
        static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

        return names[s];
}

err *state_check_id(const char *id)
{
        if (!*id)
                return err_new(ERR_INVALID, "container id cannot be empty");
        for (const char *p = id; *p; p++)
                if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                      strchr("_+-.", *p)))
                        return err_new(ERR_INVALID, "invalid container ID format");
        if (str_eq(id, ".") || str_eq(id, ".."))
                return err_new(ERR_INVALID, "invalid container ID format");
        return strlen(id) > NAME_MAX ? err_new(ERR_INVALID, "container ID is longer than %d", NAME_MAX) : NULL;
}

void state_close(struct state *s)
{
        free(s->id);
        free(s->bundle);
        free(s->rootfs);
        free(s->cgroup);
        free(s->rdt.clos);
        strv_free(s->stdio);
        runtime_unit_done(&s->unit);
        (void)file_close(s->root_fd);
        (void)file_close(s->dirfd);
        (void)file_close(s->lock_fd);
        oci_spec_free(s->spec);
        free(s);
}

static err *state_new(const char *id, struct state **ret)
{
        _cleanup_state_ struct state *s = MEM_NEW0(struct state, 1);

        if (!s)
                return err_nomem();
        s->root_fd = s->dirfd = s->lock_fd = -1;
        s->id = str_dup(id);
        if (!s->id)
                return err_nomem();
        *ret = TAKE_PTR(s);
        return NULL;
}

/* Without a lock file the container is being deleted, unless its maker was killed before it had made one: then somebody
 * has to. */
static int open_lock(const struct state *s, bool make)
{
        int fd = -1;

        for (int i = 0; i < LOCK_TRIES && !make; i++) {
                struct stat st;

                fd = openat(s->dirfd, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0 || errno != ENOENT)
                        return fd;
                if (fstat(s->dirfd, &st) == 0 && st.st_nlink == 0) {
                        errno = ENOENT;
                        return -1;
                }
                (void)usleep(LOCK_TRY_US);
        }
        return openat(s->dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Take the lock: ERR_NOT_FOUND if the container was removed while we waited. A lock of the process, not of the open
 * file: the container's init, which begins with copies of our descriptors, must not keep it. */
static err *take_lock(struct state *s, bool make)
{
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        struct stat st;
        int r;

        s->lock_fd = open_lock(s, make);
        if (s->lock_fd < 0)
                return errno == ENOENT ? err_new(ERR_NOT_FOUND, "container does not exist")
                                       : err_sys(errno, "opening the lock of container %s", s->id);
        do
                r = fcntl(s->lock_fd, F_SETLKW, &lock);
        while (r < 0 && errno == EINTR);
        if (r < 0 || fstat(s->lock_fd, &st) < 0)
                return err_sys(errno, "locking container %s", s->id);
        return st.st_nlink ? NULL : err_new(ERR_NOT_FOUND, "container does not exist");
}

void state_unlock(struct state *s)
{
        s->lock_fd = file_close(s->lock_fd);
}

err *state_lock(struct state *s)
{
        return take_lock(s, false);
}

err *state_create(const char *root, const char *id, struct state **ret)
{
        _cleanup_state_ struct state *s = NULL;
        int r;

        TRY(state_new(id, &s));
        s->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->root_fd < 0 && errno == ENOENT) {
                _cleanup_close_ int top = open(*root == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

                r = file_mkdir_p(top, root, 0700, NULL);
                if (r < 0)
                        return err_sys(-r, "making %s", root);
                s->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                /* Whoever tidies a user's runtime directory up leaves sticky entries alone (XDG base directories). */
                if (s->root_fd >= 0 && geteuid() != 0)
                        (void)fchmod(s->root_fd, 01700);
        }
        if (s->root_fd < 0)
                return err_sys(errno, "opening %s", root);
        if (mkdirat(s->root_fd, id, 0711) < 0)
                return errno == EEXIST ? err_new(ERR_CONFLICT, "container with given ID already exists")
                                       : err_sys(errno, "making %s/%s", root, id);
        s->dirfd = openat(s->root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (s->dirfd < 0)
                return err_sys(errno, "opening %s/%s", root, id);
        TRY(take_lock(s, true));
        s->created_ns = clock_now_ns();
        s->owner = geteuid();
        *ret = TAKE_PTR(s);
        return NULL;
}

/* ---- systemd's unit ---- */

bool state_is_rootless(void)
{
        _cleanup_free_ char *map = NULL;
        const char *p;

        if (geteuid() != 0)
                return true;
        /* The first user namespace maps everything to itself. */
        if (file_read(AT_FDCWD, "/proc/self/uid_map", 65536, &map, NULL) < 0)
                return false;
        for (p = map; *p == ' ';)
                p++;
        return !str_starts(p, "0 ") || !strstr(p, " 0 4294967295");
}

err *state_where(struct runtime_unit *u, bool user)
{
        const char *dir = getenv("XDG_RUNTIME_DIR"), *bus = getenv("DBUS_SESSION_BUS_ADDRESS");

        u->user = user;
        if (!user)
                return NULL;
        u->runtime_dir = str_dup(dir);
        u->bus_address = str_dup(bus);
        return (dir && !u->runtime_dir) || (bus && !u->bus_address) ? err_nomem() : NULL;
}

/* ---- the file ---- */

static err *read_unit(struct state *s, const json *j)
{
        if (!j)
                return NULL;
        s->unit.name = str_dup(json_get_str_or(j, "unit", ""));
        s->unit.slice = str_dup(json_get_str_or(j, "slice", ""));
        if (!s->unit.name || !s->unit.slice)
                return err_nomem();
        return state_where(&s->unit, json_get_bool(j, "user", false));
}

static err *read_about_spec(struct state *s, const json *j)
{
        const json *rdt = json_get(j, "rdt");
        const char *clos = json_get_str(rdt, "clos");

        s->ends_quietly = json_get_bool(j, "endsQuietly", false);
        s->own_pids_known = json_has(j, "ownPids");
        s->own_pids = json_get_bool(j, "ownPids", false);
        s->has_rdt = rdt;
        s->rdt.monitoring = json_get_bool(rdt, "monitoring", false);
        s->rdt.clos = str_dup(clos);
        return clos && !s->rdt.clos ? err_nomem() : NULL;
}

static err *read_file(struct state *s)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json *j = NULL;
        size_t size;
        int r = file_read(s->dirfd, STATE_FILE, STATE_MAX, &text, &size);

        if (r == -ENOENT) /* between mkdir and the first write */
                return err_new(ERR_NOT_FOUND, "container does not exist");
        if (r < 0)
                return err_sys(-r, "reading the state of container %s", s->id);
        TRY_WRAP(json_parse(text, size, &j), "state of container %s", s->id);
        s->bundle = str_dup(json_get_str_or(j, "bundle", ""));
        s->rootfs = str_dup(json_get_str_or(j, "rootfs", ""));
        s->cgroup = str_dup(json_get_str_or(j, "cgroup", ""));
        if (!s->bundle || !s->rootfs || !s->cgroup)
                return err_nomem();
        s->pid = (pid_t)json_get_int(j, "pid", 0);
        s->pid_start = json_get_uint(j, "pidStart", 0);
        s->owner = (uid_t)json_get_int(j, "owner", 0);
        TRY(read_about_spec(s, j));
        if (json_has(j, "stdio"))
                TRY(json_get_strv(j, "stdio", &s->stdio));
        TRY(read_unit(s, json_get(j, "systemd")));
        return clock_parse(json_get_str_or(j, "created", "0001-01-01T00:00:00Z"), &s->created_ns);
}

/* Does somebody else hold the lock? */
static bool is_locked(const struct state *s)
{
        _cleanup_close_ int fd = openat(s->dirfd, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool process_stat(pid_t pid, char *ret_letter, uint64_t *ret_start);

/* The maker was killed after the process had become independent of it, and before it was remembered: the oldest process
 * in the cgroup. */
static void find_process(struct state *s)
{
        const struct cgroup_layout *l;
        _cleanup_free_ pid_t *pids = NULL;
        size_t n = 0;
        err *e = str_empty(s->cgroup) ? NULL : cgroup_layout_get(&l);

        if (!e && !str_empty(s->cgroup))
                e = cgroup_pids(l, s->cgroup, true, &pids, &n);
        err_free(e);
        for (size_t i = 0; i < n; i++) {
                uint64_t start;
                char letter;

                if (process_stat(pids[i], &letter, &start) &&
                    (!s->pid || start < s->pid_start || (start == s->pid_start && pids[i] < s->pid))) {
                        s->pid = pids[i];
                        s->pid_start = start;
                }
        }
}

err *state_open(const char *root, const char *id, bool lock, struct state **ret)
{
        _cleanup_state_ struct state *s = NULL;

        TRY(state_check_id(id));
        TRY(state_new(id, &s));
        s->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->root_fd >= 0)
                s->dirfd = openat(s->root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (s->dirfd < 0)
                return errno == ENOENT ? err_new(ERR_NOT_FOUND, "container does not exist")
                                       : err_sys(errno, "opening %s/%s", root, id);
        if (lock)
                TRY(take_lock(s, false));
        /* Locked by us and nothing written: whoever made it has died. It can be deleted by force. */
        if (!lock || file_exists(s->dirfd, STATE_FILE))
                TRY(read_file(s));
        if (!s->pid && (lock || !is_locked(s))) {
                s->abandoned = true;
                find_process(s);
        }
        *ret = TAKE_PTR(s);
        return NULL;
}

static err *read_spec(struct state *s, const char *seccomp_cache, struct seccomp_known *known)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        TRY(json_load(s->dirfd, "config.json", &text, &size));
        TRY_WRAP(seccomp_ops_parse(text, size, seccomp_cache, known, &s->spec),
                 "config.json of container %s, which this version of hodrun does not accept (delete the container and "
                 "create it again)",
                 s->id);
        known->text = NULL; /* whoever made the container has kept it */
        return NULL;
}

static bool is_refusal(const err *e)
{
        return err_code(e) == ERR_INVALID || err_code(e) == ERR_LIMIT || err_code(e) == ERR_NOT_FOUND;
}

err *state_load_any(struct state *s, json **ret)
{
        err *e = state_load_spec(s);

        if (!is_refusal(e) || !file_exists(s->dirfd, STATE_FILE))
                return e;
        err_free(e);
        e = json_read(s->dirfd, "config.json", ret);
        return is_refusal(e) ? err_free(e) : e;
}

err *state_load_spec(struct state *s)
{
        _cleanup_seccomp_known_ struct seccomp_known none = {.text = NULL};

        return state_load_spec_but_seccomp(s, NULL, &none);
}

err *state_load_spec_but_seccomp(struct state *s, const char *seccomp_cache, struct seccomp_known *known)
{
        err *e = s->spec ? NULL : read_spec(s, seccomp_cache, known);

        if (e && !file_exists(s->dirfd, STATE_FILE)) {
                err_free(e); /* deleted while we looked at it */
                return err_new(ERR_NOT_FOUND, "container does not exist");
        }
        return e;
}

err *state_save(const struct state *s)
{
        _cleanup_json_ json *j = json_new_object();
        _cleanup_free_ char *text = NULL;
        char created[CLOCK_TEXT_MAX];
        int r;

        clock_format(s->created_ns, created);
        json_set_int(j, "hodrun", 1); /* version of this file */
        json_set_str(j, "id", s->id);
        json_set_int(j, "pid", s->pid);
        json_set(j, "pidStart", json_new_uint(s->pid_start));
        json_set_str(j, "bundle", s->bundle);
        json_set_str(j, "rootfs", s->rootfs);
        json_set_str(j, "cgroup", s->cgroup);
        json_set_str(j, "created", created);
        json_set_int(j, "owner", s->owner);
        json_set_bool(j, "endsQuietly", s->ends_quietly);
        if (s->own_pids_known)
                json_set_bool(j, "ownPids", s->own_pids);
        if (s->has_rdt) {
                json *rdt = json_sub_object(j, "rdt");

                if (s->rdt.clos)
                        json_set_str(rdt, "clos", s->rdt.clos);
                json_set_bool(rdt, "monitoring", s->rdt.monitoring);
        }
        if (s->stdio)
                json_set_strv(j, "stdio", s->stdio);
        if (s->unit.name) {
                json *unit = json_sub_object(j, "systemd");

                json_set_str(unit, "unit", s->unit.name);
                json_set_str(unit, "slice", s->unit.slice);
                json_set_bool(unit, "user", s->unit.user);
        }
        TRY(json_print(j, JSON_COMPACT, &text));
        r = file_replace(s->dirfd, STATE_FILE, text, strlen(text), 0600, FILE_VOLATILE);
        return r < 0 ? err_sys(-r, "writing the state of container %s", s->id) : NULL;
}

/* ---- the process ---- */

/* State letter and start time of @pid; false if there is none. */
static bool process_stat(pid_t pid, char *ret_letter, uint64_t *ret_start)
{
        _cleanup_free_ char *text = NULL;
        char path[32], *p;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return false;
        p = strrchr(text, ')'); /* the name may hold anything */
        if (!p || p[1] != ' ')
                return false;
        p += 2; /* field 3 */
        *ret_letter = *p;
        for (int field = 3; field < 22; field++) {
                p = strchr(p, ' ');
                if (!p)
                        return false;
                p++;
        }
        p[strcspn(p, " \n")] = '\0';
        return parse_u64(p, ret_start);
}

err *state_set_process(struct state *s, pid_t pid)
{
        char letter;

        s->pid = pid;
        s->pid_start = 0;
        (void)process_stat(pid, &letter, &s->pid_start); /* it may have ended already */
        return state_save(s);
}

err *state_know_stdio(struct state *s, bool terminal)
{
        _cleanup_strv_ char **list = NULL;
        bool any = false;

        for (int i = 0; i < 3 && !terminal; i++) {
                char link[32], text[64] = "";
                struct stat st;
                ssize_t n = -1;

                if (fstat(i, &st) == 0 && S_ISFIFO(st.st_mode)) {
                        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", i);
                        n = readlink(link, text, sizeof(text) - 1);
                }
                text[n > 0 ? n : 0] = '\0';
                if (!str_starts(text, "pipe:"))
                        text[0] = '\0'; /* a FIFO with a name */
                any |= *text;
                TRY(strv_add(&list, text));
        }
        strv_free(s->stdio);
        s->stdio = any ? TAKE_PTR(list) : NULL;
        return NULL;
}

static bool alive(const struct state *s)
{
        uint64_t start;
        char letter;

        return s->pid > 0 && process_stat(s->pid, &letter, &start) && start == s->pid_start && letter != 'Z' &&
               letter != 'X';
}

int state_pidfd(const struct state *s)
{
        int fd = s->pid > 0 ? process_of(s->pid) : -ESRCH;

        if (fd >= 0 && !alive(s)) { /* opened first, compared then: it is the same process */
                (void)file_close(fd);
                return -ESRCH;
        }
        return fd;
}

/* `start` was killed: has init become the container's program, or is it still ours, and waits? */
static bool is_ours(const struct state *s)
{
        struct stat ours, its;
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)s->pid);
        return stat("/proc/self/exe", &ours) == 0 && stat(path, &its) == 0 && ours.st_dev == its.st_dev &&
               ours.st_ino == its.st_ino;
}

enum state_status state_status(const struct state *s)
{
        const struct cgroup_layout *l;
        err *e;

        if (s->pid == 0)
                return s->abandoned ? STATE_STOPPED : STATE_CREATING;
        if (!alive(s))
                return STATE_STOPPED;
        if (file_exists(s->dirfd, STATE_FIFO) || (file_exists(s->dirfd, STATE_FIFO_STARTING) && is_ours(s)))
                return STATE_CREATED;
        e = cgroup_layout_get(&l);
        if (e) {
                err_free(e);
                return STATE_RUNNING;
        }
        return cgroup_is_frozen(l, s->cgroup) ? STATE_PAUSED : STATE_RUNNING;
}

/* ---- the end ---- */

err *state_remove(struct state *s)
{
        int r = -ENOTEMPTY;

        /* Whoever wants the lock of something that is going away may make its file again. */
        for (int i = 0; i < REMOVE_TRIES && r == -ENOTEMPTY; i++) {
                struct stat ours, named;

                if (fstat(s->dirfd, &ours) < 0 || fstatat(s->root_fd, s->id, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
                    ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
                        return NULL; /* gone, and perhaps there is another one of that name */
                r = file_remove_tree(s->root_fd, s->id);
        }
        return r < 0 ? err_sys(-r, "removing the state of container %s", s->id) : NULL;
}

/* systemd ends a scope that is empty by itself, in time; one that has failed stays. If it cannot be reached the cgroup
 * is removed all the same. */
static void stop_unit(const struct state *s)
{
        char why[512];
        err *e;

        if (!s->unit.name)
                return;
        err_free(runtime_cgroup_kill(s->cgroup, SIGKILL));
        e = runtime_unit_stop(&s->unit);
        if (e)
                hodrun_warn("%s", err_text(e, why, sizeof(why)));
        err_free(e);
}

static void warn_free(err *e)
{
        char why[512];

        if (e)
                hodrun_warn("%s", err_text(e, why, sizeof(why)));
        err_free(e);
}

static err *remove_rdt(const struct state *s)
{
        struct resctrl_group g = {.id = s->id, .clos = s->rdt.clos, .monitoring = s->rdt.monitoring};

        return s->has_rdt || (s->spec && rdt_group(s->spec, s->id, &g)) ? rdt_remove(&g) : NULL;
}

/* The specification: a failing poststop hook is logged, and the container goes all the same. */
static err *end_by_spec(struct state *s)
{
        err *e = NULL;

        /* A maker that was killed before it had written its state may have left half a config.json: nothing ran then.
         */
        if (!s->ends_quietly && file_exists(s->dirfd, STATE_FILE))
                e = state_load_spec(s);
        if (e) /* whatever is wrong with it: it must be possible to get rid of the container */
                warn_free(err_wrap(e, "poststop hooks do not run"));
        warn_free(remove_rdt(s));
        return s->spec ? hooks_run(s->spec, OCI_HOOK_POSTSTOP, s->id, s->bundle, "stopped", 0) : NULL;
}

err *state_destroy(struct state *s)
{
        _cleanup_close_ int pidfd = state_pidfd(s);
        struct trace_span span = trace_begin(TRACE_CGROUP_REMOVE);
        err *e, *gone;
        int status;

        if (pidfd >= 0) {
                (void)process_signal(pidfd, SIGKILL);
                if (process_wait(pidfd, KILL_SOON_MS) != 0) {
                        if (!str_empty(s->cgroup)) /* paused, by whomever */
                                runtime_cgroup_thaw_all(s->cgroup);
                        (void)process_wait(pidfd, KILL_WAIT_MS);
                }
                (void)process_reap(pidfd, &status);
        }
        stop_unit(s);
        if (!str_empty(s->cgroup))
                TRY(runtime_cgroup_remove(s->cgroup, REMOVE_WAIT_MS));
        trace_end(&span, 0, s->cgroup);
        span = trace_begin(TRACE_STATE_REMOVE);
        e = end_by_spec(s);
        gone = state_remove(s);
        trace_end(&span, err_errno(gone), s->id);
        if (gone) {
                err_free(e);
                return gone;
        }
        return e;
}

/* ---- list ---- */

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

err *state_list(const char *root, char ***ret)
{
        _cleanup_strv_ char **list = NULL;
        DIR *dir = opendir(root);
        struct dirent *d;
        err *e = NULL;

        if (!dir && errno != ENOENT)
                return err_sys(errno, "opening %s", root);
        while (dir && !e && (d = readdir(dir))) {
                err *bad = state_check_id(d->d_name);

                if (!bad && d->d_type == DT_DIR)
                        e = strv_add(&list, d->d_name);
                err_free(bad);
        }
        if (dir)
                (void)closedir(dir);
        if (e)
                return e;
        if (list)
                qsort(list, strv_len(list), sizeof(*list), compare_names);
        *ret = TAKE_PTR(list);
        return NULL;
}
