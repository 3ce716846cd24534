/* home.h - in which network namespaces a network has been made: its bridge and rules are there, and nowhere else.
 *
 * Each of them is a line of STATE/networks/<id>.use (the lock of lease_hold()): "net:[4026531840]". hod may be called
 * from several (`ip netns exec`); whoever takes a network away has to be where it is. A line of a namespace that is
 * gone makes room for the next one. */
#pragma once

#include "base/err.h"
#include "net/network.h"

/* It is about to be made in our network namespace. @use: what lease_hold() gave. */
MUST_USE err *home_note(int use);
/* Has it been made in another namespace, which is still there? ERR_CONFLICT says where. @use: held alone. */
MUST_USE err *home_check(int use, const struct network *n);
/* It is nowhere any more. */
MUST_USE err *home_forget(int use);
