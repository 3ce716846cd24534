/* obstacle_private.h - what obstacle.c finds and obstacle_text.c puts into words. */
#pragma once

#include <linux/netfilter/nf_tables.h>

#include "net/network.h"
#include "net/verdict.h"

/* The first packets of connections. */
enum {
        OBSTACLE_OUT,    /* a container's to the world */
        OBSTACLE_WITHIN, /* a container's to another one on its bridge */
        OBSTACLE_IN,     /* from the world to a published port: the first of those to such */
        OBSTACLE_HOST,   /* the host's to a published port */
        OBSTACLE_KINDS
};
#define OBSTACLE_PUBLISHED OBSTACLE_IN

struct obstacle_chain {
        uint8_t family; /* of the table */
        unsigned hook;  /* NF_INET_FORWARD, ...; those of bridges have the same numbers */
        int priority;
        char table[NFT_NAME_MAXLEN], name[NFT_NAME_MAXLEN];
        bool drop;   /* its policy */
        bool legacy; /* of iptables-legacy */
        /* At NF_INET_INGRESS: does it see what comes by our bridge, by the world's links? */
        bool on_link, on_world[LINK_ADDRESSES];
        bool done; /* looked at */
};

/* Does it see what is for a published port before that is translated? */
bool obstacle_is_early(const struct obstacle_chain *c);

/* What a chain keeps from us. */
struct obstacle_finding {
        bool refused[OBSTACLE_KINDS];
        struct verdict verdict; /* on the first of them */
};

/* Does firewalld only keep from the host itself what it keeps from others (StrictForwardPorts)? Then it is said there.
 */
bool obstacle_is_said(const struct obstacle_finding *f);
/* The sentence; owned, NULL = no memory. */
char *obstacle_text(const struct obstacle_chain *c, const struct obstacle_finding *f, const struct network *n);
