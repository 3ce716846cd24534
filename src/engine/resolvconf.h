/* resolvconf.h - /etc/resolv.conf of a container, made from the host's and from what was asked for, as docker makes it.
 *
 *   host       the host's own servers, whatever they are
 *   internal   127.0.0.11, the monitor's (monitor/dns.h); search and options of the host
 *   else       the host's servers without those that are the host's own loopback, or of a family that the container has
 *              not; none left: two public ones
 *
 * --dns, --dns-search and --dns-option come before what the host has. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

#define RESOLVCONF_INTERNAL "127.0.0.11"

enum resolvconf_kind { RESOLVCONF_PLAIN, RESOLVCONF_HOST, RESOLVCONF_INTERNAL_SERVER };

struct resolvconf {
        enum resolvconf_kind kind;
        bool ipv6;                       /* the container has IPv6 */
        const char *host, *path;         /* the host's file and its name */
        char **dns, **search, **options; /* asked for; borrowed; may be NULL */
};

/* The file's text; owned. Its last line is a sum of the rest. */
MUST_USE err *resolvconf_make(const struct resolvconf *r, char **ret);
/* Is @text as we made it? Whoever has edited the file in the container keeps it. */
bool resolvconf_is_ours(const char *text);

/* The host's file that counts: /etc/resolv.conf, or what systemd-resolved stands for when it names only its stub (which
 * is the host's loopback) and the container is @inside a network of its own. *@ret_text is "" when there is none. */
MUST_USE err *resolvconf_of_host(bool inside, char **ret_text, const char **ret_path);
