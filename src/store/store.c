/* store.c - see store.h. */
#include "store/store.h"

#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "store/gc.h"
#include "store/snapshot_private.h"
#include "store/tree.h"
#include "store/txn.h"

#define MODE_PRIVATE 0700

static const char *const root_dirs[] = {"blobs", "blobs/sha256", "layers", "containers", "volumes", "tmp"};
static const char *const state_dirs[] = {"containers", "pending", "seccomp", "names"};

static err *check_path(const char *what, const char *path)
{
        if (str_empty(path) || *path != '/')
                return err_new(ERR_INVALID, "the %s directory must be an absolute path, not '%s'", what,
                               path ? path : "");
        return NULL;
}

/* Open @path as a directory of ours, making it if needed. */
static err *open_dir(const char *what, const char *path, int *ret)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 && errno == ENOENT) {
                _cleanup_close_ int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                int r = slash < 0 ? -errno : file_mkdir_p(slash, path, 0755, NULL);

                if (r < 0)
                        return err_sys(r, "making the %s directory %s", what, path);
                fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        if (fd < 0)
                return err_sys(errno, "opening the %s directory %s", what, path);
        if (fstat(fd, &st) < 0)
                return err_sys(errno, "looking at the %s directory %s", what, path);
        if (st.st_uid != 0)
                return err_new(ERR_DENIED, "the %s directory %s belongs to user %u, not to root", what, path,
                               st.st_uid);
        if ((st.st_mode & 07777) != MODE_PRIVATE && fchmod(fd, MODE_PRIVATE) < 0)
                return err_sys(errno, "making the %s directory %s private", what, path);
        *ret = TAKE_FD(fd);
        return NULL;
}

static err *make_dirs(int fd, const char *path, const char *const *names, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (mkdirat(fd, names[i], MODE_PRIVATE) < 0 && errno != EEXIST)
                        return err_sys(errno, "making %s/%s", path, names[i]);
        return NULL;
}

