/* db.c - see db.h. */
#include "store/db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/str.h"

#define BUSY_STEP_NS 100000L /* a commit of run.db takes about as long */
#define BUSY_MAX 100000      /* times BUSY_STEP_NS: 10 seconds */

struct db {
        sqlite3 *handle;
        char name[16];
};

struct db_row {
        sqlite3_stmt *statement;
};

/* Step n makes version n+1 of version n. Never edited: files of every version exist. */
static const char *const steps[DB_SCHEMA_VERSION] = {
        "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE containers(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL,"
        " durable INTEGER NOT NULL, json TEXT NOT NULL);"
        "CREATE TABLE images(id TEXT PRIMARY KEY, created INTEGER NOT NULL, size INTEGER NOT NULL,"
        " manifest TEXT NOT NULL, config TEXT NOT NULL, layers TEXT NOT NULL);"
        "CREATE TABLE names(name TEXT PRIMARY KEY, image TEXT NOT NULL, tagged INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX names_image ON names(image);"
        "PRAGMA user_version=1;",
        /* images that no prune removes */
        "CREATE TABLE pins(image TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;"
        "PRAGMA user_version=2;",
};

static err *db_error(const struct db *db, int code, const char *what)
{
        const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
        int errnum = db->handle ? sqlite3_system_errno(db->handle) : 0;

        switch (code & 0xff) {
        case SQLITE_NOMEM:
                return err_nomem();
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return err_new(ERR_BUSY, "%s: the database is locked by another program", db->name);
        case SQLITE_CONSTRAINT:
                return err_new(ERR_CONFLICT, "%s: %s", db->name, text);
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return err_new(ERR_CORRUPT, "%s is damaged: %s", db->name, text);
        case SQLITE_FULL:
                return err_sys(errnum ? errnum : ENOSPC, "%s: %s", db->name, what);
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
                return err_sys(errnum ? errnum : EIO, "%s: %s: %s", db->name, what, text);
        default:
                return err_new(ERR_INTERNAL, "%s: %s: %s", db->name, what, text);
        }
}

/* SQLite's own handler starts with a millisecond and grows; ours are short waits for short transactions. */
static int busy(void *arg, int count)
{
        struct timespec step = {.tv_nsec = BUSY_STEP_NS};

        (void)arg;
        (void)nanosleep(&step, NULL);
        return count < BUSY_MAX;
}

static err *exec(struct db *db, const char *sql, const char *what)
{
        int r = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

        return r == SQLITE_OK ? NULL : db_error(db, r, what);
}

static err *read_version(const struct db_row *row, void *arg)
{
        *(int64_t *)arg = db_row_int(row, 0);
        return NULL;
}

static err *check_schema(struct db *db)
{
        int64_t version = 0;

        TRY(db_select(db, read_version, &version, "PRAGMA user_version", ""));
        if (version == DB_SCHEMA_VERSION)
                return NULL;
        if (version > DB_SCHEMA_VERSION)
                return err_new(ERR_UNSUPPORTED, "%s was written by a newer version of hod (schema %lld, known %d)",
                               db->name, (long long)version, DB_SCHEMA_VERSION);
        /* New, older, or somebody died before the commit: whoever gets the transaction makes it. */
        TRY(db_begin(db));
        TRY(db_select(db, read_version, &version, "PRAGMA user_version", ""));
        for (; version < DB_SCHEMA_VERSION; version++)
                TRY(exec(db, steps[version], "making the tables"));
        return db_commit(db);
}

