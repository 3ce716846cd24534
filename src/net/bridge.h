/* bridge.h - the bridge of a network: made when the first container needs it, with its place in the firewall. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "net/network.h"

/* Could it be made? ERR_CONFLICT: the interface's name belongs to something else. */
MUST_USE err *bridge_check(const struct network *n);
/* Make sure that the bridge of @n is there, up, has its addresses, and is in the firewall; forwarding is on. Costs two
 * questions to the kernel when nothing has to be done. *@ret_lost: the bridge was up, but the firewall did not know it:
 * somebody has flushed the rules, and perhaps those of other networks. *@ret_made: it was not up, and what chains of
 * others keep from it has been said. A bridge that was there before is used as it is
 * when it is up. ERR_CONFLICT: the interface's name belongs to something else, or a route of the host overlaps a subnet
 * that we chose. Privilege: CAP_NET_ADMIN. */
MUST_USE err *bridge_up(const struct network *n, bool *ret_lost, bool *ret_made);
/* The same without the shortcuts: every rule and setting is made sure of, and the addresses of a bridge that we made.
 */
MUST_USE err *bridge_restore(const struct network *n);
/* Take bridge and rules away; a bridge that we have not made stays. What is not there is fine. */
MUST_USE err *bridge_down(const struct network *n);
/* What the kernel has of the bridge that was made for the network @id, by its mark: its name and addresses.
 * ERR_NOT_FOUND.
 */
MUST_USE err *bridge_find(const char *id, char ret_name[LINK_NAME_MAX + 1], struct link_address ret[LINK_ADDRESSES]);
/* Connections from the host's own 127.0.0.1 may be sent to containers of the bridge (published ports). */
MUST_USE err *bridge_allow_loopback(const struct network *n);
/* Say which chains of others keep what is for published ports from the bridge (obstacle.h). As long as there are no
 * such chains it costs what listing the chains does. */
void bridge_warn_published(const struct network *n);
