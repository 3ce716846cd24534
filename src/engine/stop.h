/* stop.h - signals, stop, restart, pause, wait, remove, rename: what is done to a container that exists. */
#pragma once

#include "base/err.h"
#include "engine/container.h"

/* Send @signal (number) to the container's first process. */
MUST_USE err *stop_kill(struct container *c, int signal);

/* Ask it to end with @signal (0 = its own stop signal) and kill it after @timeout_s seconds (-1 = its own, else 10;
 * -2 = wait forever). A container that does not run is fine. Returns when it has ended and is cleaned up. */
MUST_USE err *stop_container(struct container *c, int signal, int timeout_s);

/* The same without the cleanup (for who holds the container's lock). As long as *@ret_fd is open (-1: it did not run),
 * the monitor leaves that to the caller, see cleanup_tell(). */
MUST_USE err *stop_end(struct container *c, int signal, int timeout_s, int *ret_fd);

/* Wait for the end of the current run. @ret_code is the exit status; a container that does not run answers at once. */
MUST_USE err *stop_wait(struct container *c, int *ret_code);

/* Pause, or go on. ERR_NOT_RUNNING, ERR_CONFLICT (it is already, or is not) in docker's words. */
MUST_USE err *stop_pause(struct container *c, bool pause);
/* Pause it only as long as the connection @ret_fd is open: whoever asked may die. stop_resume_held() ends it at once.
 */
MUST_USE err *stop_pause_held(struct container *c, int *ret_fd);
MUST_USE err *stop_resume_held(int fd);

/* Remove @c. @force: kill it first. @volumes: its anonymous volumes too. */
MUST_USE err *stop_remove(struct container *c, bool force, bool volumes);

/* The same for several, by their names or ids. @report is told how each went, in their order, and frees the error. */
typedef void stop_report(void *arg, const char *ref, err *e);
void stop_remove_each(struct engine *e, char *const *refs, bool force, bool volumes, stop_report *report, void *arg);

/* @name may begin with a slash, as docker shows names. ERR_INVALID, ERR_CONFLICT (somebody else is called so). */
MUST_USE err *stop_rename(struct container *c, const char *name);