static void configure(void)
{
        static bool done;

        if (done)
                return;
        /* One thread; statistics cost a lock each allocation. */
        (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        done = true;
}

err *db_open(const char *dir, const char *name, bool durable, struct db **ret)
{
        _cleanup_(db_closep) struct db *db = MEM_NEW0(struct db, 1);
        _cleanup_free_ char *path = str_format("%s/%s", dir, name);
        int r;

        if (!db || !path)
                return err_nomem();
        (void)snprintf(db->name, sizeof(db->name), "%s", name);
        configure();
        r = sqlite3_open_v2(path, &db->handle,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                            NULL);
        if (r != SQLITE_OK)
                return db_error(db, r, "opening");
        (void)sqlite3_busy_handler(db->handle, busy, NULL);
        TRY(exec(db,
                 durable ? "PRAGMA synchronous=FULL;PRAGMA journal_mode=PERSIST;PRAGMA temp_store=MEMORY"
                         : "PRAGMA synchronous=OFF;PRAGMA journal_mode=PERSIST;PRAGMA temp_store=MEMORY",
                 "setting up"));
        TRY(check_schema(db));
        *ret = TAKE_PTR(db);
        return NULL;
}

void db_close(struct db *db)
{
        if (!db)
                return;
        (void)sqlite3_close_v2(db->handle);
        free(db);
}

static err *prepare(struct db *db, const char *sql, const char *fmt, va_list ap, sqlite3_stmt **ret)
{
        sqlite3_stmt *statement = NULL;
        int r = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

        for (int i = 1; r == SQLITE_OK && *fmt; fmt++, i++) {
                if (*fmt == 'i') {
                        r = sqlite3_bind_int64(statement, i, va_arg(ap, int64_t));
                } else {
                        const char *text = va_arg(ap, const char *);

                        r = text ? sqlite3_bind_text(statement, i, text, -1, SQLITE_STATIC)
                                 : sqlite3_bind_null(statement, i);
                }
        }
        if (r != SQLITE_OK) {
                err *e = db_error(db, r, sql);

                (void)sqlite3_finalize(statement);
                return e;
        }
        *ret = statement;
        return NULL;
}

static err *step_all(struct db *db, sqlite3_stmt *statement, db_row_fn *fn, void *arg, const char *sql)
{
        struct db_row row = {statement};
        err *e = NULL;
        int r;

        while (!e && (r = sqlite3_step(statement)) != SQLITE_DONE) {
                if (r != SQLITE_ROW)
                        e = db_error(db, r, sql);
                else if (fn)
                        e = fn(&row, arg);
        }
        (void)sqlite3_finalize(statement);
        return e;
}

err *db_run(struct db *db, const char *sql, const char *fmt, ...)
{
        sqlite3_stmt *statement = NULL;
        va_list ap;
        err *e;

        va_start(ap, fmt);
        e = prepare(db, sql, fmt, ap, &statement);
        va_end(ap);
        return e ? e : step_all(db, statement, NULL, NULL, sql);
}

int db_changes(const struct db *db)
{
        return sqlite3_changes(db->handle);
}

err *db_select(struct db *db, db_row_fn *fn, void *arg, const char *sql, const char *fmt, ...)
{
        sqlite3_stmt *statement = NULL;
        va_list ap;
        err *e;

        va_start(ap, fmt);
        e = prepare(db, sql, fmt, ap, &statement);
        va_end(ap);
        return e ? e : step_all(db, statement, fn, arg, sql);
}

const char *db_row_text(const struct db_row *row, int i)
{
        const char *text = (const char *)sqlite3_column_text(row->statement, i);

        return text ? text : "";
}

int64_t db_row_int(const struct db_row *row, int i)
{
        return sqlite3_column_int64(row->statement, i);
}

err *db_row_dup(const struct db_row *row, int i, char **ret)
{
        char *text = str_dup(db_row_text(row, i));

        if (!text)
                return err_nomem();
        *ret = text;
        return NULL;
}

err *db_begin(struct db *db)
{
        return exec(db, "BEGIN IMMEDIATE", "beginning a change");
}

err *db_commit(struct db *db)
{
        err *e = exec(db, "COMMIT", "writing");

        if (e)
                db_rollback(db);
        return e;
}

void db_rollback(struct db *db)
{
        if (!sqlite3_get_autocommit(db->handle))
                (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static err *copy_tables(struct db *db, int64_t stamp)
{
        TRY(exec(db,
                 "DELETE FROM containers WHERE durable=1;"
                 "INSERT OR REPLACE INTO containers SELECT * FROM durable.containers;"
                 "DELETE FROM images; INSERT INTO images SELECT * FROM durable.images;"
                 "DELETE FROM names; INSERT INTO names SELECT * FROM durable.names;"
                 "DELETE FROM pins; INSERT INTO pins SELECT * FROM durable.pins;",
                 "copying state.db"));
        return db_run(db, "INSERT OR REPLACE INTO meta VALUES('stamp', ?)", "i", stamp);
}

err *db_copy_from(struct db *db, const char *path, int64_t stamp)
{
        err *e;

        TRY(db_run(db, "ATTACH ? AS durable", "s", path));
        e = db_begin(db);
        if (!e)
                e = copy_tables(db, stamp);
        if (!e)
                e = db_commit(db);
        db_rollback(db);
        err_free(exec(db, "DETACH durable", "detaching"));
        return e;
}
