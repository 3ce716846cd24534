/* txn.c - see txn.h. */
#include "store/txn.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

#define STAMP_OFFSET 24           /* file change counter, SQLite file format section 1.3.7 */
#define SYNC_TRUST_NS 100000000LL /* how long one comparison is believed by readers */

static err *lock_fd(int *fd, int dirfd, const char *dir, const char *name, int op)
{
        if (*fd < 0) {
                *fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (*fd < 0)
                        return err_sys(errno, "opening %s/%s", dir, name);
        }
        while (flock(*fd, op) < 0)
                if (errno != EINTR)
                        return err_sys(errno, "locking %s/%s", dir, name);
        return NULL;
}

static void unlock_fd(int fd)
{
        if (fd >= 0)
                (void)flock(fd, LOCK_UN);
}

static err *lock_root(struct store *s)
{
        return lock_fd(&s->root_lock_fd, s->root_fd, s->root, "lock", LOCK_EX);
}

static err *lock_state(struct store *s)
{
        return lock_fd(&s->state_lock_fd, s->state_fd, s->state, "lock", LOCK_EX);
}

err *txn_lock_all(struct store *s)
{
        err *e;

        TRY(lock_root(s));
        e = lock_state(s);
        if (e)
                unlock_fd(s->root_lock_fd);
        return e;
}

void txn_unlock_all(struct store *s)
{
        unlock_fd(s->state_lock_fd);
        unlock_fd(s->root_lock_fd);
}

