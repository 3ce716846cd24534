/* loopback.h - sockets that hear nothing but the loopback, whatever they are bound to and whatever the routes of their
 * network namespace say (net.ipv4.conf.*.route_localnet lets 127.0.0.0/8 in from elsewhere). */
#pragma once

/* From now on what came by another device than "lo" is dropped before @socket, of IP, has it: datagrams, connections.
 * Before bind(2), nothing slips in. 0 or -errno. No privilege. */
int loopback_only(int socket);
