/* name_index.h - STATE/names/<name>, a link whose text is the container's id: finds a container by its whole name
 * without opening the database, which is a tenth of an `exec`.
 *
 * Only a hint, but never a wrong one: an entry says what the database says, or names a container that does not run.
 * Therefore an entry is changed only inside the transaction that could make it wrong (under STATE/lock), is removed
 * before a name goes to nobody or somebody else, and is not made by a rename (its transaction may still fail; the next
 * start makes it). What is missing is found in the database. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "store/store.h"

/* @name belongs to @id. Failing costs speed only: logged at debug level. */
void name_index_put(struct store *s, const char *name, const char *id);
/* @name may not belong to anybody any more. */
MUST_USE err *name_index_remove(struct store *s, const char *name);
/* The id that belongs to @name; false: ask the database. */
bool name_index_find(struct store *s, const char *name, char id[ID_LEN + 1]);