/* The descriptor stays open until the store is closed: closing it would drop SQLite's locks on the file. */
static err *read_stamp(struct store *s, int64_t *ret)
{
        unsigned char raw[4];

        if (s->stamp_fd < 0) {
                s->stamp_fd = openat(s->root_fd, "state.db", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
                if (s->stamp_fd < 0 && errno != ENOENT)
                        return err_sys(errno, "opening %s/state.db", s->root);
        }
        *ret = 0;
        if (s->stamp_fd >= 0 && pread(s->stamp_fd, raw, sizeof(raw), STAMP_OFFSET) == (ssize_t)sizeof(raw))
                *ret = (int64_t)raw[0] << 24 | (int64_t)raw[1] << 16 | (int64_t)raw[2] << 8 | raw[3];
        return NULL;
}

static err *take_int(const struct db_row *row, void *arg)
{
        *(int64_t *)arg = db_row_int(row, 0);
        return NULL;
}

static err *in_step(struct store *s, bool *ret)
{
        int64_t stamp, copied = 0;

        TRY(read_stamp(s, &stamp));
        TRY(db_select(s->run, take_int, &copied, "SELECT value FROM meta WHERE key='stamp'", ""));
        *ret = stamp == copied;
        s->synced_ns = *ret ? clock_monotonic_ns() : 0;
        return NULL;
}

static err *open_run(struct store *s)
{
        return s->run ? NULL : db_open(s->state, "run.db", false, &s->run);
}

static err *open_durable(struct store *s)
{
        return s->durable ? NULL : db_open(s->root, "state.db", true, &s->durable);
}

/* Both locks are held. */
static err *copy_if_needed(struct store *s)
{
        _cleanup_free_ char *path = NULL;
        int64_t stamp;
        bool ok;

        TRY(in_step(s, &ok));
        if (ok)
                return NULL;
        TRY(open_durable(s)); /* makes it, or rolls back what a crash left in it */
        TRY(read_stamp(s, &stamp));
        path = str_format("%s/state.db", s->root);
        if (!path)
                return err_nomem();
        log_debug("copying state.db (change %lld) to run.db", (long long)stamp);
        TRY(db_copy_from(s->run, path, stamp));
        s->synced_ns = clock_monotonic_ns();
        return NULL;
}

err *txn_reader(struct store *s, struct db **ret)
{
        bool ok = true;
        err *e;

        TRY(open_run(s));
        if (!s->synced_ns || clock_monotonic_ns() - s->synced_ns > SYNC_TRUST_NS)
                TRY(in_step(s, &ok));
        if (!ok) {
                TRY(txn_lock_all(s));
                e = copy_if_needed(s);
                txn_unlock_all(s);
                TRY(e);
        }
        *ret = s->run;
        return NULL;
}

/* STATE/lock, with run.db open and in step; ROOT/lock too if @durable or if it had to be copied. */
static err *lock_for_change(struct store *s, bool durable)
{
        bool ok = false;
        err *e;

        if (durable)
                TRY(lock_root(s));
        e = lock_state(s);
        if (!e)
                e = open_run(s);
        if (!e)
                e = in_step(s, &ok);
        if (!e && !ok && !durable) {
                /* ROOT/lock comes before STATE/lock. */
                unlock_fd(s->state_lock_fd);
                e = txn_lock_all(s);
        }
        if (!e && !ok)
                e = copy_if_needed(s);
        if (!e && !ok && !durable)
                unlock_fd(s->root_lock_fd);
        return e;
}

err *txn_begin(struct store *s, bool durable, struct txn *ret)
{
        err *e = lock_for_change(s, durable);

        if (!e)
                e = db_begin(s->run);
        if (!e && durable)
                e = open_durable(s);
        if (!e && durable)
                e = db_begin(s->durable);
        if (e) {
                if (s->run)
                        db_rollback(s->run);
                txn_unlock_all(s);
                return e;
        }
        *ret = (struct txn){.store = s, .durable = durable};
        return NULL;
}

err *txn_commit(struct txn *t)
{
        struct store *s = t->store;
        int64_t stamp;
        err *e = NULL;

        if (t->durable) {
                TRY(db_commit(s->durable));
                /* From here on it is done: if the copy fails, the next command makes it again. */
                e = read_stamp(s, &stamp);
                if (!e)
                        e = db_run(s->run, "INSERT OR REPLACE INTO meta VALUES('stamp', ?)", "i", stamp);
                if (!e)
                        e = db_commit(s->run);
                if (e) {
                        log_error_free(LOG_LEVEL_WARN, e);
                        s->synced_ns = 0;
                        e = NULL;
                }
        } else {
                e = db_commit(s->run);
        }
        if (!e)
                txn_done(t);
        return e;
}

void txn_done(struct txn *t)
{
        struct store *s = t->store;

        if (!s)
                return;
        db_rollback(s->run);
        if (t->durable)
                db_rollback(s->durable);
        txn_unlock_all(s);
        t->store = NULL;
}

err *txn_lease(struct store *s)
{
        if (s->lease_count == 0 && !s->exclusive)
                TRY(lock_fd(&s->lease_fd, s->root_fd, s->root, "images.lock", LOCK_SH));
        s->lease_count++;
        return NULL;
}

void txn_unlease(struct store *s)
{
        if (s->lease_count && --s->lease_count == 0 && !s->exclusive)
                unlock_fd(s->lease_fd);
}

err *txn_exclusive(struct store *s)
{
        TRY(lock_fd(&s->lease_fd, s->root_fd, s->root, "images.lock", LOCK_EX));
        s->exclusive = true;
        return NULL;
}

bool txn_exclusive_try(struct store *s)
{
        err *e = s->lease_count ? err_new(ERR_BUSY, "we hold a lease") : NULL;

        if (!e)
                e = lock_fd(&s->lease_fd, s->root_fd, s->root, "images.lock", LOCK_EX | LOCK_NB);
        s->exclusive = !e;
        log_error_free(LOG_LEVEL_DEBUG, e);
        return s->exclusive;
}

void txn_exclusive_end(struct store *s)
{
        s->exclusive = false;
        if (s->lease_count)
                (void)flock(s->lease_fd, LOCK_SH);
        else
                unlock_fd(s->lease_fd);
}
