/* db.h - a thin layer over SQLite: open with our settings, run a statement, read rows, errors as `err`.
 *
 * Both databases have the same schema, so that a durable change is one statement run twice (see txn.h). Rollback
 * journal PERSIST, never WAL. A reader fetches everything before the statement is finalized; callbacks must not use the
 * database. Parameters are given as a format: 's' const char * (NULL is SQL null), 'i' int64_t. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

#define DB_SCHEMA_VERSION 2

struct db;
struct db_row;

/* Open or create DIR/@name. @durable: synchronous=FULL, else OFF. A new file gets the schema, an older one is brought
 * up to it in place. ERR_UNSUPPORTED when a newer hod wrote it, ERR_CORRUPT, ERR_SYS. */
MUST_USE err *db_open(const char *dir, const char *name, bool durable, struct db **ret);
void db_close(struct db *db);
DEFINE_CLEANUP(struct db *, db_close)

/* Run one statement without a result. ERR_CONFLICT when a uniqueness rule is broken. */
MUST_USE err *db_run(struct db *db, const char *sql, const char *fmt, ...);
/* Rows changed by the last db_run(). */
int db_changes(const struct db *db);

/* Call @fn for each row; its error ends the query. */
typedef err *db_row_fn(const struct db_row *row, void *arg);
MUST_USE err *db_select(struct db *db, db_row_fn *fn, void *arg, const char *sql, const char *fmt, ...);
/* Column @i of a row; "" for null. Borrowed until the callback returns. */
const char *db_row_text(const struct db_row *row, int i);
int64_t db_row_int(const struct db_row *row, int i);
/* An owned copy; ERR_NOMEM. */
MUST_USE err *db_row_dup(const struct db_row *row, int i, char **ret);

MUST_USE err *db_begin(struct db *db);  /* IMMEDIATE */
MUST_USE err *db_commit(struct db *db); /* on failure it is rolled back */
void db_rollback(struct db *db);        /* outside of a transaction: nothing */

/* Replace the durable rows of @db by those of the database file @path. Not inside a transaction. */
MUST_USE err *db_copy_from(struct db *db, const char *path, int64_t stamp);