static err *open_sub(struct store *s, int dirfd, const char *dir, const char *const *names, size_t n, int *fd)
{
        if (*fd >= 0)
                return NULL;
        *fd = openat(dirfd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (*fd < 0 && errno == ENOENT) {
                TRY(make_dirs(dirfd, dir, names, n));
                *fd = openat(dirfd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        }
        if (*fd < 0)
                return err_sys(errno, "opening %s/containers", dir);
        return NULL;
}

err *store_containers_fd(struct store *s, int *ret_fd)
{
        TRY(open_sub(s, s->root_fd, s->root, root_dirs, ARRAY_SIZE(root_dirs), &s->containers_fd));
        *ret_fd = s->containers_fd;
        return NULL;
}

err *store_state_containers_fd(struct store *s, int *ret_fd)
{
        TRY(open_sub(s, s->state_fd, s->state, state_dirs, ARRAY_SIZE(state_dirs), &s->state_containers_fd));
        *ret_fd = s->state_containers_fd;
        return NULL;
}

static err *read_boot_id(struct store *s)
{
        int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, s->boot_id, sizeof(s->boot_id) - 1);

        (void)file_close(fd);
        if (n <= 0)
                return err_sys(errno, "reading /proc/sys/kernel/random/boot_id");
        s->boot_id[strcspn(s->boot_id, "\n")] = '\0';
        return NULL;
}

static bool boot_is(int dirfd, const char *path, const char *boot_id)
{
        char text[64];
        ssize_t n = readlinkat(dirfd, path, text, sizeof(text) - 1);

        if (n < 0)
                return false;
        text[n] = '\0';
        return strcmp(text, boot_id) == 0;
}

static err *replace_link(int dirfd, const char *name, const char *text)
{
        if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
                return err_sys(errno, "removing %s", name);
        if (symlinkat(text, dirfd, name) < 0)
                return err_sys(errno, "making %s", name);
        return NULL;
}

/* ROOT/state names the STATE that goes with it: a second one in the same boot would give names and ids twice and would
 * take the first one's --rm containers for rubbish. */
static err *claim_root(struct store *s)
{
        _cleanup_free_ char *boot = NULL;
        char other[4096];
        ssize_t n = readlinkat(s->root_fd, "state", other, sizeof(other) - 1);

        if (n >= 0) {
                other[n] = '\0';
                if (strcmp(other, s->state) == 0)
                        return NULL;
                boot = str_format("%s/boot", other);
                if (!boot)
                        return err_nomem();
                if (boot_is(AT_FDCWD, boot, s->boot_id))
                        return err_new(ERR_CONFLICT,
                                       "%s is in use with the state directory %s: give the same --state, or "
                                       "another --root",
                                       s->root, other);
        }
        return replace_link(s->root_fd, "state", s->state);
}

/* STATE/root names the ROOT that goes with it, for the same reasons. An older version's STATE has none: it is ours if
 * we are its ROOT's. */
static bool state_is_ours(const struct store *s, char other[4096])
{
        ssize_t n = readlinkat(s->state_fd, "root", other, 4095);
        struct stat a, b;

        if (n < 0) {
                n = readlinkat(s->root_fd, "state", other, 4095);
                other[n < 0 ? 0 : n] = '\0';
                if (strcmp(other, s->state) == 0 && symlinkat(s->root, s->state_fd, "root") == 0)
                        return true;
                (void)snprintf(other, 4096, "another");
                return false;
        }
        other[n] = '\0';
        /* The same directory by another path is fine. */
        return strcmp(other, s->root) == 0 ||
               (stat(other, &a) == 0 && fstat(s->root_fd, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static err *take_count(const struct db_row *row, void *arg)
{
        *(int64_t *)arg = db_row_int(row, 0);
        return NULL;
}

static bool has_volatile_records(const struct store *s)
{
        struct db *db = NULL;
        int64_t n = 0;
        err *e = file_exists(s->state_fd, "run.db") ? db_open(s->state, "run.db", false, &db) : NULL;

        if (!e && db)
                e = db_select(db, take_count, &n, "SELECT count(*) FROM containers WHERE durable=0", "");
        db_close(db);
        if (e)
                n = 1;
        err_free(e);
        return n > 0;
}

/* There is no container that only STATE knows of. */
static bool state_is_idle(const struct store *s)
{
        static const char *const dirs[] = {"containers", "pending"};

        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                _cleanup_close_ int fd = openat(s->state_fd, dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                _cleanup_strv_ char **names = NULL;
                err *e = fd < 0 ? NULL : tree_names(fd, &names);

                if (e || (names && *names)) {
                        err_free(e);
                        return false;
                }
        }
        return !has_volatile_records(s);
}

static err *wipe_dir(int dirfd, const char *name)
{
        int r = file_remove_tree(dirfd, name);

        return r < 0 ? err_sys(r, "removing what an earlier boot left in %s", name) : NULL;
}

/* First command of this boot, or of a ROOT that takes over an idle STATE: what STATE holds is void, and what containers
 * left without a durable record is rubbish. */
static err *reset_locked(struct store *s)
{
        static const char *const void_names[] = {"run.db", "run.db-journal", "containers", "pending", "names"};
        char other[4096];

        if (boot_is(s->state_fd, "boot", s->boot_id)) {
                if (state_is_ours(s, other))
                        return NULL; /* somebody else was faster */
                if (!state_is_idle(s))
                        return err_new(ERR_CONFLICT,
                                       "%s is in use with the root directory %s: give the same --root, or another "
                                       "--state",
                                       s->state, other);
        }
        TRY(claim_root(s));
        for (size_t i = 0; i < ARRAY_SIZE(void_names); i++)
                TRY(wipe_dir(s->state_fd, void_names[i]));
        TRY(make_dirs(s->state_fd, s->state, state_dirs, ARRAY_SIZE(state_dirs)));
        TRY(replace_link(s->state_fd, "root", s->root));
        return replace_link(s->state_fd, "boot", s->boot_id);
}

static err *reset(struct store *s)
{
        err *e;

        TRY(make_dirs(s->root_fd, s->root, root_dirs, ARRAY_SIZE(root_dirs)));
        TRY(txn_lock_all(s));
        e = reset_locked(s);
        txn_unlock_all(s);
        TRY(e);
        /* Not needed for being right, so a failure is not the command's. */
        log_error_free(LOG_LEVEL_WARN, gc_after_boot(s));
        return NULL;
}

static err *init(struct store *s, const struct store_options *o)
{
        TRY(check_path("root", o->root));
        TRY(check_path("state", o->state));
        if (o->driver)
                TRY(snapshot_driver_find(o->driver, NULL));
        if (geteuid() != 0)
                return err_new(ERR_DENIED, "hod must run as root (rootless containers are not supported yet)");
        s->root = str_dup(o->root);
        s->state = str_dup(o->state);
        s->driver_wanted = str_dup(o->driver);
        if (!s->root || !s->state || (o->driver && !s->driver_wanted))
                return err_nomem();
        for (char *p = s->root + strlen(s->root); p > s->root + 1 && p[-1] == '/'; p--)
                p[-1] = '\0';
        for (char *p = s->state + strlen(s->state); p > s->state + 1 && p[-1] == '/'; p--)
                p[-1] = '\0';
        if (strcmp(s->root, s->state) == 0)
                return err_new(ERR_INVALID, "the root and the state directory must differ (%s)", s->root);
        TRY(read_boot_id(s));
        TRY(open_dir("root", s->root, &s->root_fd));
        TRY(open_dir("state", s->state, &s->state_fd));
        return NULL;
}

err *store_open(const struct store_options *o, struct store **ret)
{
        _cleanup_store_ struct store *s = MEM_NEW0(struct store, 1);
        char other[4096];
        int fd;

        if (!s)
                return err_nomem();
        s->root_fd = s->state_fd = s->containers_fd = s->state_containers_fd = -1;
        s->root_lock_fd = s->state_lock_fd = s->lease_fd = s->stamp_fd = -1;
        TRY(init(s, o));
        if (!boot_is(s->state_fd, "boot", s->boot_id) || !state_is_ours(s, other))
                TRY(reset(s));
        TRY(store_containers_fd(s, &fd));
        *ret = TAKE_PTR(s);
        return NULL;
}

void store_close(struct store *s)
{
        if (!s)
                return;
        db_close(s->run);
        db_close(s->durable);
        (void)file_close(s->stamp_fd);
        (void)file_close(s->lease_fd);
        (void)file_close(s->state_lock_fd);
        (void)file_close(s->root_lock_fd);
        (void)file_close(s->state_containers_fd);
        (void)file_close(s->containers_fd);
        (void)file_close(s->state_fd);
        (void)file_close(s->root_fd);
        free(s->root);
        free(s->state);
        free(s->driver_wanted);
        free(s);
}

const char *store_root(const struct store *s)
{
        return s->root;
}

const char *store_state(const struct store *s)
{
        return s->state;
}

int store_root_fd(const struct store *s)
{
        return s->root_fd;
}

int store_state_fd(const struct store *s)
{
        return s->state_fd;
}
