/* dbus.h - a connection to D-Bus: a client for a static program, which cannot load libsystemd or libdbus.
 *
 * One call at a time, all waiting bounded by a deadline. Authentication is EXTERNAL (the kernel vouches for our uid).
 * Locking: none, one thread. */
#pragma once

#include <stdint.h>

#include "sys/dbus_message.h"

struct dbus;

/* A point in time for the functions below, @ms from now. */
int64_t dbus_deadline(int ms);

/* Connect to the Unix socket @path and authenticate. @is_bus: there is a message bus behind it (it is greeted, and
 * calls need a destination); otherwise one peer. ERR_NOT_FOUND if nobody listens there, ERR_DENIED, ERR_TIMEOUT,
 * ERR_SYS, ERR_CORRUPT. */
MUST_USE err *dbus_open(const char *path, bool is_bus, int64_t deadline, struct dbus **ret);
void dbus_close(struct dbus *d);
DEFINE_CLEANUP(struct dbus *, dbus_close)
#define _cleanup_dbus_ __attribute__((cleanup(dbus_closep)))
bool dbus_is_bus(const struct dbus *d);

/* Send @c; its serial is set. Its destination is left out where there is no bus. ERR_SYS. */
MUST_USE err *dbus_send(struct dbus *d, struct dbus_call *c);
/* The next message, whatever it is. Its strings are good until the next call with @d. ERR_TIMEOUT, ERR_CORRUPT,
 * ERR_SYS (also when the other side closes). */
MUST_USE err *dbus_receive(struct dbus *d, int64_t deadline, struct dbus_message *ret);
/* Send and wait for the answer, which may be an error of the other side (type DBUS_ERROR); signals are dropped. */
MUST_USE err *dbus_call(struct dbus *d, struct dbus_call *c, int64_t deadline, struct dbus_message *ret);
/* What a message of type DBUS_ERROR says: its text, or its name. */
const char *dbus_error_text(const struct dbus_message *m);
