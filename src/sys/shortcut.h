/* shortcut.h - a shorter way from a container to its host: what it sends to the bridge itself (to the gateway's
 * address, to published ports, replies to the host, everything that is to be routed) need not pass through the bridge.
 *
 *   usual    port → hooks of the bridge (guard, br_netfilter) → the bridge learns who sent → its own device → IP
 *   short    port → an eBPF program → the bridge's own device → IP
 *
 * The program (tc(8), clsact, on the host's end of the pair) takes only what the guard would let through at its first
 * rule: IPv4, or TCP or UDP by IPv6, with the endpoint's own link address and one of its own addresses as source, to
 * the bridge's link address, not to 127.0.0.0/8, without a VLAN's tag. All else goes the usual way. The bridge does not
 * see who sends by the short one, and is told: a static entry in its table. For connection tracking and every rule that
 * asks for the bridge's device it is the same packet; rules of ebtables, or for the port (physdev), do not see it.
 *
 * Bridges that we did not make have none, nor have containers whose traffic is limited (rate.h, egress.h), and a kernel
 * that cannot, or a caller who may not, does without: nothing fails. All of it goes with the port. */
#pragma once

#include "sys/bpf_program.h"
#include "sys/endpoint.h"

/* The endpoint has just been made, in our network namespace. Privilege: CAP_NET_ADMIN, CAP_BPF. */
void shortcut_make(const struct endpoint *e);
/* The same of an endpoint that goes the usual way: the port of its last run, which may not be gone yet, need not be
 * where the bridge sends what is for its link address. */
void shortcut_forget(const struct endpoint *e);
/* Whatever leads in at the host's end @name goes the usual way from now on; also when it did before, or when that is
 * not there. 0 or -errno: what it takes meets no limit. */
int shortcut_remove(const char *name);

/* The program, for a bridge with the link address @mac and the index @bridge; of an endpoint that has an address.
 * Exported for tests. */
void shortcut_compile(const struct endpoint *e, const unsigned char mac[6], int bridge, struct bpf_program *ret);
