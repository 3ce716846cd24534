/* pending.h - containers being made. A marker STATE/pending/<id> exists, and is locked, from before the first directory
 * of a container is made until its record is written. A marker that nobody holds belongs to a dead creator: its
 * directories and anonymous volumes (whose names are in the marker, one a line) are removed by the next creator. The
 * marker also holds the store's lease (see store.h). */
#pragma once

#include "base/err.h"
#include "store/store.h"

/* Announce the making of container @id, and first take back what dead creators left. Not with a lease: taking back a
 * volume needs the store alone.
 * @ret_fd: give it to pending_end(). */
MUST_USE err *pending_begin(struct store *s, const char *id, int *ret_fd);
/* Before anonymous volume @name is made for the container of marker @fd: it is to be taken back, too. */
MUST_USE err *pending_volume(int fd, const char *name);
/* The record is written, or everything was undone. @fd -1: nothing to do. */
void pending_end(struct store *s, const char *id, int fd);
