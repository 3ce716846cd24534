/* ports.h - published ports of a container: from its record to the firewall's maps, and what is shown of them. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/parse.h"
#include "engine/container.h"
#include "net/firewall.h"

/* In a Ports document: opened at the container's own address, which is HostIp; not for people. */
#define PORTS_OPEN "HodOpen"

/* Where published ports lead, and come from. */
struct ports_target {
        struct link_address to[LINK_ADDRESSES]; /* the container's; family 0 = it has none */
        struct link_address host;               /* the host's, of those that name none; family 0 = all */
        bool routed[LINK_ADDRESSES]; /* nothing is translated: what names no address of the host is opened at @to */
};

/* Publish what HostConfig.PortBindings and PublishAllPorts ask for, to @t.
 * Ports that were left to us are chosen. What is about to be taken is first told to @note (network.json), as docker's
 * Ports document. @ret_lines: for the monitor, which keeps the ports busy on the host; appended.
 * ERR_CONFLICT "Bind for 0.0.0.0:80 failed: port is already allocated (by container x)", ERR_SYS (address or port not
 * to be had). */
typedef err *ports_note(void *arg, json *ports);
MUST_USE err *ports_publish(struct container *c, const struct ports_target *t, ports_note *note, void *arg,
                            char ***ret_lines);
/* The same for what the PortBindings document @bindings asks for beyond what the container has, the Ports document
 * @has; @note gets these only. */
MUST_USE err *ports_publish_more(struct container *c, const json *has, const json *bindings,
                                 const struct ports_target *t, ports_note *note, void *arg, char ***ret_lines);
/* A Ports (or PortBindings) document with what both have; a part of theirs. */
json *ports_join(const json *a, const json *b);
/* The same of two Ports documents; what is alike is in it once. */
json *ports_merge(const json *a, const json *b);
/* A container that has the Ports document @has is about to be reached by @t: what names no address is published for a
 * family that it had not before, under the same port of the host. @note gets these only. ERR_CONFLICT, ERR_SYS. */
MUST_USE err *ports_publish_others(struct container *c, const json *has, const struct ports_target *t, ports_note *note,
                                   void *arg);
/* Does an entry of PortBindings, or of a Ports document, name no one address of the host? */
bool ports_is_any(const json *binding);
/* Is there something in its Ports document @ports that @t would have otherwise: open at the container's own address, or
 * at an address of the host that is not the network's; or too little? *@ret_gone: the ports of the container that have
 * such, but for what names an address of the host, and none for those that the record asks for and that it has not at
 * all; *@ret_kept: the rest. Both owned, parts of @ports. */
bool ports_split(const struct container *c, const json *ports, const struct ports_target *t, json **ret_kept,
                 json **ret_gone);
/* All or nothing, and at once: what there is of @has in such a way is published as the record asks for it in @t, under
 * the same ports of the host where it has a choice, and the rest leads to @t. Without @must a port of the container
 * that somebody has is closed instead, and said to be. @note gets what was and what is to be. *@ret (owned): all that
 * it has now; NULL: there is no such thing, and nothing was done. ERR_CONFLICT, ERR_INVALID, ERR_SYS. */
MUST_USE err *ports_convert(struct container *c, const json *has, const struct ports_target *t, bool must,
                            ports_note *note, void *arg, json **ret);
/* The monitor's lines of a Ports document, appended, while the container is reached by @to. */
MUST_USE err *ports_lines(const struct container *c, const json *ports, const struct link_address to[LINK_ADDRESSES],
                          char ***ret);
/* The elements of the firewall that a Ports document stands for; links are borrowed from it. @ret: owned. */
MUST_USE err *ports_elements(const json *ports, const struct link_address to[LINK_ADDRESSES],
                             struct firewall_port **ret, size_t *ret_n);
/* Take back what the document @ports names and is @c's, given the addresses that it had. */
MUST_USE err *ports_unpublish(const struct container *c, const json *ports,
                              const struct link_address to[LINK_ADDRESSES]);
/* What `-p` asks of the container's @port, as docker's PortBindings have it; @key gets "80/tcp". */
#define PORTS_KEY_MAX 16
void ports_add_binding(json *bindings, const struct parse_port *p, uint16_t port, char key[PORTS_KEY_MAX]);

/* Does the record ask for any? */
bool ports_wanted(const struct container *c);

/* "0.0.0.0:8080->80/tcp, 443/tcp" as ps shows it, from a Ports document; neighbours are joined as docker joins them
 * ("0.0.0.0:80-82->80-82/tcp"); owned. */
MUST_USE err *ports_text(const json *ports, char **ret);
/* Lines of `hod port`: "80/tcp -> 0.0.0.0:8080", by port; for one port of the container (@key "80/tcp") only
 * "0.0.0.0:8080". Appended. */
MUST_USE err *ports_list(const json *ports, const char *key, char ***ret);
/* Those of the document @has lead to the addresses @to from now on, *@ret (owned); what is published for a family that
 * @to has not is closed, and not in it if it had named no address. If something is opened at another address than
 * before, @note gets what was and what is to be. ERR_CONFLICT: somebody has taken one that led nowhere. */
MUST_USE err *ports_move(const struct container *c, const json *has, const struct link_address to[LINK_ADDRESSES],
                         ports_note *note, void *arg, json **ret);
